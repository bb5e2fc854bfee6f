//! Weights in training: `rnn_trainer_t`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};

use crate::error::{check, Result};
use crate::files::c_path;
use crate::train::{report, Report};
use crate::{sys, Network, Progress, Sequences, Tape, TrainOptions};

/// Weights in training with their optimiser's state and the position in the data: one update at a time, or a whole run
/// that can be stopped, saved and resumed to the same bits.
///
/// It borrows what its options validate on.
///
/// ```
/// use librnn::{Config, Network, Sequences, Trainer, TrainOptions};
///
/// let mut network = Network::new(&Config::new(2).hidden_size(8).output_size(2))?;
/// // Each update starts from the initial state, not where the last one ended.
/// let options = TrainOptions::new().learning_rate(0.05).stateless_windows(true);
/// let mut trainer = Trainer::new(&network, &options)?;
/// let batch = Sequences::from_indices(&[3], &[0, 1, 0]).classes(&[1, 0, 1]);
/// let first = trainer.update(&batch)?.loss;
/// for _ in 0..50 {
///     trainer.update(&batch)?;
/// }
/// assert!(trainer.update(&batch)?.loss < first);
/// trainer.sync(&mut network)?; // the stream goes on with the new weights
/// # Ok::<(), librnn::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer<'a> {
    handle: NonNull<sys::rnn_trainer_t>,
    input_size: usize,
    output_size: usize,
    // What the library keeps pointers to.
    kept: NonNull<Kept>,
    validation: PhantomData<&'a [f32]>,
}

#[derive(Debug)]
struct Kept {
    validation: Option<sys::rnn_sequences_t>,
    // The Report of the run in progress, or NULL.
    run: Cell<*mut c_void>,
}

// Safety: a handle is for one thread at a time, whichever that is; what is borrowed may be read by any.
unsafe impl Send for Trainer<'_> {}

impl Drop for Trainer<'_> {
    fn drop(&mut self) {
        // Safety: the library keeps no pointer after the first line; the second is from Box.
        unsafe {
            sys::rnn_trainer_destroy(self.handle.as_ptr());
            drop(Box::from_raw(self.kept.as_ptr()));
        }
    }
}

/// Safety: `user` is a Kept of a trainer that lives, as does the Report in it.
unsafe extern "C" fn report_run(progress: *const sys::rnn_progress_t, user: *mut c_void) -> c_int {
    let run = (*user.cast::<Kept>()).run.get();
    if run.is_null() {
        return 0;
    }
    report(progress, run)
}

impl<'a> Trainer<'a> {
    /// Starts from the network's weights. The network itself does not change; see [`Trainer::sync`].
    pub fn new(network: &Network, options: &TrainOptions<'a>) -> Result<Trainer<'a>> {
        let kept =
            Kept { validation: options.raw_validation(network)?, run: Cell::new(ptr::null_mut()) };
        let kept = Box::into_raw(Box::new(kept));
        let mut handle = ptr::null_mut();
        let created = options.with_raw(network, |mut raw| {
            // Safety: `kept` is not moved until the trainer is destroyed.
            let validation = unsafe { &(*kept).validation };
            raw.validation = validation.as_ref().map_or(ptr::null(), |validation| validation);
            raw.progress = Some(report_run);
            raw.user = kept.cast();
            check(unsafe { sys::rnn_trainer_create(network.as_ptr(), &raw, &mut handle) })
        });
        if let Err(error) = created {
            // Safety: there is no trainer.
            drop(unsafe { Box::from_raw(kept) });
            return Err(error);
        }
        Ok(Trainer {
            handle: NonNull::new(handle).expect("a trainer"),
            input_size: network.input_size(),
            output_size: network.output_size(),
            kept: NonNull::new(kept).expect("a box"),
            validation: PhantomData,
        })
    }

    /// The handle, for functions of [`sys`] that have no other form here.
    pub fn as_ptr(&self) -> *mut sys::rnn_trainer_t {
        self.handle.as_ptr()
    }

    /// Does one update from all the sequences given. Unless the options say stateless_windows, a batch of as many
    /// sequences as the one before goes on from the states in which those ended.
    pub fn update(&mut self, batch: &Sequences<'_>) -> Result<Progress> {
        let batch = batch.raw(self.input_size, self.output_size)?;
        let mut progress = sys::rnn_progress_t::default();
        check(unsafe { sys::rnn_trainer_update(self.as_ptr(), &batch, &mut progress) })?;
        Ok(Progress::from_raw(&progress))
    }

    /// Does one update with the gradients in the tape.
    pub fn apply(&mut self, tape: &Tape) -> Result<Progress> {
        let mut progress = sys::rnn_progress_t::default();
        check(unsafe { sys::rnn_trainer_apply(self.as_ptr(), tape.as_ptr(), &mut progress) })?;
        Ok(Progress::from_raw(&progress))
    }

    /// Forgets the states carried over by [`Trainer::update`].
    pub fn reset(&mut self) -> Result<()> {
        check(unsafe { sys::rnn_trainer_reset(self.as_ptr()) })
    }

    /// Replaces the learning rate in the updates to come.
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        check(unsafe { sys::rnn_trainer_set_learning_rate(self.as_ptr(), rate) })
    }

