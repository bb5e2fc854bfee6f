//! One stream: `rnn_t`.

use std::ptr::{self, NonNull};

use crate::error::{c_string, check, check_length, rows, string, Result};
use crate::{sys, Compute, Config, GenerateOptions, Sequences};

/// A stream: weights, which any number of streams may share, and a hidden state of its own.
///
/// A stream may move to another thread, but is for one thread at a time: it is [`Send`] and not [`Sync`]. Streams that
/// share weights may be on different threads.
///
/// ```compile_fail
/// # let network = librnn::Network::new(&librnn::Config::new(1).hidden_size(4)).unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| network.state()); // shared by two threads: refused by the compiler
///     network.state();
/// });
/// ```
///
/// Functions that write to a slice they are given allocate nothing, lock nothing and make no system call, unless their
/// comment says otherwise or they fail: they are for real-time threads, as the functions of the ABI are. Those that
/// return a `Vec` allocate it.
///
/// ```
/// use librnn::{Config, Network};
///
/// let mut network = Network::new(&Config::new(3).hidden_size(16).output_size(2))?;
/// let mut y = [0.0; 2];
/// network.step(&[0.1, 0.2, 0.3], &mut y)?;
///
/// // Another stream over the same weights, from the same state: it gives the same bits.
/// let mut other = network.clone();
/// let mut y_other = [0.0; 2];
/// network.step(&[0.4, 0.5, 0.6], &mut y)?;
/// other.step(&[0.4, 0.5, 0.6], &mut y_other)?;
/// assert_eq!(y, y_other);
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Debug)]
pub struct Network {
    handle: NonNull<sys::rnn_t>,
    input_size: usize,
    output_size: usize,
    state_size: usize,
}

// Safety: a handle is for one thread at a time, whichever that is.
unsafe impl Send for Network {}

impl Drop for Network {
    fn drop(&mut self) {
        unsafe { sys::rnn_destroy(self.as_ptr()) }
    }
}

/// [`Network::fork`], which panics where that fails: when memory runs out.
impl Clone for Network {
    fn clone(&self) -> Network {
        self.fork().unwrap_or_else(|error| panic!("{}", error))
    }
}

/// The shape of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// PyTorch's name: weight_ih_l0, head.bias, ...
    pub name: String,
    /// Rows of the matrix, or elements of the vector.
    pub rows: usize,
    /// 1 for a vector.
    pub columns: usize,
}

impl Network {
    /// Creates a network with initialised weights, and a stream in the initial state.
    pub fn new(config: &Config) -> Result<Network> {
        config.with_raw(|raw| Network::make(|out| unsafe { sys::rnn_create(raw, out) }))
    }

    /// A stream from a function of the ABI that makes one.
    pub(crate) fn make(
        function: impl FnOnce(*mut *mut sys::rnn_t) -> sys::rnn_status_t,
    ) -> Result<Network> {
        let mut handle = ptr::null_mut();
        check(function(&mut handle))?;
        // Safety: the function succeeded, and the stream is the caller's.
        unsafe { Network::from_raw(handle) }
    }

    /// Takes over a handle of the ABI.
    ///
    /// # Safety
    ///
    /// `handle` is a stream that nothing else uses or destroys.
    pub unsafe fn from_raw(handle: *mut sys::rnn_t) -> Result<Network> {
        let handle = NonNull::new(handle).expect("a stream");
        let mut network = Network { handle, input_size: 0, output_size: 0, state_size: 0 };
        network.input_size = network.get_config()?.input_size as usize;
        check(sys::rnn_output_size(network.as_ptr(), &mut network.output_size))?;
        check(sys::rnn_state_size(network.as_ptr(), &mut network.state_size))?;
        Ok(network)
    }

    /// The handle, for functions of [`sys`] that have no other form here.
    pub fn as_ptr(&self) -> *mut sys::rnn_t {
        self.handle.as_ptr()
    }

