#!/usr/bin/env python3
"""Check the arithmetic of scripts/scaling on measurements that are made up: scaling_test.py ROOT

Pictures are checked where there is gnuplot.
"""

import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

CALLS = ("gradients", "facts", "values", "votes")
RATE = 1e9 / 8 * 1448 / 1538  # bytes a second of 1 Gbit/s
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}

failures = []


def expect(condition, message):
    if not condition:
        failures.append(message)


def rank(seconds, gradients, facts, values, votes):
    counters = {f"{call}_{way}": size for call, sizes in zip(CALLS, (gradients, facts, values, votes))
                for way, size in zip(("sent", "received"), sizes)}
    return {"seconds": seconds, **counters}


def document():
    """A large network, whose gradients take long, and a small one."""
    benchmarks = {}
    for shape, scale in (("512x2", 10), ("256x1", 1)):
        name = f"scaling/lstm/{shape}/"
        benchmarks.update({name + f"batch{b}": {"seconds": scale * seconds}
                           for b, seconds in ((1, 0.011), (2, 0.016), (4, 0.025), (8, 0.041))})
        benchmarks.update({name + "step/lanes1": {"seconds": scale * 0.001},
                           name + "step/lanes2": {"seconds": scale * 0.0015},
                           name + "step/ranks2": rank(scale * 0.002, (scale * 500000, scale * 600000), (40, 50),
                                                      (scale * 500000, scale * 400000), (16, 16)),
                           name + "step/ranks4": rank(scale * 0.003, (scale * 900000, scale * 750000), (90, 80),
                                                      (scale * 800000, scale * 750000), (48, 48))})
    for kind, seconds in (("threads1", 0.06), ("threads2", 0.04), ("ranks2", 0.03)):
        benchmarks[f"ranks/lstm/256x1/{kind}"] = {"seconds": seconds}
    return {"cpu": "A CPU", "cores": 2, "isa": "avx2", "librnn": "0.1.0", "compiler": "GCC", "date": "2030-01-02",
            "load": 0.5, "repetitions": 3, "benchmarks": benchmarks}


def scaling(root, path, *options):
    done = subprocess.run([sys.executable, root / "scripts/scaling", "--from", path, *options], capture_output=True,
                          text=True, cwd=path.parent)
    return done.returncode, done.stdout, done.stderr


def tables(output):
    """(kind of scaling, network) -> ranks -> cells."""
    result, kind, shape = {}, None, None
    for line in output.splitlines():
        if line.startswith(("Weak", "Strong")):
            kind = line
        elif line.startswith("LSTM"):
            shape = line
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[0].isdigit():
            result.setdefault((kind.split(":")[0] + " lane" * ("as many" in kind), shape.split(",")[1].strip()),
                              {})[int(cells[0])] = cells[1:]
    return result


def seconds(cell):
    number, unit = cell.split()
    return float(number) * UNITS[unit]


def near(cell, expected):
    return math.isclose(seconds(cell), expected, rel_tol=0.006)


def check_row(rows, ranks, sequences, work, exchange, efficiency, overlap):
    row = rows[ranks]
    expect(row[0] == str(sequences), f"{ranks} ranks: {row[0]} sequences instead of {sequences}")
    for cell, value in zip(row[1:4], (work, work + exchange, exchange)):
        expect(near(cell, value) if value else cell == "", f"{ranks} ranks: {cell} instead of {value:.5g} s")
    for cell, value in zip(row[4:], (efficiency, overlap)):
        expect(cell == (f"{value:.0%}" if value is not None else ""), f"{ranks} ranks: {cell} instead of {value}")


def saved(shares, below, size, overhead):
    """By sending those shares of the bytes before a part of the backward pass, and the rest after it."""
    early = size * shares + overhead
    return max(0, size + overhead - max(early - below, 0) - size * (1 - shares) - overhead)


