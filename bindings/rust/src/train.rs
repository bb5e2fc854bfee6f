//! Training and evaluation: `rnn_train_options_t`, `rnn_train`, `rnn_evaluate`.

use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::ptr;

use crate::convert::{copy_sized, setters};
use crate::error::{c_string, check, check_length, Result};
use crate::{sys, Event, Loss, Network, Optimizer, Schedule, Sequences};

/// How to train. What is not set has its default; a field that can have no effect beside the others is refused.
///
/// It borrows what is validated on. See [`Network::train`].
#[derive(Clone)]
pub struct TrainOptions<'a> {
    raw: sys::rnn_train_options_t,
    validation: Option<Sequences<'a>>,
    groups: Vec<ParameterGroup>,
    class_weights: Option<Vec<f32>>,
}

// Safety: the pointers in `raw` are always NULL here.
unsafe impl Send for TrainOptions<'_> {}
unsafe impl Sync for TrainOptions<'_> {}

impl Default for TrainOptions<'_> {
    fn default() -> Self {
        TrainOptions::new()
    }
}

impl fmt::Debug for TrainOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainOptions")
            .field("fields", &self.raw)
            .field("validation", &self.validation)
            .field("groups", &self.groups)
            .field("class_weights", &self.class_weights)
            .finish()
    }
}

impl<'a> TrainOptions<'a> {
    /// All defaults.
    pub fn new() -> Self {
        let (raw, validation, groups, class_weights) = Default::default();
        TrainOptions { raw, validation, groups, class_weights }
    }

    setters! {
        /// Default: cross-entropy when classes are given, squared error when targets are.
        loss: Loss,
        /// Default Adam.
        optimizer: Optimizer,
        /// Default 0.001; 0.01 for SGD and Adagrad.
        learning_rate: f32,
        /// SGD and RMSprop.
        momentum: f32,
        /// Adam and AdamW: default 0.9.
        beta1: f32,
        /// Adam and AdamW: default 0.999; RMSprop's smoothing constant: default 0.99.
        beta2: f32,
        /// Default 1e-8; Adagrad 1e-10.
        epsilon: f32,
        /// Default 0.
        weight_decay: f32,
        /// Nesterov's momentum (SGD).
        nesterov: bool,
        /// The gradient's norm is scaled down to this.
        clip_norm: f32,
        /// Each element of the gradient is limited to this.
        clip_value: f32,
        /// Of the learning rate; default constant.
        schedule: Schedule,
        /// Default 0.1; cosine: 0.
        schedule_factor: f32,
        /// Required by every schedule but constant.
        schedule_updates: usize,
        /// Updates at a factor of 1 before the schedule begins.
        schedule_start: usize,
        /// The schedule counts epochs, not updates.
        schedule_by_epoch: bool,
        /// The rate rises linearly over the first so many updates.
        warmup_updates: usize,
        /// Passes over the data; default 1.
        epochs: usize,
        /// Sequences per update; default 32.
        batch_size: usize,
        /// Truncated BPTT: steps per update; default: whole sequences.
        window: usize,
        /// Each window starts from the initial state.
        stateless_windows: bool,
        /// Sequences in the given order; default: shuffled in each epoch.
        keep_order: bool,
        /// Of the shuffling, dropout, scheduled sampling and sampled classes.
        seed: u64,
        /// 1..1024; default: all. The weights have the same bits for every number.
        threads: usize,
        /// Updates between validations; default: at the end of each epoch.
        validate_every: usize,
        /// Stop after so many validations without a better loss.
        patience: usize,
        /// Updates between two reports; default 1.
        report_every: usize,
        /// Of each layer's output on its way to the next.
        dropout: f32,
        /// Of what the head reads.
        output_dropout: f32,
        /// Of h as W_hh multiplies it.
        recurrent_dropout: f32,
        /// How often a step's input is the network's own last output.
        scheduled_sampling: f32,
        /// Decay of a moving average of the weights, which is handed out instead of them.
        average: f32,
        /// Batches whose gradients make one update; default 1.
        accumulate: usize,
        /// At its end a run returns to the weights of its best validation.
        restore_best: bool,
        /// Part of a class's target that all classes share.
        label_smoothing: f32,
        /// Cross-entropy over the target and so many other classes.
        sampled_classes: usize,
        /// So many updates in a row that are not finite are skipped.
        skip_not_finite: usize,
        /// A power of two: parts that the sequences of each update are cut into.
        lanes: usize,
    }

