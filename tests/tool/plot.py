#!/usr/bin/env python3
"""rnn train --history writes the losses, and rnn plot draws them: plot.py RNN"""

import csv
import io
import math
import os
import shutil
import sys

from tool import SENTENCE, expect, main


def rows_of(tool, name):
    rows = list(csv.DictReader(io.StringIO((tool.folder / name).read_text())))
    expect(rows and list(rows[0])[0::2] == ["update", "training_loss"] and list(rows[0])[3] == "validation_loss", rows[:1])
    return rows


def train(tool, *options):
    return tool.json("train", "text", "--hidden", "16", "--batch", "8", "--quiet", *options)


def check_history(tool):
    """A row for each update of a short run, the losses of validations, and the same for a run that goes on."""
    tool.write("text", SENTENCE * 120)
    command = ["--validations", "10", "--schedule", "constant", "--updates"]
    whole = train(tool, *command, "40", "-o", "whole.rnn", "--history", "whole.csv")
    rows = rows_of(tool, "whole.csv")
    expect([int(row["update"]) for row in rows] == list(range(1, 41)), rows)
    validated = [row for row in rows if row["validation_loss"]]
    expect([int(row["update"]) for row in validated] == list(range(4, 41, 4)), validated)
    least = min(float(row["validation_loss"]) for row in validated)
    expect(math.isclose(least, whole["validation"]["loss"], rel_tol=1e-6), f"{least}, {whole}")
    expect(float(rows[0]["training_loss"]) > 2 > float(rows[-1]["training_loss"]), rows)
    expect(0 < int(rows[0]["characters"]) * 39 < int(rows[39]["characters"]), rows)

    command[1] = "5"
    train(tool, *command, "20", "-o", "part.rnn", "--history", "part.csv", "--checkpoint", "run")
    shutil.copy(tool.folder / "part.csv", tool.folder / "killed.csv")
    with open(tool.folder / "killed.csv", "a") as file:  # of a run that was killed behind its last checkpoint
        file.write("21,99999,5.5,\n22,99999,5.5,6.5\n")
    command[1] = "10"
    for name in ("part.csv", "killed.csv"):
        shutil.copy(tool.folder / "run", tool.folder / "again")
        (tool.folder / "part.rnn").unlink(missing_ok=True)
        train(tool, *command, "40", "-o", "part.rnn", "--history", name, "--resume", "again")
        expect((tool.folder / name).read_text() == (tool.folder / "whole.csv").read_text(), f"{name} is another history")

    long = train(tool, "--updates", "2600", "--validations", "1", "-o", "long.rnn", "--history", "long.csv")
    count = len(rows_of(tool, "long.csv"))
    expect(long["updates"] == 2600 and 800 < count < 1001, f"{count} rows")


def check_kinds(tool):
    tool.write("series.csv", "a\n" + "".join(f"{i % 7}\n" for i in range(200)))
    tool.write("words.tsv", "".join(f"{'ab'[i % 2]}\t{'xy'[i % 2] * 3}\n" for i in range(60)))
    for unit, *data in (("rows", "--csv", "series.csv", "--target", "a"), ("texts", "--labels", "words.tsv")):
        tool.ok("train", *data, "--updates", "6", "--quiet", "-o", "kind.rnn", "--history", f"{unit}.csv")
        expect(len(rows_of(tool, f"{unit}.csv")) == 6 and unit in rows_of(tool, f"{unit}.csv")[0], unit)


def check_plot(tool):
    if shutil.which("gnuplot") is None:
        sys.exit(77)
    expect(tool.ok("plot", "whole.csv") == "whole.svg\n", "rnn plot")
    drawn = (tool.folder / "whole.svg").read_text()
    expect("<svg" in drawn and ">training<" in drawn and ">validation<" in drawn and ">updates<" in drawn, drawn[:2000])
    tool.ok("plot", "rows.csv", "texts.csv", "-o", "it's both.svg", "--logarithmic")
    drawn = (tool.folder / "it's both.svg").read_text()
    expect(">rows.csv, training<" in drawn and ">texts.csv, training<" in drawn, drawn[:2000])
    tool.fails("cannot write no/such.svg", "plot", "whole.csv", "-o", "no/such.svg")


def check_errors(tool):
    for data, message in (("", "is no history of losses"), ("a,b\n", "is no history of losses"),
                          ("rnn-log 1 {}\n", "is no history of losses"),
                          ("update,characters,training_loss,validation_loss\n", "has 0 rows; a curve takes two"),
                          ("update,characters,training_loss,validation_loss\n1,2,3\n", "line 2 has no four fields"),
                          ("update,characters,training_loss,validation_loss\n1,2,x,\n", 'line 2: "x" is not a number'),
                          ("update,characters,training_loss,validation_loss\n1,2,nan,\n", '"nan" is not a number')):
        tool.fails(message, "plot", tool.write("bad.csv", data))
    tool.fails("missing", "plot", "missing")
    tool.fails("history is required", "plot", status=2)
    before = (tool.folder / "whole.csv").read_bytes()
    tool.fails("--out and the history are the same", "plot", "whole.csv", "-o", "whole.csv", status=2)
    command = ["train", "text", "--updates", "2", "--quiet", "-o", "new.rnn", "--history"]
    tool.fails("--history: whole.csv is there already", *command, "whole.csv")
    tool.fails("bad.csv is no history", *command, tool.write("bad.csv", "x\n"), "--resume", "run", "--hidden", "16", "--batch",
               "8")
    tool.fails("--history and the text are the same", *command, "text", status=2)
    tool.fails("--out and --history are the same", *command, "new.rnn", status=2)
    expect((tool.folder / "whole.csv").read_bytes() == before, "a history is written over")
    empty = tool.folder / "empty"
    empty.mkdir()
    tool.fails("gnuplot, which draws the plot, is not installed", "plot", "whole.csv", "-o", "none.svg",
               env={**os.environ, "PATH": str(empty)})
    expect(not (tool.folder / "none.svg").exists(), "a file without gnuplot")


def check(tool):
    check_history(tool)
    check_kinds(tool)
    check_errors(tool)
    check_plot(tool)


main(check)
