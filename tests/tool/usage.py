#!/usr/bin/env python3
"""Arguments, help, exit statuses and what goes where: usage.py RNN"""

import os
import re
import shutil
import subprocess

from tool import expect, main

COMMANDS = ("info", "convert", "train", "sample", "eval", "predict", "bench", "describe", "pack", "unpack")


def check_help(tool):
    expect(re.fullmatch(r"rnn \d+\.\d+\.\d+\n", tool.ok("--version")), "--version")
    expect(tool.ok("-V") == tool.ok("--version"), "-V")
    expect(tool.ok("help") == tool.ok("--help") and "rnn help train" in tool.ok("help", "help"), "rnn help")
    text = tool.ok("--help")
    for command in COMMANDS:
        expect(command in text, f"--help without {command}")
        own = tool.ok(command, "--help")
        expect(f"rnn {command} [OPTIONS]" in own and "--json" in own, f"{command} --help: {own}")
        expect(re.search(rf"\nExamples?:\n.*rnn {command} ", own, re.DOTALL), f"{command} --help without an example: {own}")
        expect(tool.ok("help", command) == own, f"rnn help {command}: {own}")
        expect(all(len(line) <= 110 for line in own.splitlines()), f"{command} --help has long lines: {own}")


def check_usage(tool):
    tool.write("text", "some text\n" * 200)
    tool.fails("no command", status=2)
    tool.fails("there is no command frobnicate; the commands are info, .*unpack", "frobnicate", status=2)
    for command in COMMANDS:
        tool.fails(rf"--unknown.*rnn {command} --help", command, "text", "text", "--unknown", status=2)
    tool.fails("model", "info", status=2)
    tool.fails("cell", "train", "text", "--cell", "elman", status=2)
    tool.fails("hidden", "train", "text", "--hidden", "0", status=2)
    tool.fails("--updates", "train", "text", "--updates", "10", "--epochs", "2", status=2)
    tool.fails("--validation", "train", "text", "--validation", "1.5", status=2)
    tool.fails("--epochs", "train", "text", "--epochs", "1000000000", "--window", "8", status=2)
    tool.fails("--seconds", "train", "text", "--resume", "text", "--seconds", "3", status=2)
    tool.fails("memory", "bench", "--batch", "65536", "--steps", "65536", status=2)
    for value in (-1, -2**64 + 1, 2**64, "1.5"):
        tool.fails("--seed", "sample", "model", "--seed", value, status=2)
        tool.fails("--updates", "train", "text", "--updates", value, status=2)
    tool.fails("--updates is given more than once", "train", "text", "--updates", "1", "--updates", "2", status=2)
    tool.fails("nan", "train", "text", "--seconds", "nan", status=2)
    for option in ("--dropout", "--output-dropout", "--recurrent-dropout"):
        tool.fails(f"{option}:", "train", "text", option, "1", status=2)
    for value in (-1, 1e-7, "nan"):
        tool.fails("temperature", "sample", "model", "--temperature", value, status=2)
    tool.fails("top-p", "sample", "model", "--top-p", "1.5", status=2)
    tool.fails("--to", "convert", "a", "b", "--to", "f8", status=2)
    tool.fails("--text", "convert", "a", "b", "--json", status=2)
    tool.fails("--text", "convert", "a", "b", "--threads", "2", status=2)
    for command in (["convert", "a", "b", "--text"], ["convert", "a", "b", "--array"], ["train", "text", "--checkpoint"],
                    ["bench"]):
        tool.fails("empty", *command, "", status=2)


def check_suggestions(tool):
    """A word that is nearly a command or an option; the rest of what was not expected is in the order given."""
    for word, meant in (("trian", "train"), ("evaluate", "eval"), ("smaple", "sample"), ("unpak", "unpack"), ("trai", "train")):
        tool.fails(rf"there is no command {word}; did you mean {meant}\? \(see rnn --help\)", word, "x", "y", status=2)
        tool.fails(rf"there is no command {word}; did you mean {meant}\?", "help", word, status=2)
    for command, word, meant in (("train", "--udpates", "--updates"), ("train", "--leraning-rate=2", "--learning-rate"),
                                 ("info", "--jsn", "--json"), ("sample", "--temp", "--temperature"),
                                 ("bench", "--hiden", "--hidden")):
        tool.fails(rf"there is no option {word.split('=')[0]}; did you mean {meant}\? \(see rnn {command} --help\)", command,
                   word, status=2)
    tool.fails(r"there is no option --frob \(", "--frob", status=2)
    tool.fails(r"there is no option --udpates, and not expected: t, c, a, b; did you mean --updates\?", "train", "--udpates", "3",
               "t", "c", "a", "b", status=2)
    tool.fails(r"rnn: not expected: c, a, b \(", "eval", "m", "t", "c", "a", "b", status=2)


def check_case(tool):
    """Names are taken in any case, and kept in their own."""
    tool.write("text", "some text\n" * 200)
    command = ["train", "text", "--updates", "2", "--quiet", "-o"]
    for name, *options in (("lower.rnn", "--cell", "lstm", "--compute", "bf16", "--schedule", "constant", "--hidden", "8"),
                           ("upper.rnn", "--cell", "LSTM", "--compute", "BF16", "--schedule", "Constant", "--hidden", "8"),
                           ("list.rnn", "--layer-list", "Lstm:8", "--compute", "Bf16", "--schedule", "CONSTANT")):
        tool.ok(*command, name, *options)
        expect((tool.folder / name).read_bytes() == (tool.folder / "lower.rnn").read_bytes(), f"{options}")
    tool.ok("convert", "lower.rnn", "small.rnn", "--to", "INT8")
    expect(tool.json("info", "small.rnn")["compute"] == "int8", "--to INT8")


def check_output(tool):
    """A disk that is full is a failure, whether the output is long or short."""
    tool.write("text", "some text\n" * 200)
    tool.train("text", "--updates", "2")
    for command in (["bench", "--hidden", "4", "--seconds", "0.001", "--batch", "1"], ["info", "model.safetensors"],
                    ["sample", "model.safetensors", "--length", "100000"], ["--help"], ["train", "--help"],
                    ["info", "model.safetensors", "--json"], ["eval", "model.safetensors", "text"], ["--version"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(tool.command(*command), cwd=tool.folder, stdout=full, stderr=subprocess.PIPE)
        expect(done.returncode == 1 and
               done.stderr == b"rnn: cannot write to standard output: No space left on device\n", f"a full disk: {done}")


def check_alone(tool):
    """The file runs without the library's."""
    (tool.folder / "folder").mkdir()
    copy = shutil.copy(tool.program, tool.folder / "folder" / "copy")
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    done = subprocess.run([copy, "--version"], env=environment, capture_output=True, text=True)
    expect(done.stdout == tool.ok("--version"), f"a copy of the program: {done}")


def check(tool):
    check_help(tool)
    check_usage(tool)
    check_suggestions(tool)
    check_case(tool)
    check_output(tool)
    check_alone(tool)


main(check)
