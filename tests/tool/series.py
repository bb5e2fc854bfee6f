#!/usr/bin/env python3
"""rnn train --csv forecasts a series, and says where a file is wrong: series.py RNN"""

import csv
import io
import json
import math
import statistics

from tool import expect, main, metadata, near, with_metadata


def wave(rows):
    """A sine that a noise moves along, and a column that says the noise one row before."""
    state, phase, shift, lines = 7, 0.0, 0.0, []
    for row in range(rows):
        lines.append((f"day {row}", 3 * row, 100 + 20 * math.sin(phase), shift))
        state = (1103515245 * state + 12345) % 2**31
        phase += 0.3 + shift
        shift = round(0.2 * (state / 2**31 - 0.5), 6)
    return lines


def write_csv(tool, name, lines, header="day,row,value,shift", end="\n"):
    text = end.join([header] + [",".join(map(str, line)) for line in lines]) + end
    return tool.write(name, text)


def train(tool, *options, name="model.safetensors"):
    return tool.json("train", *options, "--hidden", "16", "--quiet", "-o", name)


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def check_learns(tool):
    lines = wave(600)
    write_csv(tool, "wave.csv", lines)
    done = tool.run("train", "--csv", "wave.csv", "--target", "value", "--hidden", "16", "--updates", "600", "--quiet", "--json",
                    "-o", "model.safetensors")
    found = json.loads(done.stdout)
    notes = done.stderr.decode()
    expect("the column day has no numbers" in notes and "the column row only counts" in notes, notes)
    for side, rows in (("training", 538), ("validation", 60)):
        expect(found[side]["rows"] == rows, f"{side}: {found}")
        expect(found[side]["root_mean_squared_error"] < 0.25 * found[side]["persistence_error"], f"{side}: {found}")
    expect(found["rows_per_second"] > 0, found)

    # What is kept is of the rows that are learnt.
    kept = json.loads(metadata(tool.folder / "model.safetensors")["series"])
    expect([column["name"] for column in kept["inputs"]] == ["value", "shift"] and kept["horizon"] == 1, kept)
    values = [line[2] for line in lines[:540]]
    near(kept["target"]["mean"], statistics.fmean(values), "the mean")
    near(kept["target"]["scale"], statistics.pstdev(values), "the scale")
    last = [lines[i + 1][2] - lines[i][2] for i in range(539, 599)]
    near(found["validation"]["persistence_error"], math.sqrt(statistics.fmean(x * x for x in last)), "persistence")
    expect(tool.json("info", "model.safetensors")["of"] == "a series", "info")

    # Its forecasts are those that were measured, and the same without what is not read.
    forecast = rows_of(tool.ok("predict", "model.safetensors", "wave.csv", "--rows"))
    expect(forecast[0] == ["row", "value+1"] and len(forecast) == 601, forecast[:3])
    error = [float(forecast[i + 1][1]) - lines[i + 1][2] for i in range(539, 599)]
    near(math.sqrt(statistics.fmean(x * x for x in error)), found["validation"]["root_mean_squared_error"], "forecasts", 1e-4)
    future = tool.ok("predict", "model.safetensors", "wave.csv")
    expect(rows_of(future) == [["step", "value"], ["1", forecast[-1][1]]], future)
    write_csv(tool, "less.csv", [(line[3], line[2]) for line in lines], "shift,value", "\r\n")
    expect(tool.ok("predict", "model.safetensors", "less.csv") == future, "other columns, in another order")
    expect(tool.ok("predict", "model.safetensors", "-", input=(tool.folder / "wave.csv").read_bytes()) == future, "stdin")
    tool.ok("predict", "model.safetensors", "wave.csv", "-o", "future.csv")
    expect((tool.folder / "future.csv").read_text() == future, "--out")
    one = tool.json("predict", "model.safetensors", "wave.csv")
    expect(one == [{"step": 1, "value": float(forecast[-1][1])}], one)
    evaluated = tool.json("eval", "model.safetensors", "wave.csv")
    expect(evaluated["rows"] == 599, evaluated)
    expect("root mean squared error" in tool.ok("eval", "model.safetensors", "wave.csv"), "eval")