    /// Goes on with the whole job, as [`Network::train`] does it, from where the trainer stands until the epochs are
    /// done. `data` are the same in each call.
    pub fn run(&mut self, data: &Sequences<'_>) -> Result<()> {
        let data = data.raw(self.input_size, self.output_size)?;
        check(unsafe { sys::rnn_trainer_run(self.as_ptr(), &data) })
    }

    /// The same with a function that is called between updates, on this thread, and says whether to go on; it may use
    /// the trainer as far as [`Running`] does. A panic in it stops the run, and goes on when the run has ended.
    ///
    /// ```no_run
    /// # use librnn::{Config, Network, Sequences, Trainer, TrainOptions};
    /// # let network = Network::new(&Config::new(2).hidden_size(8).output_size(2))?;
    /// # let data = Sequences::from_indices(&[3], &[0, 1, 0]).classes(&[1, 0, 1]);
    /// use std::ops::ControlFlow;
    ///
    /// let mut trainer = Trainer::new(&network, &TrainOptions::new().epochs(1000))?;
    /// trainer.run_with(&data, |progress, running| {
    ///     if progress.update % 100 == 0 && running.save("checkpoint.safetensors").is_err() {
    ///         return ControlFlow::Break(());
    ///     }
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), librnn::Error>(())
    /// ```
    pub fn run_with(
        &mut self,
        data: &Sequences<'_>,
        mut progress: impl FnMut(&Progress, &Running<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let running = Running { trainer: self.as_ptr(), run: PhantomData };
        let mut function = |now: &Progress| progress(now, &running);
        let mut run = Report::new(&mut function);
        // Safety: `kept` lives as long as the trainer, and the library reads it in the call alone.
        let slot = unsafe { &self.kept.as_ref().run };
        slot.set(run.user());
        let data = data.raw(self.input_size, self.output_size);
        let result =
            data.and_then(|data| check(unsafe { sys::rnn_trainer_run(self.as_ptr(), &data) }));
        slot.set(ptr::null_mut());
        run.finish();
        result
    }

    /// Makes a stream over the present weights, in the initial state.
    pub fn network(&self) -> Result<Network> {
        Network::make(|out| unsafe { sys::rnn_trainer_network(self.as_ptr(), out) })
    }

    /// Lets `stream` use the present weights; its state stays.
    pub fn sync(&self, stream: &mut Network) -> Result<()> {
        check(unsafe { sys::rnn_trainer_sync(self.as_ptr(), stream.as_ptr()) })
    }

    /// Saves all that a resumed run needs. [`Network::load`] reads the network in the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::rnn_trainer_save(self.as_ptr(), path.as_ptr()) })
    }

    /// Loads what [`Trainer::save`] saved, into a trainer of the same architecture and options.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::rnn_trainer_load(self.as_ptr(), path.as_ptr()) })
    }

    /// How many bytes the optimiser's state takes.
    pub fn optimizer_bytes(&self) -> Result<usize> {
        let mut bytes = 0;
        check(unsafe { sys::rnn_trainer_optimizer_bytes(self.as_ptr(), &mut bytes) })?;
        Ok(bytes)
    }
}

/// What the progress function of [`Trainer::run_with`] may do with the trainer.
#[derive(Debug)]
pub struct Running<'r> {
    trainer: *mut sys::rnn_trainer_t,
    run: PhantomData<&'r ()>,
}

impl Running<'_> {
    /// As [`Trainer::network`].
    pub fn network(&self) -> Result<Network> {
        Network::make(|out| unsafe { sys::rnn_trainer_network(self.trainer, out) })
    }

    /// As [`Trainer::sync`].
    pub fn sync(&self, stream: &mut Network) -> Result<()> {
        check(unsafe { sys::rnn_trainer_sync(self.trainer, stream.as_ptr()) })
    }

    /// As [`Trainer::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::rnn_trainer_save(self.trainer, path.as_ptr()) })
    }

    /// As [`Trainer::set_learning_rate`].
    pub fn set_learning_rate(&self, rate: f32) -> Result<()> {
        check(unsafe { sys::rnn_trainer_set_learning_rate(self.trainer, rate) })
    }
}
