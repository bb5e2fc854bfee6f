#!/usr/bin/env python3
"""rnn train learns, says how well, and keeps the best model: train.py RNN"""

import fcntl
import json
import math
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

from tool import SENTENCE, VARIED, expect, join, main, metadata, near, split


def check_learns(tool):
    tool.write("text", SENTENCE * 120)
    result = tool.train("text", "--updates", "200", "-o", "learnt.safetensors")
    expect(result["updates"] == 200 and not result["interrupted"] and result["characters_per_second"] > 0, result)
    expect(result["model"] == "learnt.safetensors" and (tool.folder / "learnt.safetensors").exists(), result)
    for side in ("training", "validation"):
        # A sentence by heart: only the first letters of each piece have to be guessed.
        expect(result[side]["loss"] < 0.5 and result[side]["accuracy"] > 0.85, f"{side}: {result[side]}")
        near(result[side]["bits_per_character"], result[side]["loss"] / math.log(2), "bits per character")
        near(result[side]["perplexity"], math.exp(result[side]["loss"]), "perplexity")


def check_lengths(tool):
    """800 characters, all learnt: 8 pieces of 99 steps, so two windows of 64 in an epoch."""
    tool.write("short", SENTENCE * 25)
    epochs = tool.train("short", "--epochs", "3", "--validation", "short")
    expect(epochs["updates"] == 6, epochs)
    expect(tool.train("short", "--updates", "83", "--validations", "10")["updates"] == 88, "updates round up")
    timed = tool.train("short", "--seconds", "0.5")
    expect(timed["updates"] > 1 and timed["seconds"] < 5, timed)


def check_cells(tool):
    tool.write("varied", VARIED * 40)
    for number, options in enumerate((["--cell", "vanilla"], ["--cell", "lstm", "--projection", "8"],
                                      ["--cell", "gru", "--layers", "2", "--residual", "--dropout", "0.1",
                                       "--recurrent-dropout", "0.3"],
                                      ["--cell", "mingru", "--layers", "2"], ["--cell", "minlstm", "--output-dropout", "0.2"],
                                      ["--cell", "lstm", "--peepholes"],
                                      ["--cell", "lstm", "--coupled", "--peepholes"],
                                      ["--embedding", "5", "--layer-norm", "--average", "0.9"],
                                      ["--compute", "bf16", "--threads", "1"])):
        name = f"cell{number}.safetensors"
        result = tool.json("train", "varied", "--hidden", "16", "--updates", "8", "--quiet", "-o", name, *options)
        expect(math.isfinite(result["validation"]["loss"]), f"{options}: {result}")
    characters = vocabulary_of(tool, "cell0.safetensors")
    expect(characters == sorted(set(VARIED)), f"vocabulary {characters}")
    one = tool.json("train", "-", "--updates", "8", "--hidden", "16", "-o", "one.rnn", input=(VARIED * 40).encode())
    two = tool.json("train", "varied", "--updates", "8", "--hidden", "16", "-o", "two.rnn", "--threads", "2")
    expect(one["validation"] == two["validation"], "standard input, or two threads, train another model")
    one, two = ((tool.folder / name).read_bytes() for name in ("one.rnn", "two.rnn"))
    expect(one == two and not one[8:].startswith(b"{"), "two threads write another file, or none in binary")