def check_model(root, path):
    code, output, errors = scaling(root, path, "--bandwidth", "1", "--latency", "100", "--message", "10",
                                   "--per-rank", "3", "--batch", "16")
    expect(code == 0, f"exits with {code}: {errors}")
    found = tables(output)
    expect(len(found) == 6, f"tables of {sorted(found)}")
    if failures:
        return
    exchange2 = (1 + 3) * 100e-6 + 10e-6 + (600000 + 50 + 400000 + 16) / RATE
    exchange4 = (1 + 3 * 2) * 100e-6 + 3 * 10e-6 + (900000 + 80 + 750000 + 48) / RATE

    # Of one layer the head's gradients alone can travel before all are there.
    H, V = 256, 65
    shares, below = V * (H + 1) / (V * (H + 1) + 4 * H * (V + H + 1)), 2 / 3 * 4 * H / (4 * H + V)

    def overlap(size, overhead, lane, total):
        return saved(shares, below * lane, size / RATE, overhead) / total

    weak = found["Weak scaling", "1 layer of 256"]
    one = (0.016 + 0.025) / 2
    check_row(weak, 1, 3, one, 0, 1, None)
    total = one + 0.001 + exchange2
    check_row(weak, 2, 3, one + 0.001, exchange2, one / total, overlap(600000, 110e-6, one - 0.0005, total))
    total = one + 0.002 + exchange4
    check_row(weak, 4, 3, one + 0.002, exchange4, one / total, overlap(900000, 130e-6, one - 0.0005, total))

    # 16 lanes of a sequence; the next ones cost what a second lane of one step does more.
    strong, lane = found["Strong scaling", "1 layer of 256"], 0.011 - 0.001 + 0.0005
    one = 0.011 + 15 * lane
    check_row(strong, 1, 16, one, 0, 1, None)
    work = 0.003 + 0.011 - 0.001 + 3 * lane
    total = work + exchange4
    check_row(strong, 4, 4, work, exchange4, one / total / 4, overlap(900000, 130e-6, lane, total))

    # In proportion beyond 8 sequences.
    strong = found["Strong scaling lane", "1 layer of 256"]
    one = 0.001 + 0.04 * 2
    check_row(strong, 1, 16, one, 0, 1, None)
    work = 0.003 + 0.025 - 0.001
    total = work + exchange4
    check_row(strong, 4, 4, work, exchange4, one / total / 4, overlap(900000, 130e-6, 0.0245, total))

    # Of two layers also the upper one's.
    H = 512
    upper, lower, head = 4 * H * (2 * H + 1), 4 * H * (V + H + 1), V * (H + 1)
    exchange4 = (1 + 3 * 2) * 100e-6 + 3 * 10e-6 + (9000000 + 80 + 7500000 + 48) / RATE
    one, work = 0.205, 0.205 + 0.02
    total, below = work + exchange4, 2 / 3 * 0.2 * 4 * H / (12 * H + V)
    gain = saved((upper + head) / (upper + lower + head), below, 9000000 / RATE, 130e-6) / total
    check_row(found["Weak scaling", "2 layers of 512"], 4, 3, work, exchange4, one / total, gain)
    expect(gain > 0.05 and "LSTM, 2 layers of 512; 1 Gbit/s; weak: up to " in output,
           "does not say where an overlap is worth it")
    expect("1 layer of 256: 2.00 x one core with two ranks, 1.50 x with two threads" in output, "no measured ratios")


def check_options(root, path):
    _, output, _ = scaling(root, path, "--cores", "11", "--bandwidth", "100")
    row = tables(output)["Weak scaling", "1 layer of 256"][1]
    expect(near(row[1], (0.001 + 0.04 * 8) / 10), f"11 cores, 0.9 for each further one: {row[1]}")
    code, output, _ = scaling(root, path, "--batch", "2")
    expect(code == 0 and sorted(tables(output)["Strong scaling", "1 layer of 256"]) == [1, 2],
           "more ranks than sequences")
    for option, value, word in (("--bandwidth", "10,0", "above 0"), ("--latency", "-1", "below 0"),
                                ("--cores", "0", "at least 1")):
        code, _, errors = scaling(root, path, option, value)
        expect(code == 2 and word in errors, f"{option} {value}: exits with {code}: {errors}")


def check_report(root, path):
    code, output, errors = scaling(root, path, "--report", "--to", path.parent / "out")
    expect(code == 0, f"report: exits with {code}: {errors}")
    if code != 0:
        return
    results, picture = map(pathlib.Path, output.splitlines()[-2:])
    expect(json.loads(results.read_text()) == json.loads(path.read_text()), "other results than it was given")
    text = picture.read_text()
    expect(text.isascii() and "\t" not in text and " \n" not in text, "picture: not ASCII, tabs, trailing blanks")
    words = " ".join(xml.etree.ElementTree.fromstring(text).itertext())
    for word in ("1 layer of 256: weak", "2 layers of 512: strong", "100 Gbit/s, a lane a rank", "ideal", "A CPU",
                 "25 us"):
        expect(word in words, f"picture: no '{word}'")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "results.json"
        path.write_text(json.dumps(document()))
        check_model(root, path)
        check_options(root, path)
        if shutil.which("gnuplot"):
            check_report(root, path)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
