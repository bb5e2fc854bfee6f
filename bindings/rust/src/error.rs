//! Statuses as errors.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::c_char;

use crate::sys;

/// What a call returns that may fail.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! errors {
    ($($(#[$about:meta])* $variant:ident = $constant:ident,)*) => {
        /// A failed call: its status, and what was wrong, with the values.
        ///
        /// ```
        /// use librnn::{Config, Error, Network};
        ///
        /// match Network::new(&Config::new(3).hidden_size(70_000)) {
        ///     Err(Error::InvalidArgument(message)) => {
        ///         assert!(message.starts_with("rnn_create: config.hidden_size is 70000"));
        ///     }
        ///     other => panic!("{:?}", other.map(|_| ())),
        /// }
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$about])* $variant(String),)*
            /// A status that this version of the crate does not know.
            Other(i32, String),
        }

        impl Error {
            /// The library's own number: `RNN_INVALID_ARGUMENT`, ...
            pub fn status(&self) -> sys::rnn_status_t {
                match self {
                    $(Error::$variant(_) => sys::$constant,)*
                    Error::Other(status, _) => *status,
                }
            }

            /// What was wrong.
            pub fn message(&self) -> &str {
                match self {
                    $(Error::$variant(message) => message,)*
                    Error::Other(_, message) => message,
                }
            }

            fn from_status(status: sys::rnn_status_t, message: String) -> Error {
                match status {
                    $(sys::$constant => Error::$variant(message),)*
                    _ => Error::Other(status, message),
                }
            }
        }
    };
}

errors! {
    /// An argument is out of range, or contradicts another.
    InvalidArgument = RNN_INVALID_ARGUMENT,
    /// There is no parameter or metadata of that name.
    NotFound = RNN_NOT_FOUND,
    /// The state, weights or checkpoint belong to another architecture.
    Mismatch = RNN_MISMATCH,
    /// A loss or gradient became NaN or infinite; the last good weights stay.
    NotFinite = RNN_NOT_FINITE,
    /// Memory ran out, or sizes are too large.
    OutOfMemory = RNN_OUT_OF_MEMORY,
    /// The operating system refused to open, read, write or rename.
    FileError = RNN_FILE_ERROR,
    /// The file's contents are damaged, hostile or of an unknown kind.
    BadFormat = RNN_BAD_FORMAT,
    /// Not on this CPU, not in this build, or no network that the library computes.
    Unsupported = RNN_UNSUPPORTED,
    /// The ranks of a job could not exchange data.
    Unavailable = RNN_UNAVAILABLE,
    /// An error of the library itself.
    Internal = RNN_INTERNAL,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Safety: `text` is a string, which lives for the time of the call.
pub(crate) unsafe fn string(text: *const c_char) -> String {
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

pub(crate) fn check(status: sys::rnn_status_t) -> Result<()> {
    if status == sys::RNN_OK {
        return Ok(());
    }
    Err(last_error(status))
}

#[cold]
fn last_error(status: sys::rnn_status_t) -> Error {
    // Safety: the string lives until this thread's next failing call.
    Error::from_status(status, unsafe { string(sys::rnn_last_error()) })
}

#[cold]
fn wrong_length(what: &str, length: usize, expected: Option<usize>) -> Error {
    let expected =
        expected.map_or("more than there can be".into(), |expected| expected.to_string());
    Error::InvalidArgument(format!("{} has {} elements; it must have {}", what, length, expected))
}

/// `expected`: `None` where the product of sizes is too large.
pub(crate) fn check_length(what: &str, length: usize, expected: Option<usize>) -> Result<()> {
    if expected == Some(length) {
        return Ok(());
    }
    Err(wrong_length(what, length, expected))
}

/// The number of rows in `length` elements.
pub(crate) fn rows(what: &str, length: usize, width: usize) -> Result<usize> {
    if length % width == 0 {
        return Ok(length / width);
    }
    Err(not_whole(what, length, width))
}

#[cold]
fn not_whole(what: &str, length: usize, width: usize) -> Error {
    Error::InvalidArgument(format!(
        "{} has {} elements; it must have a multiple of {}",
        what, length, width
    ))
}

pub(crate) fn c_string(what: &str, text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::InvalidArgument(format!("{} contains a zero character", what)))
}

#[cold]
pub(crate) fn too_large() -> Error {
    Error::OutOfMemory("the result is larger than there can be".into())
}
