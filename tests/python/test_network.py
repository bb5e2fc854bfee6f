"""Networks: steps, sequences, states, parameters, copies, files and what is refused."""

import contextlib
import copy
import ctypes
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest

import librnn
import numpy as np
from librnn import _abi, _library

ROOT = pathlib.Path(__file__).resolve().parents[2]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Abi(unittest.TestCase):
    @unittest.skipIf(ctypes.sizeof(ctypes.c_void_p) != 8, "the description is of systems with 64 bits")
    def test_structs_are_those_of_the_description(self):
        structs = json.loads((ROOT / "include/rnn/rnn.json").read_text())["structs"]
        self.assertEqual([struct.__name__ for struct in _abi.STRUCTS], list(structs))
        for struct in _abi.STRUCTS:
            described = structs[struct.__name__]
            self.assertEqual(ctypes.sizeof(struct), described["size"])
            fields = [(name, getattr(struct, name)) for name, _ in struct._fields_]
            self.assertEqual([(name, field.offset, field.size) for name, field in fields],
                             [(field["name"], field["offset"], field["size"]) for field in described["fields"]])

    def test_every_status_has_its_exception(self):
        statuses = {name: value for name, value in vars(_abi).items()
                    if isinstance(value, int) and _library.lib.rnn_status_string(value).decode() == name}
        self.assertEqual({value for value in statuses.values() if value}, set(_library._ERRORS))
        for value, kind in _library._ERRORS.items():
            again = pickle.loads(pickle.dumps(kind("what: why")))
            self.assertEqual((type(again), str(again), again.status), (kind, "what: why", value))


class Loading(unittest.TestCase):
    def refused(self, path):
        program = "import librnn"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              env={**os.environ, "LIBRNN": path, "PYTHONPATH": os.pathsep.join(sys.path)})
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    @unittest.skipIf("LIBRNN" not in os.environ, "the package has its own library")
    def test_a_library_that_is_none_is_refused(self):
        self.assertIn("set LIBRNN to its path", self.refused("/nowhere/librnn.so"))
        self.assertIn("is not librnn", self.refused("libm.so.6"))

    def test_another_version_is_refused(self):
        class Version:
            def __call__(self):
                return self.version

        for version in (b"0.0.9", b"1.0.0"):
            library = type("Library", (), {"rnn_version": Version()})
            library.rnn_version.version = version
            with self.assertRaisesRegex(ImportError, f"{_abi.VERSION}.*{version.decode()}"):
                _library._prepare(library, "librnn.so")
        library.rnn_version.version = _abi.VERSION.encode()
        with self.assertRaisesRegex(ImportError, "has no function rnn_status_string"):
            _library._prepare(library, "librnn.so")


