#!/usr/bin/env python3
"""rnn convert keeps what a model computes: convert.py RNN"""

import re

from tool import SENTENCE, VARIED, expect, join, main, split


def check_numbers(tool):
    tool.write("text", (SENTENCE + VARIED) * 60)
    tool.train("text", "--updates", "60")
    original = tool.json("eval", "model.safetensors", "text")["loss"]
    for compute in ("bf16", "int8", "bf16_fast"):
        found = tool.json("convert", "model.safetensors", "other.safetensors", "--to", compute, "--text", "text")
        expect(found["before"]["compute"] == "f32" and found["after"]["compute"] == compute, found)
        expect(found["before"]["loss"] == original, f"{found}, expected {original}")
        expect(found["after"]["loss"] == tool.json("eval", "other.safetensors", "text")["loss"] != original, found)
        expect(abs(found["relative_difference"]) < 0.02 and found["relative_difference"] ==
               found["after"]["loss"] / found["before"]["loss"] - 1, found)
        expect(tool.json("info", "other.safetensors")["compute"] == compute, "the file's compute")
        expect(tool.ok("convert", "other.safetensors", "back.safetensors", "--to", "f32") == "", "convert writes")
        expect((tool.folder / "back.safetensors").read_bytes() == (tool.folder / "model.safetensors").read_bytes(),
               f"not the same back from {compute}")
    text = tool.ok("convert", "model.safetensors", "other.safetensors", "--to", "int8", "--text", "text")
    expect(text.count("bits per character") == 2 and "the loss differs by" in text, text)


def check_formats(tool):
    """There and back again, to the same file; what C gets is compiled."""
    original = (tool.folder / "model.safetensors").read_bytes()
    tool.ok("convert", "model.safetensors", "model.rnn")
    expect(tool.json("eval", "model.rnn", "text")["loss"] == tool.json("eval", "model.safetensors", "text")["loss"],
           "a binary file's loss")
    tool.ok("convert", "model.rnn", "back", "--format", "safetensors")
    expect((tool.folder / "back").read_bytes() == original, "not the same back from a binary file")
    tool.ok("convert", "model.safetensors", "model.h", "--array", "cells")
    expect("cells" in (tool.folder / "model.h").read_text(), "no array of that name")


def check_names(tool):
    """The names of a PyTorch module, there and back; a state dict knows no vocabulary."""
    outputs = ["--out-layers", "rnn.gru.", "--out-head", "fc."]
    tool.ok("convert", "model.safetensors", "torch.safetensors", *outputs)
    header, data = split(tool.folder / "torch.safetensors")
    expect("rnn.gru.weight_ih_l0" in header and "fc.weight" in header, f"PyTorch's names: {header}")
    tool.fails("layers", "convert", "torch.safetensors", "back.rnn", "--layers", "rnn.*")
    del header["__metadata__"]
    tool.write("torch.safetensors", join(header, data))
    tool.ok("convert", "torch.safetensors", "back", "--format", "safetensors", "--layers", "rnn.*", "--head", "fc.")
    expect(tool.json("info", "back")["output_size"] == tool.json("info", "model.safetensors")["output_size"], "the head")
    tool.fails("lstm", "convert", "torch.safetensors", "back.rnn", "--layers", "lstm.")
    tool.ok("convert", "torch.safetensors", "noted.rnn", "--layers", "rnn.*", "--head", "fc.", "--metadata", "rate=48000",
            "--metadata", "note=a=b")
    metadata = tool.json("info", "noted.rnn")["metadata"]
    expect(metadata["rate"] == "48000" and metadata["note"] == "a=b", metadata)


def check_checkpoint(tool):
    """What only a checkpoint holds is lost, and the program says so."""
    tool.ok("train", "text", "--hidden", "8", "--updates", "2", "--quiet", "--checkpoint", "run")
    done = tool.run("convert", "run", "weights.rnn")
    said = done.stderr.decode()
    expect(done.returncode == 0 and re.fullmatch(r"rnn: note: run is a checkpoint; weights.rnn has its weights alone.*\n", said),
           f"{done.returncode}: {said!r}")
    expect(tool.json("info", "weights.rnn")["kind"] == "model", "the kind of what is converted")
    expect(tool.run("convert", "weights.rnn", "again.rnn").stderr == b"", "a note about a model")


def check_errors(tool):
    tool.fails("format|suffix", "convert", "model.safetensors", "out.unknown")
    for name in ("while", "class", "a-b"):
        tool.fails(name, "convert", "model.safetensors", "new.h", "--array", name)
    expect(not (tool.folder / "new.h").exists(), "a refused conversion leaves a file")
    for message, *options in (("--array has no effect", "--array", "cells"),
                              ("--out-embedding has no effect", "--out-embedding", "tokens.")):
        tool.fails(message, "convert", "model.safetensors", "out.rnn", *options, status=2)
    tool.fails("an =|no =", "convert", "model.safetensors", "out.rnn", "--metadata", "note", status=2)
    tool.fails("rnn", "convert", "model.safetensors", "out.rnn", "--metadata", "rnn.cell=lstm")
    tool.fails("missing", "convert", "missing", "out.safetensors")
    tool.fails("no/such", "convert", "model.safetensors", "no/such/out.safetensors")
    tool.fails("other text, line 1, column 1", "convert", "model.safetensors", "out.safetensors", "--text",
               tool.write("other text", "?"))
    tool.fails("empty has 0", "convert", "model.safetensors", "out.safetensors", "--text", tool.write("empty", ""))
    text = (tool.folder / "text").read_bytes()
    tool.fails("out and --text are the same file", "convert", "model.safetensors", "./text", "--format", "rnn", "--text",
               "text", status=2)
    expect((tool.folder / "text").read_bytes() == text, "the text is overwritten")
    expect(not (tool.folder / "out.safetensors").exists(), "a failed conversion leaves a file")


def check(tool):
    check_numbers(tool)
    check_formats(tool)
    check_names(tool)
    check_checkpoint(tool)
    check_errors(tool)


main(check)
