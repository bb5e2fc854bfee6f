//! How to draw indices: `rnn_generate_options_t`.

use crate::convert::setters;
use crate::sys;

/// How [`Network::generate`](crate::Network::generate) draws.
///
/// ```
/// use librnn::GenerateOptions;
///
/// let certain = GenerateOptions::new().greedy(true);
/// let varied = GenerateOptions::new().temperature(0.8).top_k(40).seed(7).stop_at(0);
/// # let _ = (certain, varied);
/// ```
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    raw: sys::rnn_generate_options_t,
}

// Safety: the pointer in `raw` is always NULL here.
unsafe impl Send for GenerateOptions {}
unsafe impl Sync for GenerateOptions {}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions::new()
    }
}

impl GenerateOptions {
    /// Draws from all classes at temperature 1.
    pub fn new() -> GenerateOptions {
        GenerateOptions { raw: Default::default() }
    }

    setters! {
        /// Logits are divided by it; > 0; default 1.
        temperature: f32,
        /// Keep the most probable classes whose sum reaches this part; default 1.
        top_p: f32,
        /// Keep so many of the most probable classes; default all.
        top_k: usize,
        /// Always the most probable class.
        greedy: bool,
        /// Same seed, same draws.
        seed: u64,
    }

    /// Ends after this index was drawn.
    #[must_use]
    pub fn stop_at(mut self, index: i32) -> Self {
        self.raw.stop = 1;
        self.raw.stop_index = index;
        self
    }

    pub(crate) fn raw(&self) -> &sys::rnn_generate_options_t {
        &self.raw
    }
}
