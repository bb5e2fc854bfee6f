#!/usr/bin/env python3
"""Test the Python package: run.py ROOT LIBRARY [FILTER]

Runs the test_*.py beside this file and the examples in the docstrings. Exits with 77 where numpy is not installed.
"""

import os
import pathlib
import sys

try:
    import numpy as np
except ImportError:
    # Debian's own interpreter sees Debian's packages, also where another one comes first in PATH.
    own = "/usr/bin/python3"
    if os.path.exists(own) and not os.path.samefile(own, sys.executable):
        os.execv(own, [own, *sys.argv])
    print("skipped: numpy is missing (Debian: python3-numpy)")
    sys.exit(77)

import doctest
import importlib
import importlib.util
import pkgutil
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
OPTIONAL = {"torch": "librnn.torch"}  # what a module needs


def documented(package):
    """The examples of all modules."""
    suite = unittest.TestSuite()
    for module in pkgutil.iter_modules(package.__path__, "librnn."):
        needs = [name for name, user in OPTIONAL.items() if user == module.name]
        if needs and not importlib.util.find_spec(needs[0]):
            continue
        names = {"np": np, "librnn": package, "tempfile": tempfile}
        suite.addTests(doctest.DocTestSuite(importlib.import_module(module.name), extraglobs=names))
    suite.addTests(doctest.DocTestSuite(package, extraglobs={"np": np, "librnn": package}))
    return suite


def main():
    root, library, *filters = sys.argv[1:]
    if library != "installed":
        os.environ["LIBRNN"] = library
        sys.path.insert(0, str(pathlib.Path(root) / "bindings/python"))
    import librnn

    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in filters] or None
    suite = loader.discover(str(HERE))
    if not filters:
        suite.addTests(documented(librnn))
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    sys.exit(not result.wasSuccessful())


main()
