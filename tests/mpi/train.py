#!/usr/bin/env python3
"""Jobs of train.cpp end with the same bits: train.py [--all] MPIRUN PROGRAM [MPIRUN PROGRAM]...

A program for each MPI. With --all each cell, kind of numbers, number of ranks and of threads, and instruction set of
this CPU; without it a few of them.
"""

import hashlib
import itertools
import pathlib
import sys
import tempfile
import time

from mpirun import run

RANKS, THREADS = (1, 2, 3, 5, 8), (1, 2)


def result(mpi, cell, compute, ranks, threads, own, isa):
    """The hash of what the job saves, and what it says."""
    mpirun, program = mpi
    with tempfile.TemporaryDirectory() as folder:
        done = run(mpirun, ranks, program, cell, compute, own, threads, folder, capture_output=True, text=True,
                   timeout=250, environment={"RNN_ISA": isa} if isa else {})
        where = f"{pathlib.Path(mpirun).name} -n {ranks}, {cell}, {compute}, threads {threads}, own_sequences {own}, {isa}"
        if done.returncode != 0:
            sys.exit(f"{where}: status {done.returncode}\n{done.stdout}{done.stderr}")
        files = [(pathlib.Path(folder) / name).read_bytes() for name in ("run", "stopped", "updated")]
    return where, hashlib.sha256(b"".join(files)).hexdigest(), done.stdout


def compare(cell, compute, jobs):
    """Exits if the jobs do not all end alike."""
    begun, first = time.monotonic(), None
    for job in jobs:
        where, *found = result(job[0], cell, compute, *job[1:])
        first = first or (where, found)
        if found != first[1]:
            sys.exit(f"{where}: {found}\n{first[0]}: {first[1]}")
    print(f"{cell:8}{compute:5} {len(jobs):3} jobs, {time.monotonic() - begun:3.0f} s  {first[1][0]}  {first[1][1].strip()}",
          flush=True)


def main():
    arguments = sys.argv[1:]
    everything = arguments[:1] == ["--all"]
    paths = arguments[everything:]
    mpis = list(zip(paths[::2], paths[1::2]))
    if not everything:
        for cell, compute in (("gru", "f32"), ("lstm", "bf16")):
            compare(cell, compute, [(mpis[0], ranks, threads, own, None)
                                    for ranks, threads, own in ((1, 2, 0), (2, 1, 1), (3, 1, 0))])
        return
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    isas = [isa for isa, flag in (("avx2", "avx2"), ("avx512", "avx512bw")) if flag in flags] or [None]
    jobs = list(itertools.product(mpis, RANKS, THREADS, isas))
    for number, (cell, compute) in enumerate(itertools.product(("vanilla", "gru", "lstm"), ("f32", "bf16"))):
        # Every other job with own sequences, and the others with the next kind of numbers.
        compare(cell, compute, [(mpi, ranks, threads, (number + i + i // len(isas)) % 2, isa)
                                for i, (mpi, ranks, threads, isa) in enumerate(jobs)])


main()