def check_lists(tool):
    """Layers of different kinds, which learn, go on, are sampled from, and are told apart."""
    command = ["train", "varied", "--updates", "150", "--batch", "8", "-o", "list.safetensors", "--layer-list"]
    done = tool.run(*command, " conv1d:24:kernel=2:relu, gru:24,dense:24:tanh:residual ", "--json")
    size = len(set(VARIED))
    expect(done.stderr.decode().startswith(f"conv1d of 24, gru of 24, dense of 24, dense of {size}, {size} inputs, f32\n"), done)
    expect(json.loads(done.stdout)["validation"]["loss"] < 0.5, done.stdout)
    expect(len(tool.ok("sample", "list.safetensors", "--length", "20", "--prompt", "an alle")) > 20, "a sample")
    tool.ok("eval", "list.safetensors", "varied")

    quick = ["train", "varied", "--quiet", "--updates", "4", "-o"]
    for layers in ("lstm:8:projection=4:peepholes:coupled_gates", "vanilla:8:relu,mingru:8:residual",
                   "dense:8:elu:alpha=0.5:no_bias,gru:6:reset_before,minlstm:5",
                   "gru:6:gates=hard_sigmoid:clip=3,lstm:5:softsign:output=affine:output_alpha=0.5",
                   "vanilla:5:zoneout_h=0.1,gru:6:zoneout_h=0.2,lstm:5:zoneout_h=0.25:zoneout_c=0.5",
                   "conv1d:6:dilation=2:kernel=3:hard_sigmoid:alpha=0.25:beta=0.5,gru:6:layer_norm,dense:7:prelu"):
        result = tool.json(*quick, "one.safetensors", "--layer-list", layers, "--embedding", "5", "--dropout",
                           "0.1" if "," in layers else "0", "--recurrent-dropout", "0.2", "--output-dropout", "0.1")
        expect(math.isfinite(result["validation"]["loss"]), f"{layers}: {result}")
        tool.ok("sample", "one.safetensors", "--length", "5")
    uniform = ["--cell", "gru", "--hidden", "12", "--layers", "2", "--residual"]
    for name, options in (("one.rnn", uniform), ("two.rnn", ["--layer-list", "gru:12,gru:12:residual"])):
        tool.ok(*quick, name, *options, "--dropout", "0.1")
    expect((tool.folder / "one.rnn").read_bytes() == (tool.folder / "two.rnn").read_bytes(), "a list of equal layers")

    resumed = ["train", "varied", "--quiet", "--checkpoint", "list.run", "-o", "going.rnn", "--layer-list", "gru:8,dense:8:relu"]
    tool.ok(*resumed, "--updates", "4")
    expect(tool.json(*resumed, "--updates", "8", "--resume", "list.run")["updates"] == 8, "a run of a list goes on")
    tool.fails("--layer-list is gru:9; that of list.run is gru:8,dense:8:relu", "train", "varied", "--resume", "list.run",
               "-o", "going.rnn", "--layer-list", "gru:9", status=2)


def check_list_errors(tool):
    command = ["train", "varied", "--updates", "2", "-o", "never.safetensors", "--layer-list"]
    for layers, message in (
            ("", 'layer 1, "": the kind is ""; it must be vanilla, gru, lstm, mingru, minlstm, dense or conv1d'),
            ("gru:8,", 'layer 2, "": the kind is ""'),
            ("gru:8,elman:9", 'layer 2, "elman:9": the kind is "elman"; it must be vanilla, gru,'),
            ("gru", 'layer 1, "gru": its size is missing, as in gru:64'),
            ("gru:0", 'layer 1, "gru:0": size is "0"; it must be a whole number, 1..65536'),
            ("gru:8x", 'size is "8x"'), ("gru:99999999999999999999", "size is"), ("gru:70000", "1..65536"),
            ("gru:8:kernel=2", 'it has "kernel=2"; behind gru and its size may be no_bias, reset_before, residual, layer_norm'),
            ("mingru:8:tanh", 'it has "tanh"; behind mingru and its size may be no_bias or residual'),
            ("lstm:8:gates=none,gru:8:gates=step", 'layer 2, "gru:8:gates=step": gates is "step"; it must be none, tanh,'),
            ("gru:8:output=relu", 'it has "output=relu"; behind gru'),
            ("lstm:8:projection=x", 'projection is "x"; it must be a whole number'),
            ("conv1d:8:kernel", 'it has "kernel"; behind conv1d and its size may be kernel=N, dilation=N, no_bias'),
            ("dense:8:kernel=2", 'it has "kernel=2"'), ("gru:8:both", 'it has "both"'), ("gru:8:", 'it has ""'),
            ("dense:8:tanh:relu", "it has two activations, tanh and relu"), ("gru:8:no_bias:no_bias", "no_bias is there twice"),
            ("dense:8:elu:alpha=a", 'alpha is "a"; it must be a number')):
        tool.fails(r"--layer-list: .*" + re.escape(message), *command, layers, status=2)
    for layers, message in (("lstm:8:projection=8", r"config.layers\[0\].projection_size is 8; it must be 0..7"),
                            ("gru:8,gru:9:residual", r"config.layers\[1\].flags has RNN_FLAG_RESIDUAL, and the layer has 8"),
                            ("gru:8:residual", r"config.layers\[0\].flags has RNN_FLAG_RESIDUAL; the first"),
                            ("gru:8,dense:8:tanh:alpha=2", r"config.layers\[1\].alpha is 2"),
                            ("gru:8:softmax", r"config.layers\[0\].activation is 4"),
                            ("gru:8:clip=-1", r"config.layers\[0\].clip is -1"),
                            ("gru:8:zoneout_h=1", r"config.layers\[0\].zoneout_h is 1; it must be at least 0 and less"),
                            ("gru:8" + 256 * ",gru:9", "layer_count is 258")):
        tool.fails(message, *command, layers)
    for option in (["--cell", "gru"], ["--hidden", "4"], ["--layers", "2"], ["--projection", "3"], ["--residual"],
                   ["--layer-norm"], ["--peepholes"], ["--coupled"]):
        tool.fails(f"--layer-list excludes {option[0]}|{option[0]} excludes --layer-list", *command, "gru:8", *option, status=2)
    tool.fails("--dropout has no effect", *command, "gru:8", "--dropout", "0.1", status=2)
    expect(not (tool.folder / "never.safetensors").exists(), "a refused training leaves a file")