    fn get_config(&self) -> Result<sys::rnn_config_t> {
        let mut config = sys::rnn_config_t::default();
        check(unsafe { sys::rnn_get_config(self.as_ptr(), &mut config) })?;
        Ok(config)
    }

    /// The configuration, with defaults resolved.
    pub fn config(&self) -> Config {
        let config = self.get_config().expect("the configuration of a network");
        // Safety: the network lives.
        unsafe { Config::from_raw(config) }
    }

    /// I, the number of inputs, or of indices.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// O, the number of outputs.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    /// S, the number of floats in a state.
    pub fn state_size(&self) -> usize {
        self.state_size
    }

    /// Makes another stream over the same weights, in the same state, for the cost of a state. Weights that are shared
    /// are never written: who changes them gets a copy.
    pub fn fork(&self) -> Result<Network> {
        Network::make(|out| unsafe { sys::rnn_fork(self.as_ptr(), out) })
    }

    /// Makes another network: a copy of the weights and of the state.
    pub fn duplicate(&self) -> Result<Network> {
        Network::make(|out| unsafe { sys::rnn_clone(self.as_ptr(), out) })
    }

    /// Makes another network, a copy that computes with other numbers.
    pub fn convert(&self, compute: Compute) -> Result<Network> {
        Network::make(|out| unsafe { sys::rnn_convert(self.as_ptr(), compute as i32, out) })
    }

    /// Uses the weights of `source` from now on, shared; the state stays.
    pub fn sync(&mut self, source: &Network) -> Result<()> {
        check(unsafe { sys::rnn_sync(self.as_ptr(), source.as_ptr()) })
    }

    /// Advances the stream by one input. `x` \[I\], `y` \[O\].
    pub fn step(&mut self, x: &[f32], y: &mut [f32]) -> Result<()> {
        check_length("x", x.len(), Some(self.input_size))?;
        check_length("y", y.len(), Some(self.output_size))?;
        check(unsafe { sys::rnn_step(self.as_ptr(), x.as_ptr(), y.as_mut_ptr()) })
    }

    /// Advances the stream by one one-hot input. `index` 0..I-1, `y` \[O\].
    pub fn step_index(&mut self, index: i32, y: &mut [f32]) -> Result<()> {
        check_length("y", y.len(), Some(self.output_size))?;
        check(unsafe { sys::rnn_step_index(self.as_ptr(), index, y.as_mut_ptr()) })
    }

    /// Advances the stream by one input, and skips the head. `x` \[I\].
    pub fn advance(&mut self, x: &[f32]) -> Result<()> {
        check_length("x", x.len(), Some(self.input_size))?;
        check(unsafe { sys::rnn_step(self.as_ptr(), x.as_ptr(), ptr::null_mut()) })
    }

    /// Advances the stream by one one-hot input, and skips the head. `index` 0..I-1.
    pub fn advance_index(&mut self, index: i32) -> Result<()> {
        check(unsafe { sys::rnn_step_index(self.as_ptr(), index, ptr::null_mut()) })
    }

    /// Advances the stream by a block of inputs: the same bits as step by step. `x` \[steps, I\], `y` \[steps, O\].
    ///
    /// ```
    /// # use librnn::{Config, Network};
    /// let mut network = Network::new(&Config::new(1).hidden_size(64).output_size(1))?;
    /// network.reserve_block(64)?; // once, not on the audio thread
    /// let mut y = [0.0; 256];
    /// network.step_block(&[0.5; 256], &mut y)?;
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn step_block(&mut self, x: &[f32], y: &mut [f32]) -> Result<()> {
        let steps = rows("x", x.len(), self.input_size)?;
        check_length("y", y.len(), steps.checked_mul(self.output_size))?;
        check(unsafe { sys::rnn_step_block(self.as_ptr(), x.as_ptr(), steps, y.as_mut_ptr()) })
    }

