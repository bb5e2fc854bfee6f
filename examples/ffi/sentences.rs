//! librnn from Rust, without crates: step a network, teach another three sentences, save it and load it.
//!
//!     rustc -O sentences.rs -L DIRECTORY_OF_LIBRNN && ./sentences
//!     ./sentences --layout          the structs as defined here

use std::collections::BTreeSet;
use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;
use std::{fmt, mem, panic, process, ptr};

const SENTENCES: [&str; 3] = ["hey how are you", "good i am fine", "have a nice day"];
const END: char = '\n';
const GRU: i32 = 2;

/// Structs of rnn.h, which start with struct_size; what else is zero means its default.
macro_rules! structs {
    ($($name:ident $c_name:literal { $($field:ident: $kind:ty),* $(,)? })*) => {
        $(
            #[repr(C)]
            #[allow(dead_code)]
            struct $name { struct_size: usize, $($field: $kind),* }

            impl Default for $name {
                fn default() -> Self {
                    // Safety: all fields are numbers, raw pointers and optional functions.
                    $name { struct_size: mem::size_of::<Self>(), ..unsafe { mem::zeroed() } }
                }
            }
        )*

        fn print_layout() {
            $(
                let s = $name::default();
                let start = &s as *const _ as usize;
                println!("{} {}", $c_name, mem::size_of_val(&s));
                println!("{}.struct_size 0 {}", $c_name, mem::size_of_val(&s.struct_size));
                $(println!("{}.{} {} {}", $c_name, stringify!($field), &s.$field as *const _ as usize - start,
                           mem::size_of_val(&s.$field));)*
            )*
        }
    };
}

type ProgressFunction = unsafe extern "C" fn(*const Progress, *mut c_void) -> i32;

structs! {
    Config "rnn_config_t" {
        cell: i32, input_size: i32, hidden_size: i32, output_size: i32, num_layers: i32, init: i32,
        recurrent_init: i32, init_range: f32, seed: u64, initial_state: i32, compute: i32, flags: u32,
        projection_size: i32, allocator: *const c_void, embedding_size: i32, forget_bias: f32,
    }
    Sequences "rnn_sequences_t" {
        count: usize, frames: usize, lengths: *const usize, inputs: *const f32, indices: *const i32,
        targets: *const f32, classes: *const i32, weights: *const f32, resets: *const u8, pooling: i32, reserved: i32,
    }
    GenerateOptions "rnn_generate_options_t" {
        prompt: *const i32, prompt_count: usize, temperature: f32, top_p: f32, top_k: i32, greedy: i32, seed: u64,
        stop: i32, stop_index: i32,
    }
    Progress "rnn_progress_t" {
        event: i32, epoch: i32, update: u64, total_updates: u64, loss: f64, validation_loss: f64, gradient_norm: f64,
        learning_rate: f64, steps_per_second: f64,
    }
    TrainOptions "rnn_train_options_t" {
        loss: i32, optimizer: i32, learning_rate: f32, momentum: f32, beta1: f32, beta2: f32, epsilon: f32,
        weight_decay: f32, nesterov: i32, clip_norm: f32, clip_value: f32, schedule: i32, schedule_factor: f32,
        schedule_updates: i32, warmup_updates: i32, epochs: i32, batch_size: i32, window: i32, stateless_windows: i32,
        keep_order: i32, seed: u64, threads: i32, validate_every: i32, patience: i32, report_every: i32,
        validation: *const Sequences, progress: Option<ProgressFunction>, user: *mut c_void, dropout: f32,
        scheduled_sampling: f32, average: f32, accumulate: i32, restore_best: i32, group_count: i32, groups: *const c_void,
    }
}

enum Handle {}