class Steps(unittest.TestCase):
    def setUp(self):
        self.net = librnn.Network(3, 16, 2, cell="gru", seed=7)

    def test_sequences_have_the_bits_of_steps(self):
        x = noise(5, 3)
        steps = np.array([self.net.step(row) for row in x])
        np.testing.assert_array_equal(self.net(x), steps)
        self.net.reset()
        np.testing.assert_array_equal(self.net.step_block(x), steps)
        self.net.reset()
        np.testing.assert_array_equal(self.net(x, stateful=True), steps)
        np.testing.assert_array_equal(self.net.state, self.net(x, return_state=True)[1])

    def test_indices_are_one_hot_inputs(self):
        one_hot = np.eye(3, dtype=np.float32)
        np.testing.assert_array_equal(self.net.fork().step(np.int64(2)), self.net.fork().step(one_hot[2]))
        np.testing.assert_array_equal(self.net([0, 2, 1]), self.net(one_hot[[0, 2, 1]]))
        np.testing.assert_array_equal(self.net.fork().step_block([0, 2]), self.net([0, 2]))
        np.testing.assert_array_equal(self.net(np.array([[0, 2], [1, 1]])), self.net(one_hot[[[0, 2], [1, 1]]]))

    def test_out_is_written_in_place(self):
        out = np.empty(2, np.float32)
        self.assertIs(self.net.step([1, 2, 3], out), out)
        self.net.reset()
        np.testing.assert_array_equal(out, self.net.step([1, 2, 3]))

    def test_arrays_that_fit_are_not_copied(self):
        x = noise(5, 3)
        self.assertIs(librnn._arrays.floats("x", x, ["T", 3]), x)
        for batch in (x, x[None], [x]):
            self.assertTrue(np.shares_memory(librnn._arrays.Batch(batch, 3, 2).inputs, x))

    def test_other_dtypes_and_layouts_are_converted(self):
        x = noise(5, 3)
        y = self.net(x)
        for other in (x.astype(np.float64), np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x.tolist()):
            np.testing.assert_array_equal(self.net(other), y)

    def test_batches_and_lists(self):
        x = noise(4, 5, 3)
        y, state = self.net(x, return_state=True)
        self.assertEqual((y.shape, state.shape), ((4, 5, 2), (4, 16)))
        ragged = self.net([x[0], x[1, :2]])
        np.testing.assert_array_equal(ragged[0], y[0])
        np.testing.assert_array_equal(ragged[1], y[1, :2])
        np.testing.assert_array_equal(self.net(x, pooling="last"), y[:, -1])
        self.assertEqual(self.net(x[0], pooling="mean").shape, (2,))
        second, _ = self.net(x[:, 3:], state=self.net(x[:, :3], return_state=True)[1], return_state=True)
        np.testing.assert_array_equal(second, y[:, 3:])

    def test_streams_that_share_weights(self):
        x = noise(2, 3)
        alone = [self.net.fork().step(row) for row in x]
        np.testing.assert_array_equal(librnn.step_many([self.net.fork(), self.net.fork()], x), alone)
        with self.assertRaises(librnn.MismatchError):
            librnn.step_many([self.net, self.net.clone()], x)

    def test_threads_have_streams_of_their_own(self):
        x, results = noise(200, 3), {}

        def work(i, stream):
            results[i] = stream.step_block(x)

        threads = [threading.Thread(target=work, args=(i, self.net.fork())) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results.values():
            np.testing.assert_array_equal(result, self.net(x))

    def test_threads_take_turns_at_one_network(self):
        x, results = noise(6, 50, 3), {}
        other = self.net.fork()

        def work(i):
            for _ in range(50):
                y = self.net(x[i])
                self.net.parameters["head.bias"] = self.net.parameters["head.bias"]
                pair = (other, self.net) if i % 2 else (self.net, other)
                pair[0].sync(pair[1])
                with contextlib.suppress(librnn.MismatchError):  # another thread has just set a parameter
                    librnn.step_many(pair, x[i, :2])
            results[i] = y

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 6)
        for i, result in results.items():
            np.testing.assert_array_equal(result, self.net(x[i]))

    def test_delay_and_history(self):
        self.net.history(4)
        first = self.net.step([1, 0, 0])
        self.net.step([0, 1, 0])
        self.net.rewind(2)
        np.testing.assert_array_equal(self.net.step([1, 0, 0]), first)
        self.net.delay = 2
        self.assertEqual(self.net.delay, 2)
        with self.assertRaises(librnn.InvalidArgumentError):
            self.net.delay = 0.5


