#!/usr/bin/env python3
"""Prints the results that scripts/bench has written as one table, and one more for each other library.

  scripts/bench_table.py [--best] [folder]

The folder is build/bench, with RNN_ISA=avx2 build/bench/avx2.
Times are medians of the repetitions; with --best the shortest, for a machine on which others work too.
They are CPU times, or wall-clock times where several threads work.

  x naive   how many times faster than the naive side of the same program
  of limit  how much of what the machine can do: the longer of a bare read of the same bytes and of the same
            multiply-adds in registers (on as many threads), divided by the time

Latency is the median, p99 and p99.9 of single calls, as wall-clock times.
"""

import argparse
import collections
import glob
import json
import os
import re
import statistics
import subprocess
import sys

KINDS = ["limit", "step", "latency", "block", "streams", "sequence", "train", "kernel"]
PEERS = "libmvec|sleef|xsimd|openblas|eigen_avx2|eigen"  # tanh_libmvec is compared with tanh_naive
QUANTILES = {"p50": "median", "p99": "p99", "p999": "p99.9"}


class Program:
    """The results of one program, by name: seconds, and counters of the first repetition.

    What a program has not is left out. Seconds of latency are the median call's."""

    def __init__(self, path, summarise):
        with open(path) as f:
            data = json.load(f)
        self.name = os.path.basename(path)[len("bench_"):-len(".json")]
        self.context = data["context"]
        times = collections.defaultdict(list)
        quantiles = collections.defaultdict(list)
        self.counters = {}
        for run in data["benchmarks"]:
            if run["run_type"] == "iteration" and not run.get("error_occurred"):
                name = run["name"]
                for quantile in QUANTILES:
                    if quantile in run:
                        quantiles[name, quantile].append(run[quantile])
                time = run["real_time" if run.get("workers", 1) > 1 else "cpu_time"]
                times[name].append(time * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]])
                self.counters.setdefault(name, run)
        self.seconds = {name: summarise(values) for name, values in times.items()}
        self.quantiles = {key: summarise(values) for key, values in quantiles.items()}
        self.seconds.update({name: value for (name, quantile), value in self.quantiles.items() if quantile == "p50"})
        self.repetitions = max((len(values) for values in times.values()), default=0)

    def naive(self, name):
        kind, implementation, rest = name.split("/", 2) if name.count("/") > 1 else (name, "", "")
        if kind == "kernel":
            other = f"kernel/{re.sub(f'_({PEERS})$', '', implementation)}_naive/{rest}"
        else:
            other = re.sub(r"threads\d+$", "threads1", f"{kind}/naive/{rest}")
        return self.seconds.get(other) if other != name else None

    def limit(self, name):
        """Seconds that the machine needs for the same: (of reading, of multiplying), None where unknown."""
        counters = self.counters[name]
        read = self.seconds.get(f"limit/read/{counters.get('bytes', 0):.0f}")
        fma = None
        if "flops" in counters and "limit/fma" in self.seconds:
            peak = self.counters["limit/fma"]["flops"] / self.seconds["limit/fma"]
            fma = counters["flops"] / peak / counters.get("workers", 1)
        return read, fma

    def of_limit(self, name):
        """How much of what the machine can do; 0 where unknown."""
        return max(limit or 0 for limit in self.limit(name)) / self.seconds[name]

    def row(self, name):
        seconds = self.seconds[name]
        counters = self.counters[name]
        naive = self.naive(name)
        read, fma = self.limit(name)
        of_limit = self.of_limit(name)
        if (name, "p50") in self.quantiles:
            rate = ", ".join(f"{text} {time_text(self.quantiles[name, quantile])}"
                             for quantile, text in QUANTILES.items() if quantile != "p50")
        elif "bytes" in counters and (fma or 0) <= (read or 0):
            rate = f"{counters['bytes'] / seconds / 1e9:.1f} GB/s"
        elif "flops" in counters:
            rate = f"{counters['flops'] / seconds / 1e9:.1f} GFLOP/s"
        else:
            rate = f"{counters['elements'] / seconds / 1e9:.2f} G/s" if "elements" in counters else ""
        return [name, time_text(seconds), rate, f"{naive / seconds:.2f}" if naive else "",
                f"{of_limit:.0%}" if of_limit and not name.startswith("limit/") else ""]


def results_folder():
    """Where scripts/bench leaves what it measures; on a chosen instruction set a folder of its own."""
    return os.path.join("build/bench", os.environ.get("RNN_ISA", "")).rstrip("/")