#[link(name = "rnn")]
extern "C" {
    fn rnn_version() -> *const c_char;
    fn rnn_last_error() -> *const c_char;
    fn rnn_status_string(status: i32) -> *const c_char;
    fn rnn_create(config: *const Config, out: *mut *mut Handle) -> i32;
    fn rnn_destroy(rnn: *mut Handle);
    fn rnn_reset(rnn: *mut Handle) -> i32;
    fn rnn_step(rnn: *mut Handle, x: *const f32, y: *mut f32) -> i32;
    fn rnn_step_index(rnn: *mut Handle, index: i32, y: *mut f32) -> i32;
    fn rnn_train(rnn: *mut Handle, data: *const Sequences, options: *const TrainOptions) -> i32;
    fn rnn_generate(rnn: *mut Handle, options: *const GenerateOptions, out: *mut i32, capacity: usize,
                    written: *mut usize) -> i32;
    fn rnn_save(rnn: *const Handle, path: *const c_char) -> i32;
    fn rnn_load(path: *const c_char, allocator: *const c_void, out: *mut *mut Handle) -> i32;
}

#[derive(Debug)]
struct Error {
    status: String,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Error {}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Safety: `text` is a string that the library keeps for the time of the call.
unsafe fn string(text: *const c_char) -> String {
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

fn check(status: i32) -> std::result::Result<(), Error> {
    if status == 0 {
        return Ok(());
    }
    Err(unsafe { Error { status: string(rnn_status_string(status)), message: string(rnn_last_error()) } })
}

/// One stream. A handle may go to another thread, but is for one at a time.
struct Network {
    handle: *mut Handle,
    inputs: usize,
    outputs: usize,
}

unsafe impl Send for Network {}

impl Drop for Network {
    fn drop(&mut self) {
        unsafe { rnn_destroy(self.handle) }
    }
}

impl Network {
    fn create(config: &Config) -> Result<Network> {
        let mut handle = ptr::null_mut();
        check(unsafe { rnn_create(config, &mut handle) })?;
        Ok(Network { handle, inputs: config.input_size as usize, outputs: config.output_size as usize })
    }

    fn load(path: &str, inputs: usize, outputs: usize) -> Result<Network> {
        let (path, mut handle) = (CString::new(path)?, ptr::null_mut());
        check(unsafe { rnn_load(path.as_ptr(), ptr::null(), &mut handle) })?;
        Ok(Network { handle, inputs, outputs })
    }

    fn save(&self, path: &str) -> Result<()> {
        let path = CString::new(path)?;
        Ok(check(unsafe { rnn_save(self.handle, path.as_ptr()) })?)
    }

    fn reset(&mut self) -> Result<()> {
        Ok(check(unsafe { rnn_reset(self.handle) })?)
    }

    fn step(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        assert_eq!(x.len(), self.inputs);
        let mut y = vec![0.0; self.outputs];
        check(unsafe { rnn_step(self.handle, x.as_ptr(), y.as_mut_ptr()) })?;
        Ok(y)
    }

    fn step_index(&mut self, index: i32) -> Result<Vec<f32>> {
        let mut y = vec![0.0; self.outputs];
        check(unsafe { rnn_step_index(self.handle, index, y.as_mut_ptr()) })?;
        Ok(y)
    }

    fn generate(&mut self, prompt: &[i32], capacity: usize, options: GenerateOptions) -> Result<Vec<i32>> {
        let options = GenerateOptions { prompt: prompt.as_ptr(), prompt_count: prompt.len(), ..options };
        let (mut drawn, mut count) = (vec![0; capacity], 0);
        check(unsafe { rnn_generate(self.handle, &options, drawn.as_mut_ptr(), capacity, &mut count) })?;
        drawn.truncate(count);
        Ok(drawn)
    }

    /// `progress` is called on this thread, and says whether to stop.
    fn train<F: FnMut(&Progress) -> bool>(&mut self, lengths: &[usize], indices: &[i32], classes: &[i32],
                                          options: TrainOptions, mut progress: F) -> Result<()> {
        unsafe extern "C" fn call<F: FnMut(&Progress) -> bool>(progress: *const Progress, user: *mut c_void) -> i32 {
            // A panic may not unwind through the library.
            panic::catch_unwind(panic::AssertUnwindSafe(|| (*(user as *mut F))(&*progress)))
                .unwrap_or_else(|_| process::abort()) as i32
        }
        assert!(lengths.iter().sum::<usize>() == indices.len() && indices.len() == classes.len());
        let data = Sequences {
            count: lengths.len(), frames: indices.len(), lengths: lengths.as_ptr(), indices: indices.as_ptr(),
            classes: classes.as_ptr(), ..Default::default()
        };
        let user = &mut progress as *mut F as *mut c_void;
        let options = TrainOptions { progress: Some(call::<F>), user, ..options };
        Ok(check(unsafe { rnn_train(self.handle, &data, &options) })?)
    }
}

fn print_bits(label: &str, values: &[f32]) {
    let words: Vec<String> = values.iter().map(|value| format!("{:08X}", value.to_bits())).collect();
    println!("{} {}", label, words.join(" "));
}

/// The characters of the sentences and their end, in their order: an index is a place in it.
struct Alphabet(Vec<char>);

impl Alphabet {
    fn new() -> Alphabet {
        let characters: BTreeSet<char> = SENTENCES.concat().chars().chain([END]).collect();
        Alphabet(characters.into_iter().collect())
    }

    fn encode(&self, text: &str) -> Vec<i32> {
        text.chars().map(|c| self.0.binary_search(&c).expect("a character of the sentences") as i32).collect()
    }

    fn decode(&self, indices: &[i32]) -> String {
        indices.iter().map(|&index| self.0[index as usize]).collect()
    }
}

fn step() -> Result<()> {
    let config = Config { cell: GRU, input_size: 2, hidden_size: 4, output_size: 2, seed: 7, ..Default::default() };
    let mut network = Network::create(&config)?;
    for x in [[0.5, -1.0], [0.25, 0.0], [1.0, 2.0]] {
        print_bits("step", &network.step(&x)?);
    }
    Ok(())
}

fn learn(alphabet: &Alphabet) -> Result<Network> {
    let size = alphabet.0.len() as i32;
    let config = Config { input_size: size, hidden_size: 12, output_size: size, seed: 1, ..Default::default() };
    let mut network = Network::create(&config)?;
    let lengths: Vec<usize> = SENTENCES.iter().map(|sentence| sentence.len()).collect();
    let indices = alphabet.encode(&SENTENCES.concat());
    // Each character predicts the next.
    let next: String = SENTENCES.iter().map(|sentence| format!("{}{}", &sentence[1..], END)).collect();
    let options = TrainOptions {
        learning_rate: 0.01, clip_norm: 1.0, epochs: 5000, threads: 1, report_every: 100, ..Default::default()
    };
    let mut reports = 0;
    network.train(&lengths, &indices, &alphabet.encode(&next), options, |progress| {
        reports += 1;
        println!("update {}: loss {:.6}", progress.update, progress.loss);
        progress.loss < 0.05 // enough: stop
    })?;
    println!("{} reports", reports);
    Ok(network)
}

fn complete(network: &mut Network, alphabet: &Alphabet, start: &str) -> Result<()> {
    let stop_index = alphabet.encode("\n")[0];
    network.reset()?;
    let options = GenerateOptions { greedy: 1, stop: 1, stop_index, ..Default::default() };
    let drawn = network.generate(&alphabet.encode(start), 64, options)?;
    print!("{}{}", start, alphabet.decode(&drawn)); // with its end
    print_bits("outputs", &network.step_index(stop_index)?[..4]);
    Ok(())
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("--layout") {
        print_layout();
        return Ok(());
    }
    println!("librnn {}", unsafe { string(rnn_version()) });
    if let Err(refused) = Network::create(&Config { input_size: 2, hidden_size: -4, ..Default::default() }) {
        println!("{}", refused);
    }
    step()?;
    let alphabet = Alphabet::new();
    let mut network = learn(&alphabet)?;
    complete(&mut network, &alphabet, "good")?;
    network.save("sentences.safetensors")?;
    let mut loaded = Network::load("sentences.safetensors", network.inputs, network.outputs)?;
    complete(&mut loaded, &alphabet, "good")
}
