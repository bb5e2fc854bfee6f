//! The program of examples/ffi with the safe layer: steps a network, teaches another three sentences, saves it and
//! loads it.
//!
//!     cargo run --example sentences

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use librnn::{Cell, Config, GenerateOptions, Network, Result, Sequences, TrainOptions};

const SENTENCES: [&str; 3] = ["hey how are you", "good i am fine", "have a nice day"];
const END: char = '\n';

/// The characters of the sentences and their end, in their order: an index is a place in it.
struct Alphabet(Vec<char>);

impl Alphabet {
    fn new() -> Alphabet {
        let characters: BTreeSet<char> = SENTENCES.concat().chars().chain([END]).collect();
        Alphabet(characters.into_iter().collect())
    }

    fn encode(&self, text: &str) -> Vec<i32> {
        let index = |c| self.0.binary_search(&c).expect("a character of the sentences") as i32;
        text.chars().map(index).collect()
    }

    fn decode(&self, indices: &[i32]) -> String {
        indices.iter().map(|&index| self.0[index as usize]).collect()
    }
}

fn print_bits(label: &str, values: &[f32]) {
    let words: Vec<_> = values.iter().map(|value| format!("{:08X}", value.to_bits())).collect();
    println!("{} {}", label, words.join(" "));
}

fn step() -> Result<()> {
    let config = Config::new(2).cell(Cell::Gru).hidden_size(4).output_size(2).seed(7);
    let mut network = Network::new(&config)?;
    let mut y = [0.0; 2];
    for x in [[0.5, -1.0], [0.25, 0.0], [1.0, 2.0]] {
        network.step(&x, &mut y)?;
        print_bits("step", &y);
    }
    Ok(())
}

fn learn(alphabet: &Alphabet) -> Result<Network> {
    let size = alphabet.0.len();
    let mut network = Network::new(&Config::new(size).hidden_size(12).output_size(size).seed(1))?;
    let lengths = SENTENCES.map(str::len);
    let indices = alphabet.encode(&SENTENCES.concat());
    // Each character predicts the next.
    let next: String = SENTENCES.iter().map(|s| format!("{}{}", &s[1..], END)).collect();
    let classes = alphabet.encode(&next);
    let data = Sequences::from_indices(&lengths, &indices).classes(&classes);
    let options = TrainOptions::new().learning_rate(0.01).clip_norm(1.0).epochs(5000);
    let mut reports = 0;
    network.train_with(&data, &options.threads(1).report_every(100), |progress| {
        reports += 1;
        println!("update {}: loss {:.6}", progress.update, progress.loss);
        if progress.loss < 0.05 {
            return ControlFlow::Break(()); // enough
        }
        ControlFlow::Continue(())
    })?;
    println!("{} reports", reports);
    Ok(network)
}

fn complete(network: &mut Network, alphabet: &Alphabet, start: &str) -> Result<()> {
    let end = alphabet.encode("\n")[0];
    network.reset();
    let options = GenerateOptions::new().greedy(true).stop_at(end);
    let drawn = network.generate(&alphabet.encode(start), 64, &options)?;
    print!("{}{}", start, alphabet.decode(&drawn)); // with its end
    let mut outputs = vec![0.0; network.output_size()];
    network.step_index(end, &mut outputs)?;
    print_bits("outputs", &outputs[..4]);
    Ok(())
}

fn main() -> Result<()> {
    println!("librnn {}", librnn::version());
    step()?;
    let alphabet = Alphabet::new();
    let mut network = learn(&alphabet)?;
    complete(&mut network, &alphabet, "good")?;
    network.save("sentences.safetensors")?;
    let mut loaded = Network::load("sentences.safetensors")?;
    complete(&mut loaded, &alphabet, "good")
}
