#!/usr/bin/env python3
"""rnn sample writes what a model has learnt: sample.py RNN"""

from tool import SENTENCE, VARIED, expect, main, metadata, with_metadata


def check_text(tool):
    tool.write("text", SENTENCE * 120)
    tool.train("text", "--updates", "200")
    model = "model.safetensors"
    greedy = tool.ok("sample", model, "--prompt", "the cell", "--greedy", "--length", "56")
    expect(greedy == SENTENCE * 2, f"greedy: {greedy!r}")
    sampled = [tool.ok("sample", model, "--temperature", "3", "--seed", seed, "--length", "100") for seed in (1, 1, 2)]
    expect(sampled[0] == sampled[1] != sampled[2] and len(sampled[0]) == 100, f"seeds: {sampled}")
    expect(tool.ok("sample", model, "--temperature", "3") != tool.ok("sample", model, "--temperature", "3"),
           "without a seed: twice the same")
    for option in (["--top-k", "1"], ["--top-p", "0.01"]):
        found = tool.ok("sample", model, "--prompt", "the cell", "--temperature", "3", "--length", "56", *option)
        expect(found == greedy, f"{option}: {found!r}")
    found = tool.json("sample", model, "--prompt", "the cell", "--greedy", "--length", "10", "--seed", "5")
    expect(found == {"prompt": "the cell", "text": " keeps wha", "characters": 10, "seed": 5}, found)


def check_unicode(tool):
    """Whole characters, whatever their bytes; the replacement character where the text was not UTF-8."""
    tool.write("varied", VARIED * 100)
    tool.train("varied", "--updates", "150", "-o", "varied.safetensors")
    found = tool.ok("sample", "varied.safetensors", "--prompt", "Gr\u00fc", "--greedy", "--length", len(VARIED) - 3)
    expect(found == VARIED, f"UTF-8: {found!r}")
    wild = tool.ok("sample", "varied.safetensors", "--temperature", "1000", "--length", "500")
    expect(len(wild) == 500 and set(wild) <= set(VARIED) and "\u20ac" in wild, f"UTF-8: {wild!r}")
    tool.write("latin", VARIED.replace("\u20ac", "").encode("latin-1") * 100)
    tool.train("latin", "--updates", "3", "-o", "latin.safetensors")
    wild = tool.ok("sample", "latin.safetensors", "--temperature", "1000", "--length", "500")
    expect(len(wild) == 500 and "\ufffd" in wild, f"Latin-1: {wild!r}")


def check_errors(tool):
    path = tool.folder / "model.safetensors"
    tool.fails("No such file", "sample", "missing")
    tool.fails("Is a directory", "sample", ".")
    tool.fails("the header length", "sample", tool.write("cut", path.read_bytes()[:200]))
    tool.fails("is none of those that this library reads", "sample", "text")
    tool.fails(r"the prompt, line 1, column 5: the character 'z' \(U\+007A\)", "sample", path, "--prompt", "the zebra")
    tool.fails(r"the character U\+0007", "sample", path, "--prompt", "\a")
    tool.fails(r"the character U\+009B", "sample", path, "--prompt", "\u009b")
    for value, message in ((None, "no vocabulary"), ("", "JSON"), ("{}", "JSON"), ("[1", "JSON"), ('["a"]', "1 char"),
                           ('["ab"]', "element 0"), ("[256]", "element 0"), ('[""]', "element 0"), ("[-1]", "element 0"),
                           ('["a", "a"]', "element 1"), ("[[]]", "element 0")):
        tool.fails(message, "sample", tool.write("other", with_metadata(path, "vocabulary", value)))
    expect("vocabulary" in metadata(path), "the model itself has changed")


def check(tool):
    check_text(tool)
    check_unicode(tool)
    check_errors(tool)


main(check)