    /// Validates on these sequences.
    #[must_use]
    pub fn validation(mut self, sequences: Sequences<'a>) -> Self {
        self.validation = Some(sequences);
        self
    }

    /// Settings for the parameters whose name fits a pattern; the first group that fits holds.
    #[must_use]
    pub fn group(mut self, group: ParameterGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// \[O\] of cross-entropy: what the weight of a target is multiplied by.
    #[must_use]
    pub fn class_weights(mut self, weights: impl Into<Vec<f32>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    /// The validation sequences as a struct of the ABI, whose pointers live as long as `'a`.
    pub(crate) fn raw_validation(&self, network: &Network) -> Result<Option<sys::rnn_sequences_t>> {
        let raw = |s: &Sequences<'a>| s.raw(network.input_size(), network.output_size());
        self.validation.as_ref().map(raw).transpose()
    }

    /// Calls `f` with the struct of the ABI, without validation and progress.
    pub(crate) fn with_raw<R>(
        &self,
        network: &Network,
        f: impl FnOnce(sys::rnn_train_options_t) -> Result<R>,
    ) -> Result<R> {
        let mut raw = self.raw;
        let patterns: Result<Vec<_>> =
            self.groups.iter().map(|group| c_string("pattern", &group.pattern)).collect();
        let patterns = patterns?;
        let groups: Vec<_> = self
            .groups
            .iter()
            .zip(&patterns)
            .map(|(group, text)| sys::rnn_parameter_group_t { pattern: text.as_ptr(), ..group.raw })
            .collect();
        if !groups.is_empty() {
            raw.groups = groups.as_ptr();
            raw.group_count = i32::try_from(groups.len()).unwrap_or(i32::MAX);
        }
        if let Some(weights) = &self.class_weights {
            check_length("class_weights", weights.len(), Some(network.output_size()))?;
            raw.class_weights = weights.as_ptr();
        }
        f(raw)
    }
}

/// Settings for the parameters whose name fits a pattern: `rnn_parameter_group_t`.
///
/// ```
/// use librnn::{ParameterGroup, TrainOptions};
///
/// let options = TrainOptions::new()
///     .group(ParameterGroup::new("head.*").frozen(true))
///     .group(ParameterGroup::new("bias_*").learning_rate_factor(2.0));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ParameterGroup {
    raw: sys::rnn_parameter_group_t,
    pattern: String,
}

// Safety: the pointer in `raw` is always NULL here.
unsafe impl Send for ParameterGroup {}
unsafe impl Sync for ParameterGroup {}

impl ParameterGroup {
    /// `pattern`: "bias_*", "*_l0", "head.weight"; * stands for any characters, ? for one.
    pub fn new(pattern: impl Into<String>) -> ParameterGroup {
        ParameterGroup { raw: Default::default(), pattern: pattern.into() }
    }

    setters! {
        /// > 0; default 1.
        learning_rate_factor: f32,
        /// Not trained.
        frozen: bool,
        /// The weight decay does not hold.
        no_weight_decay: bool,
        /// Biases learn as sums of two.
        two_biases: bool,
    }
}

/// How far a run is: `rnn_progress_t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// `None` for an event that this version of the crate does not know.
    pub event: Option<Event>,
    /// The pass over the data to which the update belongs.
    pub epoch: i32,
    /// Updates done so far.
    pub update: u64,
    /// Those that the run will do; 0 if it is not a run.
    pub total_updates: u64,
    /// Of this update's batch, before the update.
    pub loss: f64,
    /// The latest; NaN before the first.
    pub validation_loss: f64,
    /// Before clipping.
    pub gradient_norm: f64,
    /// Of this update.
    pub learning_rate: f64,
    /// Time steps trained on per second, of this update.
    pub steps_per_second: f64,
    /// So far.
    pub skipped_updates: u64,
}

impl Progress {
    pub(crate) fn from_raw(raw: &sys::rnn_progress_t) -> Progress {
        Progress {
            event: Event::from_raw(raw.event),
            epoch: raw.epoch,
            update: raw.update,
            total_updates: raw.total_updates,
            loss: raw.loss,
            validation_loss: raw.validation_loss,
            gradient_norm: raw.gradient_norm,
            learning_rate: raw.learning_rate,
            steps_per_second: raw.steps_per_second,
            skipped_updates: raw.skipped_updates,
        }
    }
}

/// What [`Network::evaluate`] finds: `rnn_evaluation_t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The weighted mean over the target steps.
    pub loss: f64,
    /// The sum of the target steps' weights.
    pub weight: f64,
    /// Cross-entropy: the part of the steps whose largest output is the class; otherwise NaN.
    pub accuracy: f64,
}

