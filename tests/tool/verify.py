#!/usr/bin/env python3
"""A training that is logged, repeated, and found out if it was not as its log says: verify.py RNN"""

import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import time

from tool import SENTENCE, VARIED, expect, join, main, split

OPTIONS = ["--hidden", "24", "--layers", "2", "--batch", "8", "--window", "16", "--recurrent-dropout", "0.1", "--average",
           "0.9", "--updates", "200", "--validations", "4", "--quiet"]
PARTS = ("options", "data", "weights", "optimizer", "states")


def changed(name, value):
    """The options with another value."""
    return [*(value if before == name else word for before, word in zip(["", *OPTIONS], OPTIONS)),
            *([] if name in OPTIONS else [name, value])]


def train(tool, name, *more, text="text"):
    return tool.json("train", text, *OPTIONS, "-o", f"{name}.safetensors", "--log", f"{name}.log", "--log-every", "20",
                     "--checkpoint", name + ".{update}", *more)


def lines_of(tool, name):
    """Each without the digest at its end."""
    return [line.rsplit(" ", 1)[0] for line in (tool.folder / name).read_text().splitlines()]


def chained(lines):
    """What a forger would do who knows the format."""
    text = ""
    for line in lines:
        text += line + " "
        text += hashlib.sha256(text.encode()).hexdigest() + "\n"
    return text


def check_honest(tool):
    """On every instruction set of this machine and with other numbers of threads, from every checkpoint."""
    found = tool.json("verify", "run.log")
    expect(found == {"log": "run.log", "records": 13, "first_update": 0, "last_update": 200, "complete": True}, found)
    expect((tool.folder / "run.log").read_text() == chained(lines_of(tool, "run.log")), "the chain is another one")
    for isa in ("sse2", "avx2", "avx512"):
        environment = {**os.environ, "RNN_ISA": isa}
        if tool.run("verify", "run.log", "--data", "text", "--to", "20", env=environment).returncode != 0:
            expect(isa != "sse2", f"{isa} does not run")
            continue
        for arguments in (["--threads", "1"], ["--threads", "3", "--checkpoint", "run.100", "--to", "160"],
                          ["--checkpoint", "run.150", "--from", "150"]):
            found = tool.json("verify", "run.log", "--data", "text", *arguments, env=environment)
            expect(found["same"] and "line" not in found, f"{isa}, {arguments}: {found}")
    text = tool.ok("verify", "run.log", "--data", "text", "--checkpoint", "run.100", "--to", "160")
    expect("updates 100 to 160 repeated: all 5 records are the same" in text, text)


def check_difference(tool, message, line, differs, *arguments):
    """The message, and what programs read."""
    done = tool.run("verify", *arguments, "--json")
    expect(done.returncode == 1 and re.search(message, done.stderr.decode()), f"{arguments}: {done}")
    found = json.loads(done.stdout)
    expect(not found["same"] and found["line"] == line and found["differs"] == differs, f"{arguments}: {found}")
    tool.fails(message, "verify", *arguments)


