//! Files, in the file system and in memory, and the text that they keep.

use std::os::raw::c_char;
use std::path::Path;
use std::ptr;
use std::{ffi::CString, fmt};

use crate::convert::setters;
use crate::error::{c_string, check, string, Error, Result};
use crate::{sys, Flag, Format, Network};

/// A path as the library reads it.
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    let text = path.to_str().ok_or_else(|| {
        Error::InvalidArgument(format!("the path {} is not UTF-8", path.display()))
    })?;
    c_string("the path", text)
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

// Builders keep texts as they are given: what cannot be one in C is refused by the call.
fn optional(what: &str, text: &Option<String>) -> Result<Option<CString>> {
    text.as_ref().map(|text| c_string(what, text)).transpose()
}

macro_rules! texts {
    ($($(#[$about:meta])* $name:ident,)*) => {$(
        $(#[$about])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.$name = Some($name.into());
            self
        }
    )*};
}

/// How to save: `rnn_save_options_t`.
///
/// ```
/// use librnn::{Config, Format, Network, SaveOptions};
///
/// let network = Network::new(&Config::new(3).hidden_size(4))?;
/// let file = network.save_memory_as(&SaveOptions::new().format(Format::Binary))?;
/// let loaded = Network::load_memory(&file)?;
/// assert_eq!(loaded.parameter("weight_hh_l0")?, network.parameter("weight_hh_l0")?);
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SaveOptions {
    raw: sys::rnn_save_options_t,
    layers: Option<String>,
    head: Option<String>,
    embedding: Option<String>,
    name: Option<String>,
}

// Safety: the pointers in `raw` are always NULL here.
unsafe impl Send for SaveOptions {}
unsafe impl Sync for SaveOptions {}

impl SaveOptions {
    /// All defaults.
    pub fn new() -> SaveOptions {
        SaveOptions::default()
    }

    setters! {
        /// Default: by the suffix of the path.
        format: Format,
        /// No probe in the file.
        without_probe: bool,
    }

    texts! {
        /// What stands before the names of the layers' tensors.
        layers,
        /// What stands before those of the head; default "head.".
        head,
        /// What stands before that of the embedding; default "embedding.".
        embedding,
        /// Of the array in C.
        name,
    }

    fn with_raw<R>(&self, f: impl FnOnce(&sys::rnn_save_options_t) -> Result<R>) -> Result<R> {
        let layers = optional("layers", &self.layers)?;
        let head = optional("head", &self.head)?;
        let embedding = optional("embedding", &self.embedding)?;
        let name = optional("name", &self.name)?;
        f(&sys::rnn_save_options_t {
            layers: pointer(&layers),
            head: pointer(&head),
            embedding: pointer(&embedding),
            name: pointer(&name),
            ..self.raw
        })
    }
}

impl fmt::Debug for SaveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveOptions")
            .field("format", &self.raw.format)
            .field("without_probe", &self.raw.without_probe)
            .field("layers", &self.layers)
            .field("head", &self.head)
            .field("embedding", &self.embedding)
            .field("name", &self.name)
            .finish()
    }
}

/// How to read the file of another library: `rnn_load_options_t`.
///
/// ```no_run
/// use librnn::{LoadOptions, Network};
///
/// let network = Network::load_as("model.pt", &LoadOptions::new().layers("encoder.*").head("fc."))?;
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct LoadOptions {
    raw: sys::rnn_load_options_t,
    layers: Option<String>,
    head: Option<String>,
    embedding: Option<String>,
    activations: Option<String>,
}

// Safety: the pointers in `raw` are always NULL here.
unsafe impl Send for LoadOptions {}
unsafe impl Sync for LoadOptions {}

impl LoadOptions {
    /// All defaults.
    pub fn new() -> LoadOptions {
        LoadOptions::default()
    }

    setters! {
        /// A probe in the file is not run.
        without_probe: bool,
    }

    texts! {
        /// Which modules of a state dict are the recurrent layers.
        layers,
        /// Which module is the head; "": none.
        head,
        /// Which module is the embedding; "": none.
        embedding,
        /// What is behind each Linear: "tanh,none".
        activations,
    }

    /// [`Flag::Relu`]: the RNN of a state dict has nonlinearity='relu'.
    #[must_use]
    pub fn flag(mut self, flag: Flag) -> LoadOptions {
        self.raw.flags |= flag as u32;
        self
    }

