//! Networks: create, step, state, parameters, generate, files.

use librnn::{
    step_many, step_many_index, Activation, Cell, Config, Direction, Error, Flag, Format, Forward,
    GenerateOptions, Layer, LoadOptions, Network, Pooling, SaveOptions, Sequences,
};

fn config() -> Config {
    Config::new(3).cell(Cell::Lstm).hidden_size(8).output_size(2).num_layers(2).seed(5)
}

fn network() -> Network {
    Network::new(&config()).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn inputs(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin()).collect()
}

fn assert_invalid<T>(result: librnn::Result<T>, message: &str) {
    match result {
        Err(Error::InvalidArgument(found)) if found.contains(message) => {}
        other => panic!("{:?} instead of {:?}", other.map(|_| ()), message),
    }
}

#[test]
fn versions_are_those_of_the_crate() {
    assert_eq!(librnn::version(), env!("CARGO_PKG_VERSION"));
    assert_ne!(librnn::isa(), "none");
}

#[test]
fn every_way_to_step_gives_the_same_bits() {
    let (steps, x) = (5, inputs(15));
    let mut by_step = Vec::new();
    let mut stream = network();
    for x in x.chunks(3) {
        let mut y = [0.0; 2];
        stream.step(x, &mut y).unwrap();
        by_step.extend(y);
    }
    assert!(by_step.iter().any(|&y| y != 0.0));

    let mut by_block = vec![0.0; 2 * steps];
    let mut stream_of_blocks = network();
    stream_of_blocks.reserve_block(steps).unwrap();
    stream_of_blocks.step_block(&x, &mut by_block).unwrap();
    assert_eq!(bits(&by_block), bits(&by_step));
    assert_eq!(bits(&stream_of_blocks.state()), bits(&stream.state()));

    let whole = network().forward(&Sequences::from_inputs(&[steps], &x)).unwrap();
    assert_eq!(bits(&whole), bits(&by_step));

    let mut first = network();
    let mut second = first.clone();
    let mut y = [0.0; 4];
    let pair = [&x[..3], &x[..3]].concat();
    step_many(&mut [&mut first, &mut second], &pair, &mut y).unwrap();
    assert_eq!(bits(&y[..2]), bits(&by_step[..2]));
    assert_eq!(bits(&y[2..]), bits(&by_step[..2]));
}

#[test]
fn indices_are_one_hot_inputs() {
    let (mut with_index, mut with_vector) = (network(), network());
    let (mut y, mut expected) = ([0.0; 2], [0.0; 2]);
    with_index.step_index(1, &mut y).unwrap();
    with_vector.step(&[0.0, 1.0, 0.0], &mut expected).unwrap();
    assert_eq!(bits(&y), bits(&expected));

    let mut block = [0.0; 4];
    network().step_block_index(&[1, 2], &mut block).unwrap();
    assert_eq!(bits(&block[..2]), bits(&expected));
    let mut many = [0.0; 2];
    step_many_index(&mut [&mut network()], &[1], &mut many).unwrap();
    assert_eq!(bits(&many), bits(&expected));

    with_index.advance_index(2).unwrap();
    with_vector.advance(&[0.0, 0.0, 1.0]).unwrap();
    assert_eq!(bits(&with_index.state()), bits(&with_vector.state()));
    assert_invalid(with_index.step_index(3, &mut y), "index is 3; it must be 0..2");
}

#[test]
fn many_streams_need_no_limit() {
    let mut source = network();
    let mut streams: Vec<Network> = (0..300).map(|_| source.clone()).collect();
    let mut y = vec![0.0; 600];
    step_many(&mut streams.iter_mut().collect::<Vec<_>>(), &inputs(900), &mut y).unwrap();
    let mut expected = [0.0; 2];
    source.step(&inputs(900)[897..], &mut expected).unwrap();
    assert_eq!(bits(&y[598..]), bits(&expected));

    step_many(&mut [], &[], &mut []).unwrap();
    let mut strange = Network::new(&config().seed(6)).unwrap();
    let result = step_many(&mut [&mut network(), &mut strange], &[0.0; 6], &mut [0.0; 4]);
    assert!(matches!(result, Err(Error::Mismatch(_))), "{:?}", result);
}