def check_changed(tool):
    """One datum, option or weight."""
    text = (tool.folder / "text").read_bytes()
    place = len(text) * 2 // 3
    place = text.index(b"seen", place)
    tool.write("datum", text[:place] + b"sees" + text[place + 4:])
    check_difference(tool, r"run.log, line \d+, updates \d+ to \d+: other data were read", first_with(tool, place),
                     "data, weights, optimizer, states", "run.log", "--data", "datum")
    tool.write("more", text + b"the ")
    done = tool.run("verify", "run.log", "--data", "more")
    expect(done.returncode == 1, f"a longer text: {done}")
    tool.fails("not in the vocabulary|does not know|vocabulary", "verify", "run.log", "--data", tool.write("sharp", text + b"#"))

    # Who writes another option into the log, with the digests that follow from it.
    lines = lines_of(tool, "run.log")
    options = json.loads(lines[0].split(" ", 2)[2])
    for name, value in (("learning_rate", 0.02), ("seed", 2), ("weight_decay", 0.0)):
        tool.write("option.log", chained(["rnn-log 1 " + json.dumps({**options, name: value}), *lines[1:]]))
        expect(tool.json("verify", "option.log")["complete"], "a forged log is as it was written")
        done = tool.run("verify", "option.log", "--data", "text", "--json")
        found = json.loads(done.stdout)
        expect(found["line"] == 2 and found["differs"].startswith("options"), f"{name}: {found}")
        expect(b"its options are not those" in done.stderr, f"{name}: {done.stderr}")

    # Who changes a weight between two records: the run goes on from another state than it says.
    header, data = split(tool.folder / "run.100")
    begin = header["trainer.weights"]["data_offsets"][0]  # those in training, beside their average
    value, = struct.unpack("<f", data[begin:begin + 4])
    tool.write("changed.100", join(header, data[:begin] + struct.pack("<f", value + 1e-6) + data[begin + 4:]))
    check_difference(tool, "line 8, the state after update 100: changed.100 is not that state", 8, "weights", "run.log",
                     "--data", "text", "--checkpoint", "changed.100")
    tool.fails("run.log, line 8: changed.100 is not the state of this record: other weights", "train", "text", *OPTIONS,
               "-o", "new.safetensors", "--log", "run.log", "--log-every", "20", "--resume", "changed.100", "--checkpoint",
               "new.{update}")
    train(tool, "changed", "--resume", "changed.100")
    forged = [*lines[:8], *lines_of(tool, "changed.log")[2:]]
    tool.write("forged.log", chained(forged))
    expect(tool.json("verify", "forged.log")["complete"], "a forged log is as it was written")
    check_difference(tool, "forged.log, line 9, updates 101 to 120: from the same options and data something else was",
                     9, "weights, optimizer, states", "forged.log", "--data", "text", "--checkpoint", "run.100")
    check_difference(tool, "forged.log, line 9", 9, "weights, optimizer, states", "forged.log", "--data", "text")


