#!/usr/bin/env python3
"""A training begins with the weights of another model, whose vocabulary grows: init.py RNN"""

import json
import struct

from tool import SENTENCE, VARIED, expect, main, metadata, split, with_metadata

QUICK = ["--updates", "1", "--learning-rate", "1e-9", "--weight-decay", "0", "--quiet"]


def tensors(path):
    """Rows of floats by name."""
    header, data = split(path)
    found = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            values = struct.unpack(f"<{(last - first) // 4}f", data[first:last])
            columns = tensor["shape"][-1] if len(tensor["shape"]) > 1 else 1
            found[name] = [values[i:i + columns] for i in range(0, len(values), columns)]
    return found


def vocabulary(tool, name):
    return json.loads(metadata(tool.folder / name)["vocabulary"])


def check_goes_on(tool):
    """With the text that the model knows: from its loss, not from that of a new model."""
    tool.write("text", (SENTENCE + VARIED) * 60)
    tool.train("text", "--updates", "150")
    tool.write("model.safetensors", with_metadata(tool.folder / "model.safetensors", "note", "kept"))
    known = tool.json("eval", "model.safetensors", "text")["loss"]
    command = ["train", "text", "--init", "model.safetensors", "--validation", "text"]
    found = tool.json(*command, "-o", "same.safetensors", *QUICK)
    expect(abs(found["validation"]["loss"] - known) < 0.001, f"{found}, expected {known}")
    expect(vocabulary(tool, "same.safetensors") == vocabulary(tool, "model.safetensors"), "the vocabulary")
    expect(metadata(tool.folder / "same.safetensors")["note"] == "kept", "the metadata")
    more = tool.json(*command, "-o", "more.rnn", "--updates", "100", "--learning-rate", "0.005", "--quiet", "--seed", "7")
    expect(more["validation"]["loss"] < known, f"{more}, before {known}")


def check_extends(tool):
    """What is new is behind what was there, whose weights stay; the fewer characters of a text change nothing."""
    known = vocabulary(tool, "model.safetensors")
    tool.write("new", (SENTENCE + "Zz\u00e4").replace("cell", "Qell") * 100)
    for model, options in (("model.safetensors", []), ("embedded.safetensors", ["--embedding", "5"])):
        tool.train("text", "--updates", "20", "-o", model, *options)
        command = ["train", "new", "--init", model, "-o", "wide.safetensors", *QUICK]
        done = tool.run(*command)
        expect(done.returncode == 0 and done.stderr.decode() ==
               f"rnn: note: {model} does not know 4 of the text's characters, which are added: 'Q' (U+0051), "
               "'Z' (U+005A), 'z' (U+007A), '\u00e4' (U+00E4)\n", f"{done}")
        expect(vocabulary(tool, "wide.safetensors") == known + ["Q", "Z", "z", "\u00e4"], "the vocabulary is extended")
        before, after = tensors(tool.folder / model), tensors(tool.folder / "wide.safetensors")
        grown = {"head.weight", "head.bias", "embedding.weight" if options else "weight_ih_l0"}
        for name, rows in before.items():
            expect((after[name] != rows) or name not in grown, f"{name} has not grown")
            for old, new in zip(rows, after[name]):
                expect(all(abs(a - b) < 1e-6 for a, b in zip(old, new)), f"{name} has changed")
        width = len(known) + 4
        expect(len(after["head.weight"]) == len(after["head.bias"]) == width, "the head")
        expect(len(after["embedding.weight"] if options else after["weight_ih_l0"][0]) == width, "the inputs")
        expect(any(after["head.weight"][-1]), "new weights are 0")
        tool.fails(r"the text, line 1, column 5: the character 'Q'", *command, "--keep-vocabulary")
        tool.ok("train", "text", "--init", model, "-o", "kept.safetensors", "--keep-vocabulary", *QUICK)
    tool.ok("eval", "wide.safetensors", "new")


