#!/usr/bin/env python3
"""rnn convert keeps what a model computes: convert.py RNN"""

from tool import SENTENCE, VARIED, expect, main


def check_numbers(tool):
    tool.write("text", (SENTENCE + VARIED) * 60)
    tool.train("text", "--updates", "60")
    original = tool.json("eval", "model.safetensors", "text")["loss"]
    for compute in ("bf16", "int8"):
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


def check_errors(tool):
    tool.fails("missing", "convert", "missing", "out.safetensors")
    tool.fails("no/such", "convert", "model.safetensors", "no/such/out.safetensors")
    tool.fails("other text, line 1, column 1", "convert", "model.safetensors", "out.safetensors", "--text",
               tool.write("other text", "?"))
    tool.fails("empty has 0", "convert", "model.safetensors", "out.safetensors", "--text", tool.write("empty", ""))
    expect(not (tool.folder / "out.safetensors").exists(), "a failed conversion leaves a file")


def check(tool):
    check_numbers(tool)
    check_errors(tool)


main(check)