def vocabulary_of(tool, model):
    return json.loads(metadata(tool.folder / model)["vocabulary"])


def check_lanes(tool):
    """Another model for another number of lanes, the same for another number of threads."""
    command = ["train", "varied", "--hidden", "16", "--updates", "20", "--batch", "8", "--quiet", "-o"]
    models = []
    for lanes, threads in ((1, 1), (4, 1), (4, 2), (8, 2)):
        tool.ok(*command, "lanes.rnn", "--lanes", lanes, "--threads", threads)
        models.append((tool.folder / "lanes.rnn").read_bytes())
    expect(models[1] == models[2], "two threads train another model of four lanes")
    expect(len(set(models)) == 3, "the number of lanes has no effect")
    tool.ok(*command, "lanes.rnn", "--lanes", 4, "--checkpoint", "lanes.checkpoint")
    tool.fails("lanes", *command, "lanes.rnn", "--lanes", 2, "--resume", "lanes.checkpoint")
    for lanes in (0, 3, 2048, "x"):
        tool.fails("--lanes", *command, "lanes.rnn", "--lanes", lanes, status=2)
    tool.fails("--lanes is 16; it may be at most --batch, 8", *command, "lanes.rnn", "--lanes", 16, status=2)


def check_bytes(tool):
    """Of a text that is not UTF-8 the bytes are learnt, which is said once."""
    said = b"rnn: note: the text is neither UTF-8 nor UTF-16 with a byte order mark: its bytes are the characters\n"
    command = ["--hidden", "8", "--updates", "3", "--quiet", "-o", "bytes.safetensors"]
    for name, text in (("bytes", bytes(range(256)) * 40), ("latin", VARIED.encode("cp1252") * 40),
                       ("marked", b"\xef\xbb\xbf" + VARIED.encode("cp1252") * 40),
                       ("UTF-32", b"\xff\xfe\0\0" + VARIED.encode("utf-32-le") * 40),
                       ("unpaired", b"\xff\xfe" + ("ab\ud800" * 200).encode("utf-16-le", "surrogatepass"))):
        done = tool.run("train", tool.write(name, text), *command)
        expect(done.returncode == 0 and done.stderr == said, f"{name}: {done}")
        expect(vocabulary_of(tool, "bytes.safetensors") == sorted(set(text)), f"{name}: vocabulary")
    done = tool.run("train", "bytes", *command, "--validation", "latin")
    expect(done.stderr == said + said.replace(b"the text", b"latin"), f"two texts: {done}")


def check_encodings(tool):
    """The same text in each encoding makes the same model; characters may end in the next part that is read."""
    text = "x" + "\u20ac\U0001f600\u00fc" * 230000  # two megabytes in UTF-8 and in UTF-16
    command = ["--hidden", "4", "--updates", "1", "--quiet", "-o"]
    models = []
    for name, encoded in (("plain", text.encode()), ("marked", text.encode("utf-8-sig")),
                          ("little", b"\xff\xfe" + text.encode("utf-16-le")),
                          ("big", b"\xfe\xff" + text.encode("utf-16-be"))):
        tool.ok("train", tool.write(name, encoded), *command, f"{name}.safetensors")
        models.append((tool.folder / f"{name}.safetensors").read_bytes())
    expect(models.count(models[0]) == 4, "an encoding makes another model")
    expect(vocabulary_of(tool, "big.safetensors") == sorted(set(text)), "the vocabulary")
    tool.ok("train", "-", *command, "big.safetensors", input=text.encode("utf-8-sig"))
    expect((tool.folder / "big.safetensors").read_bytes() == models[0], "standard input makes another model")