class Refused(unittest.TestCase):
    def setUp(self):
        self.net = librnn.Network(3, 16, 2)

    def check(self, kind, words, call, *arguments, **options):
        with self.assertRaisesRegex(kind, words):
            call(*arguments, **options)

    def test_shapes(self):
        self.check(ValueError, r"x has the shape \[4\]; it must be \[3\]", self.net.step, np.zeros(4))
        self.check(ValueError, r"\[5, 2\]; it must be \[T, 3\] or \[B, T, 3\]", self.net, np.zeros((5, 2)))
        self.check(ValueError, r"x\[1\] has the shape \[5, 2\]", self.net, [np.zeros((5, 3)), np.zeros((5, 2))])
        self.check(ValueError, r"state has the shape \[3\]; it must be \[16\]", setattr, self.net, "state", np.zeros(3))
        self.check(ValueError, r"\[2, 16\]; it must be \[4, 16\]", self.net, np.zeros((4, 5, 3)),
                   state=np.zeros((2, 16)))
        self.check(ValueError, r"'head.bias'\] has the shape \[3\]; it must be \[2\]", self.net.parameters.__setitem__,
                   "head.bias", np.zeros(3))
        self.check(ValueError, "no sequences", self.net, np.zeros((0, 5, 3)))
        self.check(librnn.InvalidArgumentError, r"lengths\[0\]", self.net, np.zeros((0, 3)))

    def test_dtypes(self):
        self.check(TypeError, "x has the dtype complex128", self.net.step, np.zeros(3, complex))
        self.check(TypeError, "x has the dtype <U1", self.net, np.array([["a", "b", "c"]]))
        self.check(ValueError, "do not fit into int32", self.net, np.array([2**40]))
        self.check(ValueError, "does not fit into int32", self.net.step, 2**40)
        self.check(librnn.InvalidArgumentError, "index is 3", self.net.step, 3)
        self.check(TypeError, "it must be int32", self.net.generate, [0.5], 3)

    def test_outputs(self):
        x = np.zeros(3, np.float32)
        frozen = np.zeros(2, np.float32)
        frozen.flags.writeable = False
        self.check(ValueError, "read-only", self.net.step, x, frozen)
        self.check(ValueError, "C-contiguous", self.net.step, x, np.zeros(4, np.float32)[::2])
        self.check(ValueError, r"out has the shape \[3\]; it must be \[2\]", self.net.step, x, np.zeros(3, np.float32))
        self.check(TypeError, "out is float64; it must be an array of float32", self.net.step, x, np.zeros(2))
        self.check(ValueError, "overlaps", self.net.step, x, x[:2])

    def test_options(self):
        self.check(librnn.InvalidArgumentError, "hidden_size is -4; it must be 1..65536", librnn.Network, 2, -4)
        self.check(ValueError, "cell is 'lsmt'; it must be one of 'vanilla', 'gru'", librnn.Network, 2, 4, cell="lsmt")
        self.check(ValueError, "flags is 'bias'", librnn.Network, 2, 4, flags=["relu", "bias"])
        self.check(TypeError, "a network has no option 'layer_size'; there are", librnn.Network, 2, 4, layer_size=3)
        self.check(TypeError, "hidden_size is 2.5", librnn.Network, 2, 2.5)
        self.check(ValueError, "does not fit", librnn.Network, 2, 2**32 + 4)
        self.check(ValueError, "does not fit", librnn.Network, 2, 4, seed=-1)
        self.check(TypeError, "num_layers is '2'", librnn.Network, 2, 4, num_layers="2")
        self.check(TypeError, "layers has 3; it must be a list of Layer", librnn.Network, 2, layers=[3])
        self.check(TypeError, r"metadata\['a'\] is 3; it must be a text", self.net.metadata.__setitem__, "a", 3)
        self.check(TypeError, "bytes-like", librnn.from_bytes, "text")
        self.check(TypeError, "generate has no option 'prompt_count'", self.net.generate, [0], 3, prompt_count=9)
        self.check(ValueError, "steps is -1", self.net.generate, [0], -1)

    def test_names_and_values(self):
        self.check(KeyError, "no parameter 'weight'; there are weight_ih_l0", self.net.parameters.__getitem__, "weight")
        self.check(librnn.NotFoundError, "rnn_get_metadata", self.net.metadata.__getitem__, "absent")
        self.check(librnn.InvalidArgumentError, "rnn_set_state", setattr, self.net, "state", np.full(16, np.nan))
        self.check(librnn.MismatchError, "rnn_sync", self.net.sync, librnn.Network(3, 8, 2))

    def test_files(self):
        self.check(librnn.FileError, "nowhere", librnn.load, "/nowhere/net.rnn")
        self.check(OSError, "nowhere", self.net.save, "/nowhere/net.rnn")
        self.check(librnn.BadFormatError, "rnn_load_memory", librnn.from_bytes, b"no network")
        self.check(librnn.InvalidArgumentError, "rnn_save_as", self.net.save, "net.docx")