def first_with(tool, place):
    """The line whose updates are the first to read that byte: a batch of 8 pieces, of which 16 bytes are read at once."""
    text = (tool.folder / "text").read_bytes()
    held = len(text) // 10 // 4
    starts = [(2 * i + 1) * len(text) // 8 - held // 2 for i in range(4)]
    expect(not any(start - 1 <= place < start + held for start in starts), "the byte is held out")
    learnt = place + 3 - sum(held for start in starts if start < place)
    steps = (len(text) - 4 * held - 1) // 8
    update = learnt % steps // 16 + 1
    records = [int(line.split(" ")[0]) for line in lines_of(tool, "run.log")[1:-1]]
    return 2 + next(i for i, record in enumerate(records) if record >= update)


def check_edited(tool):
    """What was done to a log by hand is found without the training, and said with its line."""
    log = (tool.folder / "run.log").read_text()
    lines = log.splitlines(keepends=True)
    fields = lines[4].split(" ")

    def with_line(number, line):
        return "".join([*lines[:number], line, *lines[number + 1:]])

    digit = "0" if fields[2][5] != "0" else "1"
    fields[2] = fields[2][:5] + digit + fields[2][6:]
    for number, text in ((5, with_line(4, " ".join(fields))), (4, with_line(3, "")), (4, with_line(3, lines[4])),
                         (6, "".join([*lines[:5], lines[6], lines[5], *lines[7:]])),
                         (1, with_line(0, lines[0].replace('"batch":8', '"batch":9'))), (14, with_line(13, "")),
                         (15, log.replace("end 200", "end 201"))):
        tool.write("edited.log", text)
        tool.fails(rf"edited.log, line {number}: the digest at its end is not that of the file before it", "verify",
                   "edited.log")
    tool.fails("edited.log, line 16: there is a line behind the end", "verify", tool.write("edited.log", log + lines[3]))
    for size in (1, 7, 8, 9, 200, len(lines[0]) - 1, len(lines[0]), len(log) - 1, len(log) - 70):
        done = tool.run("verify", tool.write("cut.log", log[:size]))
        expect(done.returncode == 1 and done.stderr.startswith(b"rnn: cut.log"), f"{size}: {done}")
    found = tool.json("verify", tool.write("cut.log", "".join(lines[:-3])))
    expect(not found["complete"] and found["last_update"] == 160, f"without its end: {found}")

    plain = lines_of(tool, "run.log")
    for message, edited in (("the log has version 2; this program reads version 1", ["rnn-log 2 {}", "whatever"]),
                             ("no version", ["rnn-log x {}"]), ("no JSON object", ["rnn-log 1 {,", plain[1]]),
                             ("no record", plain[:1]), ("line 2: it is no record", [plain[0], "0 1 2"]),
                             ("line 3: update 0 is not behind", [plain[0], plain[1], plain[1]]),
                             ("line 3: the end is not that of the record", [*plain[:2], "end 5"])):
        tool.fails(message, "verify", tool.write("edited.log", chained(edited)))
    for name, value in (("batch", 0), ("batch", "x"), ("schedule", "none"), ("updates", -1), ("vocabulary", 3)):
        options = {**json.loads(plain[0].split(" ", 2)[2]), name: value}
        tool.write("edited.log", chained(["rnn-log 1 " + json.dumps(options), *plain[1:]]))
        done = tool.run("verify", "edited.log", "--data", "text")
        expect(done.returncode in (1, 2) and done.stderr.startswith(b"rnn: "), f"{name} {value}: {done}")
    tool.fails("text is no log of rnn train", "verify", "text")
    tool.fails("cannot read missing", "verify", "missing")


def check_resumed(tool):
    """A run that was stopped, or killed, goes on in its log, to the log of one that was not; another one does not."""
    before = (tool.folder / "run.log").read_bytes()
    tool.fails("run.log is there already", "train", "text", *OPTIONS, "-o", "new.safetensors", "--log", "run.log")
    for name, value, message in (("--learning-rate", "0.02", "learning_rate is 0.01 in its first line, and 0.02 here"),
                                 ("--updates", "400", "updates is 200 in its first line, and 400 here"),
                                 ("--dropout", "0.2", "dropout is 0.0 in its first line, and 0.2 here"),
                                 ("--seed", "2", "--seed is 2; that of run.100 is 1")):
        done = tool.run("train", "text", *changed(name, value), "-o", "new.safetensors", "--log", "run.log",
                        "--log-every", "20", "--resume", "run.100", "--checkpoint", "new")
        expect(done.returncode != 0 and message in done.stderr.decode(), f"{name}: {done}")
    train(tool, "other", "--dropout", "0.2")
    tool.fails("run.100 is of 28 characters; the text has 14", "train", tool.write("short", SENTENCE * 400), *OPTIONS, "-o",
               "new.safetensors", "--log", "run.log", "--resume", "run.100")
    check_difference(tool, "line 8, the state after update 100: other.100 is not that state", 8,
                     "weights, optimizer, states", "run.log", "--data", "text", "--checkpoint", "other.100")
    tool.ok("train", "text", *changed("--hidden", "16"), "-o", "narrow.safetensors", "--checkpoint", "narrow.{update}")
    check_difference(tool, "its options, or the network of narrow.100, are not those of the log's first line", 8,
                     "options, weights, optimizer, states", "run.log", "--data", "text", "--checkpoint", "narrow.100")
    # From an older checkpoint: the records behind it are there, and the same.
    train(tool, "run", "--resume", "run.100")
    expect((tool.folder / "run.log").read_bytes() == before, "a run that goes on changes what its log has")
    # Killed between two records.
    lines = before.decode().splitlines(keepends=True)
    tool.write("killed.log", "".join(lines[:12]))
    tool.write("killed.150", (tool.folder / "run.150").read_bytes())
    train(tool, "killed", "--resume", "killed.150")
    expect((tool.folder / "killed.log").read_bytes() == before, "a run that goes on ends in another log")
    tool.write("killed.log", "".join(lines[:12])[:-5])
    tool.fails("killed.log, line 12: the end of the line is missing", "train", "text", *OPTIONS, "-o",
               "killed.safetensors", "--log", "killed.log", "--log-every", "20", "--resume", "killed.150")
    tool.write("killed.log", "".join(lines[:6]))
    tool.fails("killed.log has no record of update 150; the nearest is of 60", "train", "text", *OPTIONS, "-o",
               "killed.safetensors", "--log", "killed.log", "--log-every", "20", "--resume", "killed.150")
    # Stopped where there is no record otherwise.
    command = tool.command("train", "text", *changed("--updates", "3000"), "-o", "stopped.safetensors", "--log",
                           "stopped.log", "--log-every", "200", "--checkpoint", "stopped", "--json")
    process = subprocess.Popen(command, cwd=tool.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (tool.folder / "stopped.log").exists() and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    expect(process.returncode == 130, f"interrupted: {error}")
    updates = json.loads(out)["updates"]
    found = tool.json("verify", "stopped.log", "--data", "text")
    expect(0 < updates < 3000 and found["last_update"] == updates and found["same"] and not found["complete"],
           f"stopped after {updates}: {found}")
    tool.ok(*[word for word in command[1:]], "--resume", "stopped")
    found = tool.json("verify", "stopped.log", "--data", "text")
    expect(found["last_update"] == 3000 and found["same"] and found["complete"], f"went on: {found}")


def check_init(tool):
    """A run that begins with the weights of a model is repeated from the checkpoint of its beginning."""
    train(tool, "init", "--init", "run.safetensors")
    tool.fails("began with the weights of a file: --checkpoint", "verify", "init.log", "--data", "text", status=2)
    expect(tool.json("verify", "init.log", "--data", "text", "--checkpoint", "init.0")["same"], "from a model's weights")


def check_usage(tool):
    own = tool.ok("verify", "--help")
    expect("rnn verify [OPTIONS]" in own and all(len(line) <= 110 for line in own.splitlines()), own)
    expect("verify" in tool.ok("--help"), "--help without verify")
    tool.fails(r"--unknown.*rnn verify --help", "verify", "run.log", "--unknown", status=2)
    tool.fails("log", "verify", status=2)
    for option in (["--from", "0"], ["--to", "20"], ["--threads", "2"], ["--checkpoint", "run.100"]):
        tool.fails(f"{option[0]} has no effect: nothing is repeated without --data", "verify", "run.log", *option, status=2)
    again = ["verify", "run.log", "--data", "text"]
    tool.fails("--from is 20; only from update 0 on", *again, "--from", "20", status=2)
    tool.fails("--from is 50; run.100 is the state after update 100", *again, "--from", "50", "--checkpoint", "run.100",
               status=2)
    tool.fails("--to is 20; it may not be before --from, 100", *again, "--to", "20", "--checkpoint", "run.100", status=2)
    tool.fails("no record of update 77; the nearest are of 60 and 80", *again, "--to", "77")
    tool.fails("the file is a network", *again, "--checkpoint", "run.safetensors")
    tool.fails("is none of those that", *again, "--checkpoint", "text")
    tool.fails("--log and --checkpoint are the same file", "train", "text", "--log", "x", "--checkpoint", "x", status=2)
    tool.fails("--log-every requires --log", "train", "text", "--log-every", "3", status=2)
    tool.fails("cannot write", "train", "text", *OPTIONS, "-o", "new.safetensors", "--log", "missing/x.log")
    expect(not (tool.folder / "new.safetensors").exists(), "a refused run leaves a model")


def check(tool):
    tool.write("text", (SENTENCE + VARIED) * 150)
    train(tool, "run")
    check_honest(tool)
    check_changed(tool)
    check_edited(tool)
    check_resumed(tool)
    check_init(tool)
    check_usage(tool)


main(check)
