//! Training: whole runs, updates, tapes.

use std::ops::ControlFlow::{Break, Continue};
use std::panic::{catch_unwind, AssertUnwindSafe};

use librnn::{
    Backward, Config, DropoutRates, Error, Event, Network, Optimizer, ParameterGroup, Recorded,
    Schedule, Sequences, Tape, TrainOptions, Trainer,
};

const LENGTHS: [usize; 2] = [4, 3];
const INDICES: [i32; 7] = [0, 1, 1, 0, 1, 0, 0];
const CLASSES: [i32; 7] = [0, 0, 1, 1, 0, 1, 0];

fn data() -> Sequences<'static> {
    Sequences::from_indices(&LENGTHS, &INDICES).classes(&CLASSES)
}

fn network() -> Network {
    Network::new(&Config::new(2).hidden_size(8).output_size(2).seed(1)).unwrap()
}

fn options() -> TrainOptions<'static> {
    TrainOptions::new().learning_rate(0.05).threads(1)
}

fn weights(network: &Network) -> Vec<u32> {
    let values = network.parameters().into_iter().flat_map(|p| network.parameter(&p.name).unwrap());
    values.map(f32::to_bits).collect()
}

#[test]
fn a_run_learns_and_reports() {
    let mut n = network();
    let before = n.evaluate(&data(), &TrainOptions::new()).unwrap();
    assert_eq!(before.weight, 7.0);
    let mut reports = Vec::new();
    let options = options().epochs(300).validation(data()).report_every(50);
    n.train_with(&data(), &options, |progress| {
        reports.push(*progress);
        Continue(())
    })
    .unwrap();
    let after = n.evaluate(&data(), &TrainOptions::new()).unwrap();
    assert!(after.loss < before.loss / 4.0 && after.accuracy == 1.0, "{:?}", after);
    assert!(reports.iter().any(|r| r.event == Some(Event::Update) && r.update == 50));
    assert!(reports
        .iter()
        .any(|r| r.event == Some(Event::Validation) && r.validation_loss < before.loss));
    assert!(reports.iter().all(|r| r.total_updates == 300));

    // Another way to the same weights.
    let mut same = network();
    same.train(&data(), &options).unwrap();
    assert_eq!(weights(&same), weights(&n));
}

#[test]
fn progress_stops_a_run() {
    let mut n = network();
    let mut updates = 0;
    n.train_with(&data(), &options().epochs(100), |progress| {
        updates = progress.update;
        if updates == 3 {
            Break(())
        } else {
            Continue(())
        }
    })
    .unwrap();
    assert_eq!(updates, 3);
}

#[test]
fn a_panic_stops_a_run_and_goes_on_after_it() {
    let mut n = network();
    let mut calls = 0;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        n.train_with(&data(), &options().epochs(100), |progress| {
            calls += 1;
            assert!(progress.update < 2, "update two");
            Continue(())
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"update two"));
    assert_eq!(calls, 2);
    let mut expected = network();
    expected.train(&data(), &options().epochs(2)).unwrap();
    assert_eq!(weights(&n), weights(&expected));

    let mut trainer = Trainer::new(&network(), &options().epochs(4)).unwrap();
    let panic =
        catch_unwind(AssertUnwindSafe(|| trainer.run_with(&data(), |_, _| panic!("first update"))));
    assert!(panic.is_err());
    trainer.run(&data()).unwrap(); // the function is no longer called
    let mut expected = network();
    expected.train(&data(), &options().epochs(4)).unwrap();
    assert_eq!(weights(&trainer.network().unwrap()), weights(&expected));
}

