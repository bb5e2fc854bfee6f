#!/usr/bin/env python3
"""A log that rnn train writes on one CPU is verified on others: verify_across.py RNN "OTHER RNN" ..."""

import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from tool import VARIED, expect

OPTIONS = ["--cell", "gru", "--hidden", "12", "--batch", "4", "--window", "8", "--recurrent-dropout", "0.1", "--updates",
           "12", "--validations", "2", "--quiet", "--log-every", "4", "--checkpoint", "run.{update}"]


def run(program, *arguments, folder):
    done = subprocess.run([*shlex.split(program), *arguments, "--json"], cwd=folder, capture_output=True)
    expect(done.returncode == 0, f"{program} {arguments}: {done}")
    return json.loads(done.stdout)


def main():
    programs = sys.argv[1:]
    logs = []
    for writer in programs:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "text").write_text(VARIED * 40)
            run(writer, "train", "text", *OPTIONS, "-o", "model.safetensors", "--log", "run.log", "--threads", "2",
                folder=folder)
            logs.append((folder / "run.log").read_bytes())
            expect(logs[-1] == logs[0], f"{writer} writes another log than {programs[0]}")
            for reader in programs:
                for more in ([], ["--checkpoint", "run.6", "--from", "6", "--threads", "1"]):
                    found = run(reader, "verify", "run.log", "--data", "text", *more, folder=folder)
                    expect(found["same"] and found["complete"], f"{reader}, of {writer}, {more}: {found}")
    lines = len(logs[0].splitlines())
    print(f"a log of {lines} lines, written and verified on {len(programs)} CPUs")


main()