class Copies(unittest.TestCase):
    def setUp(self):
        self.net = librnn.Network(3, 8, 2, cell="lstm", flags="layer_norm", num_layers=2, seed=3)
        self.net.metadata["key"] = "value"
        self.net.step(noise(3))

    def same(self, other):
        self.assertEqual(repr(other), repr(self.net))
        self.assertEqual(dict(other.metadata), dict(self.net.metadata))
        np.testing.assert_array_equal(other.state, self.net.state)
        np.testing.assert_array_equal(other(noise(5, 3)), self.net(noise(5, 3)))

    def test_fork_and_clone(self):
        for other in (copy.copy(self.net), copy.deepcopy(self.net), self.net.fork(), self.net.clone()):
            self.same(other)
            other.parameters["head.bias"] = [1, 2]
            self.assertNotEqual(list(self.net.parameters["head.bias"]), [1, 2])

    def test_pickle(self):
        self.net.delay = 2
        other = pickle.loads(pickle.dumps(self.net))
        self.assertEqual(other.delay, 2)
        self.same(other)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("safetensors", "rnn"):
                path = pathlib.Path(folder) / f"net-\u00e9.{suffix}"
                librnn.save(self.net, path)
                self.net.reset()
                self.same(librnn.load(path))
        self.same(librnn.from_bytes(self.net.to_bytes(format="binary")))
        self.assertIn(b"mine", self.net.to_bytes(format="c", name="mine"))

    def test_parameters(self):
        wide = librnn.Network(1, 4, 1)
        self.assertEqual(wide.parameters["weight_ih_l0"].shape, (4, 1))
        wide.parameters = {name: np.zeros_like(value) for name, value in wide.parameters.items()}
        np.testing.assert_array_equal(wide(noise(5, 1)), np.zeros((5, 1)))

    def test_layers(self):
        layers = [librnn.Layer("conv1d", 8, kernel_size=3, dilation=2, activation="tanh"),
                  librnn.Layer("gru", 4, flags=["no_bias", "layer_norm"]), librnn.Layer("dense", 2)]
        net = librnn.Network(3, layers=layers)
        self.assertEqual([repr(layer) for layer in net.config["layers"]], [repr(layer) for layer in layers])
        self.assertEqual(net(noise(5, 3)).shape, (5, 2))
        again = librnn.Network(3, layers=net.config["layers"])
        np.testing.assert_array_equal(again(noise(5, 3)), net(noise(5, 3)))

    def test_convert(self):
        near = self.net.convert("int8")(noise(5, 3))
        np.testing.assert_allclose(near, self.net(noise(5, 3)), atol=0.1)

    def test_generate(self):
        net = librnn.Network(5, 8, 5, seed=2)
        drawn = net.fork().generate([0, 1], 20, seed=1)
        np.testing.assert_array_equal(drawn, net.fork().generate(np.array([0, 1]), 20, seed=1))
        stop = int(drawn[3])
        self.assertEqual(list(net.fork().generate([0, 1], 20, seed=1, stop=stop)),
                         list(drawn[:list(drawn).index(stop) + 1]))
        x = net.rollout(np.eye(5)[0], 4)
        np.testing.assert_array_equal(x[1], net(np.array([np.eye(5)[0], x[0]]))[1])
