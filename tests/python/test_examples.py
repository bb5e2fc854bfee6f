"""The examples run, and what they assert holds."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import unittest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "bindings/python/examples"


class Examples(unittest.TestCase):
    def run_example(self, name):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run([sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=240,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_all_are_here(self):
        self.assertEqual({path.name for path in EXAMPLES.glob("*.py")},
                         {"names.py", "sentences.py", "sunspots.py", "torch_model.py"})

    def test_names(self):
        self.assertIn("the language is right", self.run_example("names.py"))

    def test_sentences(self):
        self.assertIn("have a nice day", self.run_example("sentences.py"))

    def test_sunspots(self):
        self.assertIn("error of the forecast", self.run_example("sunspots.py"))

    @unittest.skipUnless(importlib.util.find_spec("torch"), "torch is missing (Debian: python3-torch)")
    def test_torch_model(self):
        self.assertIn("update 300", self.run_example("torch_model.py"))
