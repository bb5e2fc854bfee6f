#!/usr/bin/env python3
"""rnn eval finds what rnn train has found: eval.py RNN"""

import math
import re

from tool import SENTENCE, VARIED, expect, main, near


def check_agrees(tool):
    tool.write("text", (SENTENCE + VARIED) * 60)
    tool.write("validation", (VARIED + SENTENCE) * 30 + "the cat")
    trained = tool.train("text", "--updates", "100", "--validation", "validation")
    found = tool.json("eval", "model.safetensors", "validation")
    expect({key: found[key] for key in trained["validation"]} == trained["validation"], f"{found}, {trained}")
    expect(found["model"] == "model.safetensors" and found["text"] == "validation", found)
    expect(found["characters"] == len((VARIED + SENTENCE) * 30 + "the cat") - 1, found)
    near(found["bits_per_character"], found["loss"] / math.log(2), "bits per character")
    near(found["perplexity"], math.exp(found["loss"]), "perplexity")
    text = tool.ok("eval", "model.safetensors", "-", input=(tool.folder / "validation").read_bytes())
    numbers = [float(number) for number in re.findall(r"[\d.]+(?= |,)", text)]
    for number, key, digits in zip(numbers, ("loss", "bits_per_character", "perplexity"), (4, 4, 3)):
        expect(number == round(found[key], digits), f"{text}: {key} is {found[key]}")


def check_pieces(tool):
    """Each piece begins anew, so more of them are harder to predict."""
    losses = [tool.json("eval", "model.safetensors", "validation", "--piece", size)["loss"] for size in (0, 1000, 10)]
    expect(losses[0] < losses[1] < losses[2], f"losses {losses}")


def check_errors(tool):
    tool.fails("missing", "eval", "missing", "text")
    tool.fails("missing", "eval", "model.safetensors", "missing")
    tool.fails("empty has 0", "eval", "model.safetensors", tool.write("empty", ""))
    tool.fails(r"strange, line 3, column 2: the character '\u00e9' \(U\+00E9\)", "eval", "model.safetensors",
               tool.write("strange", "the\ncell\nk\u00e9"))
    tool.fails(r"bytes, line 1, column 5: the byte 0xC3", "eval", "model.safetensors", tool.write("bytes", b"the \xc3"))


def check(tool):
    check_agrees(tool)
    check_pieces(tool)
    check_errors(tool)


main(check)
