//! Whole sequences: `rnn_sequences_t`.

use std::ptr;

use crate::error::{check_length, Error, Result};
use crate::{sys, Pooling};

/// N sequences of different lengths, their steps one after the other without padding: F steps in all.
///
/// It borrows what it is made of. Lengths are compared with the network's sizes in each call, I inputs and O
/// outputs.
///
/// ```
/// use librnn::{Config, Network, Sequences};
///
/// let mut network = Network::new(&Config::new(2).hidden_size(4).output_size(1))?;
/// // One sequence of three steps and one of one.
/// let inputs = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
/// let outputs = network.forward(&Sequences::from_inputs(&[3, 1], &inputs))?;
/// assert_eq!(outputs.len(), 4);
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    lengths: &'a [usize],
    inputs: Option<&'a [f32]>,
    indices: Option<&'a [i32]>,
    targets: Option<&'a [f32]>,
    classes: Option<&'a [i32]>,
    weights: Option<&'a [f32]>,
    resets: Option<&'a [bool]>,
    pooling: Pooling,
}

impl<'a> Sequences<'a> {
    fn new(lengths: &'a [usize], inputs: Option<&'a [f32]>, indices: Option<&'a [i32]>) -> Self {
        let (targets, classes, weights, resets) = (None, None, None, None);
        let pooling = Pooling::None;
        Sequences { lengths, inputs, indices, targets, classes, weights, resets, pooling }
    }

    /// Sequences of vectors.
    ///
    /// `lengths` \[N\], each at least 1; `inputs` \[F, I\].
    pub fn from_inputs(lengths: &'a [usize], inputs: &'a [f32]) -> Self {
        Sequences::new(lengths, Some(inputs), None)
    }

    /// Sequences of one-hot inputs, or of what an embedding reads.
    ///
    /// `lengths` \[N\], each at least 1; `indices` \[F\], each 0..I-1.
    pub fn from_indices(lengths: &'a [usize], indices: &'a [i32]) -> Self {
        Sequences::new(lengths, None, Some(indices))
    }

    /// \[M, O\] for squared error and binary cross-entropy; M is F, or with pooling N.
    #[must_use]
    pub fn targets(mut self, targets: &'a [f32]) -> Self {
        self.targets = Some(targets);
        self
    }

    /// \[M\] for cross-entropy, each 0..O-1.
    #[must_use]
    pub fn classes(mut self, classes: &'a [i32]) -> Self {
        self.classes = Some(classes);
        self
    }

    /// \[M\] of the target steps; 0 masks.
    #[must_use]
    pub fn weights(mut self, weights: &'a [f32]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// \[F\] before which steps the state returns to its initial value.
    #[must_use]
    pub fn resets(mut self, resets: &'a [bool]) -> Self {
        self.resets = Some(resets);
        self
    }

    /// One output, and one target, for each sequence instead of each step.
    #[must_use]
    pub fn pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// N, the number of sequences.
    pub fn count(&self) -> usize {
        self.lengths.len()
    }

    pub(crate) fn sizes(&self) -> Result<Sizes> {
        let frames = self.lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
        let frames = frames.ok_or_else(|| {
            Error::InvalidArgument("the sum of lengths is more than there can be".into())
        })?;
        let rows = if self.pooling == Pooling::None { frames } else { self.lengths.len() };
        Ok(Sizes { count: self.lengths.len(), frames, rows })
    }

    pub(crate) fn get_pooling(&self) -> Pooling {
        self.pooling
    }

    /// The struct of the ABI, whose pointers live as long as `'a`.
    pub(crate) fn raw(
        &self,
        input_size: usize,
        output_size: usize,
    ) -> Result<sys::rnn_sequences_t> {
        fn pointer<T>(slice: Option<&[T]>) -> *const T {
            slice.map_or(ptr::null(), <[T]>::as_ptr)
        }
        let sizes = self.sizes()?;
        let check = |what, length: Option<usize>, expected| match length {
            Some(length) => check_length(what, length, expected),
            None => Ok(()),
        };
        let (frames, rows) = (sizes.frames, sizes.rows);
        check("inputs", self.inputs.map(<[f32]>::len), frames.checked_mul(input_size))?;
        check("indices", self.indices.map(<[i32]>::len), Some(frames))?;
        check("targets", self.targets.map(<[f32]>::len), rows.checked_mul(output_size))?;
        check("classes", self.classes.map(<[i32]>::len), Some(rows))?;
        check("weights", self.weights.map(<[f32]>::len), Some(rows))?;
        check("resets", self.resets.map(<[bool]>::len), Some(frames))?;
        Ok(sys::rnn_sequences_t {
            count: sizes.count,
            frames,
            lengths: self.lengths.as_ptr(),
            inputs: pointer(self.inputs),
            indices: pointer(self.indices),
            targets: pointer(self.targets),
            classes: pointer(self.classes),
            weights: pointer(self.weights),
            resets: pointer(self.resets).cast(), // a bool is a byte, 0 or 1
            pooling: self.pooling as i32,
            ..Default::default()
        })
    }
}

/// How many sequences, steps and rows of outputs or targets there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub count: usize,
    pub frames: usize,
    pub rows: usize,
}
