"""Training: runs, what stops them, validation, trainers, tapes and what is refused."""

import gc
import importlib.util
import math
import os
import pathlib
import signal
import tempfile
import threading
import unittest
import weakref

import librnn
import numpy as np

X = np.random.default_rng(1).uniform(0, 1, (12, 6, 2)).astype(np.float32)
SUMS = np.cumsum(X.sum(2), 1, dtype=np.float32)[:, :, None]  # [B, T, 1]
CLASSES = (X[:, :, 0] > X[:, :, 1]).astype(np.int32)  # [B, T]
OPTIONS = {"learning_rate": 0.01, "batch_size": 4, "threads": 1}


def network(outputs=1, **options):
    return librnn.Network(2, 8, outputs, cell="gru", seed=5, **options)


def weights(net):
    return np.concatenate([value.ravel() for value in net.parameters.values()])


def same(a, b):
    np.testing.assert_array_equal(weights(a), weights(b))


class Fit(unittest.TestCase):
    def test_targets_are_learnt(self):
        net = network()
        before = net.evaluate(X, SUMS)
        history = net.fit(X, SUMS, epochs=60, **OPTIONS)
        self.assertEqual(len(history.loss), 60 * 3)
        self.assertEqual(history.updates, list(range(1, 181)))
        after = net.evaluate(X, SUMS)
        self.assertLess(after.loss, 0.1 * before.loss)
        self.assertEqual(after.weight, 12 * 6)
        self.assertTrue(math.isnan(after.accuracy))
        np.testing.assert_allclose(after.loss, np.mean((net(X) - SUMS) ** 2), rtol=1e-4)

    def test_classes_are_learnt(self):
        net = network(2)
        net.fit(X, CLASSES, epochs=100, **OPTIONS)
        result = net.evaluate(X, CLASSES)
        self.assertEqual(result.accuracy, np.mean(net(X).argmax(2) == CLASSES))
        self.assertGreater(result.accuracy, 0.9)

    def test_forms_of_the_same_data(self):
        nets = [network(2) for _ in range(4)]
        nets[0].fit(X, CLASSES, epochs=2, **OPTIONS)
        nets[1].fit(list(X), list(CLASSES), epochs=2, **OPTIONS)
        nets[2].fit(X.astype(np.float64), CLASSES.astype(np.int64), epochs=2, **OPTIONS)
        nets[3].fit(X.tolist(), CLASSES.tolist(), epochs=2, weights=np.ones((12, 6)), resets=np.zeros((12, 6), bool),
                    **OPTIONS)
        for net in nets[1:]:
            same(net, nets[0])

    def test_ragged_sequences_and_weights_mask(self):
        short = network(2)
        short.fit([x[:3] for x in X], [y[:3] for y in CLASSES], epochs=2, **OPTIONS)
        masked = network(2)
        mask = np.zeros((12, 6), np.float32)
        mask[:, :3] = 1
        masked.fit(X, CLASSES, weights=mask, epochs=2, **OPTIONS)
        np.testing.assert_allclose(weights(masked), weights(short), atol=1e-5)

    def test_pooling(self):
        last = CLASSES[:, -1]
        net = network(2)
        net.fit(X, last, pooling="last", epochs=2, **OPTIONS)
        alone = network(2)
        alone.fit([x for x in X], list(last), pooling="last", epochs=2, **OPTIONS)
        same(net, alone)
        one = net.evaluate(X[0], last[0], pooling="last")
        np.testing.assert_allclose(one.loss, -np.log(np.exp(net(X[0])[-1]) / np.exp(net(X[0])[-1]).sum())[last[0]],
                                   rtol=1e-4)
        network().fit(X, SUMS[:, -1], pooling="mean", epochs=1)
        network().fit(X[0], SUMS[0], epochs=1)

    def test_validation_and_callback(self):
        seen = []
        net = network()
        history = net.fit(X[4:], SUMS[4:], validation=(X[:4], SUMS[:4]), epochs=3, report_every=2,
                          callback=lambda progress: seen.append(progress), **OPTIONS)
        self.assertEqual(history.updates, [2, 4, 6])
        self.assertEqual(history.validation_updates, [2, 4, 6])
        self.assertEqual(len(seen), 6)
        self.assertEqual([progress.event for progress in seen[-2:]].count("validation"), 1)
        self.assertEqual(history.validation_loss[-1], net.evaluate(X[:4], SUMS[:4]).loss)

    def test_groups_and_class_weights(self):
        net, frozen = network(2), network(2).parameters["weight_ih_l0"]
        net.fit(X, CLASSES, groups=[{"pattern": "weight_ih_*", "frozen": True}, {"pattern": "*", "no_weight_decay": 1}],
                class_weights=[1, 2], weight_decay=0.1, optimizer="adamw", **OPTIONS)
        np.testing.assert_array_equal(net.parameters["weight_ih_l0"], frozen)
        self.assertNotEqual(list(net.parameters["head.bias"]), list(network(2).parameters["head.bias"]))

    def test_a_bar_and_a_plot_where_they_are_there(self):
        if importlib.util.find_spec("tqdm"):
            network().fit(X, SUMS, bar=True)
        else:
            with self.assertRaisesRegex(ImportError, "python3-tqdm"):
                network().fit(X, SUMS, bar=True)
        if importlib.util.find_spec("matplotlib"):
            import matplotlib
            matplotlib.use("Agg")
            axes = network().fit(X, SUMS, validation=(X, SUMS)).plot()
            self.assertEqual(len(axes.lines), 2)


