#!/usr/bin/env python3
"""Train by examples/sockets.c on several ranks of this machine, undisturbed and disturbed.

    sockets.py SOCKETS [--kills N] [--seed N] [--other COMMAND]

SOCKETS is the program. COMMAND runs it as another machine would, such as one built for AArch64 under its emulator;
with it the odd ranks run that, and nothing else is tested.
"""

import argparse
import contextlib
import hashlib
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

EPOCHS = 40
SAVE_EVERY = 8

failures = []


def expect(condition, message):
    if not condition:
        failures.append(str(message))


def addresses(count):
    """Ports that nobody has now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)


class Job:
    """Ranks that run; whoever is left at the end is killed."""

    def __init__(self, programs, checkpoint, *options, own=None):
        where = addresses(len(programs))
        self.ranks = []
        for rank, program in enumerate(programs):
            given = [*program, "-r", str(rank), "-a", where, "-c", str(checkpoint), "-e", str(EPOCHS),
                     "-k", str(SAVE_EVERY), "-j", "1", "-t", "5", "-w", "5", *options, *(own or {}).get(rank, [])]
            self.ranks.append(subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.ranks:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def wait(self, seconds):
        """Statuses and messages of all ranks; what has not ended by then has the status None."""
        end = time.monotonic() + seconds
        result = []
        for process in self.ranks:
            try:
                _, said = process.communicate(timeout=max(0.01, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                said = "still runs"
            result.append((process.poll(), said))
        return result


class Suite:
    def __init__(self, program, folder):
        self.program, self.folder = [program], folder
        self.jobs = 0

    def checkpoint(self):
        self.jobs += 1
        return self.folder / f"checkpoint{self.jobs}"

    def finish(self, programs, checkpoint, *options, seconds=60):
        """The hash of the checkpoint at the end of a job that nothing disturbs."""
        with Job(programs, checkpoint, "-t", "60", "-w", "60", *options) as job:
            for rank, (status, said) in enumerate(job.wait(seconds)):
                expect(status == 0 and not said, f"rank {rank} of {len(programs)} ends with {status}: {said}")
        return hashlib.sha256(checkpoint.read_bytes()).hexdigest() if checkpoint.exists() else None

    def fail(self, name, job, patterns, seconds=10):
        """All ranks of a job end in time, each with one line; that of rank r matches pattern r."""
        for rank, (status, said) in enumerate(job.wait(seconds)):
            pattern = patterns[min(rank, len(patterns) - 1)]
            expect(status == 1 and re.fullmatch(rf"sockets: rank {rank}: [^\n]+\n", said) and re.search(pattern, said),
                   f"{name}: rank {rank} ends with {status}: {said}")


def check_number_of_ranks(suite):
    start = time.monotonic()
    suite.hash = suite.finish([suite.program], suite.checkpoint())
    suite.seconds = time.monotonic() - start
    for ranks in (2, 3, 4):
        found = suite.finish([suite.program] * ranks, suite.checkpoint())
        expect(found == suite.hash, f"{ranks} ranks: another checkpoint")
    checkpoint = suite.checkpoint()
    suite.finish([suite.program] * 2, checkpoint, "-e", str(EPOCHS // 4))
    middle = checkpoint.read_bytes()
    expect(hashlib.sha256(middle).hexdigest() != suite.hash, "a quarter of the epochs gives the same checkpoint")
    expect(suite.finish([suite.program] * 3, checkpoint) == suite.hash, "a job that goes on ends otherwise")


def check_kills(suite, kills, numbers):
    """A rank is killed at any instant; the others end, and one rank fewer goes on to the same end."""
    hit = 0
    for number in range(kills):
        ranks = numbers.choice((2, 3, 4))
        victim, instant = numbers.randrange(ranks), numbers.uniform(0, 1.2 * suite.seconds)
        name = f"kill {number}, of rank {victim} of {ranks} after {instant:.3f} s"
        checkpoint = suite.checkpoint()
        with Job([suite.program] * ranks, checkpoint) as job:
            time.sleep(instant)
            job.ranks[victim].kill()
            start = time.monotonic()
            ended = job.wait(10)
            expect(time.monotonic() - start < 10, f"{name}: the others go on for 10 s")
        killed = ended[victim][0] == -signal.SIGKILL
        for rank, (status, said) in enumerate(ended):
            clear = re.fullmatch(rf"sockets: rank {rank}: [^\n]*rank[^\n]*\n", said)
            # When the last call is done, a rank needs the others no more.
            expect(rank == victim or status == 0 or (killed and status == 1 and clear),
                   f"{name}: rank {rank} ends with {status}: {said}")
        hit += killed and checkpoint.exists() and any(status == 1 for status, _ in ended)
        found = suite.finish([suite.program] * (ranks - 1), checkpoint)
        expect(found == suite.hash, f"{name}: another checkpoint at the end")
        expect(not list(suite.folder.glob(".rnn-*")), f"{name}: a temporary file is left")
        checkpoint.unlink(missing_ok=True)
    print(f"{hit} of {kills} kills hit a job in work")
    expect(hit >= kills // 4, "too few kills hit a job in work")


def check_silence(suite):
    with Job([suite.program] * 3, suite.checkpoint(), "-t", "1", "-e", "1000000") as job:
        time.sleep(0.5)
        job.ranks[1].send_signal(signal.SIGSTOP)
        for rank in (0, 2):
            try:
                _, said = job.ranks[rank].communicate(timeout=10)
            except subprocess.TimeoutExpired:
                said = "still runs"
            expect(job.ranks[rank].poll() == 1 and "rank" in said, f"rank 1 is silent: rank {rank}: {said}")


def check_absence(suite):
    with Job([suite.program] * 3, suite.checkpoint(), "-w", "2") as job:
        job.ranks[1].kill()
        ended = job.wait(10)
    for rank in (0, 2):
        status, said = ended[rank]
        expect(status == 1 and "rank" in said, f"rank 1 is absent: rank {rank} ends with {status}: {said}")


def check_disagreement(suite):
    with Job([suite.program] * 3, suite.checkpoint(), own={1: ["-l", "8"]}) as job:
        suite.fail("other lanes", job, ["options.lanes is 8 on rank 1 and 16 on rank 0"])
    with Job([suite.program] * 3, suite.checkpoint(), own={2: ["-e", "7"]}) as job:
        suite.fail("other epochs", job, ["options.epochs is 7 on rank 2 and %d on rank 0" % EPOCHS])
    with Job([suite.program] * 2, suite.checkpoint(), "-l", "1") as job:
        suite.fail("more ranks than lanes", job, ["2.*1"])
    with Job([suite.program] * 2, suite.checkpoint(), "-l", "12") as job:
        suite.fail("lanes that are no power of two", job, ["lanes.*12"])


def check_disk(suite):
    """Rank 0 cannot write: all ranks fail, and the checkpoint before stays."""
    with Job([suite.program] * 3, suite.folder / "missing/checkpoint") as job:
        suite.fail("no folder", job, ["missing/checkpoint", "rank 0"])
    checkpoint = suite.checkpoint()
    suite.finish([suite.program] * 2, checkpoint, "-e", str(EPOCHS // 4))
    before = checkpoint.read_bytes()
    # The limit is that of a full disk: what is written beyond it is an error, not a signal.
    limited = [sys.executable, "-c",
               "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
               "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); os.execv(sys.argv[1], sys.argv[1:])"]
    with Job([[*limited, *suite.program], suite.program, suite.program], checkpoint) as job:
        suite.fail("a full disk", job, ["checkpoint", "rank 0"])
    expect(checkpoint.read_bytes() == before, "a full disk changes the checkpoint before")
    expect(suite.finish([suite.program] * 3, checkpoint) == suite.hash, "after a full disk: another checkpoint")


def check_mixed(suite, other):
    """Ranks of different CPUs."""
    for ranks in (2, 3):
        programs = [other if rank % 2 else suite.program for rank in range(ranks)]
        found = suite.finish(programs, suite.checkpoint(), "-t", "300", seconds=900)
        expect(found == suite.hash, f"{ranks} ranks of different CPUs: another checkpoint")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--other")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(given.program, pathlib.Path(folder))
        check_number_of_ranks(suite)
        if given.other:
            check_mixed(suite, shlex.split(given.other))
        else:
            check_disagreement(suite)
            check_disk(suite)
            check_absence(suite)
            check_silence(suite)
            check_kills(suite, given.kills, random.Random(given.seed))
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
