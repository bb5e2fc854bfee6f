#!/usr/bin/env python3
"""rnn info says what a file holds: info.py RNN"""

import json
import os
import re

from tool import VARIED, expect, main, with_metadata

CONTROLS = r"[\x00-\x09\x0b-\x1f\x7f-\x9f]"  # but the newline


def check_model(tool):
    characters = len(set(VARIED))
    tool.write("text", VARIED * 40)
    tool.ok("train", "text", "--cell", "lstm", "--hidden", "10", "--layers", "2", "--projection", "6", "--residual",
            "--compute", "bf16", "--updates", "2", "--quiet")
    info = tool.json("info", "model.safetensors")
    expected = {"file": "model.safetensors", "cell": "lstm", "input_size": characters, "hidden_size": 10,
                "output_size": characters, "num_layers": 2, "projection_size": 6, "embedding_size": 0, "skip": 0,
                "initial_state": "zero", "compute": "bf16", "options": ["residual"], "state_size": 32}
    expect({key: info[key] for key in expected} == expected, f"{info}, expected {expected}")
    expect(info["file_bytes"] == (tool.folder / "model.safetensors").stat().st_size, info)
    shapes = {p["name"]: (p["rows"], p["columns"]) for p in info["parameters"]}
    expect(shapes["weight_ih_l0"] == (40, characters) and shapes["weight_hh_l1"] == (40, 6) and
           shapes["head.weight"] == (characters, 6) and shapes["bias_ih_l1"] == (40, 1), shapes)
    expect(info["values"] == sum(rows * columns for rows, columns in shapes.values()), info)
    expect(info["bytes"] == 4 * info["values"] < info["file_bytes"], info)
    expect(list(info["metadata"]) == ["vocabulary"] and json.loads(info["metadata"]["vocabulary"]) == sorted(set(VARIED)),
           info["metadata"])
    text = tool.ok("info", "model.safetensors")
    for word in ("lstm", "residual", "bf16", "weight_hr_l1", "vocabulary", str(info["values"])):
        expect(word in text, f"info without {word}: {text}")


def check_list(tool):
    """Layers as --layer-list takes them."""
    layers = ["conv1d:6:kernel=3:dilation=2:no_bias:relu", "lstm:9:projection=6:residual:peepholes", "dense:5:elu:alpha=0.5",
              "lstm:4:relu:gates=hard_sigmoid:output=softsign:gate_alpha=0.25:gate_beta=0.5:clip=3:zoneout_h=0.25:zoneout_c=0.5"]
    tool.ok("train", "text", "--layer-list", ",".join(layers), "--updates", "2", "--quiet", "-o", "list.safetensors")
    text = tool.ok("info", "list.safetensors")
    expect("cell" not in text, f"the cell of a list: {text}")
    head = f"dense:{len(set(VARIED))}"
    expected = "layers\n" + "".join(f"  {i}   {layer}\n" for i, layer in enumerate([*layers, head])) + "parameters\n"
    expect(expected in text, f"{text}, expected {expected}")
    found = tool.json("info", "list.safetensors")["layers"]
    expect(found[:4] == [{"kind": "conv1d", "size": 6, "activation": "relu", "kernel_size": 3, "dilation": 2,
                          "options": ["no_bias"]},
                         {"kind": "lstm", "size": 9, "projection_size": 6, "options": ["residual", "peepholes"]},
                         {"kind": "dense", "size": 5, "activation": "elu", "alpha": 0.5},
                         {"kind": "lstm", "size": 4, "activation": "relu", "gate_activation": "hard_sigmoid",
                          "gate_alpha": 0.25, "gate_beta": 0.5, "output_activation": "softsign", "clip": 3,
                          "zoneout_h": 0.25, "zoneout_c": 0.5}], found)
    tool.ok("bench", "--layer-list", ",".join(layers), "--inputs", "4", "--outputs", "0", "--seconds", "0.001", "--batch", "1")