class Stopped(unittest.TestCase):
    def setUp(self):
        # In a job in the background it is ignored.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, handler)
        self.expected = network()
        history = self.expected.fit(X, SUMS, epochs=9, callback=lambda progress: progress.update == 5, **OPTIONS)
        self.assertEqual(len(history.loss), 5)

    def test_by_ctrl_c(self):
        def press(progress):
            if progress.update == 5:
                os.kill(os.getpid(), signal.SIGINT)

        net = network()
        with self.assertRaises(KeyboardInterrupt):
            net.fit(X, SUMS, epochs=9, callback=press, **OPTIONS)
        same(net, self.expected)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_by_an_exception(self):
        def fail(progress):
            if progress.update == 5:
                raise RuntimeError("enough")

        net = network()
        with self.assertRaisesRegex(RuntimeError, "enough"):
            net.fit(X, SUMS, epochs=9, callback=fail, **OPTIONS)
        same(net, self.expected)

    def test_by_a_callback_that_uses_what_is_in_training(self):
        net = network()
        for use in (lambda: net(X), lambda: net.step(X[0, 0]), net.fork, lambda: net.fit(X, SUMS)):
            with self.assertRaisesRegex(RuntimeError, "the network is in training"):
                net.fit(X, SUMS, callback=lambda progress: use(), **OPTIONS)
        net(X)

    def test_not_by_another_thread_which_waits(self):
        net, results = network(), []

        def start(progress):
            if progress.update == 1:
                thread.start()

        thread = threading.Thread(target=lambda: results.append(net(X)))
        net.fit(X, SUMS, epochs=9, callback=start, **OPTIONS)
        thread.join()
        np.testing.assert_array_equal(results[0], net(X))

    def test_by_a_loss_that_is_not_finite(self):
        net = network()
        with self.assertRaises(librnn.NotFiniteError):
            net.fit(X, SUMS * np.float32(1e30), optimizer="sgd", learning_rate=1e9, epochs=50)
        self.assertTrue(np.isfinite(weights(net)).all())


class Trainers(unittest.TestCase):
    def test_a_run_is_that_of_fit_and_resumes(self):
        fitted = network()
        fitted.fit(X, SUMS, epochs=4, **OPTIONS)
        stopped = librnn.Trainer(network(), epochs=4, callback=lambda progress: progress.update == 5, **OPTIONS)
        self.assertEqual(len(stopped.run(X, SUMS).loss), 5)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "run.safetensors"
            stopped.save(path)
            resumed = librnn.Trainer(network(), epochs=4, **OPTIONS)
            resumed.load(path)
        self.assertEqual(resumed.run(X, SUMS).updates, list(range(6, 13)))
        same(resumed.network(), fitted)
        net = network()
        resumed.sync(net)
        same(net, fitted)
        self.assertGreater(resumed.optimizer_bytes, 0)

    def test_updates(self):
        trainer = librnn.Trainer(network(), **OPTIONS)
        first = trainer.update(X, SUMS)
        self.assertEqual((first.update, first.event), (1, "update"))
        trainer.reset()
        trainer.set_learning_rate(0.5)
        self.assertEqual(trainer.update(X, SUMS).learning_rate, 0.5)

    def test_validation_outlives_its_arrays(self):
        trainer = librnn.Trainer(network(), validation=(X.astype(np.float64), SUMS.copy()), epochs=2, **OPTIONS)
        gc.collect()
        self.assertEqual(trainer.run(X, SUMS).validation_loss[-1], trainer.network().evaluate(X, SUMS).loss)

    def test_what_a_callback_may_call(self):
        seen = []

        def work(progress):
            trainer.set_learning_rate(0.5 / progress.update)
            seen.append(trainer.network().evaluate(X, SUMS).loss)
            trainer.sync(copied)
            with self.assertRaisesRegex(RuntimeError, "the trainer is in a run"):
                trainer.update(X, SUMS)

        copied = network()
        trainer = librnn.Trainer(network(), callback=work, **OPTIONS)
        trainer.run(X, SUMS)
        self.assertEqual(len(seen), 3)
        same(copied, trainer.network())

    def test_trainers_are_released(self):
        trainer = librnn.Trainer(network(), callback=lambda progress: False)
        trainer.run(X, SUMS)
        gone = weakref.ref(trainer)
        del trainer
        gc.collect()
        self.assertIsNone(gone())


