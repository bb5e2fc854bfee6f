#!/usr/bin/env python3
"""rnn train learns, says how well, and keeps the best model: train.py RNN"""

import fcntl
import json
import math
import os
import pty
import re
import struct
import subprocess
import termios

from tool import SENTENCE, VARIED, expect, main, metadata, near


def check_learns(tool):
    tool.write("text", SENTENCE * 120)
    result = tool.train("text", "--updates", "200", "-o", "learnt.safetensors")
    expect(result["updates"] == 200 and not result["interrupted"] and result["characters_per_second"] > 0, result)
    expect(result["model"] == "learnt.safetensors" and (tool.folder / "learnt.safetensors").exists(), result)
    for side in ("training", "validation"):
        # A sentence by heart: only the first letters of each piece have to be guessed.
        expect(result[side]["loss"] < 0.5 and result[side]["accuracy"] > 0.85, f"{side}: {result[side]}")
        near(result[side]["bits_per_character"], result[side]["loss"] / math.log(2), "bits per character")
        near(result[side]["perplexity"], math.exp(result[side]["loss"]), "perplexity")


def check_lengths(tool):
    """800 characters, all learnt: 8 pieces of 99 steps, so two windows of 64 in an epoch."""
    tool.write("short", SENTENCE * 25)
    epochs = tool.train("short", "--epochs", "3", "--validation", "short")
    expect(epochs["updates"] == 6, epochs)
    expect(tool.train("short", "--updates", "83", "--validations", "10")["updates"] == 88, "updates round up")
    timed = tool.train("short", "--seconds", "0.5")
    expect(timed["updates"] > 1 and timed["seconds"] < 5, timed)


def check_cells(tool):
    tool.write("varied", VARIED * 40)
    for number, options in enumerate((["--cell", "vanilla"], ["--cell", "lstm", "--projection", "8"],
                                      ["--cell", "gru", "--layers", "2", "--residual", "--dropout", "0.1"],
                                      ["--embedding", "5", "--layer-norm", "--average", "0.9"],
                                      ["--compute", "bf16", "--threads", "1"])):
        name = f"cell{number}.safetensors"
        result = tool.json("train", "varied", "--hidden", "16", "--updates", "8", "--quiet", "-o", name, *options)
        expect(math.isfinite(result["validation"]["loss"]), f"{options}: {result}")
    characters = json.loads(metadata(tool.folder / "cell0.safetensors")["vocabulary"])
    expect(characters == sorted(set(VARIED)), f"vocabulary {characters}")
    one = tool.json("train", "-", "--updates", "8", "--hidden", "16", "-o", "one.rnn", input=(VARIED * 40).encode())
    two = tool.json("train", "varied", "--updates", "8", "--hidden", "16", "-o", "two.rnn", "--threads", "2")
    expect(one["validation"] == two["validation"], "standard input, or two threads, train another model")
    one, two = ((tool.folder / name).read_bytes() for name in ("one.rnn", "two.rnn"))
    expect(one == two and not one[8:].startswith(b"{"), "two threads write another file, or none in binary")


def check_bytes(tool):
    """Text that is not UTF-8 is learnt all the same."""
    tool.write("bytes", bytes(range(256)) * 40)
    tool.train("bytes", "--updates", "3", "-o", "bytes.safetensors")
    vocabulary = json.loads(metadata(tool.folder / "bytes.safetensors")["vocabulary"])
    expect(vocabulary == [chr(i) for i in range(128)] + list(range(128, 256)), f"vocabulary {vocabulary}")


def check_progress(tool):
    command = ["train", "text", "--hidden", "8", "--updates", "4"]
    piped = tool.run(*command)
    lines = piped.stderr.decode().splitlines()
    expect(lines[0] == "gru, 1 layer of 8, 14 inputs, 14 outputs, f32", lines)
    for word in ("4/4", "characters/s", "left", "loss", "bits", "perplexity", "validation"):
        expect(word in lines[-1], f"progress without {word}: {lines}")
    expect(tool.run(*command, "--quiet").stderr == b"", "--quiet")
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    subprocess.run(tool.command(*command), cwd=tool.folder, stdout=subprocess.DEVNULL, stderr=child, check=True)
    drawn = os.read(parent, 10000).decode()
    lines = re.split(r"\r\n|\r|\033\[K", drawn)
    expect("\r  [" in drawn and max(map(len, lines)) == 59, f"a terminal of 60 columns: {drawn!r}")


def check_validation(tool):
    """A number is a part of the text, whatever there is of that name; a path is a file."""
    tool.write("0.1", "t")
    expect(tool.train("text", "--updates", "2")["validation"]["characters"] > 300, "--validation 0.1")
    tool.fails("validation text has 1 char", "train", "text", "--validation", "./0.1")


def check_files(tool):
    """Nothing that is read is written over, nor one output by the other."""
    text = (tool.folder / "text").read_bytes()
    (tool.folder / "folder").mkdir()
    (tool.folder / "link").symlink_to("text")
    os.link(tool.folder / "text", tool.folder / "hard")
    command = ["train", "text", "--hidden", "4", "--updates", "2", "--quiet"]
    for name in ("text", "./text", "folder/../text", tool.folder / "text", "link", "hard"):
        tool.fails("--out and the text are the same file", *command, "-o", name, status=2)
        tool.fails("--checkpoint and the text are the same file", *command, "--checkpoint", name, status=2)
    tool.write("validation", text)
    for option in ("--out", "--checkpoint"):
        tool.fails(f"{option} and --validation are the same file", *command, "--validation", "validation", option,
                   "folder/../validation", status=2)
    tool.fails("--out and --checkpoint are the same file", *command, "-o", "new", "--checkpoint", "./new", status=2)
    expect(not (tool.folder / "new").exists(), "a refused training leaves a file")
    for name in ("text", "validation"):
        expect((tool.folder / name).read_bytes() == text, f"{name} is overwritten")


def check_failures(tool):
    """A training that cannot begin leaves no model."""
    for message, *options in (("not for training", "--compute", "int8"), ("projection_size is 3", "--projection", "3"),
                              ("cannot write no/such/file: No such", "--checkpoint", "no/such/file"),
                              ("cannot write text/file: Not a dir", "--checkpoint", "text/file"),
                              ("cannot write folder: not a regular", "--checkpoint", "folder")):
        tool.fails(message, "train", "text", "--updates", "2", "--hidden", "4", "--quiet", "-o", "new", *options)
        expect(not (tool.folder / "new").exists(), f"{options}: a failed training leaves a model")


def check_errors(tool):
    tool.fails("missing", "train", "missing")
    tool.fails("directory", "train", ".")
    tool.fails("0 characters", "train", tool.write("empty", ""))
    tool.fails("7 characters", "train", tool.write("tiny", "letters"))
    tool.fails("too short", "train", tool.write("few", "x" * 37))
    tool.fails("80 characters to learn.* at least 129", "train", tool.write("few", "x" * 88), "--batch", "64")
    tool.fails("missing", "train", "text", "--validation", "missing")
    tool.fails(r"other, line 2, column 3: the character '\?' \(U\+003F\)", "train", "text", "--validation",
               tool.write("other", "the\nce?"))
    tool.fails("no/such", "train", "text", "--quiet", "-o", "no/such/model")
    tool.fails("rnn convert", "train", "text", "-o", "model.onnx", status=2)


def check(tool):
    check_learns(tool)
    check_lengths(tool)
    check_cells(tool)
    check_bytes(tool)
    check_progress(tool)
    check_validation(tool)
    check_files(tool)
    check_failures(tool)
    check_errors(tool)


main(check)