def check_list(tool):
    """Of a convolution over the inputs each tap has columns for the new ones."""
    layers = "conv1d:6:kernel=3:relu,gru:8,dense:5:tanh"
    tool.ok("train", "text", "--layer-list", layers, "--updates", "5", "--quiet", "-o", "list.safetensors")
    command = ["train", "new", "--init", "list.safetensors", "-o", "wide.safetensors", *QUICK]
    tool.ok(*command, "--layer-list", layers)
    before, after = tensors(tool.folder / "list.safetensors"), tensors(tool.folder / "wide.safetensors")
    old = len(vocabulary(tool, "list.safetensors"))
    new = len(vocabulary(tool, "wide.safetensors"))
    expect(new == old + 4 and len(after["layers.3.weight"]) == len(after["layers.3.bias"]) == new, "the head")
    for a, b in zip(before["layers.0.weight"], after["layers.0.weight"]):
        for tap in range(3):
            same = zip(a[tap * old:(tap + 1) * old], b[tap * new:tap * new + old])
            expect(all(abs(x - y) < 1e-6 for x, y in same), f"tap {tap} has changed")
    for name in ("layers.1.weight_ih", "layers.1.weight_hh", "layers.2.weight"):
        expect(all(abs(x - y) < 1e-6 for a, b in zip(before[name], after[name]) for x, y in zip(a, b)), f"{name} has changed")
    tool.ok("eval", "wide.safetensors", "new")
    tool.fails("--layer-list is gru:8; that of list.safetensors is conv1d:6:kernel=3:relu,gru:8,dense:5:tanh", *command,
               "--layer-list", "gru:8", status=2)
    tool.fails("--cell is given; the layers of list.safetensors are conv1d:6:kernel=3:relu,gru:8,dense:5:tanh", *command,
               "--cell", "gru", status=2)


def check_bytes(tool):
    """A model of bytes learns bytes."""
    tool.write("latin", "caf\u00e9\n".encode("latin-1") * 100)
    tool.train("latin", "--updates", "2", "-o", "bytes.safetensors")
    tool.write("more", "na\u00efve\n".encode("latin-1") * 100)
    command = ["train", "--init", "bytes.safetensors", "-o", "wide.safetensors", *QUICK]
    tool.ok(*command, "more")
    found = vocabulary(tool, "wide.safetensors")
    expect(found == sorted(b"caf\xe9\n") + sorted(b"n\xefve"), found)
    tool.ok(*command, "new")
    found = vocabulary(tool, "wide.safetensors")
    expect(set("Z\u00e4".encode()) < set(found), found)
    tool.fails("model.safetensors is of characters; the text is neither", "train", "latin", "--init", "model.safetensors",
               "-o", "wide.safetensors")


def check_errors(tool):
    command = ["train", "text", "--init", "model.safetensors", "-o", "new.rnn", "--quiet"]
    for option in (["--cell", "lstm"], ["--hidden", "16"], ["--layers", "2"], ["--embedding", "3"], ["--projection", "3"],
                   ["--residual"], ["--layer-norm"], ["--compute", "bf16"]):
        tool.fails(rf"{option[0]} is {'on' if len(option) == 1 else option[1]}; that of model.safetensors is \w+ ", *command,
                   *option, status=2)
    tool.fails("--dropout has no effect", *command, "--dropout", "0.1", status=2)
    tool.fails("the file is a network, which rnn_load reads", *command, "--resume", "model.safetensors")
    tool.fails("missing", "train", "text", "--init", "missing", "-o", "new.rnn", status=2)
    tool.fails("none of those", "train", "text", "--init", "text", "-o", "new.rnn")
    tool.write("bare", with_metadata(tool.folder / "model.safetensors", "vocabulary", None))
    tool.fails("bare: the model has no vocabulary", "train", "text", "--init", "bare", "-o", "new.rnn")
    before = (tool.folder / "model.safetensors").read_bytes()
    tool.fails("--out and --init are the same file", "train", "text", "--init", "model.safetensors", status=2)
    tool.fails("--checkpoint and --init are the same file", *command, "--checkpoint", "model.safetensors", status=2)
    tool.ok("convert", "model.safetensors", "int8.rnn", "--to", "int8")
    tool.fails("not for training", "train", "text", "--init", "int8.rnn", "-o", "new.rnn", "--quiet")
    expect((tool.folder / "model.safetensors").read_bytes() == before, "the model itself has changed")
    expect(not (tool.folder / "new.rnn").exists(), "a refused training leaves a model")


def check(tool):
    check_goes_on(tool)
    check_extends(tool)
    check_list(tool)
    check_bytes(tool)
    check_errors(tool)


main(check)
