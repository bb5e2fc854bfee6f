#!/usr/bin/env python3
"""rnn train on several ranks ends as on one: tool.py MPIRUN PROGRAM"""

import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from mpirun import run

SENTENCE = "the cell keeps what it has seen\n"
OPTIONS = ["text", "--lanes", "4", "--hidden", "24", "--batch", "8", "--layers", "2", "--dropout", "0.1", "--average", "0.9",
           "--threads", "1"]


def expect(condition, message):
    if not condition:
        sys.exit(str(message))


class Tool:
    def __init__(self, mpirun, program, folder):
        self.mpirun, self.program, self.folder = mpirun, program, folder

    def train(self, ranks, *arguments):
        return run(self.mpirun, ranks, self.program, "train", *arguments, cwd=self.folder, capture_output=True, text=True,
                   timeout=100)

    def ok(self, ranks, *arguments):
        done = self.train(ranks, *OPTIONS, *arguments)
        expect(done.returncode == 0, f"{ranks} ranks, {arguments}: {done}")
        return done

    def fails(self, ranks, pattern, *arguments, status=1):
        self.check_failure(self.train(ranks, *arguments), pattern, arguments, status)

    def check_failure(self, done, pattern, arguments, status):
        """One rank says what is wrong, and others at most the same, where MPI is slow to end them."""
        expect(done.returncode == status, f"{arguments}: {done}")
        said = [line for line in done.stderr.splitlines() if re.match("rnn: (?!note: )", line)]
        expect(said and re.search(pattern, said[0]), f"{arguments}: {said}")
        expect(len({re.sub(r"^rnn: rank \d+: ", "rnn: ", line) for line in said}) == 1, f"{arguments}: {said}")

    def differs(self, pattern, *arguments):
        """The second of two ranks has these arguments, the first others."""
        script = '[ "${OMPI_COMM_WORLD_RANK-$PMI_RANK}" = 1 ] || set -- text --updates 6; exec "$RNN" train "$@" '
        script += "--lanes 2 --batch 8 --hidden 8 --quiet"
        done = run(self.mpirun, 2, "sh", "-c", script, "sh", *arguments, environment={"RNN": str(self.program)},
                   cwd=self.folder, capture_output=True, text=True, timeout=100)
        self.check_failure(done, pattern, arguments, 1)

    def files(self, *names):
        return [(self.folder / name).read_bytes() for name in names]


def check_same(tool):
    """Models, checkpoints and losses; one rank shows the progress and the result."""
    expected = None
    for ranks in (1, 2, 3):
        done = tool.ok(ranks, "--updates", "60", "--validations", "5", "-o", "model.rnn", "--checkpoint", "checkpoint")
        expect(done.stdout.count("saved in model.rnn\n") == 1 and done.stdout.count("\n") == 4, done)
        expect(done.stderr.count("gru, 2 layers of 24") == 1 and "60/60" in done.stderr, done)
        found = tool.files("model.rnn", "checkpoint"), done.stdout.splitlines()[1:]
        expected = expected or found
        expect(found == expected, f"{ranks} ranks: another model or checkpoint than one rank, or {found[1]}, {expected[1]}")


def check_resume(tool):
    """A run that goes on with another number of ranks."""
    options = ["--schedule", "constant", "--quiet", "-o", "part.rnn"]  # a cosine would end with the run
    tool.ok(1, *options, "--updates", "48", "--validations", "4", "--checkpoint", "whole")
    expected = tool.files("part.rnn", "whole")
    (tool.folder / "part.rnn").unlink()
    tool.ok(3, *options, "--updates", "24", "--validations", "2", "--checkpoint", "part")
    tool.ok(2, *options, "--updates", "48", "--validations", "4", "--resume", "part")
    expect(tool.files("part.rnn", "part") == expected, "resumed on other ranks: another model or checkpoint")


def check_interrupt(tool):
    """A signal to one rank ends the training on all, with a checkpoint from which it goes on."""
    options = [*OPTIONS, "--quiet", "--json", "--updates", "1000", "--validations", "100"]
    command = ["sh", "-c", 'echo $$ >>pids; exec "$@"', "sh", tool.program, "train", *options, "-o", "part.rnn", "--checkpoint",
               "part"]
    for name in ("part", "part.rnn", "pids"):
        (tool.folder / name).unlink(missing_ok=True)
    with ThreadPoolExecutor() as pool:
        job = pool.submit(run, tool.mpirun, 2, *command, cwd=tool.folder, capture_output=True, text=True, timeout=100)
        while not (tool.folder / "part").exists() and not job.done():
            time.sleep(0.01)
        os.kill(int((tool.folder / "pids").read_text().split()[-1]), signal.SIGTERM)
        done = job.result()
    expect(done.returncode == 0, done)
    part = json.loads(done.stdout)
    expect(part["interrupted"] and 0 < part["updates"] < 1000, part)
    rest = json.loads(tool.train(1, *options, "-o", "part.rnn", "--resume", "part").stdout)
    whole = json.loads(tool.train(1, *options, "-o", "whole.rnn").stdout)
    expect(rest["updates"] == 1000 and not rest["interrupted"] and rest["validation"] == whole["validation"], (rest, whole))


def check_seconds(tool):
    """The first rank's clock says how long it takes."""
    done = tool.ok(2, "--seconds", "1", "--validations", "2", "--json", "--quiet", "-o", "timed.rnn")
    expect(json.loads(done.stdout)["updates"] > 0, done.stdout)


def check_errors(tool):
    tool.fails(3, "--lanes is 2; 3 ranks need", "text", "--lanes", "2", status=2)
    tool.fails(2, "several ranks need a file", "-", "--lanes", "2", status=2)
    tool.fails(2, "--labels is of one rank", "--labels", "text", status=2)
    tool.fails(2, "--csv is of one rank", "--csv", "text", "--target", "column", status=2)
    tool.fails(2, "missing", "missing", "--lanes", "2")
    tool.fails(2, "there is no option --unknown", "text", "--unknown", status=2)
    (tool.folder / "other").write_text(SENTENCE * 60 + SENTENCE.replace("seen", "sees") * 60)
    tool.differs("the text is not the same as on rank 1", "other", "--updates", "6")
    (tool.folder / "longer").write_text(SENTENCE * 121)
    tool.differs("rank 1: the text is not the same as on rank 0", "longer", "--updates", "6")
    tool.differs("rank 1: the number of updates is not the same", "text", "--updates", "7")
    tool.differs("rank 1: whether to save checkpoints is not the same", "text", "--updates", "6", "--checkpoint", "part")
    tool.differs("options.window is 32 on rank 1", "text", "--updates", "6", "--window", "32")
    tool.fails(2, "missing/model.rnn", *OPTIONS, "-o", "missing/model.rnn")
    (tool.folder / "model.rnn").unlink()
    tool.fails(2, "validation loss .* is not finite", *OPTIONS, "--learning-rate", "100", "--weight-decay", "1000",
               "--updates", "100", "-o", "model.rnn")


def main():
    mpirun, program = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(mpirun, program, pathlib.Path(folder))
        (tool.folder / "text").write_text(SENTENCE * 120)
        check_same(tool)
        check_resume(tool)
        check_interrupt(tool)
        check_seconds(tool)
        check_errors(tool)


main()
