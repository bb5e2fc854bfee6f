#!/usr/bin/env python3
"""Check that the shell and Python scripts parse, which few tests run: scripts.py ROOT"""

import os
import pathlib
import subprocess
import sys

failures = []


def check(path):
    with path.open("rb") as file:
        first = file.readline()
    if not first.startswith(b"#!"):
        return
    if not os.access(path, os.X_OK):
        failures.append(f"{path} cannot be run")
    if b"bash" in first:
        done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
        if done.returncode != 0:
            failures.append(done.stderr.strip())
    elif b"python" in first:
        try:
            compile(path.read_text(), path, "exec")
        except SyntaxError as error:
            failures.append(f"{path}:{error.lineno}: {error.msg}")


def main():
    root = pathlib.Path(sys.argv[1])
    paths = [path for folder in ("scripts", ".ci", "bindings") for path in (root / folder).rglob("*") if path.is_file()]
    for path in paths:
        if not {"target", "node_modules", "__pycache__"} & set(path.parts):
            check(path)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
