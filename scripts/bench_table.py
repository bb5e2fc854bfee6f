#!/usr/bin/env python3
"""Prints one table of the results that scripts/bench has written.

  scripts/bench_table.py [--best] [folder]

Times are medians of the repetitions; with --best the shortest, for a machine on which others work too.
They are CPU times, or wall-clock times where several threads work.

  x naive   how many times faster than the naive side of the same program
  of limit  how much of what the machine can do: the longer of a bare read of the same bytes and of the same
            multiply-adds in registers (on as many threads), divided by the time
"""

import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

KINDS = ["limit", "step", "train", "kernel"]
PEERS = "libmvec|sleef|xsimd"  # tanh_libmvec is compared with tanh_naive


class Program:
    """The results of one program, by name: seconds, and counters of the first repetition."""

    def __init__(self, path, summarise):
        with open(path) as f:
            data = json.load(f)
        self.context = data["context"]
        times = collections.defaultdict(list)
        self.counters = {}
        for run in data["benchmarks"]:
            if run["run_type"] == "iteration":
                name = run["name"]
                time = run["real_time" if run.get("workers", 1) > 1 else "cpu_time"]
                times[name].append(time * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]])
                self.counters.setdefault(name, run)
        self.seconds = {name: summarise(values) for name, values in times.items()}
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

    def row(self, name):
        seconds = self.seconds[name]
        counters = self.counters[name]
        naive = self.naive(name)
        read, fma = self.limit(name)
        limit = max(read or 0, fma or 0)
        if "bytes" in counters and (fma or 0) <= (read or 0):
            rate = f"{counters['bytes'] / seconds / 1e9:.1f} GB/s"
        elif "flops" in counters:
            rate = f"{counters['flops'] / seconds / 1e9:.1f} GFLOP/s"
        else:
            rate = f"{counters.get('elements', 0) / seconds / 1e9:.2f} G/s"
        return [name, time_text(seconds), rate, f"{naive / seconds:.2f}" if naive else "",
                f"{limit / seconds:.0%}" if limit and not name.startswith("limit/") else ""]


def order(name):
    """By kind, then by size as numbers, with both sides of a comparison next to each other."""
    kind, *rest = name.split("/")
    if kind in ("step", "train"):
        rest = rest[1:] + rest[:1]
    numbers = [[int(part) if part.isdigit() else part for part in re.split(r"(\d+)", word)] for word in rest]
    return KINDS.index(kind), numbers


def time_text(seconds):
    unit, scale = next((u for u in (("s", 1), ("ms", 1e3), ("us", 1e6)) if seconds * u[1] >= 1), ("ns", 1e9))
    value = seconds * scale
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"


def cpu_model():
    try:
        environment = {**os.environ, "LC_ALL": "C"}
        lines = subprocess.run(["lscpu"], capture_output=True, text=True, env=environment).stdout
    except OSError:
        lines = ""
    found = re.search(r"^Model name:\s*(.+)$", lines, re.MULTILINE)
    return found.group(1) if found else "unknown CPU"


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
    parser.add_argument("folder", nargs="?", default="build/bench")
    arguments = parser.parse_args()

    paths = [os.path.join(arguments.folder, f"bench_{name}.json") for name in ("step", "train", "kernels")]
    summarise = min if arguments.best else statistics.median
    programs = [Program(path, summarise) for path in paths if os.path.exists(path)]
    if not programs:
        sys.exit(f"{arguments.folder} holds no results; scripts/bench makes them")

    context = programs[0].context
    print(f"{cpu_model()}, {context['num_cpus']} cores; {context['isa']}; librnn {context['librnn']}, "
          f"{context['compiler']}; {context['date']}")
    print(("shortest" if arguments.best else "medians") +
          f" of {'/'.join(str(p.repetitions) for p in programs)} repetitions\n")

    rows = {}
    for program in programs:
        for name in program.seconds:
            rows.setdefault(name, program.row(name))
    head = ["benchmark", "time", "rate", "x naive", "of limit"]
    print_table([head] + [rows[name] for name in sorted(rows, key=order)])


if __name__ == "__main__":
    main()