    fn with_raw<R>(&self, f: impl FnOnce(&sys::rnn_load_options_t) -> Result<R>) -> Result<R> {
        let layers = optional("layers", &self.layers)?;
        let head = optional("head", &self.head)?;
        let embedding = optional("embedding", &self.embedding)?;
        let activations = optional("activations", &self.activations)?;
        f(&sys::rnn_load_options_t {
            layers: pointer(&layers),
            head: pointer(&head),
            embedding: pointer(&embedding),
            activations: pointer(&activations),
            ..self.raw
        })
    }
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("flags", &self.raw.flags)
            .field("without_probe", &self.raw.without_probe)
            .field("layers", &self.layers)
            .field("head", &self.head)
            .field("embedding", &self.embedding)
            .field("activations", &self.activations)
            .finish()
    }
}

/// Files. All that reads or writes one allocates.
impl Network {
    /// Saves a safetensors file. A crash at any instant leaves the old file or the new one.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::rnn_save(self.as_ptr(), path.as_ptr()) })
    }

    /// The same in any format.
    pub fn save_as(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        let path = c_path(path.as_ref())?;
        options
            .with_raw(|raw| check(unsafe { sys::rnn_save_as(self.as_ptr(), path.as_ptr(), raw) }))
    }

    /// The file that [`Network::save`] writes, in memory.
    pub fn save_memory(&self) -> Result<Vec<u8>> {
        self.save_memory_as(&SaveOptions::new())
    }

    /// The file that [`Network::save_as`] writes, in memory.
    pub fn save_memory_as(&self, options: &SaveOptions) -> Result<Vec<u8>> {
        options.with_raw(|raw| {
            fill(|file, size| unsafe {
                let start = if file.is_empty() { ptr::null_mut() } else { file.as_mut_ptr() };
                sys::rnn_save_memory_as(self.as_ptr(), raw, start.cast(), file.len(), size)
            })
        })
    }

    /// Creates a network from a file: of this library, or of another that this build reads.
    pub fn load(path: impl AsRef<Path>) -> Result<Network> {
        Network::load_as(path, &LoadOptions::new())
    }

    /// The same with options.
    pub fn load_as(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Network> {
        let path = c_path(path.as_ref())?;
        options.with_raw(|raw| {
            Network::make(|out| unsafe { sys::rnn_load_as(path.as_ptr(), raw, ptr::null(), out) })
        })
    }

    /// Creates a network from a file in memory.
    pub fn load_memory(file: &[u8]) -> Result<Network> {
        Network::load_memory_as(file, &LoadOptions::new())
    }

    /// The same with options.
    pub fn load_memory_as(file: &[u8], options: &LoadOptions) -> Result<Network> {
        let (start, size) = (file.as_ptr().cast(), file.len());
        options.with_raw(|raw| {
            Network::make(|out| unsafe {
                sys::rnn_load_memory_as(start, size, raw, ptr::null(), out)
            })
        })
    }

    /// Keeps text with the weights, and in files; `None` keeps none under this key.
    ///
    /// ```
    /// # use librnn::{Config, Network};
    /// let mut network = Network::new(&Config::new(1).hidden_size(4))?;
    /// network.set_metadata("sample_rate", Some("48000"))?;
    /// assert_eq!(network.metadata("sample_rate")?, "48000");
    /// assert_eq!(network.metadata_keys(), ["sample_rate"]);
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn set_metadata(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let key = c_string("key", key)?;
        let value = value.map(|value| c_string("value", value)).transpose()?;
        check(unsafe { sys::rnn_set_metadata(self.as_ptr(), key.as_ptr(), pointer(&value)) })
    }

    /// The text of a key.
    pub fn metadata(&self, key: &str) -> Result<String> {
        let key = c_string("key", key)?;
        let mut value = fill(|value, size| unsafe {
            let start = if value.is_empty() { ptr::null_mut() } else { value.as_mut_ptr() };
            let capacity = value.len();
            sys::rnn_get_metadata(self.as_ptr(), key.as_ptr(), start.cast(), capacity, size)
        })?;
        value.pop(); // the zero byte
        Ok(String::from_utf8_lossy(&value).into_owned())
    }

    /// All keys, in the order of their bytes.
    pub fn metadata_keys(&self) -> Vec<String> {
        let mut count = 0;
        check(unsafe { sys::rnn_metadata_count(self.as_ptr(), &mut count) }).expect("metadata");
        (0..count)
            .map(|index| {
                let mut key = ptr::null();
                check(unsafe { sys::rnn_metadata_key(self.as_ptr(), index, &mut key) })
                    .expect("a key");
                // Safety: the key lives until metadata changes.
                unsafe { string(key) }
            })
            .collect()
    }
}

/// Asks a function for the size of what it writes, and then for that.
fn fill(function: impl Fn(&mut [u8], *mut usize) -> sys::rnn_status_t) -> Result<Vec<u8>> {
    let mut size = 0;
    check(function(&mut [], &mut size))?;
    let mut values = vec![0; size];
    check(function(&mut values, &mut size))?;
    values.truncate(size);
    Ok(values)
}
