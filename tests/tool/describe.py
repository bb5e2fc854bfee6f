#!/usr/bin/env python3
"""What a step of a model costs: describe.py RNN"""

import os

from tool import SENTENCE, expect, main


def check_numbers(tool):
    """By hand, of 14 characters: a GRU of 8 units, one-hot inputs, a head."""
    tool.write("text", SENTENCE * 100)
    tool.json("train", "text", "--hidden", "8", "--updates", "2", "--quiet", "-o", "gru.safetensors")
    found = tool.json("describe", "gru.safetensors", "--inputs", "4")
    matrices, vectors = 24 * 8 + 14 * 8, 24 + 8 + 14
    expect(found["input"] == "an index" and found["network"].startswith("gru, 1 layer of 8"), found)
    expect(found["parameters"] == 24 * 14 + matrices + vectors, f"parameters: {found}")
    expect(found["multiply_adds"] == matrices, f"multiply-adds: {found}")
    expect(found["bytes_read"] == 4 * (24 + matrices + vectors + 8), f"bytes: {found}")
    expect(64 < found["stack_bytes"] < 1 << 16, f"stack: {found}")

    tool.ok("convert", "gru.safetensors", "int8.rnn", "--to", "int8")
    low = tool.json("describe", "int8.rnn", "--inputs", "2")
    expect(low["multiply_adds"] == matrices and low["bytes_read"] < found["bytes_read"], f"int8: {low}")

    text = tool.ok("describe", "gru.safetensors", "--inputs", "4")
    expect("multiply_adds  304\n" in text and "\033" not in text, text)
    return found


def check_instructions(tool, found):
    """The same number in each run and for every input; one for each instruction set."""
    if found["instructions"] is None:
        expect(found["inputs_that_differ"] is None, found)
        expect("cannot be counted on this CPU" in tool.ok("describe", "gru.safetensors"), "a number from nowhere")
        return
    numbers = set()
    for isa in ("avx2", "avx512"):
        done = tool.run("describe", "gru.safetensors", "--inputs", "4", env={**os.environ, "RNN_ISA": isa})
        if done.returncode != 0:
            continue
        for compute in ("gru.safetensors", "int8.rnn"):
            runs = [tool.json("describe", compute, "--inputs", n, env={**os.environ, "RNN_ISA": isa}) for n in (3, 5)]
            least, most = runs[0]["instructions"]
            expect(least == most and most > 100 and runs[1]["instructions"] == [least, most], f"{isa}: {runs}")
            expect(all(run["isa"] == isa and run["inputs_that_differ"] == 0 for run in runs), f"{isa}: {runs}")
            numbers.add(most)
    expect(len(numbers) > 1, f"all take {numbers}")
    text = tool.ok("describe", "gru.safetensors", "--inputs", "3")
    expect("the same ones for 3 inputs" in text, text)

    # A convolution's past stands somewhere else in each step.
    tool.json("train", "text", "--layer-list", "conv1d:3:kernel=3:relu,gru:3", "--updates", "2", "--quiet", "-o", "conv.rnn")
    found = tool.json("describe", "conv.rnn", "--inputs", "6")
    expect(found["instructions"][0] <= found["instructions"][1] and found["inputs_that_differ"] == 0, found)


def check(tool):
    found = check_numbers(tool)
    check_instructions(tool, found)
    own = tool.ok("describe", "--help")
    expect("rnn describe [OPTIONS]" in own and all(len(line) <= 110 for line in own.splitlines()), own)
    tool.fails("model", "describe", status=2)
    tool.fails("--inputs", "describe", "gru.safetensors", "--inputs", "0", status=2)
    tool.fails("cannot|missing", "describe", "missing")
    tool.fails("is none of those that", "describe", tool.write("damaged", "no model"))


main(check)