    /// The same with one-hot inputs. `indices` \[steps\], `y` \[steps, O\].
    pub fn step_block_index(&mut self, indices: &[i32], y: &mut [f32]) -> Result<()> {
        let steps = indices.len();
        check_length("y", y.len(), steps.checked_mul(self.output_size))?;
        let (indices, y) = (indices.as_ptr(), y.as_mut_ptr());
        check(unsafe { sys::rnn_step_block_index(self.as_ptr(), indices, steps, y) })
    }

    /// Makes room for blocks of up to `steps` steps, so that they take less time. Allocates.
    pub fn reserve_block(&mut self, steps: usize) -> Result<()> {
        check(unsafe { sys::rnn_reserve_block(self.as_ptr(), steps) })
    }

    /// Runs steps of which each reads the output of the one before. `x` \[I\], `y` \[steps, O\].
    pub fn rollout(&mut self, x: &[f32], y: &mut [f32]) -> Result<()> {
        check_length("x", x.len(), Some(self.input_size))?;
        let steps = rows("y", y.len(), self.output_size)?;
        check(unsafe { sys::rnn_rollout(self.as_ptr(), x.as_ptr(), steps, y.as_mut_ptr()) })
    }

    /// Returns to the initial state.
    pub fn reset(&mut self) {
        check(unsafe { sys::rnn_reset(self.as_ptr()) }).expect("a reset");
    }

    /// Copies the state out. Allocates; [`Network::read_state`] does not.
    pub fn state(&self) -> Vec<f32> {
        let mut state = vec![0.0; self.state_size];
        self.read_state(&mut state).expect("a state");
        state
    }

    /// Copies the state out. `state` \[S\].
    pub fn read_state(&self, state: &mut [f32]) -> Result<()> {
        check(unsafe { sys::rnn_get_state(self.as_ptr(), state.as_mut_ptr(), state.len()) })
    }

    /// Copies a state in. `state` \[S\], finite.
    pub fn set_state(&mut self, state: &[f32]) -> Result<()> {
        check(unsafe { sys::rnn_set_state(self.as_ptr(), state.as_ptr(), state.len()) })
    }

    /// Lets each step read the state of `delay` steps ago, for other sample rates than that of the training. Allocates.
    pub fn set_delay(&mut self, delay: f32) -> Result<()> {
        check(unsafe { sys::rnn_set_delay(self.as_ptr(), delay) })
    }

    /// The delay; 1 at first.
    pub fn delay(&self) -> f32 {
        let mut delay = 0.0;
        check(unsafe { sys::rnn_get_delay(self.as_ptr(), &mut delay) }).expect("a delay");
        delay
    }

    /// Keeps the states before the last `steps` steps, for [`Network::rewind`]. Allocates.
    pub fn keep_history(&mut self, steps: usize) -> Result<()> {
        check(unsafe { sys::rnn_history(self.as_ptr(), steps) })
    }

    /// Takes the last `steps` steps back.
    pub fn rewind(&mut self, steps: usize) -> Result<()> {
        check(unsafe { sys::rnn_rewind(self.as_ptr(), steps) })
    }

