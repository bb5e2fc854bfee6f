#!/usr/bin/env python3
"""examples/distributed.c and examples/ffi/distributed.py say the same and save the same network, on any number of
ranks: distributed.py MPIRUN ROOT PROGRAM LIBRARY.so

The one in Python runs where mpi4py is of this MPI."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

from mpirun import run

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "ffi"))
from layout import check_layout  # noqa: E402

NETWORK = "distributed.safetensors"


def result(mpirun, ranks, *command, library):
    with tempfile.TemporaryDirectory() as folder:
        done = run(mpirun, ranks, *command, environment={"LD_LIBRARY_PATH": str(library.parent)}, cwd=folder,
                   capture_output=True, text=True, timeout=100)
        if done.returncode != 0:
            sys.exit(f"{ranks} ranks, {command}: status {done.returncode}\n{done.stdout}{done.stderr}")
        first, said = done.stdout.split("\n", 1)
        if first != f"{ranks} ranks":
            sys.exit(f"{ranks} ranks, {command}: it says\n{done.stdout}")
        return said, (pathlib.Path(folder) / NETWORK).read_bytes()


def python_of(mpirun):
    """A Python whose mpi4py is linked with the MPI of mpirun."""
    test = "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"
    for python in (sys.executable, "/usr/bin/python3"):
        done = run(mpirun, 2, python, "-c", test, capture_output=True, text=True, timeout=100)
        if done.returncode == 0 and done.stdout.split() == ["2", "2"]:
            return python
    return None


def main():
    mpirun, *paths = sys.argv[1:]
    root, program, library = (pathlib.Path(path).resolve() for path in paths)
    expected = result(mpirun, 1, program, library=library)
    if not re.fullmatch(r"(update \d+: loss \d\.\d{6}\n)+", expected[0]):
        sys.exit(f"it says\n{expected[0]}")
    loss = float(expected[0].split()[-1])
    if not loss < 0.2:
        sys.exit(f"it does not learn: {loss}")
    source = root / "examples/ffi/distributed.py"
    layout = subprocess.run(["/usr/bin/python3", source, "--layout"], capture_output=True, text=True)
    if layout.returncode == 0:  # which needs numpy
        check_layout(layout.stdout, json.loads((root / "include/rnn/rnn.json").read_text())["structs"])
    commands = [(2, program)]
    if python := python_of(mpirun):
        commands += [(1, python, source), (2, python, source)]
    else:
        print("mpi4py of this MPI is missing (Debian: python3-mpi4py): Python is left out")
    for ranks, *command in commands:
        if result(mpirun, ranks, *command, library=library) != expected:
            sys.exit(f"{ranks} ranks, {command}: another result than the program's on one rank")


main()