def check_horizon(tool):
    found = train(tool, "--csv", "wave.csv", "--target", "value", "--horizon", "4", "--inputs", "value", "--updates", "300",
                  "--validation", "0.2", name="four.rnn")
    expect(found["validation"]["rows"] == 117 and found["training"]["rows"] == 476, found)
    future = rows_of(tool.ok("predict", "four.rnn", "wave.csv"))
    every = rows_of(tool.ok("predict", "four.rnn", "wave.csv", "--rows"))
    expect(future[0] == ["step", "value"] and [row[0] for row in future[1:]] == ["1", "2", "3", "4"], future)
    expect(every[0][1:] == ["value+1", "value+2", "value+3", "value+4"] and every[-1][1:] == [row[1] for row in future[1:]],
           every[-1])
    tool.fails("less.csv has no column row; its columns are shift, value", "train", "--csv", "wave.csv", "--target", "value",
               "--inputs", "shift, row", "--validation", "less.csv", "-o", "new.rnn")
    found = train(tool, "--csv", "wave.csv", "--target", "value", "--validation", "less.csv", "--updates", "2", name="new.rnn")
    expect(found["validation"]["rows"] == 599 and found["training"]["rows"] == 598, found)


def check_forms(tool):
    """The same series in each form of CSV."""
    lines = wave(200)
    write_csv(tool, "plain.csv", lines)
    command = ["--csv", "plain.csv", "--target", "value", "--updates", "4"]
    train(tool, *command, name="plain.rnn")
    expected = (tool.folder / "plain.rnn").read_bytes()
    text = (tool.folder / "plain.csv").read_text()
    quoted = "\n".join(",".join(f'"{field}"' for field in line.split(",")) for line in text.splitlines())
    for form, data in (("CRLF", text.replace("\n", "\r\n").encode()), ("a mark", text.encode("utf-8-sig")),
                       ("UTF-16", text.encode("utf-16")), ("quotes", quoted.encode()), ("no last end", text.rstrip().encode()),
                       ("empty lines at the end", (text + "\n\r\n\n").encode()), ("blanks", text.replace(",", " , ").encode()),
                       ("quotes and lines in a field", text.replace("day 7,", '"a ""day"",\n7",').encode())):
        tool.write("form.csv", data)
        train(tool, "--csv", "form.csv", *command[2:], name="form.rnn")
        expect((tool.folder / "form.rnn").read_bytes() == expected, form)
    tool.json("train", "--csv", "-", *command[2:], "--hidden", "16", "--quiet", "-o", "form.rnn", input=text.encode())
    expect((tool.folder / "form.rnn").read_bytes() == expected, "standard input")
    bare = "\n".join(text.splitlines()[1:])
    tool.json("train", "--csv", tool.write("bare.csv", bare), "--no-header", "--target", "3", "--updates", "4", "--quiet", "-o",
              "bare.rnn")
    expect(rows_of(tool.ok("predict", "bare.rnn", "bare.csv", "--no-header"))[0] == ["step", "3"], "--no-header")


def check_constant(tool):
    """An input that does not change has no scale, whatever its mean is rounded to; and a target may be called step."""
    write_csv(tool, "same.csv", [(0.1, i % 7) for i in range(60)], "same,step")
    train(tool, "--csv", "same.csv", "--target", "step", "--updates", "2", name="same.safetensors")
    same = json.loads(metadata(tool.folder / "same.safetensors")["series"])["inputs"][0]
    expect(same == {"name": "same", "mean": 0.1, "scale": 1}, same)
    forecast = tool.json("predict", "same.safetensors", "same.csv")
    expect(forecast[0]["step"] == 1 and "step_" in forecast[0], forecast)