def check_memory(tool):
    """Beside the network a text costs less than 6 bytes a character, whatever it is encoded in."""
    def peak(text):
        command = tool.command("train", text, "--hidden", "4", "--updates", "1", "--threads", "1", "--quiet", "-o",
                               "peak.rnn")
        process = subprocess.Popen(command, cwd=tool.folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        expect(process.returncode == 0, f"{text}: status {process.returncode}")
        return 1024 * usage.ru_maxrss

    few, many = 2_000_000, 10_000_000  # both have enough for the longest validation
    for name, characters in (("ascii", "abcdefghij"), ("wide", "".join(map(chr, range(0x4e00, 0x4e0a))))):
        small = peak(tool.write(f"{name} small", characters * (few // 10)))
        large = peak(tool.write(f"{name} large", characters * (many // 10)))
        expect(large - small < 6 * (many - few), f"{name}: {large - small} bytes for {many - few} characters")


def check_progress(tool):
    command = ["train", "text", "--hidden", "8", "--updates", "4"]
    piped = tool.run(*command)
    lines = piped.stderr.decode().splitlines()
    expect(lines[0] == "gru, 1 layer of 8, 14 inputs, 14 outputs, f32", lines)
    for word in ("4/4", "characters/s", "left", "loss", "bits", "perplexity", "validation"):
        expect(word in lines[-1], f"progress without {word}: {lines}")
    expect(tool.run(*command, "--quiet").stderr == b"", "--quiet")
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    subprocess.run(tool.command(*command), cwd=tool.folder, stdout=subprocess.DEVNULL, stderr=child, check=True)
    drawn = os.read(parent, 10000).decode()
    lines = re.split(r"\r\n|\r|\033\[K", drawn)
    expect("\r  [" in drawn and max(map(len, lines)) == 59, f"a terminal of 60 columns: {drawn!r}")


def check_smoothing(tool):
    """The targets are smoothed in the training loss of the progress alone: that of validation is what eval says."""
    done = tool.run("train", "text", "--validation", "text", "--hidden", "24", "--batch", "8", "--learning-rate", "0.02",
                    "--updates", "200", "--label-smoothing", "0.4", "-o", "smooth.rnn", "--json")
    found, shown = json.loads(done.stdout), done.stderr.decode().splitlines()[-1]
    training, validation = (float(x) for x in re.search(r"left, ([\d.]+) bits, validation ([\d.]+),", shown).groups())
    evaluated = tool.json("eval", "smooth.rnn", "text")
    expect(evaluated["accuracy"] > 0.9, f"smoothed targets are not learnt: {evaluated}")
    near(found["validation"]["loss"], evaluated["loss"], "the validation loss")
    near(validation, evaluated["bits_per_character"], "the validation loss of the progress", 0.006)
    # 14 characters: what is sure of the right one at 1 - 0.4 13 / 14 has 0.67 bits without, 2.4 bits with smoothing.
    expect(validation < 1 and training > 2.3, shown)


def check_schedule(tool):
    """In epochs of two updates, as in check_lengths."""
    def model(*options):
        tool.train("short", "--updates", "12", "--validations", "1", "-o", "scheduled.rnn", *options)
        return (tool.folder / "scheduled.rnn").read_bytes()

    def same(*both):
        models = [model("--schedule", *options) for options in both]
        expect(models[0] == models[1], f"{both} train two models")
        return models[0]

    constant = model("--schedule", "constant")
    held = ["--schedule-factor", "0.97", "--schedule-start"]
    models = [
        constant,
        same(["cosine"], ["cosine", "--schedule-updates", "12", "--schedule-factor", "0", "--schedule-start", "0"]),
        same(["cosine", "--schedule-start", "4"], ["cosine", "--schedule-start", "4", "--schedule-updates", "8"]),
        same(["cosine", "--schedule-start", "1", "--schedule-by-epoch"],
             ["cosine", "--schedule-start", "1", "--schedule-updates", "5", "--schedule-by-epoch"]),
        same(["step", "--schedule-by-epoch"], ["step", "--schedule-updates", "2", "--schedule-factor", "0.1"]),
        same(["step", *held, "3", "--schedule-by-epoch"], ["step", *held, "6", "--schedule-updates", "2"]),
        model("--schedule", "exponential", *held, "6", "--schedule-updates", "2"),
        model("--schedule", "exponential", *held, "3", "--schedule-by-epoch", "--schedule-updates", "2"),
    ]
    expect(len(set(models)) == len(models), "two schedules train the same model")
    expect(model() == models[1], "the default is not a cosine over all updates")

    # Of a rate that is held for as long as it can have an effect, only the last update is another.
    late = ["--schedule", "step", "--schedule-updates", "1", "--schedule-factor", "0.999999"]
    expect(model(*late, "--schedule-start", "10") != constant, "the latest step has no effect")
    command = ["train", "short", "--quiet", "--batch", "8", "-o", "new.rnn", "--updates", "12", "--schedule"]
    for option in ("--schedule-start", "--schedule-updates", "--schedule-factor"):
        tool.fails(f"{option} has no effect: the schedule is constant", *command, "constant", option, "1", status=2)
    tool.fails("--schedule-by-epoch has no effect", *command, "constant", "--schedule-by-epoch", status=2)
    tool.fails("--schedule-factor has no effect", *command, "cosine", "--schedule-factor", "1", status=2)
    for option in (["cosine", "--schedule-start", "11"], ["exponential", "--schedule-start=5", "--schedule-by-epoch"],
                   ["step", "--schedule-start", "6", "--schedule-updates", "6"]):
        tool.fails("--schedule-start has no effect: the rate does not fall before the last of 12", *command, *option,
                   status=2)
    tool.fails("--schedule-updates has no effect", *command, "step", "--schedule-updates", "12", status=2)
    for name in ("step", "exponential"):
        tool.fails(f"--schedule {name} needs --schedule-updates", *command, name, status=2)
        tool.fails("--schedule-factor: 0 is for --schedule cosine", *command, name, "--schedule-updates=2",
                   "--schedule-factor=0", status=2)
    expect(not (tool.folder / "new.rnn").exists(), "a refused training leaves a file")


def check_skipping(tool):
    """An update of which one target has an infinite loss is skipped in each epoch, and counted."""
    tool.write("asked", SENTENCE[:10] + "Q" + SENTENCE[11:] + SENTENCE * 24)
    tool.write("answered", SENTENCE * 3)
    command = ["train", "asked", "--batch", "8", "--quiet", "--validation", "answered", "--updates"]
    tool.ok(*command, "1", "--cell", "vanilla", "--hidden", "8", "-o", "model.safetensors")
    header, data = split(tool.folder / "model.safetensors")
    weights = bytearray(data)
    row = vocabulary_of(tool, "model.safetensors").index("Q")
    # The logit of Q is -3e38 - 3e38 h, and a large bias makes this h 1.
    for name, place, value in (("bias_ih_l0", 0, 1000), ("head.weight", 8 * row, -3e38), ("head.bias", row, -3e38)):
        struct.pack_into("<f", weights, header[name]["data_offsets"][0] + 4 * place, value)
    del header["__metadata__"]["rnn.probe"]
    tool.write("never.safetensors", join(header, bytes(weights)))
    command += ["6", "--init", "never.safetensors", "-o", "answers.rnn"]
    for option in ([], ["--skip-not-finite", "0"]):
        tool.fails("the loss of update 0 is inf", *command, *option)
    found = tool.json(*command, "--skip-not-finite", "1")
    expect(found["updates"] == 6 and found["skipped_updates"] == 6, found)
    expect("\nskipped     6 updates that were not finite\n" in tool.ok(*command, "--skip-not-finite", "1"), "the text")
    tool.write("asked", "Q" * 800)
    tool.fails("the loss of update 0 is inf", *command, "--skip-not-finite", "3")


def check_diverging(tool):
    """A loss that rises is said, once, and not of a training that learns."""
    command = ["train", "text", "--hidden", "8", "--cell", "vanilla", "--validations", "1", "-o", "rising.rnn", "--updates"]
    said = tool.run(*command, "30", "--learning-rate", "30", "--quiet").stderr.decode()
    expect(re.search(r"rnn: note: the training diverges: its loss was [\d.]+ and is [\d.]+ after \d+ updates; a lower "
                     r"--learning-rate", said) and said.count("note") == 1, said)
    expect("note" not in tool.run(*command, "100", "--quiet").stderr.decode(), "a training that learns")


def check_validation(tool):
    """A number is a part of the text, whatever there is of that name; a path is a file."""
    tool.write("0.1", "t")
    expect(tool.train("text", "--updates", "2")["validation"]["characters"] > 300, "--validation 0.1")
    tool.fails("validation text has 1 char", "train", "text", "--validation", "./0.1")


def check_files(tool):
    """Nothing that is read is written over, nor one output by the other."""
    text = (tool.folder / "text").read_bytes()
    tool.write("text.rnn", text)
    (tool.folder / "folder").mkdir()
    (tool.folder / "link.rnn").symlink_to("text.rnn")
    os.link(tool.folder / "text.rnn", tool.folder / "hard.rnn")
    command = ["train", "text.rnn", "--hidden", "4", "--updates", "2", "--quiet"]
    for name in ("text.rnn", "./text.rnn", "folder/../text.rnn", tool.folder / "text.rnn", "link.rnn", "hard.rnn"):
        tool.fails("--out and the text are the same file", *command, "-o", name, status=2)
        tool.fails("--checkpoint and the text are the same file", *command, "--checkpoint", name, status=2)
    tool.write("validation.rnn", text)
    for option in ("--out", "--checkpoint"):
        tool.fails(f"{option} and --validation are the same file", *command, "--validation", "validation.rnn", option,
                   "folder/../validation.rnn", status=2)
    for name in ("./new.rnn", "new.unfinished.rnn"):
        tool.fails("--out and --checkpoint are the same file", *command, "-o", "new.rnn", "--checkpoint", name, status=2)
    tool.write("text.unfinished.rnn", text)
    tool.fails("the unfinished model and the text are the same file", "train", "text.unfinished.rnn", "-o", "text.rnn",
               status=2)
    expect(not (tool.folder / "new.rnn").exists(), "a refused training leaves a file")
    for name in ("text.rnn", "validation.rnn", "text.unfinished.rnn"):
        expect((tool.folder / name).read_bytes() == text, f"{name} is overwritten")


def check_failures(tool):
    """A training that cannot begin leaves no model."""
    for message, *options in (("not for training", "--compute", "int8"),
                              ("config.projection_size is 3", "--projection", "3"),
                              ("cannot write no/such/file: No such", "--checkpoint", "no/such/file"),
                              ("cannot write text/file: Not a dir", "--checkpoint", "text/file"),
                              ("cannot write folder: not a regular", "--checkpoint", "folder"),
                              ("nan|not finite", "--learning-rate", "100", "--cell", "vanilla", "--weight-decay", "1000")):
        tool.fails(message, "train", "text", "--updates", "400", "--hidden", "4", "--quiet", "-o", "new.rnn", *options)
        expect(not (tool.folder / "new.rnn").exists(), f"{options}: a failed training leaves a model")


def check_kept(tool):
    """A model that is there stays until another is trained."""
    command = ["train", "text", "--hidden", "16", "--quiet", "-o", "kept.rnn"]
    good, unfinished = tool.folder / "kept.rnn", tool.folder / "kept.unfinished.rnn"
    tool.ok(*command, "--updates", "20")
    before = good.read_bytes()
    for option in (["--compute", "int8"], ["--batch", "4096"]):
        tool.run(*command, *option)
        expect(good.read_bytes() == before and not unfinished.exists(), f"{option}: a failed training changes the model")

    # Failed behind its first validations, whose best model is beside the one that was there, if there was one.
    bad = ["--learning-rate", "100", "--cell", "vanilla", "--weight-decay", "1000", "--updates", "400", "--validations",
           "400"]
    tool.fails("(nan|not finite).*; the best model so far is in kept.unfinished.rnn", *command, *bad)
    expect(good.read_bytes() == before, "a failed training changes the model")
    tool.json("eval", "kept.unfinished.rnn", "text")
    unfinished.unlink()
    tool.fails("(nan|not finite).*; the best model so far is in other.rnn", *command[:-1], "other.rnn", *bad)
    tool.json("eval", "other.rnn", "text")
    expect(not (tool.folder / "other.unfinished.rnn").exists(), "a failed training leaves two models")

    # Stopped at its first validation, whose model is beside the one that was there.
    process = subprocess.Popen(tool.command(*command, "--updates", "100000", "--validations", "20000", "--json"),
                               cwd=tool.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not unfinished.exists() and time.monotonic() < end:
        time.sleep(0.01)
    expect(good.read_bytes() == before, "a training that goes on changes the model")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    expect(process.returncode == 130, f"stopped: {process.returncode}, {error}")
    found = json.loads(out)
    expect(found["model"] == "kept.unfinished.rnn" and found["interrupted"], found)
    expect(good.read_bytes() == before, "a stopped training changes the model")
    evaluated = tool.json("eval", "kept.unfinished.rnn", "text")
    expect(evaluated["characters"] > 0, evaluated)

    # One that is finished takes its place, and leaves nothing beside it.
    found = tool.json(*command, "--updates", "4")
    expect(found["model"] == "kept.rnn" and good.read_bytes() != before and not unfinished.exists(), found)


def check_suffixes(tool):
    """A model is not saved under a name that promises another format."""
    for name in ("model.pt", "model.pth", "model.onnx", "model.h", "model.gguf", "model.SAFETENSORS", "model", "rnn", ".rnn"):
        tool.fails(r"saved as \.safetensors or \.rnn, not as .*rnn convert makes .*\.h files", "train", "text", "-o",
                   name, status=2)
        expect(not (tool.folder / name).exists(), f"{name} is written")


def check_effects(tool):
    """What would change nothing is refused, or said."""
    command = ["train", "text", "--hidden", "4", "--updates", "2", "--quiet", "-o", "new.rnn"]
    tool.fails("--dropout has no effect", *command, "--dropout", "0.1", status=2)
    tool.fails("--residual has no effect", *command, "--residual", status=2)
    for shape in (["--cell", "mingru", "--hidden", "4"], ["--layer-list", "dense:4:tanh,minlstm:4"]):
        tool.fails("--recurrent-dropout has no effect", "train", "text", *shape, "--updates", "2", "--quiet", "-o", "new.rnn",
                   "--recurrent-dropout", "0.1", status=2)
    tool.fails("--keep-vocabulary has no effect", *command, "--keep-vocabulary", status=2)
    expect(not (tool.folder / "new.rnn").exists(), "a refused training leaves a file")
    tool.write("long", SENTENCE * 32000)
    for option, message in (("--window=60000", "--window: the pieces"), ("--validations=3", "--validations: there are 2"),
                            ("--validation=0.5", "--validation: no more than 100000")):
        said = tool.run("train", "long", *command[2:], option).stderr.decode()
        expect(said.startswith(f"rnn: note: {message}") and said.count("\n") == 1, f"{option}: {said}")
    expect(tool.run(*command, "--dropout", "0").stderr == b"", "--dropout 0")


def check_errors(tool):
    tool.fails("missing", "train", "missing")
    tool.fails("directory", "train", ".")
    tool.fails("0 characters", "train", tool.write("empty", ""))
    tool.fails("7 characters", "train", tool.write("tiny", "letters"))
    tool.fails("too short", "train", tool.write("few", "x" * 37))
    tool.fails("80 characters to learn.* at least 129", "train", tool.write("few", "x" * 88), "--batch", "64")
    tool.fails("missing", "train", "text", "--validation", "missing")
    tool.fails(r"other, line 2, column 3: the character '\?' \(U\+003F\)", "train", "text", "--validation",
               tool.write("other", "the\nce?"))
    tool.fails("no/such", "train", "text", "--quiet", "-o", "no/such/model.rnn")


def check(tool):
    check_learns(tool)
    check_lengths(tool)
    check_cells(tool)
    check_lists(tool)
    check_list_errors(tool)
    check_lanes(tool)
    check_bytes(tool)
    check_encodings(tool)
    check_memory(tool)
    check_progress(tool)
    check_smoothing(tool)
    check_schedule(tool)
    check_skipping(tool)
    check_diverging(tool)
    check_validation(tool)
    check_files(tool)
    check_failures(tool)
    check_kept(tool)
    check_suffixes(tool)
    check_effects(tool)
    check_errors(tool)


main(check)