#[test]
fn lengths_are_checked_before_the_call() {
    let mut n = network();
    let (mut y, state) = ([0.0; 2], n.state());
    assert_invalid(n.step(&[0.0; 2], &mut y), "x has 2 elements; it must have 3");
    assert_invalid(n.step(&[0.0; 3], &mut y[..1]), "y has 1 elements; it must have 2");
    assert_invalid(n.step_index(0, &mut []), "y has 0 elements");
    assert_invalid(n.advance(&[0.0; 4]), "x has 4 elements");
    assert_invalid(n.step_block(&[0.0; 4], &mut y), "a multiple of 3");
    assert_invalid(n.step_block(&[0.0; 6], &mut y), "y has 2 elements; it must have 4");
    assert_invalid(n.step_block_index(&[0, 1], &mut y), "it must have 4");
    assert_invalid(n.rollout(&[0.0; 3], &mut [0.0; 3]), "a multiple of 2");
    assert_invalid(step_many(&mut [&mut n], &[0.0; 4], &mut [0.0; 2]), "x has 4 elements");
    assert_invalid(step_many_index(&mut [&mut n], &[0, 1], &mut [0.0; 2]), "indices has 2");
    assert!(matches!(n.set_state(&[0.0]), Err(Error::Mismatch(_))));
    assert!(matches!(n.read_state(&mut [0.0]), Err(Error::Mismatch(_))));
    assert_invalid(n.set_parameter("head.bias", &[0.0]), "count");

    let of = Sequences::from_inputs;
    assert_invalid(n.forward(&of(&[1, 1], &[0.0; 3])), "inputs has 3 elements; it must have 6");
    assert_invalid(n.forward(&of(&[], &[])), "count");
    assert_invalid(n.forward(&of(&[usize::MAX, 2], &[0.0; 3])), "the sum of lengths");
    assert!(n.forward(&of(&[usize::MAX], &[0.0; 3])).is_err());
    assert_invalid(n.forward(&Sequences::from_indices(&[2], &[0])), "indices has 1");
    assert_invalid(n.forward(&of(&[1], &[0.0; 3]).resets(&[false, true])), "resets has 2");
    let mut short = [0.0; 1];
    let with = Forward { states: Some(&mut short), ..Default::default() };
    assert_invalid(n.forward_with(&of(&[1], &[0.0; 3]), with), "states has 1 elements");
    let with = Forward { outputs: Some(&mut short), ..Default::default() };
    assert_invalid(n.forward_with(&of(&[1], &[0.0; 3]), with), "outputs has 1 elements");
    assert_eq!(bits(&n.state()), bits(&state));
}

#[test]
fn states_are_values() {
    let mut n = network();
    assert_eq!(n.state_size(), 32);
    n.advance(&[0.1, 0.2, 0.3]).unwrap();
    let state = n.state();
    n.advance(&[0.4, 0.5, 0.6]).unwrap();
    let later = n.state();
    n.set_state(&state).unwrap();
    n.advance(&[0.4, 0.5, 0.6]).unwrap();
    assert_eq!(bits(&n.state()), bits(&later));

    n.keep_history(4).unwrap();
    n.advance(&[0.7, 0.8, 0.9]).unwrap();
    n.rewind(1).unwrap();
    assert_eq!(bits(&n.state()), bits(&later));
    assert_invalid(n.rewind(1), "rewind");
    n.reset();
    assert_eq!(n.state(), vec![0.0; 32]);
    n.set_delay(2.0).unwrap();
    assert_eq!(n.delay(), 2.0);
}