def check_goes_on(tool):
    """A resumed run is the whole one."""
    command = ["--csv", "plain.csv", "--target", "value", "--checkpoint", "run", "--schedule", "constant", "--updates"]
    train(tool, *command, "40", name="whole.rnn")
    train(tool, *command, "20", name="part.rnn")
    train(tool, *command, "40", "--resume", "run", name="part.rnn")
    expect((tool.folder / "part.rnn").read_bytes() == (tool.folder / "whole.rnn").read_bytes(), "resumed")
    tool.fails("--resume: --csv differs: run has 2 inputs and 1 outputs; here there are 1 and 1", "train", *command, "40",
               "--resume", "run", "--inputs", "value", "-o", "part.rnn", "--hidden", "16")


def check_bad_files(tool):
    good = "a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(50))
    command = ["train", "--csv", "bad.csv", "--target", "b", "--updates", "2", "--quiet", "-o", "bad.rnn"]
    for data, message in (
            (b"", "bad.csv is empty"), (b"\n\n", "bad.csv is empty"), (b"a,b\n", "has no rows below the names"),
            (good.replace("\n9,", "\n9,8,"), "line 11 has 3 fields; the first line has 2"),
            ("# a comment\n# of, two\n" + good, "line 2 has 2 fields; the first line has 1"),
            (good.replace("9,2\n", "9\n"), "line 11 has 1 fields"), (good.replace("9,2\n", "\n9,2\n"), "line 11 has 1 fields"),
            (good.replace("9,2\n", "9,\n"), r"line 11, column 2 \(b\): there is no value"),
            (good.replace("9,2\n", "9, \n"), r"line 11, column 2 \(b\): there is no value"),
            (good.replace("9,2\n", "9,NaN\n"), r'line 11, column 2 \(b\): "NaN" is not a number'),
            (good.replace("9,2\n", "9,inf\n"), '"inf" is not a number'), (good.replace("9,2\n", "9,0x2\n"), '"0x2" is not'),
            (good.replace("9,2\n", "9,2\0\n"), r'line 11, column 2 \(b\): "2\\x00" is not a number'),
            (good.replace("\n", "\r"), "its lines end with CR alone"),
            (",".join(f"column {i}" for i in range(200000)) + ",b\n1\n", "line 2 has 1 fields; the first line has 200001"),
            (good.replace("9,2\n", "9,2e\n"), '"2e" is not a number'), (good.replace("9,2\n", "9,2-1\n"), '"2-1" is not'),
            (good.replace("9,2\n", "9,1e999\n"), "1e999 is too large"), (good.replace("9,2\n", "9,-1e31\n"), "-1e31 is too large"),
            (good.replace("9,2\n", '9,"2\n'), "line 11, column 2: a quote is not closed"),
            (good.replace("9,2\n", '9,"2"x\n'), "line 11, column 2: there is more behind the closing quote"),
            (good.replace("9,2\n", '9,2"\n'), "line 11, column 2: a quote stands in a field"),
            (good.replace("9,2\n", "9,2\n").encode() + b"\xff,3\n", "line 52: it is not UTF-8"),
            ("a,a\n1,2\n", 'two columns are called "a"'), ("1,2\n" + good[4:], "line 1: it has numbers.*--no-header"),
            ("x,y\n1,2\n", "bad.csv has no column b; its columns are x, y"),
            ("a,b\n" + "1,5\n" * 50, "b is the same in all rows"), ("a,b\n1,2\n3,4\n", "2 rows to learn|1 rows to learn")):
        tool.write("bad.csv", data)
        tool.fails(message, *command)
        expect(not (tool.folder / "bad.rnn").exists(), f"{message}: a model is left")
    tool.fails("bad.csv has no column c", *command, "--inputs", "c")
    tool.write("bad.csv", good)
    tool.fails("a horizon of 9 takes as many at least", *command, "--horizon", "9")
    tool.fails("takes at least 42", *command, "--horizon", "40", "--validation", "0.8")
    tool.fails("missing", "train", "--csv", "missing", "--target", "b")
    tool.ok(*command, "--inputs", "a,b")
    tool.fails(r"line 3, column 2 \(b\)", "predict", "bad.rnn", tool.write("worse.csv", "a,b\n1,2\n1,x\n"))
    tool.fails("worse.csv has no column a; its columns are c, b", "predict", "bad.rnn", tool.write("worse.csv", "c,b\n1,2\n"))
    tool.fails("takes at least 2", "eval", "bad.rnn", tool.write("worse.csv", "a,b\n1,2\n"))
    tool.ok("predict", "bad.rnn", "worse.csv")
    kept = metadata(tool.folder / "model.safetensors")["series"]
    large = json.dumps({**json.loads(kept), "target": {"name": "value", "mean": 0, "scale": 1e308}})
    for value in ("", "{}", '{"inputs": [], "target": 3, "horizon": 1}', large, large.replace('"mean": 0', '"mean": NaN')):
        tool.write("odd", with_metadata(tool.folder / "model.safetensors", "series", value))
        tool.fails('metadata "series" is not as', "predict", "odd", "wave.csv")
    kept = json.loads(metadata(tool.folder / "model.safetensors")["series"])
    tool.write("odd", with_metadata(tool.folder / "model.safetensors", "series", json.dumps({**kept, "horizon": 2})))
    tool.fails("2 inputs and a horizon of 2; the network has 2 inputs and 1 outputs", "predict", "odd", "wave.csv")


