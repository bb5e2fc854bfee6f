//! Gradients in, gradients out: `rnn_tape_t`.

use std::ptr::{self, NonNull};

use crate::error::{c_string, check, check_length, too_large, Result};
use crate::sequences::Sizes;
use crate::{sys, Network, Sequences};

/// The record of a forward pass, and the parameters' gradients that backward passes add up.
///
/// ```
/// use librnn::{Config, Network, Sequences, Tape, TrainOptions, Trainer};
///
/// let network = Network::new(&Config::new(1).hidden_size(8).output_size(1))?;
/// let mut trainer = Trainer::new(&network, &TrainOptions::new())?;
/// let mut tape = Tape::new(&network, 0)?;
/// let y = tape.forward(&network, &Sequences::from_inputs(&[3], &[0.1, 0.2, 0.3]))?;
/// // The gradient of any loss of the outputs; here of the sum of y^2 / 2.
/// tape.backward(&y)?;
/// assert_eq!(tape.gradient("head.bias")?.len(), 1);
/// trainer.apply(&tape)?;
/// tape.zero_gradients()?;
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Debug)]
pub struct Tape {
    handle: NonNull<sys::rnn_tape_t>,
    input_size: usize,
    output_size: usize,
    state_size: usize,
    parameters: Vec<(String, usize)>,
    recorded: Option<Sizes>,
}

// Safety: a handle is for one thread at a time, whichever that is.
unsafe impl Send for Tape {}

impl Drop for Tape {
    fn drop(&mut self) {
        unsafe { sys::rnn_tape_destroy(self.as_ptr()) }
    }
}

/// What [`Tape::forward_with`] reads and writes beside the sequences.
#[derive(Debug, Default)]
pub struct Recorded<'a> {
    /// \[N, S\], finite; without it, the initial state.
    pub initial_states: Option<&'a [f32]>,
    /// \[F, O\], or \[N, O\] with pooling, written.
    pub outputs: Option<&'a mut [f32]>,
    /// \[N, S\], written.
    pub final_states: Option<&'a mut [f32]>,
}

/// What [`Tape::backward_with`] reads and writes: gradients by what the names say.
#[derive(Debug, Default)]
pub struct Backward<'a> {
    /// \[F, O\], or \[N, O\] where the pass had pooling; without it, all zero.
    pub d_outputs: Option<&'a [f32]>,
    /// \[N, S\]; without it, all zero.
    pub d_final_states: Option<&'a [f32]>,
    /// \[F, I\], written; not with one-hot inputs.
    pub d_inputs: Option<&'a mut [f32]>,
    /// \[N, S\], written.
    pub d_initial_states: Option<&'a mut [f32]>,
}

/// What is dropped in the passes of a [`Tape`]: `rnn_dropout_rates_t`; 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutRates {
    /// As [`TrainOptions::dropout`](crate::TrainOptions::dropout).
    pub layers: f32,
    /// As [`TrainOptions::output_dropout`](crate::TrainOptions::output_dropout).
    pub output: f32,
    /// As [`TrainOptions::recurrent_dropout`](crate::TrainOptions::recurrent_dropout).
    pub recurrent: f32,
    /// Layers with zoneout draw masks, as in training.
    pub zoneout: bool,
}

fn input(what: &str, values: Option<&[f32]>, expected: Option<usize>) -> Result<*const f32> {
    match values {
        Some(values) => check_length(what, values.len(), expected).map(|()| values.as_ptr()),
        None => Ok(ptr::null()),
    }
}

fn output(what: &str, values: Option<&mut [f32]>, expected: Option<usize>) -> Result<*mut f32> {
    match values {
        Some(values) => check_length(what, values.len(), expected).map(|()| values.as_mut_ptr()),
        None => Ok(ptr::null_mut()),
    }
}

impl Tape {
    /// An empty tape for networks of the architecture of `network`. `threads` 1..1024; 0: all.
    pub fn new(network: &Network, threads: usize) -> Result<Tape> {
        let mut handle = ptr::null_mut();
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        check(unsafe { sys::rnn_tape_create(network.as_ptr(), threads, &mut handle) })?;
        Ok(Tape {
            handle: NonNull::new(handle).expect("a tape"),
            input_size: network.input_size(),
            output_size: network.output_size(),
            state_size: network.state_size(),
            parameters: network
                .parameters()
                .into_iter()
                .map(|p| (p.name, p.rows * p.columns))
                .collect(),
            recorded: None,
        })
    }