    /// Names and shapes of all parameters.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut count = 0;
        check(unsafe { sys::rnn_parameter_count(self.as_ptr(), &mut count) }).expect("parameters");
        (0..count)
            .map(|index| {
                let mut info = sys::rnn_parameter_t::default();
                check(unsafe { sys::rnn_parameter_info(self.as_ptr(), index, &mut info) })
                    .expect("a parameter");
                // Safety: the name lives as long as the handle.
                let name = unsafe { string(info.name) };
                Parameter { name, rows: info.rows, columns: info.columns }
            })
            .collect()
    }

    /// Copies a parameter out, row-major.
    ///
    /// ```
    /// # use librnn::{Config, Network};
    /// let mut network = Network::new(&Config::new(3).hidden_size(16).output_size(2))?;
    /// for parameter in network.parameters() {
    ///     println!("{} [{}, {}]", parameter.name, parameter.rows, parameter.columns);
    /// }
    /// let mut bias = network.parameter("head.bias")?;
    /// bias[0] += 1.0;
    /// network.set_parameter("head.bias", &bias)?;
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn parameter(&self, name: &str) -> Result<Vec<f32>> {
        let size =
            self.parameters().iter().find(|p| p.name == name).map_or(0, |p| p.rows * p.columns);
        let mut values = vec![0.0; size];
        let name = c_string("name", name)?;
        check(unsafe {
            sys::rnn_get_parameter(self.as_ptr(), name.as_ptr(), values.as_mut_ptr(), size)
        })?;
        Ok(values)
    }

    /// Copies a parameter in. If the weights are shared, this stream first gets a copy of its own.
    pub fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let name = c_string("name", name)?;
        check(unsafe {
            sys::rnn_set_parameter(self.as_ptr(), name.as_ptr(), values.as_ptr(), values.len())
        })
    }

    /// Runs whole sequences, each from its initial state; the state of the stream stays. Returns the outputs \[F, O\],
    /// or \[N, O\] with pooling.
    pub fn forward(&mut self, sequences: &Sequences<'_>) -> Result<Vec<f32>> {
        let rows = sequences.sizes()?.rows;
        let size = rows.checked_mul(self.output_size).ok_or_else(crate::error::too_large)?;
        let mut outputs = vec![0.0; size];
        self.forward_with(
            sequences,
            Forward { outputs: Some(&mut outputs), ..Default::default() },
        )?;
        Ok(outputs)
    }

    /// The same with states, and into memory of the caller. Allocates.
    ///
    /// ```
    /// # use librnn::{Config, Forward, Network, Sequences};
    /// let mut network = Network::new(&Config::new(1).hidden_size(4))?;
    /// let mut last = vec![0.0; 2 * network.state_size()];
    /// let (inputs, lengths) = ([0.1, 0.2, 0.3], [2, 1]);
    /// let sequences = Sequences::from_inputs(&lengths, &inputs);
    /// network.forward_with(&sequences, Forward { final_states: Some(&mut last), ..Default::default() })?;
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn forward_with(&mut self, sequences: &Sequences<'_>, with: Forward<'_>) -> Result<()> {
        let (sizes, state_size) = (sequences.sizes()?, self.state_size);
        let raw = sequences.raw(self.input_size, self.output_size)?;
        let of_sequences = sizes.count.checked_mul(state_size);
        let mut options = sys::rnn_forward_options_t {
            pooling: sequences.get_pooling() as i32,
            stateful: with.stateful as i32,
            ..Default::default()
        };
        if let Some(states) = with.initial_states {
            check_length("initial_states", states.len(), of_sequences)?;
            options.initial_states = states.as_ptr();
        }
        if let Some(states) = with.final_states {
            check_length("final_states", states.len(), of_sequences)?;
            options.final_states = states.as_mut_ptr();
        }
        if let Some(states) = with.states {
            check_length("states", states.len(), sizes.frames.checked_mul(state_size))?;
            options.states = states.as_mut_ptr();
        }
        let outputs = match with.outputs {
            Some(outputs) => {
                check_length("outputs", outputs.len(), sizes.rows.checked_mul(self.output_size))?;
                outputs.as_mut_ptr()
            }
            None => ptr::null_mut(),
        };
        check(unsafe { sys::rnn_forward(self.as_ptr(), &raw, &options, outputs) })
    }

    /// Reads the prompt, then draws at most `capacity` indices, each of which is the next input. Returns what was drawn,
    /// without the prompt. The last index is not read: to go on, give it as the next prompt.
    ///
    /// ```
    /// # use librnn::{Config, GenerateOptions, Network};
    /// let mut network = Network::new(&Config::new(10).hidden_size(8).output_size(10))?;
    /// let drawn = network.generate(&[1, 2, 3], 20, &GenerateOptions::new().temperature(0.8).seed(1))?;
    /// assert_eq!(drawn.len(), 20);
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn generate(
        &mut self,
        prompt: &[i32],
        capacity: usize,
        options: &GenerateOptions,
    ) -> Result<Vec<i32>> {
        let (mut drawn, mut written) = (vec![0; capacity], 0);
        let options = sys::rnn_generate_options_t {
            prompt: prompt.as_ptr(),
            prompt_count: prompt.len(),
            ..*options.raw()
        };
        let out = drawn.as_mut_ptr();
        check(unsafe { sys::rnn_generate(self.as_ptr(), &options, out, capacity, &mut written) })?;
        drawn.truncate(written);
        Ok(drawn)
    }
}

