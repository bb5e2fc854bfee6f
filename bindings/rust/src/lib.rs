//! Recurrent neural networks on the CPU: librnn from Rust.
//!
//! A [`Network`] is a stream over weights. It steps, runs whole sequences, generates, trains, and is saved and loaded:
//!
//! ```
//! use librnn::{Cell, Config, Network};
//!
//! let config = Config::new(3).cell(Cell::Gru).hidden_size(16).output_size(2);
//! let mut network = Network::new(&config)?;
//! let mut y = [0.0; 2];
//! network.step(&[0.1, 0.2, 0.3], &mut y)?;
//! println!("{} {}", y[0], y[1]);
//! # Ok::<(), librnn::Error>(())
//! ```
//!
//! A [`Trainer`] trains update by update, stops and resumes; a [`Tape`] lets a network be part of a larger model.
//! Lengths of slices are checked before each call, and what the library refuses is an [`Error`] with its message.
//! `rnn.h` is the manual: what each option and function computes, and its limits.
//!
//! Letters in shapes are those of `rnn.h`: I inputs, O outputs, S state size, N sequences, F steps of all sequences.
//! Matrices are row-major.
//!
//! # Finding the library
//!
//! The build script asks pkg-config for `rnn`. `LIBRNN_DIR` names a build folder of librnn, or a folder that holds the
//! library, instead. `LIBRNN_STATIC=1` links `librnn.a`. Programs that link a shared library outside the system's
//! folders need `LD_LIBRARY_PATH`, as elsewhere.
//!
//! What has no form here, such as allocators, logs and training on several machines, is in [`sys`].

#![warn(missing_docs, missing_debug_implementations)]

mod config;
mod convert;
mod enums;
mod error;
mod files;
mod generate;
mod network;
mod sequences;
#[rustfmt::skip]
pub mod sys;
mod tape;
mod train;
mod trainer;

pub use config::{Config, Layer};
pub use enums::*;
pub use error::{Error, Result};
pub use files::{LoadOptions, SaveOptions};
pub use generate::GenerateOptions;
pub use network::{step_many, step_many_index, Forward, Network, Parameter};
pub use sequences::Sequences;
pub use tape::{Backward, DropoutRates, Recorded, Tape};
pub use train::{Evaluation, ParameterGroup, Progress, TrainOptions};
pub use trainer::{Running, Trainer};

/// The library's version, "0.1.0".
pub fn version() -> String {
    // Safety: the string lives as long as the program.
    unsafe { error::string(sys::rnn_version()) }
}

/// The instruction set in use: "avx512", "avx2", ...
pub fn isa() -> String {
    // Safety: the string lives as long as the program.
    unsafe { error::string(sys::rnn_isa()) }
}

/// The program in the README, for the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