#[test]
fn forward_reads_and_writes_states() {
    let mut n = network();
    let x = inputs(12);
    let sequences = Sequences::from_inputs(&[3, 1], &x);
    let (mut outputs, mut last, mut states) = (vec![0.0; 8], vec![0.0; 64], vec![0.0; 128]);
    n.forward_with(
        &sequences,
        Forward {
            outputs: Some(&mut outputs),
            final_states: Some(&mut last),
            states: Some(&mut states),
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(bits(&last[..32]), bits(&states[64..96]));
    assert_eq!(bits(&last[32..]), bits(&states[96..]));

    let with = Forward { stateful: true, ..Default::default() };
    n.forward_with(&Sequences::from_inputs(&[3], &x[..9]), with).unwrap();
    assert_eq!(bits(&n.state()), bits(&last[..32]));

    let pooled = n.forward(&sequences.pooling(Pooling::Last)).unwrap();
    assert_eq!(bits(&pooled), bits(&outputs[4..]));
    let with_resets = n.forward(&sequences.resets(&[false, true, false, false])).unwrap();
    assert_ne!(bits(&with_resets), bits(&outputs));
}

#[test]
fn layers_come_back_from_a_network() {
    let config = Config::new(2)
        .layer(Layer::conv1d(4, 3).activation(Activation::Relu).dilation(2))
        .layer(Layer::cell(Cell::Gru, 6).direction(Direction::Both).flag(Flag::ResetBefore))
        .layer(Layer::dense(5).activation(Activation::Tanh))
        .layer(Layer::dense(3));
    let mut n = Network::new(&config).unwrap();
    assert_eq!((n.input_size(), n.output_size()), (2, 3));
    let layers = n.config().layers();
    let sizes: Vec<_> = layers.iter().map(|layer| layer.fields().size).collect();
    assert_eq!(sizes, [4, 6, 5, 3]);
    assert_eq!(layers[0].fields().dilation, 2);
    assert_eq!(layers[1].fields().direction, Direction::Both as i32);
    assert_invalid(n.advance(&[0.0, 0.0]), "rnn_step");

    let usual = network().config();
    assert!(usual.layers().is_empty());
    assert_eq!(usual.fields().hidden_size, 8);
    let again = Network::new(&usual).unwrap();
    assert_eq!(again.parameter("weight_ih_l1"), network().parameter("weight_ih_l1"));
}

#[test]
fn weights_are_shared_until_they_change() {
    let mut n = network();
    let names: Vec<_> = n.parameters().into_iter().map(|p| (p.name, p.rows, p.columns)).collect();
    assert_eq!(names[0], ("weight_ih_l0".to_string(), 32, 3));
    let fork = n.fork().unwrap();
    n.set_parameter("head.bias", &[1.0, 2.0]).unwrap();
    assert_eq!(n.parameter("head.bias").unwrap(), [1.0, 2.0]);
    assert_ne!(fork.parameter("head.bias").unwrap(), [1.0, 2.0]);
    let mut follower = fork.duplicate().unwrap();
    follower.sync(&n).unwrap();
    assert_eq!(follower.parameter("head.bias").unwrap(), [1.0, 2.0]);
    assert!(matches!(n.parameter("nothing"), Err(Error::NotFound(_))));
    assert_invalid(n.parameter("no\0thing"), "zero character");
    let converted = n.convert(librnn::Compute::Int8).unwrap();
    assert_eq!(converted.config().fields().compute, librnn::Compute::Int8 as i32);
}

#[test]
fn streams_go_to_other_threads() {
    let source = network();
    let mut threads = Vec::new();
    for _ in 0..4 {
        let mut stream = source.clone();
        threads.push(std::thread::spawn(move || {
            let mut y = [0.0; 2];
            stream.step(&[0.1, 0.2, 0.3], &mut y).unwrap();
            bits(&y)
        }));
    }
    let all: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(all.iter().all(|y| *y == all[0]));
}

#[test]
fn generated_indices_follow_the_options() {
    let config = Config::new(6).hidden_size(8).output_size(6).seed(2);
    let mut n = Network::new(&config).unwrap();
    let options = GenerateOptions::new().seed(3).temperature(2.0);
    let drawn = n.generate(&[1], 50, &options).unwrap();
    n.reset();
    assert_eq!(n.generate(&[1], 50, &options).unwrap(), drawn);
    n.reset();
    let stopped = n.generate(&[1], 50, &options.clone().stop_at(drawn[4])).unwrap();
    assert_eq!(stopped.last(), Some(&drawn[4]));
    assert!(stopped.len() <= 5);
    assert_invalid(n.generate(&[], 5, &options), "prompt");
    let mut y = vec![0.0; 12];
    n.rollout(&[0.0; 6], &mut y).unwrap();
    assert!(y.iter().all(|y| y.is_finite()));
}

#[test]
fn files_bring_the_network_back() {
    let folder = std::env::temp_dir().join(format!("librnn-rust-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut n = network();
    n.set_metadata("vocabulary", Some("abc")).unwrap();
    let same = |loaded: &Network| {
        assert_eq!(loaded.metadata("vocabulary").unwrap(), "abc");
        assert_eq!(loaded.parameter("weight_hh_l1"), n.parameter("weight_hh_l1"));
        assert_eq!(loaded.state_size(), n.state_size());
    };
    n.save(folder.join("network.safetensors")).unwrap();
    same(&Network::load(folder.join("network.safetensors")).unwrap());
    n.save_as(folder.join("network.rnn"), &SaveOptions::new()).unwrap();
    same(&Network::load_as(folder.join("network.rnn"), &LoadOptions::new()).unwrap());
    same(&Network::load_memory(&n.save_memory().unwrap()).unwrap());
    let text = n.save_memory_as(&SaveOptions::new().format(Format::C).name("my_network")).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("my_network"));

    assert!(matches!(Network::load(folder.join("none")), Err(Error::FileError(_))));
    assert!(matches!(Network::load_memory(b"nonsense"), Err(Error::BadFormat(_))));
    assert_invalid(n.save_as(folder.join("x"), &SaveOptions::new().head("a\0b")), "head");
    assert!(matches!(n.metadata("none"), Err(Error::NotFound(_))));
    n.set_metadata("vocabulary", None).unwrap();
    assert!(n.metadata_keys().is_empty());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn errors_say_what_was_wrong() {
    let error = Network::new(&Config::new(3)).unwrap_err();
    assert_eq!(error.status(), librnn::sys::RNN_INVALID_ARGUMENT);
    assert!(error.to_string().contains("config.hidden_size is 0"), "{}", error);
    let size = usize::MAX;
    assert_invalid(
        Network::new(&Config::new(size).hidden_size(1)),
        "config.input_size is 2147483647",
    );
    let error: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(error.source().is_none());
}