/// What [`Network::forward_with`] reads and writes beside the sequences.
#[derive(Debug, Default)]
pub struct Forward<'a> {
    /// \[F, O\], or \[N, O\] with pooling; without it, the dense layers at the end are skipped.
    pub outputs: Option<&'a mut [f32]>,
    /// \[N, S\], finite; without it, the initial state.
    pub initial_states: Option<&'a [f32]>,
    /// \[N, S\], written.
    pub final_states: Option<&'a mut [f32]>,
    /// \[F, S\], the state after every step, written.
    pub states: Option<&'a mut [f32]>,
    /// One sequence, which starts from the stream's state and advances it.
    pub stateful: bool,
}

const STREAMS_AT_ONCE: usize = 256;

/// Advances different streams that share weights by one input each, any set in each call: the same bits as
/// [`Network::step`] of each. `x` \[count, I\], `y` \[count, O\]. With more than 256 streams it allocates.
///
/// ```
/// use librnn::{step_many, Config, Network};
///
/// let mut first = Network::new(&Config::new(2).hidden_size(8).output_size(1))?;
/// let mut second = first.clone();
/// let mut y = [0.0; 2];
/// step_many(&mut [&mut first, &mut second], &[0.1, 0.2, 0.3, 0.4], &mut y)?;
/// # Ok::<(), librnn::Error>(())
/// ```
pub fn step_many(streams: &mut [&mut Network], x: &[f32], y: &mut [f32]) -> Result<()> {
    let (inputs, outputs) = sizes(streams);
    check_length("x", x.len(), streams.len().checked_mul(inputs))?;
    check_length("y", y.len(), streams.len().checked_mul(outputs))?;
    with_handles(streams, |handles| unsafe {
        sys::rnn_step_many(handles.as_ptr(), handles.len(), x.as_ptr(), y.as_mut_ptr())
    })
}

/// The same with one-hot inputs. `indices` \[count\], `y` \[count, O\].
pub fn step_many_index(streams: &mut [&mut Network], indices: &[i32], y: &mut [f32]) -> Result<()> {
    let (_, outputs) = sizes(streams);
    check_length("indices", indices.len(), Some(streams.len()))?;
    check_length("y", y.len(), streams.len().checked_mul(outputs))?;
    with_handles(streams, |handles| unsafe {
        let count = handles.len();
        sys::rnn_step_many_index(handles.as_ptr(), count, indices.as_ptr(), y.as_mut_ptr())
    })
}

// Streams of another architecture are refused by the library, since they do not share weights.
fn sizes(streams: &[&mut Network]) -> (usize, usize) {
    streams.first().map_or((0, 0), |stream| (stream.input_size, stream.output_size))
}

fn with_handles(
    streams: &[&mut Network],
    step: impl FnOnce(&[*mut sys::rnn_t]) -> sys::rnn_status_t,
) -> Result<()> {
    let mut few = [ptr::null_mut(); STREAMS_AT_ONCE];
    if let Some(handles) = few.get_mut(..streams.len()) {
        handles.iter_mut().zip(streams).for_each(|(handle, stream)| *handle = stream.as_ptr());
        return check(step(handles));
    }
    let handles: Vec<_> = streams.iter().map(|stream| stream.as_ptr()).collect();
    check(step(&handles))
}