def check_usage(tool):
    command = ["train", "--csv", "wave.csv", "--quiet"]
    tool.fails("--csv needs --target", *command, status=2)
    tool.fails("text is required, or --csv, or --labels", "train", "--quiet", status=2)
    for option in ("--init", "--log"):
        tool.write("there", "x")
        tool.fails(f"{option} is for a text, not for --csv", *command, "--target", "value", option, "there", status=2)
    tool.fails("--target requires --csv", "train", "text", "--target", "value", status=2)
    tool.fails("--horizon", *command, "--target", "value", "--horizon", "0", status=2)
    tool.fails("csv excludes text|text excludes --csv", *command, "text", "--target", "value", status=2)
    tool.fails("--label-smoothing has no effect", *command, "--target", "value", "--label-smoothing", "0.1", status=2)
    tool.fails("--out and --csv are the same file", "train", "--csv", "wave.rnn", "--target", "value", "-o", "wave.rnn", status=2)
    tool.fails("--out and the model are the same", "predict", "model.safetensors", "wave.csv", "-o", "model.safetensors", status=2)
    tool.fails("--out and the data are the same", "predict", "model.safetensors", "wave.csv", "-o", "wave.csv", status=2)


def check_kinds(tool):
    """Each command says of a model for which it is not, what it is of."""
    said = "model.safetensors is a model of a series, not of the characters of a text; rnn predict and rnn eval are for it"
    tool.write("text", "some text\n" * 50)
    tool.fails(said, "sample", "model.safetensors")
    tool.fails(said, "train", "text", "--init", "model.safetensors", "-o", "new.rnn")
    tool.fails(said, "convert", "model.safetensors", "new.rnn", "--to", "int8", "--text", "text")
    tool.fails("--piece has no effect: the model is of a series", "eval", "model.safetensors", "wave.csv", "--piece", "5", status=2)
    tool.ok("train", "text", "--hidden", "4", "--updates", "2", "--quiet", "-o", "text.rnn", "--checkpoint", "text.run")
    tool.fails("text.rnn is a model of the characters of a text; rnn sample and rnn eval", "predict", "text.rnn", "wave.csv")
    tool.fails("--no-header has no effect", "eval", "text.rnn", "text", "--no-header", status=2)
    tool.fails("text.run: a checkpoint", "predict", "text.run", "wave.csv")
    tool.write("bare", with_metadata(tool.folder / "model.safetensors", "series", None))
    tool.fails("bare: the model has no metadata of", "predict", "bare", "wave.csv")
    expect(tool.json("info", "text.rnn")["of"] == "a text", "info")


def check(tool):
    check_learns(tool)
    check_horizon(tool)
    check_forms(tool)
    check_constant(tool)
    check_goes_on(tool)
    check_bad_files(tool)
    check_usage(tool)
    check_kinds(tool)


main(check)