def check_metadata(tool):
    """Nothing that a terminal would obey."""
    tool.write("rude", with_metadata(tool.folder / "model.safetensors", "note", "\033[2J" + "long" * 1000))
    text = tool.ok("info", "rude")
    expect("note" in text and "\033" not in text and max(map(len, text.splitlines())) < 100, f"{text!r}")
    expect(tool.json("info", "rude")["metadata"]["note"] == "\033[2J" + "long" * 1000, "the whole note")
    tool.write("rude", with_metadata(tool.folder / "model.safetensors", "a\u009bb\nc", "d\u0085e\x7f\nf\u00e9"))
    text = tool.ok("info", "rude")
    expect(re.search(r"^  a\\u\{9B\}b c +d\\u\{85\}e\\x7F f\u00e9$", text, re.M), f"{text!r}")
    expect(not re.search(CONTROLS, text), f"{text!r}")
    text = tool.ok("info", "rude", "--json")
    expect(not re.search(CONTROLS, text) and r'"a\u009bb\nc": "d\u0085e\u007f\nf' + "\u00e9" in text, f"{text!r}")
    expect(json.loads(text)["metadata"]["a\u009bb\nc"] == "d\u0085e\x7f\nf\u00e9", f"{text!r}")
    directions = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    tool.write("rude", with_metadata(tool.folder / "model.safetensors", "a\tb", directions))
    text = tool.ok("info", "rude")
    escaped = "".join(rf"\u{{{ord(c):X}}}" for c in directions)
    expect(re.search(rf"^  a b +{re.escape(escaped)}$", text, re.M) and not set(directions) & set(text), f"{text!r}")
    text = tool.ok("info", "rude", "--json")
    escaped = "".join(rf"\u{ord(c):04x}" for c in directions)
    expect(escaped in text and not set(directions) & set(text), f"{text!r}")
    expect(json.loads(text)["metadata"]["a\tb"] == directions, f"{text!r}")


def check_checkpoint(tool):
    """A training run holds a network, which is read as a model is; it is said which of them a file is."""
    tool.write("text", VARIED * 40)
    for option in ([], ["--average", "0.9", "--compute", "bf16"]):
        tool.ok("train", "text", "--hidden", "8", "--updates", "2", "--quiet", "--checkpoint", "run", *option)
        expect(tool.json("info", "run")["kind"] == "checkpoint", f"{option}: the kind of a checkpoint")
        expect(tool.json("info", "model.safetensors")["kind"] == "model", f"{option}: the kind of a model")
    expect(re.search("^kind +checkpoint$", tool.ok("info", "run"), re.M), tool.ok("info", "run"))
    tool.ok("convert", "model.safetensors", "small.rnn", "--to", "int8")
    expect(tool.json("info", "small.rnn")["kind"] == "model", "the kind of a model of 8-bit weights")
    for command in (["sample", "run"], ["eval", "run", "text"], ["train", "text", "-o", "new.rnn", "--init", "run"]):
        tool.fails("run: a checkpoint, from which rnn train --resume goes on, has no vocabulary", *command)


def check_path(tool):
    """A file's name need not be UTF-8."""
    path = tool.write(os.fsdecode(b"not\xff\xc2 \xc2\x9bUTF-8"), (tool.folder / "model.safetensors").read_bytes())
    expect(re.search(r"^file +not\\xFF\\xC2 \\u\{9B\}UTF-8$", tool.ok("info", path), re.M), tool.ok("info", path))
    text = tool.ok("info", path, "--json")
    expect(json.loads(text)["file"] == "not\ufffd\ufffd \u009bUTF-8" and not re.search(CONTROLS, text), f"{text!r}")


def check_errors(tool):
    data = (tool.folder / "model.safetensors").read_bytes()
    tool.fails("missing: No such file", "info", "missing")
    tool.fails(r"a.*b.*c: No such file", "info", "a\033\u009bb\nc")
    tool.fails("Is a directory", "info", ".")
    tool.fails("rnn_load", "info", tool.write("empty", b""))
    tool.fails("rnn_load", "info", tool.write("cut", data[:-1]))
    tool.fails("rnn_load", "info", tool.write("long", data + b"x"))
    tool.fails("rnn_load", "info", tool.write("noise", bytes(range(256)) * 8))


def check(tool):
    check_model(tool)
    check_list(tool)
    check_metadata(tool)
    check_checkpoint(tool)
    check_path(tool)
    check_errors(tool)


main(check)
