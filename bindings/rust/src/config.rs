//! What a network is: `rnn_config_t` and `rnn_layer_t`.

use std::fmt;

use crate::convert::{copy_sized, setters};
use crate::sys;
use crate::{Activation, Cell, Compute, Direction, Flag, Init, InitialState};

/// What a network is to be. What is not set has its default.
///
/// Either the usual stack, of equal cells and at most a linear head:
///
/// ```
/// use librnn::{Cell, Config, Network};
///
/// let config = Config::new(3).cell(Cell::Gru).hidden_size(16).num_layers(2).output_size(2).seed(7);
/// let network = Network::new(&config)?;
/// assert_eq!((network.input_size(), network.output_size()), (3, 2));
/// # Ok::<(), librnn::Error>(())
/// ```
///
/// or a list of layers, each of which reads the output of the one before:
///
/// ```
/// use librnn::{Activation, Cell, Config, Layer, Network};
///
/// let config = Config::new(1)
///     .layer(Layer::dense(8).activation(Activation::Tanh))
///     .layer(Layer::cell(Cell::Lstm, 16))
///     .layer(Layer::dense(1));
/// let network = Network::new(&config)?;
/// assert_eq!(network.config().layers().len(), 3);
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    raw: sys::rnn_config_t,
    layers: Vec<sys::rnn_layer_t>,
}

// Safety: the pointers in `raw` are always NULL here.
unsafe impl Send for Config {}
unsafe impl Sync for Config {}

impl Config {
    /// A network that reads `input_size` numbers, or one of so many indices, in each step.
    pub fn new(input_size: usize) -> Config {
        let config = Config { raw: Default::default(), layers: Vec::new() };
        config.input_size(input_size)
    }

    setters! {
        /// I: 1..1048576.
        input_size: usize,
        /// The cell of every layer; default vanilla.
        cell: Cell,
        /// H: 1..65536, of every layer and direction.
        hidden_size: usize,
        /// O of the linear head: 1..1048576; 0: no head, the output is h.
        output_size: usize,
        /// L: 1..64; default 1.
        num_layers: usize,
        /// Of the matrices that are not recurrent; default PyTorch's.
        init: Init,
        /// Of weight_hh; default: as `init`.
        recurrent_init: Init,
        /// a of [`Init::Uniform`]; default 0.08.
        init_range: f32,
        /// Same seed, same weights, on every machine.
        seed: u64,
        /// Default zero.
        initial_state: InitialState,
        /// Default float.
        compute: Compute,
        /// P of an LSTM: h is projected to this width.
        projection_size: usize,
        /// E: the first layer reads a learned vector for each index.
        embedding_size: usize,
        /// LSTM, minLSTM: added to the forget gate's initial bias.
        forget_bias: f32,
        /// How many inputs are added to the outputs.
        skip: usize,
    }

    /// Sets one flag more.
    #[must_use]
    pub fn flag(mut self, flag: Flag) -> Config {
        self.raw.flags |= flag as u32;
        self
    }

    /// Adds a layer to the list. The fields of the usual stack are then not set.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Config {
        self.layers.push(layer.raw);
        self
    }

    /// The list of layers; empty for the usual stack.
    pub fn layers(&self) -> Vec<Layer> {
        self.layers.iter().map(|&raw| Layer { raw }).collect()
    }

    /// The fields, for reading: `config.fields().hidden_size`. The pointers in it are NULL.
    pub fn fields(&self) -> &sys::rnn_config_t {
        &self.raw
    }

    pub(crate) fn with_raw<R>(&self, f: impl FnOnce(&sys::rnn_config_t) -> R) -> R {
        let mut raw = self.raw;
        if !self.layers.is_empty() {
            raw.layers = self.layers.as_ptr();
            raw.layer_count = self.layers.len();
        }
        f(&raw)
    }

    /// Safety: `raw` is what rnn_get_config gave, and its network lives.
    pub(crate) unsafe fn from_raw(mut raw: sys::rnn_config_t) -> Config {
        let mut layers = Vec::new();
        if !raw.layers.is_null() {
            // All elements have the size that the first one says.
            let stride = (*raw.layers).struct_size;
            let start = raw.layers.cast::<u8>();
            let layer = |i| start.add(i * stride).cast::<sys::rnn_layer_t>();
            layers.extend((0..raw.layer_count).map(|i| copy_sized(layer(i))));
        }
        raw.layers = std::ptr::null();
        raw.layer_count = 0;
        Config { raw, layers }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("fields", &self.raw).field("layers", &self.layers).finish()
    }
}

/// One layer of a list: a cell, a dense layer or a convolution. See [`Config`].
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    raw: sys::rnn_layer_t,
}

impl Layer {
    fn new(kind: i32, size: usize) -> Layer {
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        Layer { raw: sys::rnn_layer_t { kind, size, ..Default::default() } }
    }

    /// `size` recurrent units.
    pub fn cell(cell: Cell, size: usize) -> Layer {
        Layer::new(cell as i32, size)
    }

    /// y = f(W x + b), of `size` outputs, where f is the activation.
    pub fn dense(size: usize) -> Layer {
        Layer::new(sys::RNN_LAYER_DENSE, size)
    }

    /// A causal convolution over the last `kernel_size` steps.
    pub fn conv1d(size: usize, kernel_size: usize) -> Layer {
        Layer::new(sys::RNN_LAYER_CONV1D, size).kernel_size(kernel_size).dilation(1)
    }

    setters! {
        /// Of a dense layer or a convolution; of a cell, of h or of its new gate.
        activation: Activation,
        /// Of a cell.
        direction: Direction,
        /// P of an LSTM.
        projection_size: usize,
        /// a of the activation.
        alpha: f32,
        /// b of the activation.
        beta: f32,
        /// K of a convolution.
        kernel_size: usize,
        /// Of a convolution: steps between its taps.
        dilation: usize,
        /// Of the gates of a GRU or LSTM.
        gate_activation: Activation,
        /// a of `gate_activation`.
        gate_alpha: f32,
        /// b of `gate_activation`.
        gate_beta: f32,
        /// Of an LSTM, of c' for h.
        output_activation: Activation,
        /// a of `output_activation`.
        output_alpha: f32,
        /// b of `output_activation`.
        output_beta: f32,
        /// What activations are of is limited to -clip..clip.
        clip: f32,
        /// How much of h stays.
        zoneout_h: f32,
        /// How much of c of an LSTM stays.
        zoneout_c: f32,
    }

    /// Sets one flag more.
    #[must_use]
    pub fn flag(mut self, flag: Flag) -> Layer {
        self.raw.flags |= flag as u32;
        self
    }

    /// The fields, for reading.
    pub fn fields(&self) -> &sys::rnn_layer_t {
        &self.raw
    }
}
