#!/usr/bin/env python3
"""Run a program of the manual, and hold what it prints to the file that the manual shows: snippet.py OUTPUT COMMAND...

A Python program needs numpy, and one that imports torch needs it, too; without them the exit status is 77. Each program
runs in an empty folder.
"""

import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

OWN = "/usr/bin/python3"  # Debian's own interpreter sees Debian's packages, also where another one comes first in PATH


def interpreter(script):
    """One that has what the script imports."""
    text = pathlib.Path(script).read_text()
    needs = ["numpy", *(["torch"] if re.search("^import torch", text, re.M) else [])]  # librnn imports numpy
    for python in (sys.executable, OWN):
        imports = f"import {', '.join(needs)}"
        if os.path.exists(python) and subprocess.run([python, "-c", imports], capture_output=True).returncode == 0:
            return python
    print(f"skipped: {' or '.join(needs)} is missing (Debian: {', '.join('python3-' + name for name in needs)})")
    sys.exit(77)


def main():
    expected = pathlib.Path(sys.argv[1])
    command = [os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[2:]]
    if command[0].endswith(".py"):
        command = [interpreter(command[0]), *command]
    elif command[0].endswith(".sh"):
        command = ["sh", "-e", *command]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    if done.stdout != expected.read_text():
        sys.exit("".join(difflib.unified_diff(expected.read_text().splitlines(True), done.stdout.splitlines(True),
                                              str(expected), "what it prints")))


main()