class Tapes(unittest.TestCase):
    def test_gradients_are_those_of_differences(self):
        net = network(2)
        tape = librnn.Tape(net)
        y, state = tape.forward(X, return_state=True)
        np.testing.assert_array_equal(y, net(X))
        d_x, d_state = tape.backward(y, state)
        self.assertEqual((d_x.shape, d_state.shape), (X.shape, (12, 8)))

        def loss(x):
            outputs, final = net(x, return_state=True)
            return (np.sum(outputs.astype(float) ** 2) + np.sum(final.astype(float) ** 2)) / 2

        step = np.zeros_like(X)
        step[3, 2, 1] = 1e-2
        self.assertAlmostEqual((loss(X + step) - loss(X - step)) / 2e-2, d_x[3, 2, 1], places=3)
        gradient = tape.gradients["head.bias"]
        np.testing.assert_allclose(gradient, y.sum((0, 1)), rtol=1e-4)
        tape.zero()
        self.assertEqual(list(tape.gradients["head.bias"]), [0, 0])
        with self.assertRaisesRegex(ValueError, "call forward first"):
            tape.backward(y)

    def test_forms(self):
        net = network(2)
        tape = librnn.Tape(net)
        ragged = [X[0], X[1, :2]]
        y = tape.forward(ragged)
        d_x, _ = tape.backward(y)
        self.assertEqual([d.shape for d in d_x], [(6, 2), (2, 2)])
        y = tape.forward(X, pooling="last")
        self.assertEqual(tape.backward(y)[0].shape, X.shape)
        tape.forward([0, 1, 1])
        self.assertIsNone(tape.backward(np.ones((3, 2)))[0])
        tape.forward(X[0])
        with self.assertRaisesRegex(ValueError, r"d_outputs has the shape \[6, 3\]; it must be \[6, 2\]"):
            tape.backward(np.ones((6, 3)))

    def test_a_trainer_applies_a_tape(self):
        net = network()
        trainer, tape = librnn.Trainer(net, **OPTIONS), librnn.Tape(net)
        for _ in range(40):
            trainer.sync(net)
            tape.zero()
            tape.backward(2 * (tape.forward(X) - SUMS) / SUMS.size)
            trainer.apply(tape)
        self.assertLess(trainer.network().evaluate(X, SUMS).loss, 0.3 * network().evaluate(X, SUMS).loss)


class Refused(unittest.TestCase):
    def check(self, kind, words, *arguments, **options):
        with self.assertRaisesRegex(kind, words):
            network(2).fit(*arguments, **options)

    def test_data(self):
        self.check(ValueError, r"y has the shape \[12\]; it must be \[12, 6\]", X, CLASSES[:, 0])
        self.check(ValueError, r"y has the shape \[12, 6, 1\]; it must be \[12, 6, 2\]", X, SUMS)
        self.check(ValueError, r"y\[1\] has 5 steps, x\[1\] has 6", list(X),
                   [*CLASSES[:1], CLASSES[1, :5], *CLASSES[2:]])
        self.check(ValueError, "y has 2 sequences, x has 12", list(X), list(CLASSES[:2]))
        self.check(ValueError, r"weights has the shape \[6\]; it must be \[12, 6\]", X, CLASSES, weights=np.ones(6))
        self.check(librnn.InvalidArgumentError, r"classes\[0\] is 7", X, CLASSES + 7)
        self.check(ValueError, "y has no sequences", list(X), [])
        self.check(TypeError, "validation must be a tuple", X, CLASSES, validation=X)

    def test_options(self):
        self.check(TypeError, "training has no option 'lr'", X, CLASSES, lr=0.1)
        self.check(TypeError, "training has no option 'user'", X, CLASSES, user=1)
        self.check(ValueError, "optimizer is 'adamax'; it must be one of 'adam'", X, CLASSES, optimizer="adamax")
        self.check(TypeError, "groups has 3; it must be a list of dictionaries", X, CLASSES, groups=[3])
        self.check(TypeError, "epochs is '3'", X, CLASSES, epochs="3")
        self.check(ValueError, "report_every is 0", X, CLASSES, report_every=0)
        self.check(librnn.InvalidArgumentError, "momentum", X, CLASSES, momentum=0.9)
        self.check(ValueError, r"class_weights has the shape \[3\]; it must be \[2\]", X, CLASSES,
                   class_weights=[1, 1, 1])
