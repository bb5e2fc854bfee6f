//! What options are in Rust, as what they are in C.

use std::mem;

/// The value of a field. Sizes beyond it become its largest, which the library refuses by name.
pub(crate) trait IntoField<T> {
    fn into_field(self) -> T;
}

impl IntoField<i32> for usize {
    fn into_field(self) -> i32 {
        i32::try_from(self).unwrap_or(i32::MAX)
    }
}

impl IntoField<i32> for bool {
    fn into_field(self) -> i32 {
        self as i32
    }
}

impl<T> IntoField<T> for T {
    fn into_field(self) -> T {
        self
    }
}

macro_rules! fields_of_enums {
    ($($name:ident)*) => {$(
        impl IntoField<i32> for crate::$name {
            fn into_field(self) -> i32 {
                self as i32
            }
        }
    )*};
}

fields_of_enums! { Cell Init InitialState Compute Activation Direction Loss Optimizer Schedule Format }

/// Methods of a builder that set the field of the same name in `self.raw`.
macro_rules! setters {
    ($($(#[$about:meta])* $name:ident: $kind:ty,)*) => {$(
        $(#[$about])*
        #[must_use]
        pub fn $name(mut self, $name: $kind) -> Self {
            self.raw.$name = crate::convert::IntoField::into_field($name);
            self
        }
    )*};
}
pub(crate) use setters;

/// Copies a struct that begins with its size, which a library of another version may have made larger or smaller.
///
/// Safety: `T` is a struct of `sys` with a struct_size; `source` points to one of the size that it says.
pub(crate) unsafe fn copy_sized<T: Default>(source: *const T) -> T {
    let mut copy = T::default();
    let size = (*source.cast::<usize>()).min(mem::size_of::<T>());
    let start = mem::size_of::<usize>();
    let target = (&mut copy as *mut T).cast::<u8>();
    source.cast::<u8>().add(start).copy_to_nonoverlapping(target.add(start), size - start);
    copy
}