    /// The handle, for functions of [`sys`] that have no other form here.
    pub fn as_ptr(&self) -> *mut sys::rnn_tape_t {
        self.handle.as_ptr()
    }

    /// Runs whole sequences and records what a backward pass needs. Returns the outputs \[F, O\], or \[N, O\] with
    /// pooling.
    pub fn forward(&mut self, network: &Network, sequences: &Sequences<'_>) -> Result<Vec<f32>> {
        let size = sequences.sizes()?.rows.checked_mul(self.output_size);
        let mut outputs = vec![0.0; size.ok_or_else(too_large)?];
        let with = Recorded { outputs: Some(&mut outputs), ..Default::default() };
        self.forward_with(network, sequences, with)?;
        Ok(outputs)
    }

    /// The same with states, and into memory of the caller.
    pub fn forward_with(
        &mut self,
        network: &Network,
        sequences: &Sequences<'_>,
        with: Recorded<'_>,
    ) -> Result<()> {
        let sizes = sequences.sizes()?;
        let raw = sequences.raw(self.input_size, self.output_size)?;
        let states = sizes.count.checked_mul(self.state_size);
        let initial = input("initial_states", with.initial_states, states)?;
        let last = output("final_states", with.final_states, states)?;
        let outputs = output("outputs", with.outputs, sizes.rows.checked_mul(self.output_size))?;
        let (tape, network) = (self.as_ptr(), network.as_ptr());
        check(unsafe { sys::rnn_tape_forward(tape, network, &raw, initial, outputs, last) })?;
        self.recorded = Some(sizes);
        Ok(())
    }

    /// Propagates the gradient of a loss by the outputs back through the recorded pass, and adds the parameters'
    /// gradients to those in the tape. A record serves one backward pass.
    pub fn backward(&mut self, d_outputs: &[f32]) -> Result<()> {
        self.backward_with(Backward { d_outputs: Some(d_outputs), ..Default::default() })
    }

    /// The same with the gradients by states and inputs.
    pub fn backward_with(&mut self, with: Backward<'_>) -> Result<()> {
        // Without a record the library refuses, whatever the lengths are.
        let sizes = self.recorded.unwrap_or(Sizes { count: 0, frames: 0, rows: 0 });
        let of = |rows: usize, columns| rows.checked_mul(columns);
        let states = of(sizes.count, self.state_size);
        let (d_outputs, d_final, d_inputs, d_initial) = if self.recorded.is_some() {
            (
                input("d_outputs", with.d_outputs, of(sizes.rows, self.output_size))?,
                input("d_final_states", with.d_final_states, states)?,
                output("d_inputs", with.d_inputs, of(sizes.frames, self.input_size))?,
                output("d_initial_states", with.d_initial_states, states)?,
            )
        } else {
            (ptr::null(), ptr::null(), ptr::null_mut(), ptr::null_mut())
        };
        check(unsafe {
            sys::rnn_tape_backward(self.as_ptr(), d_outputs, d_final, d_inputs, d_initial)
        })
    }

    /// Drops parts of the passes recorded from now on; the same seed drops the same elements.
    pub fn set_dropout(&mut self, rates: DropoutRates, seed: u64) -> Result<()> {
        let rates = sys::rnn_dropout_rates_t {
            layers: rates.layers,
            output: rates.output,
            recurrent: rates.recurrent,
            zoneout: rates.zoneout as i32,
            ..Default::default()
        };
        check(unsafe { sys::rnn_tape_set_dropout_rates(self.as_ptr(), &rates, seed) })
    }

    /// Copies the gradient of a parameter out, row-major.
    pub fn gradient(&self, name: &str) -> Result<Vec<f32>> {
        let size = self.parameters.iter().find(|(own, _)| own == name).map_or(0, |(_, size)| *size);
        let mut values = vec![0.0; size];
        let name = c_string("name", name)?;
        check(unsafe {
            sys::rnn_tape_gradient(self.as_ptr(), name.as_ptr(), values.as_mut_ptr(), size)
        })?;
        Ok(values)
    }

    /// Sets the gradients to zero.
    pub fn zero_gradients(&mut self) -> Result<()> {
        check(unsafe { sys::rnn_tape_zero_gradients(self.as_ptr()) })
    }
}
