#!/usr/bin/env python3
"""rnn train --labels classifies texts, and says where a file is wrong: labels.py RNN"""

import csv
import io
import json
import math

from tool import expect, main, metadata, with_metadata

SYLLABLES = {"Long": ("lo", "la", "long"), "Shuffle": ("shu", "ffle", "sh"), "\u00dcber": ("\u00fcb", "\u00fcr", "\u00e4")}


def lines(count):
    """Labelled words; the label is in their syllables."""
    state, result = 1, []
    for _ in range(count):
        for label, parts in SYLLABLES.items():
            word = ""
            for _ in range(2 + state % 4):
                state = (1103515245 * state + 12345) % 2**31
                word += (parts + ("ri", "no"))[state // 65536 % 5]
            result.append((label, word + parts[0]))
    return result


def write(tool, name, data, end="\n"):
    return tool.write(name, end.join("\t".join(line) for line in data) + end)


def train(tool, *options, name="model.safetensors"):
    return tool.json("train", *options, "--hidden", "24", "--batch", "16", "--quiet", "-o", name)


def check_learns(tool):
    data = lines(200)
    write(tool, "words.tsv", data)
    found = train(tool, "--labels", "words.tsv", "--updates", "200")
    expect(found["training"]["texts"] == 540 and found["validation"]["texts"] == 60 and found["texts_per_second"] > 0, found)
    for side in ("training", "validation"):
        expect(found[side]["accuracy"] > 0.95 and found[side]["loss"] < 0.3, f"{side}: {found}")
    expect(json.loads(metadata(tool.folder / "model.safetensors")["labels"]) == sorted(SYLLABLES), "labels")
    expect(tool.json("info", "model.safetensors")["of"] == "labelled texts", "info")
    evaluated = tool.json("eval", "model.safetensors", "words.tsv")
    mean = (540 * found["training"]["accuracy"] + 60 * found["validation"]["accuracy"]) / 600
    expect(evaluated["texts"] == 600 and math.isclose(evaluated["accuracy"], mean, abs_tol=1e-9), (evaluated, found))
    expect("% of 600 texts right" in tool.ok("eval", "model.safetensors", "-", input=(tool.folder / "words.tsv").read_bytes()),
           "eval of standard input")

    # The probabilities have the labels' names.
    tool.write("words.txt", "\n".join(word for _, word in data) + "\n")
    rows = list(csv.DictReader(io.StringIO(tool.ok("predict", "model.safetensors", "words.txt"))))
    expect([row["text"] for row in rows] == [word for _, word in data], "texts")
    right = sum(row["label"] == label for row, (label, _) in zip(rows, data))
    expect(right / 600 == evaluated["accuracy"], f"{right} of 600 right, {evaluated}")
    for row in rows:
        probabilities = {label: float(row[label]) for label in SYLLABLES}
        expect(abs(sum(probabilities.values()) - 1) < 1e-5, row)
        expect(max(probabilities, key=probabilities.get) == row["label"], row)
    loss = -sum(math.log(float(row[label])) for row, (label, _) in zip(rows, data)) / 600
    expect(abs(loss - evaluated["loss"]) < 1e-4, f"loss {loss}, {evaluated}")
    tool.write("one.txt", 'lola\nlo"ng,\r\n')
    done = tool.run("predict", "model.safetensors", "one.txt", "--json")
    one = json.loads(done.stdout)
    expect(one[0]["text"] == "lola" and one[0]["label"] == "Long" and one[1]["text"] == 'lo"ng,', one)
    expect(b"2 characters that the model does not know are left out" in done.stderr, done)
    expect('"lo""ng,",Long' in tool.ok("predict", "model.safetensors", "one.txt"), "quotes")


def check_forms(tool):
    data = lines(40)
    write(tool, "plain.tsv", data)
    train(tool, "--labels", "plain.tsv", "--updates", "4", name="plain.rnn")
    expected = (tool.folder / "plain.rnn").read_bytes()
    text = (tool.folder / "plain.tsv").read_bytes().decode()
    for form, encoded in (("CRLF", text.replace("\n", "\r\n").encode()), ("a mark", text.encode("utf-8-sig")),
                          ("UTF-16", text.encode("utf-16")), ("no last end", text.rstrip("\n").encode()),
                          ("empty lines at the end", (text + "\n\n").encode())):
        tool.write("form.tsv", encoded)
        train(tool, "--labels", "form.tsv", "--updates", "4", name="form.rnn")
        expect((tool.folder / "form.rnn").read_bytes() == expected, form)
    tool.json("train", "--labels", "-", "--updates", "4", "--hidden", "24", "--batch", "16", "--quiet", "-o", "form.rnn",
              input=text.encode())
    expect((tool.folder / "form.rnn").read_bytes() == expected, "standard input")
    train(tool, "--labels", "plain.tsv", "--updates", "4", "--threads", "1", name="form.rnn")
    expect((tool.folder / "form.rnn").read_bytes() == expected, "one thread")
    found = train(tool, "--labels", "plain.tsv", "--updates", "4", "--validation", "plain.tsv", name="form.rnn")
    expect(found["training"]["texts"] == 120 == found["validation"]["texts"], found)


def check_goes_on(tool):
    command = ["--labels", "plain.tsv", "--checkpoint", "run", "--schedule", "constant", "--updates"]
    train(tool, *command, "40", name="whole.rnn")
    train(tool, *command, "20", name="part.rnn")
    train(tool, *command, "40", "--resume", "run", name="part.rnn")
    expect((tool.folder / "part.rnn").read_bytes() == (tool.folder / "whole.rnn").read_bytes(), "resumed")
    two = [line for line in lines(40) if line[0] != "Long"]
    tool.fails("--resume: --labels differs: run has", "train", "--labels", write(tool, "two.tsv", two), *command[2:], "40",
               "--resume", "run", "-o", "part.rnn", "--batch", "16")


def check_names(tool):
    """Labels may be called as anything, also as the columns before theirs."""
    write(tool, "names.tsv", [(label, letter * 3) for label, letter in (("text", "a"), ("label", "b"), ('c,"d"', "c"))] * 20)
    train(tool, "--labels", "names.tsv", "--updates", "100", name="names.rnn")
    tool.write("names.txt", "aaa\nbbb\nccc\n")
    rows = tool.json("predict", "names.rnn", "names.txt")
    expect([(row["text"], row["label"]) for row in rows] == [("aaa", "text"), ("bbb", "label"), ("ccc", 'c,"d"')], rows)
    expect(rows[0]["text_"] > 0.5 and rows[1]["label_"] > 0.5 and rows[2]['c,"d"'] > 0.5, rows)
    header = next(csv.reader(io.StringIO(tool.ok("predict", "names.rnn", "names.txt"))))
    expect(header == ["text", "label", 'c,"d"', "label_", "text_"], header)


def check_errors(tool):
    command = ["train", "--labels", "bad.tsv", "--updates", "2", "--quiet", "-o", "bad.rnn"]
    good = "".join(f"{'ab'[i % 2]}\t{'xy'[i % 2] * (1 + i % 3)}\n" for i in range(40)).encode()
    for data, message in ((b"", "bad.tsv is empty"), (b"\n", "bad.tsv is empty"), (good + b"word\n", "line 41 has no tab"),
                          (b"a\tx\n\nb\ty\n", "line 2 has no tab"), (good + b"\tword\n", "line 41: there is no label"),
                          (good + b"a\t\n", "line 41: the text is empty"), (b"a\tx\n" * 30, "has one label, a; there must be two"),
                          (good + b"a\t\xff\n", "line 41: it is not UTF-8"), (b"a\tx\nb\ty\n", "too few texts of each label")):
        tool.write("bad.tsv", data)
        tool.fails(message, *command)
        expect(not (tool.folder / "bad.rnn").exists(), f"{message}: a model is left")
    tool.write("bad.tsv", good)
    tool.fails("other.tsv, line 2: the label c is not one of the model's", *command, "--validation",
               tool.write("other.tsv", "a\tx\nc\ty\n"))
    tool.fails("other.txt, line 1: the model knows none", *command, "--validation", tool.write("other.txt", "a\tz\n"))
    tool.fails("--window has no effect", *command, "--window", "3", status=2)
    tool.fails("--log is for a text, not for --labels", *command, "--log", "log", status=2)
    tool.fails("labels excludes --csv|csv excludes --labels", *command, "--csv", "x", "--target", "y", status=2)
    tool.fails("model.safetensors is a model of labelled texts, not of", "sample", "model.safetensors")
    tool.fails("--rows has no effect: the model is of labelled texts", "predict", "model.safetensors", "one.txt", "--rows", status=2)
    tool.fails("words.tsv, line 1 has a tab", "predict", "model.safetensors", "words.tsv")
    tool.fails("line 2: the model knows none", "predict", "model.safetensors", tool.write("none.txt", "lo\nxyz\n"))
    tool.fails("nothing is empty", "predict", "model.safetensors", tool.write("nothing", ""))
    tool.fails("line 1 has no tab", "eval", "model.safetensors", "words.txt")
    for key, value, message in (("labels", "{}", 'metadata "labels" is not as'), ("labels", '["a"]', "1 labels; the network has 3"),
                                ("vocabulary", None, "no vocabulary"), ("vocabulary", '["a"]', "vocabulary has 1 char")):
        tool.write("odd", with_metadata(tool.folder / "model.safetensors", key, value))
        tool.fails(message, "predict", "odd", "words.txt")
        tool.fails(message, "eval", "odd", "words.tsv")


def check(tool):
    check_learns(tool)
    check_forms(tool)
    check_goes_on(tool)
    check_names(tool)
    check_errors(tool)


main(check)
