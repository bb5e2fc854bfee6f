#!/usr/bin/env python3
"""A training that was interrupted and resumed ends with the same bits: resume.py RNN"""

import json
import signal
import subprocess
import time

from tool import SENTENCE, VARIED, expect, main


def options(name, *more):
    return ["train", "text", "--hidden", "32", "--updates", "400", "--validations", "20", "--dropout", "0.1", "--layers",
            "2", "-o", f"{name}.safetensors", "--json", "--quiet", *more]


def interrupt(tool, signal_number, disposition, *arguments):
    """Wait for the checkpoint, then for a moment, and send the signal to a program that inherited that for it."""
    checkpoint = tool.folder / "checkpoint"
    checkpoint.unlink(missing_ok=True)
    process = subprocess.Popen(tool.command(*arguments, "--checkpoint", "checkpoint"), cwd=tool.folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal_number, disposition))
    end = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    process.send_signal(signal_number)
    out, error = process.communicate(timeout=60)
    expect(process.returncode == 0, f"interrupted: status {process.returncode}, {error}")
    return json.loads(out)


def check(tool):
    tool.write("text", (SENTENCE + VARIED) * 200)
    whole = json.loads(tool.ok(*options("whole")))
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        part = interrupt(tool, signal_number, signal.SIG_DFL, *options("part"))
        expect(part["interrupted"] and 0 < part["updates"] < 400, f"interrupted: {part}")
        rest = json.loads(tool.ok(*options("part", "--resume", "checkpoint")))
        expect(rest["updates"] == 400 and not rest["interrupted"], f"resumed: {rest}")
        for side in ("training", "validation"):
            expect(rest[side] == whole[side], f"{side} differs: {rest}, {whole}")
        expect((tool.folder / "part.safetensors").read_bytes() == (tool.folder / "whole.safetensors").read_bytes(),
               "a resumed run ends in another model")

    ignored = interrupt(tool, signal.SIGHUP, signal.SIG_IGN, *options("part"))
    expect(ignored["updates"] == 400 and not ignored["interrupted"], f"nohup: {ignored}")
    again = json.loads(tool.ok(*options("part", "--resume", "checkpoint")))
    expect(again["updates"] == 400 and again["validation"] == whole["validation"], f"resumed at its end: {again}")
    tool.fails("missing", *options("part", "--resume", "missing"), status=2)
    tool.fails("batch", *options("part", "--resume", "checkpoint", "--batch", "16"))
    tool.fails("window", *options("part", "--resume", "checkpoint", "--window", "16"))
    tool.fails("file|format|safetensors", *options("part", "--resume", tool.write("damaged", "no checkpoint")))
    tool.write("text", (SENTENCE + VARIED) * 201)
    tool.fails("frames", *options("part", "--resume", "checkpoint"))
    tool.write("text", SENTENCE * 400)
    tool.fails("is of 28 characters; the text has 14", *options("part", "--resume", "checkpoint"))


main(check)
