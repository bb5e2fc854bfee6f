#!/usr/bin/env python3
"""Check that what is installed was hardened: hardening.py ELF_FILE...

Functions with buffers check the stack, functions of the C library that know the size of a buffer check it, and all
symbols are bound, and the tables of their addresses made read-only, before anything runs.
"""

import re
import subprocess
import sys

failures = []


def readelf(option, path):
    return subprocess.run(["readelf", option, "-W", path], check=True, capture_output=True, text=True).stdout


def main():
    for path in sys.argv[1:]:
        dynamic, symbols = readelf("-d", path), readelf("--dyn-syms", path)
        if not re.search(r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", dynamic):
            failures.append(f"{path}: binds symbols when they are first used")
        if "GNU_RELRO" not in readelf("-l", path):
            failures.append(f"{path}: has no read-only relocations")
        if not re.search(r"UND __stack_chk_fail\b", symbols):
            failures.append(f"{path}: no function checks its stack")
        if not re.search(r"UND __(?!stack)\w+_chk\b", symbols):
            failures.append(f"{path}: no function of the C library checks the size of a buffer")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


sys.exit(main())
