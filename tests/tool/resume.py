#!/usr/bin/env python3
"""A training that was interrupted and resumed ends with the same bits: resume.py RNN"""

import json
import re
import shlex
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
    status = 0 if disposition == signal.SIG_IGN else 128 + signal_number
    expect(process.returncode == status, f"interrupted: status {process.returncode}, {error}")
    return json.loads(out)


def check_shape(tool, whole):
    """The checkpoint's, unless another was asked for."""
    command = ["train", "text", "--updates", "400", "--validations", "20", "--dropout", "0.1", "-o", "part.safetensors",
               "--json", "--quiet", "--resume", "checkpoint"]
    for option in (["--cell", "lstm"], ["--hidden", "16"], ["--layers", "1"], ["--embedding", "3"],
                   ["--projection", "3"], ["--residual"], ["--layer-norm"], ["--compute", "bf16"], ["--seed", "2"]):
        tool.fails(rf"{option[0]} is {'on' if len(option) == 1 else option[1]}; that of checkpoint is \w+ ", *command,
                   *option, status=2)
    for same in ([], ["--cell", "gru", "--hidden", "32", "--seed", "1"]):
        expect(json.loads(tool.ok(*command, *same))["validation"] == whole["validation"], f"resumed with {same}")


def stop(tool, *arguments):
    """Ctrl-C behind the first validation of a training without --checkpoint."""
    model = tool.folder / arguments[arguments.index("-o") + 1]
    model.unlink(missing_ok=True)
    process = subprocess.Popen(tool.command(*arguments), cwd=tool.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not model.exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    expect(process.returncode == 130, f"stopped: status {process.returncode}, {error}")
    return out.decode()


def check_going_on(tool):
    """A training that is stopped says the command that goes on, which ends in the model of one that was not."""
    tool.write("a 'text'", (SENTENCE + VARIED) * 200)
    command = ["train", "a 'text'", "--hidden", "32", "--updates", "1000", "--validations", "100", "--quiet", "-o"]
    tool.ok(*command, "unbroken.safetensors")
    said = stop(tool, *command, "going.safetensors")
    line = re.search(r"^to go on:   rnn (.*)$", said, re.MULTILINE)
    expect(line and shlex.split(line[1])[:2] == command[:2], said)
    expect(line[1].endswith("--resume going.unfinished.checkpoint"), said)
    tool.ok(*shlex.split(line[1]))
    expect((tool.folder / "going.safetensors").read_bytes() == (tool.folder / "unbroken.safetensors").read_bytes(), "goes on")

    # Of a training that began with a model, in the order of whose vocabulary the characters stay.
    tool.write("first", "zyx" * 400 + SENTENCE * 40)
    tool.ok("train", "first", "--hidden", "32", "--updates", "4", "--quiet", "-o", "first.rnn")
    command[-1:] = ["--init", "first.rnn", "-o"]
    tool.ok(*command, "unbroken.safetensors")
    go_on = json.loads(stop(tool, *command, "going.safetensors", "--json"))["go_on"]
    tool.ok(*shlex.split(go_on)[1:])
    expect((tool.folder / "going.safetensors").read_bytes() == (tool.folder / "unbroken.safetensors").read_bytes(), "--init")
    timed = json.loads(stop(tool, "train", "a 'text'", "--hidden", "32", "--seconds", "30", "--json", "--quiet", "-o", "timed.rnn"))
    expect("--seconds" not in timed["go_on"] and " --updates " in timed["go_on"], timed)
    expect(timed["checkpoint"] == "timed.unfinished.checkpoint", timed)


def check_schedule(tool):
    """A resumed run is in the epoch in which the one before it was."""
    held = ["--schedule", "step", "--schedule-by-epoch", "--schedule-start", "2", "--schedule-factor", "0.7",
            "--label-smoothing", "0.1"]
    whole = json.loads(tool.ok(*options("held", *held)))
    part = interrupt(tool, signal.SIGINT, signal.SIG_DFL, *options("part", *held))
    expect(part["interrupted"] and 0 < part["updates"] < 400, f"interrupted: {part}")
    rest = json.loads(tool.ok(*options("part", "--resume", "checkpoint", *held)))
    expect(rest["validation"] == whole["validation"], f"resumed: {rest}, {whole}")
    expect((tool.folder / "part.safetensors").read_bytes() == (tool.folder / "held.safetensors").read_bytes(),
           "a resumed run ends in another model")


def check_best(tool):
    """What lies at --out is believed to be the run's best model only if it can be; a refused run leaves no other."""
    tool.write("sentences", SENTENCE * 200)
    for text, message, *shape in (("text", "other.safetensors.*hidden_size", "--hidden", "16", "--layers", "2"),
                                  ("text", "other.safetensors.*compute", "--hidden", "32", "--layers", "2", "--compute",
                                   "bf16"),
                                  ("sentences", "other.safetensors.*vocabulary", "--hidden", "32", "--layers", "2")):
        tool.ok("train", text, "--updates", "2", "--quiet", "-o", "other.safetensors", *shape)
        before = (tool.folder / "other.safetensors").read_bytes()
        tool.fails(message, *options("other", "--resume", "checkpoint"))
        expect((tool.folder / "other.safetensors").read_bytes() == before, "another run's model is overwritten")
    tool.fails("batch", *options("new", "--resume", "checkpoint", "--batch", "16"))
    expect(not (tool.folder / "new.safetensors").exists(), "a refused run leaves a model")
    before = (tool.folder / "checkpoint").read_bytes()
    tool.write("checkpoint.rnn", before)
    tool.fails("--out and --resume are the same file", "train", "text", "-o", "./checkpoint.rnn", "--resume",
               "checkpoint.rnn", status=2)
    expect((tool.folder / "checkpoint.rnn").read_bytes() == before, "the checkpoint is overwritten")


def check(tool):
    tool.write("text", (SENTENCE + VARIED) * 200)
    whole = json.loads(tool.ok(*options("whole")))
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        part = interrupt(tool, signal_number, signal.SIG_DFL, *options("part"))
        expect(part["interrupted"] and 0 < part["updates"] < 400, f"interrupted: {part}")
        checkpoint = (tool.folder / "checkpoint").read_bytes()
        rest = json.loads(tool.ok(*options("part", "--resume", "checkpoint")))
        expect(rest["updates"] == 400 and not rest["interrupted"], f"resumed: {rest}")
        for side in ("training", "validation"):
            expect(rest[side] == whole[side], f"{side} differs: {rest}, {whole}")
        expect((tool.folder / "part.safetensors").read_bytes() == (tool.folder / "whole.safetensors").read_bytes(),
               "a resumed run ends in another model")
    tool.write("slow", checkpoint)
    rest = json.loads(tool.ok(*options("slow", "--resume", "slow", "--learning-rate", "0.0001")))
    expect(rest["validation"] != whole["validation"], f"resumed with another learning rate: {rest}")

    ignored = interrupt(tool, signal.SIGHUP, signal.SIG_IGN, *options("part"))
    expect(ignored["updates"] == 400 and not ignored["interrupted"], f"nohup: {ignored}")
    again = json.loads(tool.ok(*options("part", "--resume", "checkpoint")))
    expect(again["updates"] == 400 and again["validation"] == whole["validation"], f"resumed at its end: {again}")
    check_shape(tool, whole)
    check_schedule(tool)
    check_best(tool)
    check_going_on(tool)
    tool.fails("missing", *options("part", "--resume", "missing"), status=2)
    for option, value, saved in (("--batch", "16", "batch_size is 32"), ("--window", "16", "window is 64"),
                                 ("--lanes", "2", "lanes is 1"), ("--average", "0.5", "weights beside their average")):
        tool.fails(f"--resume: {option} differs from that of the run in checkpoint: .*{saved}",
                   *options("part", "--resume", "checkpoint", option, value))
    tool.fails("--resume: the text, or --validation, differs from that of the run in checkpoint", *options(
        "part", "--resume", "checkpoint", "--validation", "0.3"))
    tool.fails("is none of those that", *options("part", "--resume", tool.write("damaged", "no checkpoint")))
    tool.fails("the file is a network, which rnn_load reads", *options("part", "--resume", "whole.safetensors"))
    tool.write("text", (SENTENCE + VARIED) * 201)
    tool.fails("--resume: the text.* frames", *options("part", "--resume", "checkpoint"))
    tool.write("text", SENTENCE * 400)
    tool.fails("--resume: the text differs: checkpoint is of 28 characters; the text has 14", *options("part", "--resume", "checkpoint"))


main(check)
