#!/usr/bin/env python3
"""rnn eval finds what rnn train has found: eval.py RNN"""

import json
import math
import re
import struct

from tool import SENTENCE, VARIED, expect, join, main, near, split


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
    expect(len(numbers) >= 3, text)
    for number, key, digits in zip(numbers, ("loss", "bits_per_character", "perplexity"), (4, 4, 3)):
        expect(number == round(found[key], digits), f"{text}: {key} is {found[key]}")


def check_pieces(tool):
    """Each piece begins anew, so more of them are harder to predict."""
    losses = [tool.json("eval", "model.safetensors", "validation", "--piece", size)["loss"] for size in (0, 1000, 10)]
    expect(losses[0] < losses[1] < losses[2], f"losses {losses}")


def check_encodings(tool):
    """A text is the same text in each encoding that a mark tells."""
    text = (SENTENCE + VARIED) * 3
    expected = tool.json("eval", "model.safetensors", tool.write("plain", text))
    for name, encoded in (("marked UTF-8", text.encode("utf-8-sig")),
                          ("UTF-16 LE", b"\xff\xfe" + text.encode("utf-16-le")),
                          ("UTF-16 BE", b"\xfe\xff" + text.encode("utf-16-be"))):
        found = tool.json("eval", "model.safetensors", tool.write(name, encoded))
        expect({**found, "text": "plain"} == expected, f"{name}: {found}, expected {expected}")
    for name, encoded in (("unmarked", text.encode("utf-16-le")), ("odd", b"\xff\xfe" + text.encode("utf-16-le") + b"x"),
                          ("half a pair", b"\xff\xfet\0\x3d\xd8"), ("end of a pair", b"\xff\xfet\0\x0d\xdet\0"),
                          ("UTF-32", b"\xff\xfe\0\0" + text.encode("utf-32-le"))):
        tool.fails("line 1, column", "eval", "model.safetensors", tool.write(name, encoded))


def check_wrong(tool):
    """A model that is sure of what never comes is very wrong, and says so in full."""
    header, data = split(tool.folder / "model.safetensors")
    del header["__metadata__"]["rnn.probe"]  # which no longer holds
    first, _ = header["head.bias"]["data_offsets"]
    never = json.loads(header["__metadata__"]["vocabulary"]).index("G")
    place = first + 4 * never
    tool.write("wrong", join(header, data[:place] + struct.pack("<f", 650) + data[place + 4:]))
    text = tool.ok("eval", "wrong", tool.write("sentence", SENTENCE))
    expect(re.fullmatch(r"[\d.]+ nats, [\d.]+ bits per character, perplexity \d{200,309}\.\d{3}, 0\.00 % of 31 characters "
                        r"right\n", text), text)


def check_errors(tool):
    tool.fails("missing", "eval", "missing", "text")
    tool.fails("missing", "eval", "model.safetensors", "missing")
    tool.fails("empty has 0", "eval", "model.safetensors", tool.write("empty", ""))
    tool.fails(r"strange, line 3, column 2: the character '\u00e9' \(U\+00E9\)", "eval", "model.safetensors",
               tool.write("strange", "the\ncell\nk\u00e9"))
    tool.fails("bytes, line 1, column 5: the byte 0xC3 is not in the vocabulary; the text is neither UTF-8 nor marked", "eval",
               "model.safetensors", tool.write("bytes", b"the \xc3"))
    for piece in (-1, -2**64 + 1, 2**63, 2**64, "ten", ""):
        tool.fails("--piece", "eval", "model.safetensors", "text", "--piece", piece, status=2)


def check(tool):
    check_agrees(tool)
    check_pieces(tool)
    check_encodings(tool)
    check_wrong(tool)
    check_errors(tool)


main(check)