#[test]
fn a_trainer_stops_saves_and_resumes_to_the_same_bits() {
    let path = std::env::temp_dir().join(format!("librnn-rust-trainer-{}", std::process::id()));
    let options = options().epochs(6).validation(data());
    let mut trainer = Trainer::new(&network(), &options).unwrap();
    let mut stream = network();
    trainer
        .run_with(&data(), |progress, running| {
            if progress.update < 3 {
                return Continue(());
            }
            running.save(&path).unwrap();
            running.sync(&mut stream).unwrap();
            assert_eq!(weights(&running.network().unwrap()), weights(&stream));
            Break(())
        })
        .unwrap();
    let mut resumed = Trainer::new(&network(), &options).unwrap();
    resumed.load(&path).unwrap();
    assert_eq!(weights(&resumed.network().unwrap()), weights(&stream));
    // On another thread, with the data that it borrows.
    std::thread::spawn(move || {
        resumed.run(&data()).unwrap();
        let mut expected = network();
        expected.train(&data(), &options).unwrap();
        assert_eq!(weights(&resumed.network().unwrap()), weights(&expected));
    })
    .join()
    .unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn updates_are_one_by_one() {
    let mut trainer = Trainer::new(&network(), &options().optimizer(Optimizer::Adam)).unwrap();
    let first = trainer.update(&data()).unwrap();
    assert_eq!(first.update, 1);
    trainer.reset().unwrap();
    trainer.set_learning_rate(0.01).unwrap();
    let second = trainer.update(&data()).unwrap();
    assert!(second.loss < first.loss);
    assert!((second.learning_rate - 0.01).abs() < 1e-6);
    assert!(trainer.optimizer_bytes().unwrap() > 0);
    let mut stream = network();
    trainer.sync(&mut stream).unwrap();
    assert_eq!(weights(&stream), weights(&trainer.network().unwrap()));
}

#[test]
fn options_reach_the_library() {
    let mut n = network();
    let before = n.parameter("head.bias").unwrap();
    let frozen = options().group(ParameterGroup::new("head.*").frozen(true));
    n.train(&data(), &frozen).unwrap();
    assert_eq!(n.parameter("head.bias").unwrap(), before);

    let refuse = |options: TrainOptions<'_>, message: &str| match network().train(&data(), &options)
    {
        Err(Error::InvalidArgument(found)) => assert!(found.contains(message), "{}", found),
        other => panic!("{:?}", other),
    };
    refuse(options().momentum(0.5), "options.momentum");
    refuse(options().schedule(Schedule::Cosine), "schedule_updates");
    refuse(options().class_weights([1.0]), "class_weights has 1 elements; it must have 2");
    refuse(options().group(ParameterGroup::new("a\0b")), "pattern");
    refuse(options().validation(Sequences::from_indices(&[2], &[0])), "indices has 1");
    let weighted = options().class_weights([0.0, 1.0]);
    assert_eq!(n.evaluate(&data(), &weighted).unwrap().weight, 3.0);
    let short = Sequences::from_indices(&LENGTHS, &INDICES).classes(&CLASSES[1..]);
    assert!(matches!(n.train(&short, &options()), Err(Error::InvalidArgument(_))));
    assert!(matches!(n.evaluate(&short, &options()), Err(Error::InvalidArgument(_))));
}

#[test]
fn a_tape_gives_the_gradients_of_training() {
    // Of the sum of the squares of the outputs by an input, against differences.
    let config = Config::new(1).hidden_size(4).output_size(1).seed(3);
    let mut n = Network::new(&config).unwrap();
    let (lengths, x) = ([2, 1], [0.3, -0.2, 0.5]);
    let sequences = Sequences::from_inputs(&lengths, &x);
    let mut tape = Tape::new(&n, 1).unwrap();
    let (mut y, mut last) = (vec![0.0; 3], vec![0.0; 8]);
    let with =
        Recorded { outputs: Some(&mut y), final_states: Some(&mut last), initial_states: None };
    tape.forward_with(&n, &sequences, with).unwrap();
    let wrong = tape.backward(&[0.0; 2]);
    assert!(wrong.unwrap_err().message().contains("d_outputs has 2 elements; it must have 3"));
    let d_outputs: Vec<f32> = y.iter().map(|y| 2.0 * y).collect();
    let (mut d_inputs, mut d_initial) = (vec![0.0; 3], vec![0.0; 8]);
    tape.backward_with(Backward {
        d_outputs: Some(&d_outputs),
        d_inputs: Some(&mut d_inputs),
        d_initial_states: Some(&mut d_initial),
        ..Default::default()
    })
    .unwrap();
    let mut loss = |x: [f32; 3]| -> f64 {
        let y = n.forward(&Sequences::from_inputs(&lengths, &x)).unwrap();
        y.iter().map(|&y| f64::from(y) * f64::from(y)).sum()
    };
    let h = 1e-2;
    for i in 0..3 {
        let (mut more, mut less) = (x, x);
        more[i] += h;
        less[i] -= h;
        let slope = (loss(more) - loss(less)) / f64::from(2.0 * h);
        assert!((slope - f64::from(d_inputs[i])).abs() < 1e-3, "{} {}", slope, d_inputs[i]);
    }
    assert_eq!(tape.gradient("weight_hh_l0").unwrap().len(), 16);
    let bias = tape.gradient("head.bias").unwrap()[0];
    assert!((bias - d_outputs.iter().sum::<f32>()).abs() < 1e-5);
    assert!(matches!(tape.gradient("nothing"), Err(Error::NotFound(_))));
    assert!(matches!(tape.backward(&d_outputs), Err(Error::InvalidArgument(_))));

    let mut trainer = Trainer::new(&n, &TrainOptions::new()).unwrap();
    assert_eq!(trainer.apply(&tape).unwrap().update, 1);
    assert_ne!(weights(&trainer.network().unwrap()), weights(&n));
    tape.zero_gradients().unwrap();
    assert_eq!(tape.gradient("head.bias").unwrap(), [0.0]);
    let rates = DropoutRates { layers: 0.5, ..Default::default() };
    assert!(matches!(tape.set_dropout(rates, 1), Err(Error::InvalidArgument(_))));
    let rates = DropoutRates { output: 0.5, ..Default::default() };
    tape.set_dropout(rates, 1).unwrap();
}

#[test]
fn an_empty_tape_refuses() {
    let mut tape = Tape::new(&network(), 1).unwrap();
    assert!(matches!(tape.backward(&[0.0; 4]), Err(Error::InvalidArgument(_))));
}