/// A function of Rust for the time of one run. A panic in it may not unwind through the library: it is kept, and stops
/// the run, and goes on from there.
pub(crate) struct Report<'f> {
    function: &'f mut dyn FnMut(&Progress) -> ControlFlow<()>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'f> Report<'f> {
    pub fn new(function: &'f mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Self {
        Report { function, panic: None }
    }

    pub fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    /// After the run.
    pub fn finish(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}

/// Safety: `user` is what [`Report::user`] gave, in the run for which it lives.
pub(crate) unsafe extern "C" fn report(
    progress: *const sys::rnn_progress_t,
    user: *mut c_void,
) -> c_int {
    let report = &mut *user.cast::<Report<'_>>();
    let progress = Progress::from_raw(&copy_sized(progress));
    match catch_unwind(AssertUnwindSafe(|| (report.function)(&progress))) {
        Ok(flow) => flow.is_break() as c_int,
        Err(panic) => {
            report.panic = Some(panic);
            1
        }
    }
}

/// Training and evaluation.
impl Network {
    /// Trains on the sequences, by minibatch backpropagation through time. The weights have the same bits for every
    /// number of threads, and on every CPU. The stream's state does not change. If the weights are shared, this stream
    /// gets its own.
    ///
    /// ```
    /// use librnn::{Config, Network, Sequences, TrainOptions};
    ///
    /// // Each step's class is the index of the step before.
    /// let (lengths, indices, classes) = ([4, 3], [0, 1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 0, 1, 0]);
    /// let data = Sequences::from_indices(&lengths, &indices).classes(&classes);
    /// let mut network = Network::new(&Config::new(2).hidden_size(8).output_size(2))?;
    /// network.train(&data, &TrainOptions::new().learning_rate(0.05).epochs(200))?;
    /// assert_eq!(network.evaluate(&data, &TrainOptions::new())?.accuracy, 1.0);
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn train(&mut self, data: &Sequences<'_>, options: &TrainOptions<'_>) -> Result<()> {
        self.train_raw(data, options, None)
    }

    /// The same with a function that is called between updates, on this thread, and says whether to go on. A panic in it
    /// stops the run, and goes on when the run has ended: the network then has the weights of the last update.
    ///
    /// ```
    /// # use librnn::{Config, Network, Sequences, TrainOptions};
    /// use std::ops::ControlFlow;
    ///
    /// # let data = Sequences::from_indices(&[3], &[0, 1, 0]).classes(&[1, 0, 1]);
    /// # let mut network = Network::new(&Config::new(2).hidden_size(8).output_size(2))?;
    /// let options = TrainOptions::new().learning_rate(0.05).epochs(1000);
    /// network.train_with(&data, &options, |progress| {
    ///     println!("update {}: loss {:.4}", progress.update, progress.loss);
    ///     if progress.loss < 0.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// })?;
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn train_with(
        &mut self,
        data: &Sequences<'_>,
        options: &TrainOptions<'_>,
        mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut run = Report::new(&mut progress);
        let result = self.train_raw(data, options, Some(&mut run));
        run.finish();
        result
    }

    fn train_raw(
        &mut self,
        data: &Sequences<'_>,
        options: &TrainOptions<'_>,
        run: Option<&mut Report<'_>>,
    ) -> Result<()> {
        let data = data.raw(self.input_size(), self.output_size())?;
        let validation = options.raw_validation(self)?;
        options.with_raw(self, |mut raw| {
            raw.validation = validation.as_ref().map_or(ptr::null(), |validation| validation);
            if let Some(run) = run {
                raw.user = run.user();
                raw.progress = Some(report);
            }
            check(unsafe { sys::rnn_train(self.as_ptr(), &data, &raw) })
        })
    }

    /// Computes the loss over sequences. Of `options` the loss, label_smoothing, class_weights, threads and lanes are
    /// used. The stream's state is neither read nor changed.
    pub fn evaluate(&self, data: &Sequences<'_>, options: &TrainOptions<'_>) -> Result<Evaluation> {
        let data = data.raw(self.input_size(), self.output_size())?;
        let mut found = sys::rnn_evaluation_t::default();
        options.with_raw(self, |raw| {
            check(unsafe { sys::rnn_evaluate(self.as_ptr(), &data, &raw, &mut found) })
        })?;
        Ok(Evaluation { loss: found.loss, weight: found.weight, accuracy: found.accuracy })
    }
}