def read_programs(folder, names, summarise=statistics.median):
    """The results in a folder. A program of which a filter left nothing has written an empty file."""
    paths = [os.path.join(folder, f"bench_{name}.json") for name in names]
    return [Program(path, summarise) for pattern in paths for path in sorted(glob.glob(pattern))
            if os.path.getsize(path)]


def order(name):
    """By kind, then by size as numbers, with both sides of a comparison next to each other."""
    kind, *rest = name.split("/")
    if kind not in ("limit", "kernel"):
        rest = rest[1:] + rest[:1]
    numbers = [[int(part) if part.isdigit() else part for part in re.split(r"(\d+)", word)] for word in rest]
    return KINDS.index(kind), numbers


def print_peers(program, summary):
    """Each workload of librnn and of the peers in the same program: times, the fastest peer's by librnn's, and
    librnn's of the limit."""
    workloads = collections.defaultdict(dict)
    for name, seconds in program.seconds.items():
        if name.count("/") > 1 and not name.startswith("limit/"):
            kind, side, rest = name.split("/", 2)
            workloads[f"{kind}/rnn/{rest}"][side] = seconds
    sides = ["rnn"] + sorted({side for times in workloads.values() for side in times} - {"rnn"})
    rows = [["benchmark", *sides, "x best peer", "of limit"]]
    for name in sorted(workloads, key=order):
        times = workloads[name]
        peers = [times[side] for side in sides[1:] if side in times]
        ratio = f"{min(peers) / times['rnn']:.2f}" if peers and "rnn" in times else ""
        cells = [time_text(times[side]) if side in times else "" for side in sides]
        of_limit = program.of_limit(name) if "rnn" in times else 0
        rows.append([name.replace("/rnn/", "/", 1), *cells, ratio, f"{of_limit:.0%}" if of_limit else ""])
    print()
    for side in sides[1:]:
        print(f"{side} {program.context.get('peer_' + side, '')}")
        if "training_of_" + side in program.context:
            print(f"  train: {program.context['training_of_' + side]}")
    print(f"{summary} of {program.repetitions} repetitions\n")
    print_table(rows)


def time_text(seconds):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e3), ("us", 1e6)) if seconds * u[1] >= 1), ("ns", 1e9))
    value = seconds * scale
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"


def lscpu(key):
    try:
        environment = {**os.environ, "LC_ALL": "C"}
        lines = subprocess.run(["lscpu"], capture_output=True, text=True, env=environment).stdout
    except OSError:
        lines = ""
    found = re.search(rf"^{key}:\s*(.+)$", lines, re.MULTILINE)
    return found.group(1) if found else ""


def cpu_model():
    return lscpu("Model name") or "unknown CPU"


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    align = [str.ljust] + [str.rjust] * (len(widths) - 1)
    for number, row in enumerate(rows):
        print("| " + " | ".join(a(cell, width) for a, cell, width in zip(align, row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 1) + ":-"[i == 0] for i, width in enumerate(widths)) + "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--best", action="store_true", help="the shortest times, not the medians")
    parser.add_argument("folder", nargs="?", default=results_folder())
    arguments = parser.parse_args()

    summarise = min if arguments.best else statistics.median
    summary = "shortest" if arguments.best else "medians"
    programs = read_programs(arguments.folder, ["step", "train", "kernels"], summarise)
    peers = read_programs(arguments.folder, ["peer_*"], summarise)
    if not programs + peers:
        sys.exit(f"{arguments.folder} holds no results; scripts/bench makes them")

    context = (programs + peers)[0].context
    print(f"{cpu_model()}, {context['num_cpus']} cores; {context['isa']}; librnn {context['librnn']}, "
          f"{context['compiler']}; {context['date']}")
    for key, version in sorted({item for program in programs for item in program.context.items()
                                if item[0].startswith("peer_")}):
        print(f"{key[len('peer_'):]} {version}")
    if programs:
        print(f"{summary} of {'/'.join(str(p.repetitions) for p in programs)} repetitions\n")
        rows = {}
        for program in programs:
            for name in program.seconds:
                rows.setdefault(name, program.row(name))
        print_table([["benchmark", "time", "rate", "x naive", "of limit"]] +
                    [rows[name] for name in sorted(rows, key=order)])
    for program in peers:
        print_peers(program, summary)


if __name__ == "__main__":
    main()
