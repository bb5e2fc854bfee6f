#!/usr/bin/env python3
"""rnn sample writes what a model has learnt: sample.py RNN"""

import json
import os
import pty
import subprocess

from tool import SENTENCE, VARIED, expect, join, main, metadata, split, with_metadata


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
    expect(tool.ok("sample", model, "--prompt", "the cell", "--temperature", "0", "--length", "56") == greedy,
           "--temperature 0 is not --greedy")
    found = tool.json("sample", model, "--prompt", "the cell", "--greedy", "--length", "10")
    expected = {"prompt": "the cell", "text": " keeps wha", "encoding": "utf-8", "characters": 10, "seed": None}
    expect(found == expected, found)
    found = tool.json("sample", model, "--prompt", "the cell", "--top-k", "1", "--length", "10", "--seed", "5")
    expect(found == {**expected, "seed": 5}, found)


def check_unicode(tool):
    """Whole characters, whatever their bytes."""
    tool.write("varied", VARIED * 100)
    tool.train("varied", "--updates", "150", "-o", "varied.safetensors")
    found = tool.ok("sample", "varied.safetensors", "--prompt", "Gr\u00fc", "--greedy", "--length", len(VARIED) - 3)
    expect(found == VARIED, f"UTF-8: {found!r}")
    wild = tool.ok("sample", "varied.safetensors", "--temperature", "1000", "--length", "500")
    expect(len(wild) == 500 and set(wild) <= set(VARIED) and "\u20ac" in wild, f"UTF-8: {wild!r}")


def check_bytes(tool):
    """A text that is not UTF-8 comes out as its bytes, as Latin-1 in JSON, and as escapes on a terminal."""
    line = VARIED.replace("\u20ac", "").encode("latin-1")
    tool.write("latin", line * 100)
    tool.train("latin", "--updates", "150", "-o", "latin.safetensors")
    command = ["sample", "latin.safetensors", "--prompt", os.fsdecode(line[:4]), "--greedy", "--length", len(line) - 4]
    found = tool.run(*command)
    expect(found.stdout == line, f"Latin-1: {found}")
    found = tool.json(*command)
    expect(found["encoding"] == "bytes" and (found["prompt"] + found["text"]).encode("latin-1") == line, found)
    expect(set(tool.run("sample", "latin.safetensors", "--temperature", "1000", "--length", "500").stdout) <= set(line),
           "bytes that the text does not have")
    expect(on_terminal(tool, *command) == "Gr\\xFC\\xDFe" + line[5:].decode("latin-1") + "\n", "on a terminal")


def check_mixed(tool):
    """A vocabulary of characters and of bytes."""
    header, data = split(tool.folder / "latin.safetensors")
    characters = json.loads(header["__metadata__"]["vocabulary"])
    expect(all(isinstance(character, int) for character in characters), characters)
    header["__metadata__"]["vocabulary"] = json.dumps([chr(c) if c < 128 else c for c in characters])
    tool.write("mixed", join(header, data))
    command = ["--prompt", os.fsdecode(b"Gr\xfc"), "--greedy", "--length", "40"]
    expect(tool.run("sample", "mixed", *command).stdout == tool.run("sample", "latin.safetensors", *command).stdout,
           "a vocabulary of characters and bytes")


def on_terminal(tool, *arguments):
    parent, child = pty.openpty()
    subprocess.run(tool.command(*arguments), cwd=tool.folder, stdout=child, check=True)
    return os.read(parent, 10000).decode().replace("\r\n", "\n")


def check_terminal(tool):
    """Controls go to files, not to terminals, which see newlines and tabs alone."""
    line = "a\033[31mb\tc\u202ed\u2066e\u009bf\n"
    tool.write("rude", line * 100)
    tool.train("rude", "--updates", "150", "-o", "rude.safetensors")
    command = ["sample", "rude.safetensors", "--prompt", "a", "--greedy", "--length", len(line) - 1]
    expect(tool.ok(*command) == line, "controls in a pipe")
    shown = "a\\x1B[31mb\tc\\u{202E}d\\u{2066}e\\u{9B}f\n\n"
    expect(on_terminal(tool, *command) == shown, on_terminal(tool, *command))


def check_effects(tool):
    """What would change nothing is refused, or said."""
    for option in (["--temperature", "0.5"], ["--top-k", "3"], ["--top-p", "0.5"], ["--seed", "1"]):
        tool.fails(rf"{option[0]} has no effect: --greedy", "sample", "model.safetensors", "--greedy", *option, status=2)
        if option[0] != "--temperature":
            tool.fails(rf"{option[0]} has no effect: --temperature 0", "sample", "model.safetensors", "--temperature", "0",
                       *option, status=2)
    said = tool.run("sample", "model.safetensors", "--top-k", "1000").stderr
    expect(said == b"rnn: note: --top-k has no effect: the model has 14 characters\n", said)


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
    check_bytes(tool)
    check_mixed(tool)
    check_terminal(tool)
    check_effects(tool)
    check_errors(tool)


main(check)
