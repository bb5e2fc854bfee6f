#!/usr/bin/env python3
"""rnn bench measures what it says: bench.py RNN"""

import os
import re

from tool import VARIED, expect, main

QUICK = ["--seconds", "0.02", "--batch", "4", "--steps", "10"]


def check_shape(tool):
    small, large = (tool.json("bench", *QUICK, "--cell", "gru", "--hidden", size, "--threads", "1") for size in (8, 256))
    for found, hidden in ((small, 8), (large, 256)):
        expect(found["network"] == f"gru, 1 layer of {hidden}, 64 inputs, 64 outputs, f32", found)
        expect(found["isa"] in ("sse2", "avx2", "avx512", "neon", "scalar") and found["threads"] == 1, found)
        step = found["step"]
        expect(0 < step["median_ns"] <= step["p99_ns"] <= step["p99.9_ns"], step)
        expect(found["forward_steps_per_second"] > found["training_steps_per_second"] > 0, found)
    # 256 units are 150 times the work of 8.
    expect(large["step"]["median_ns"] > 5 * small["step"]["median_ns"], f"{small}, {large}")
    text = tool.ok("bench", *QUICK, "--hidden", "8")
    expect(re.search(r"^step +median [\d.]+ us.*^sequences .*^training ", text, re.S | re.M), text)
    expect("float" not in small and "float" not in text, text)


def check_kinds(tool):
    found = tool.json("bench", *QUICK, "--compute", "int8", "--hidden", "8")
    expect(found["training_steps_per_second"] is None, "8-bit weights are not trained")
    floats = found["float"]
    expect(floats["step"]["median_ns"] > 0 and floats["forward_steps_per_second"] > floats["training_steps_per_second"] > 0,
           floats)
    for compute in ("bf16", "bf16_fast"):
        text = tool.ok("bench", *QUICK, "--compute", compute, "--hidden", "8")
        expect(re.search(r"^time +of that in float: step [\d.]+, sequences [\d.]+, training [\d.]+$", text, re.M), text)
        expect(compute in text, text)
    found = tool.json("bench", *QUICK, "--hidden", "8", "--embedding", "4", "--outputs", "0")
    expect(found["indices"] and found["step"]["median_ns"] > 0, found)
    isa = tool.json("bench", *QUICK, "--hidden", "8", env={**os.environ, "RNN_ISA": "sse2"}) if os.uname().machine == \
        "x86_64" else {"isa": "sse2"}
    expect(isa["isa"] == "sse2", isa)
    tool.write("text", VARIED * 40)
    tool.train("text", "--updates", "2")
    found = tool.json("bench", "model.safetensors", *QUICK)
    expect(found["network"].startswith("gru, 1 layer of 24") and found["indices"], found)


def check_errors(tool):
    tool.fails("missing", "bench", "missing")
    for option in (["--hidden", "8"], ["--residual"], ["--compute", "f32"], ["--seed", "1"], ["--inputs", "3"],
                   ["--outputs", "3"]):
        tool.fails(f"model excludes {option[0]}|{option[0]} excludes model", "bench", "model.safetensors", *option, status=2)
    tool.fails("projection", "bench", "--cell", "gru", "--projection", "4")
    tool.fails("RNN_ISA", "bench", env={**os.environ, "RNN_ISA": "mmx"})


def check(tool):
    check_shape(tool)
    check_kinds(tool)
    check_errors(tool)


main(check)
