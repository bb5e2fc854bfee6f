#!/usr/bin/env python3
"""Writes the results that scripts/bench and scripts/bench_peers have left as one JSON file, and draws them.

  scripts/bench_report.py [--to bench/results] [folder ...]
  scripts/bench_report.py --draw bench/results/<cpu>-<isa>.json ...

The folders are build/bench and build/bench/peers, with RNN_ISA=avx2 build/bench/avx2 and build/bench/avx2/peers. The
files are named after the machine and the instruction set: <cpu>-<isa>.json, and beside it <cpu>-<isa>-roofline.svg,
-step.svg, -training.svg and, from four cores up, -threads.svg, as far as there are results for them. --draw draws
those of JSON files that are there. In the JSON file each program has the command that ran it, what it was built of, and
its benchmarks. Their numbers are:

  seconds   a call's, the median of the repetitions; latencies are medians of calls and have p99 and p99.9 too
  gflops    multiply-adds, twice, that the workload needs, in 10^9 a second
  gb_per_s  bytes of weights in 10^9 a second
  of_limit  as in scripts/bench_table.py

In the pictures a number that several programs have measured is the median of theirs; ratios to other libraries are of
times that one program has measured in turn.
"""

import argparse
import collections
import json
import math
import os
import re
import shutil
import statistics
import sys

import bench_table
from bench_plot import (BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Panel, Style, draw, label, picture_script,
                        tics)

CELLS = {"vanilla": "vanilla", "gru": "GRU", "lstm": "LSTM"}

# The sizes in a benchmark's name, x the hidden one; of inputs that are indices or numbers the numbers, which all have.
SIZES = r"(?!65x128x65(?!/dense))\d+x(?P<x>\d+)x\d+(/dense)?"


# The document.

def cpu_name():
    """The CPU's name without what says nothing; a virtual machine may hide the model, which its features show."""
    name = re.sub(r"\((R|TM)\)|@.*| CPU\b| \d+-Core|\bProcessor\b", "", bench_table.cpu_model())
    name = " ".join(name.split())
    flags, family = bench_table.lscpu("Flags").split(), bench_table.lscpu("CPU family")
    if "AMD" in name and not re.search(r"\d", name):
        zen = {"25": "Zen 4" if "avx512f" in flags else "Zen 3", "26": "Zen 5"}.get(family)
        name += f" ({zen})" if zen else ""
    return name


def rounded(value):
    return float(f"{value:.4g}")


def entry(program, name):
    """One benchmark's numbers."""
    seconds, counters = program.seconds[name], program.counters[name]
    values = {"seconds": seconds}
    for quantile, text in bench_table.QUANTILES.items():
        if quantile != "p50" and (name, quantile) in program.quantiles:
            values[text] = program.quantiles[name, quantile]
    for counter, rate in (("flops", "gflops"), ("bytes", "gb_per_s")):
        if counter in counters:
            values[rate] = counters[counter] / seconds / 1e9
    if not name.startswith("limit/") and program.of_limit(name):
        values["of_limit"] = program.of_limit(name)
    return {key: rounded(value) for key, value in values.items()}


def program_document(program):
    context = program.context
    keys = [key for key in context if key in ("date", "command", "librnn", "compiler") or
            key.startswith(("peer_", "training_of_"))]
    return {**{key: context[key] for key in sorted(keys)},
            "load": context["load_avg"][0] if context.get("load_avg") else 0,
            "repetitions": program.repetitions,
            "benchmarks": {name: entry(program, name) for name in sorted(program.seconds, key=bench_table.order)}}


def make_document(folders):
    """All programs; the newest run of each, and only runs on the instruction set of the newest."""
    programs = {}
    for folder in folders:
        for program in bench_table.read_programs(folder, ["step", "train", "kernels", "peer_*"]):
            known = programs.get(program.name)
            if known is None or known.context["date"] < program.context["date"]:
                programs[program.name] = program
    if not programs:
        sys.exit(f"No results in {' and '.join(folders)}; scripts/bench makes them")
    context = max(programs.values(), key=lambda program: program.context["date"]).context
    for name in [name for name, program in programs.items() if program.context["isa"] != context["isa"]]:
        print(f"Left out: {name}, measured on {programs.pop(name).context['isa']}", file=sys.stderr)
    caches = {f"L{cache['level']}": cache["size"] for cache in context.get("caches", [])
              if cache["type"] != "Instruction"}
    return {"cpu": cpu_name(), "cores": context["num_cpus"], "isa": context["isa"], "caches": caches,
            "librnn": context["librnn"], "date": context["date"][:10],
            "programs": {name: program_document(program) for name, program in programs.items()}}


def json_text(value, depth=0):
    """Indented, and a line for each benchmark."""
    if not isinstance(value, dict) or depth and not any(isinstance(v, (dict, str)) for v in value.values()):
        return json.dumps(value)
    lines = [f"{' ' * (depth + 2)}{json.dumps(key)}: {json_text(v, depth + 2)}" for key, v in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}" if lines else "{}"


# A library, or librnn with other numbers: its name, colour and mark. Ways to use one (torch_cell) are named after it.
SIDES = {"rnn": ("librnn", RED, 7), "rnn_bf16": ("librnn, bf16", RED, 6), "rnn_int8": ("librnn, int8", RED, 8),
         "onednn": ("oneDNN", BLUE, 5), "onnxruntime": ("ONNX Runtime", GREEN, 9), "torch": ("PyTorch", PURPLE, 13),
         "rtneural": ("RTNeural", ORANGE, 11), "naive": ("plain C++", GREY, 4)}


def side_name(side):
    return SIDES.get(side, (side,))[0]


def side_style(side):
    _, colour, mark = SIDES.get(side, (side, SKY, 6))
    return Style(colour, mark, 3 if side == "rnn" else 1.5, 2 if side.startswith("rnn_") else 1)


# What is drawn.

class Results:
    """The benchmarks of a document."""

    def __init__(self, document):
        self.caches, self.cores = document["caches"], document["cores"]
        self.programs = [program["benchmarks"] for program in document["programs"].values()]
        entries = collections.defaultdict(list)
        for program in document["programs"].values():
            for name, values in program["benchmarks"].items():
                entries[name].append(values)
        self.entries = {name: {key: statistics.median(one[key] for one in several if key in one) for key in several[0]}
                        for name, several in entries.items()}
        for values in self.entries.values():
            if "of_limit" in values:
                values["limit"] = values["seconds"] * values["of_limit"]
            if "gb_per_s" in values:
                values["bytes"] = values["seconds"] * values["gb_per_s"] * 1e9
                values["flops_per_byte"] = values.get("gflops", 0) / values["gb_per_s"]
        self.peak = self.entries.get("limit/fma", {}).get("gflops")
        self.notes = {key[len("training_of_"):]: text for program in document["programs"].values()
                      for key, text in program.items() if key.startswith("training_of_")}

    def matching(self, pattern):
        """(match, entry) of each name that the pattern matches whole."""
        for name, values in self.entries.items():
            match = re.fullmatch(pattern, name)
            if match:
                yield match, values

    def points(self, pattern, x, y):
        return [(values[x], values[y]) for _, values in self.matching(pattern) if x in values and y in values]

    def by_side(self, pattern, number):
        """side -> {x: y} for a pattern with groups 'side' and 'x'; of a library's ways, the fastest."""
        best = {}
        for match, values in self.matching(pattern):
            side = match["side"] if match["side"] in SIDES else match["side"].split("_")[0]
            key = side, int(match["x"])
            if key not in best or values["seconds"] < best[key]["seconds"]:
                best[key] = values
        sides = collections.defaultdict(dict)
        for side in [*SIDES, *sorted({side for side, _ in best} - set(SIDES))]:
            for (other, x), values in best.items():
                if other == side and number in values:
                    sides[side][x] = values[number]
        return sides

    def best_peers(self, pattern):
        """x -> (its time by librnn's, side) of the fastest other library, for a pattern with groups 'side' and 'x'.

        Both are of the same program, of which each measures one library and librnn."""
        best = {}
        for program in self.programs:
            times = collections.defaultdict(dict)
            for name, values in program.items():
                match = re.fullmatch(pattern, name)
                if match:
                    times[match["x"]][match["side"]] = values["seconds"]
            for x, sides in times.items():
                for side, seconds in sides.items():
                    if "rnn" in sides and side != "naive" and not side.startswith("rnn"):
                        ratio = seconds / sides["rnn"], side.split("_")[0]
                        best[x] = min(ratio, best.get(x, ratio))
        return best

    def reads(self):
        """(bytes, GB/s) of bare reads."""
        return sorted((int(match[1]), values["gb_per_s"]) for match, values in self.matching(r"limit/read/(\d+)"))

    def bandwidths(self):
        """Level -> GB/s of the reads that it holds but the level before does not; 'memory' is behind all."""
        result, low = {}, 0
        for level, size in [*sorted(self.caches.items()), ("memory", math.inf)]:
            rates = [rate for size_read, rate in self.reads() if low < size_read <= 0.75 * size]
            if rates:
                result[level] = statistics.median(rates)
            low = 1.25 * size
        return result


def bytes_text(size):
    for unit, scale in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size // scale} {unit}"
    return f"{size} B"


def bandwidth_panel(results):
    reads = results.reads()
    low, high = reads[0][0] / 1.5, reads[-1][0] * 1.5
    commands = [f"set xrange [{low}:{high}]", "set yrange [0:*]", "set logscale x 2",
                f"set xtics {tics((2**n, bytes_text(2**n)) for n in range(10, 40, 4))}"]
    for level, size in results.caches.items():
        if low < size < high:
            commands += [f"set arrow from {size}, graph 0 to {size}, graph 1 nohead dt 3 lc rgb '{GREY}'",
                         label(level, size, "graph 0.97", f"right offset -0.5,0 textcolor rgb '{GREY}'")]
    panel = Panel("Reading weights", "bytes of weights", "GB/s", commands)

    for pattern, style, title in (("step/rnn/.*", Style(RED, 7), "one stream's step"),
                                  ("kernel/gemv/.*", Style(BLUE, 5), "matrix products"),
                                  ("kernel/gemv_bf16/.*", Style(GREEN, 9), "matrix in bf16 by vector"),
                                  ("kernel/gemv_int8/.*", Style(PURPLE, 13), "matrix in int8 by vector")):
        panel.add(results.points(pattern, "bytes", "gb_per_s"), style, title)
    panel.add(reads, Style(BLACK, width=2), "bare read")
    return panel


def cluster_label(text, points, options, below=True):
    """Text under the lowest of the points, or over the highest, in the middle of them."""
    if not points:
        return []
    x = statistics.median(x for x, _ in points)
    y = min(y for _, y in points) / 1.12 if below else max(y for _, y in points) * 1.12
    return [label(text, x, y, f"{options} font ',11'")]


def roofline_labels(results):
    """Names of the clusters of points: what is worked on at once."""
    def points(pattern):
        return results.points(pattern, "flops_per_byte", "gflops")

    one = points(rf"step/rnn/\w+/{SIZES}") + points("kernel/gemv/.*")
    labels = cluster_label("one stream", one, f"center textcolor rgb '{RED}'")
    for rows in (2, 4, 8, 16, 32):
        labels += [label(f"{rows} rows" if rows == 2 else str(rows), x, results.peak,
                         f"center offset 0,0.6 font ',11' textcolor rgb '{BLUE}'")
                   for x, _ in points(f"kernel/gemm/{rows}x512x512")]
    for streams in (16, 64, 256):
        large = points(rf"streams/rnn/\w+/(?!\d+x16x){SIZES}/{streams}")
        labels += cluster_label(f"{streams} streams", large, f"center textcolor rgb '{ORANGE}'")
    small = points(r"streams/rnn/\w+/1x16x1/\d+")
    return labels + cluster_label("streams of 16 hidden units", small, f"center textcolor rgb '{ORANGE}'", below=False)


def roofline_panel(results):
    low, high = 0.25, 192
    floor = min(results.bandwidths().values(), default=results.peak) * low / 5
    commands = ["set logscale xy 2", f"set xrange [{low}:{high}]", f"set yrange [{floor}:{results.peak * 2}]",
                f"set xtics {tics((2.0**n, f'{2.0**n:g}') for n in range(-2, 8))}",
                f"set ytics {tics((2**n, str(2**n)) for n in range(0, 14))}",
                label(f"multiply-add peak, {results.peak:.0f} GFLOP/s", high, results.peak, "right offset 0,1.6"),
                "set key bottom right Left reverse samplen 2", *roofline_labels(results)]
    panel = Panel("Roofline, one core", "floating-point operations per byte of weights", "GFLOP/s", commands)
    for pattern, style, title in (("step/rnn/.*", Style(RED, 7), "one stream's step"),
                                  ("kernel/(gemm|gemv)/.*", Style(BLUE, 5), "matrix products"),
                                  ("kernel/[a-z]+_(forward|backward)/.*", Style(SKY, 6), "kernels of cells"),
                                  (rf"streams/rnn/\w+/{SIZES}/\d+", Style(ORANGE, 11), "many streams' step")):
        panel.add(results.points(pattern, "flops_per_byte", "gflops"), style, title)
    for number, (level, rate) in reversed(list(enumerate(results.bandwidths().items()))):
        panel.add([(low, low * rate), (results.peak / rate, results.peak), (high, results.peak)],
                  Style(BLACK, width=1.5, dash=(1, 2, 4, 3)[number % 4]), f"read from {level}, {rate:.0f} GB/s", True)
    return panel


def roofline(results):
    panels = [bandwidth_panel(results)] if results.reads() else []
    panels += [roofline_panel(results)] if results.reads() and results.peak else []
    return panels, 2, ["one thread, float unless named otherwise"]


def hidden_sizes(sizes):
    """Tics, of which those too near to the next have no text."""
    sizes = sorted(sizes)
    crowded = len(sizes) > 5
    return f"set xtics {tics((H, '' if crowded and H in (256, 1024) else str(H)) for H in sizes)}"


def add_sides(panel, sides):
    for side, points in sides.items():
        panel.add(points.items(), side_style(side), side_name(side))


RATIO_NOTES = ["margin: how many times as long as librnn the fastest other library takes, measured in turn with it"]
RATIO_TOP = 2.5  # of bars; the number on a bar says by how much it would be longer


def label_height(ratio):
    return min(ratio, RATIO_TOP) if not 0.8 < ratio < 1 else 1  # clear of the line at 1


def ratio_panel(title, best, order, text, x_label):
    """How many times as long as librnn the fastest other library takes, in its colour: margins that are too small for
    an axis with all times."""
    places = {x: number for number, x in enumerate(sorted(best, key=order))}
    panel = Panel(title, x_label, "best other's time / librnn's", [
        f"set xrange [-0.6:{len(places) - 0.4}]", f"set yrange [0:{RATIO_TOP * 1.12}]", "set ytics 0.5",
        f"set xtics {tics((place, text(x)) for x, place in places.items())} font ',10'", "unset grid",
        *(label(f"{best[x][0]:.2f}" if best[x][0] < 9.95 else f"{best[x][0]:.0f}", place, label_height(best[x][0]),
                "center offset 0,0.5 font ',10'") for x, place in places.items())])
    panel.add([(-0.6, 1), (len(places) - 0.4, 1)], Style(BLACK, width=1.5, dash=2))
    bars = collections.defaultdict(list)
    for x, (ratio, side) in best.items():
        bars[side].append((places[x], min(ratio, RATIO_TOP)))
    for side, points in bars.items():
        panel.add(points, Style(side_style(side).colour, width=16, bars=True))
    return panel


def step(results):
    panels, ratios = [], []
    for cell, title in CELLS.items():
        pattern = rf"step/(?P<side>\w+)/{cell}/{SIZES}"
        sides = results.by_side(pattern, "seconds")
        if not sides:
            continue
        sizes = {H for points in sides.values() for H in points}
        panel = Panel(title, "hidden units", "time of a step", [
            "set logscale xy", f"set xrange [{min(sizes) / 1.2}:{max(sizes) * 1.2}]", "set yrange [1e-8:1e-1]",
            hidden_sizes(sizes),
            f"set ytics {tics((10.0**n, bench_table.time_text(10.0**n)) for n in range(-8, 0))}"])
        add_sides(panel, sides)
        limits = results.by_side(pattern, "limit")
        panel.add(limits.get("rnn", {}).items(), Style(BLACK, width=1.5, dash=2), "bare read of the weights")
        panels.append(panel)
        best = results.best_peers(pattern)
        if best:
            ratios.append(ratio_panel(f"{title}: margin", best, int, str, "hidden units"))
    notes = ["one step of one stream on one thread; where a library has several ways, the fastest"]
    return panels + ratios, 3, notes + RATIO_NOTES * bool(ratios)


def training(results):
    panels = []
    for L in (1, 2):
        for cell, title in CELLS.items():
            sides = results.by_side(rf"train/(?P<side>\w+)/{cell}/(?P<x>\d+)x{L}/batch64/threads1", "gflops")
            if not sides:
                continue
            sizes = {H for points in sides.values() for H in points}
            top = max([results.peak or 0, *(rate for points in sides.values() for rate in points.values())])
            low, high = min(sizes) / 1.15, max(sizes) * 1.15
            panel = Panel(f"{title}, {L} layer{'s' * (L > 1)}", "hidden units", "GFLOP/s",
                          ["set logscale x 2", f"set xrange [{low}:{high}]", f"set yrange [0:{top * 1.1}]",
                           hidden_sizes(sizes)])
            add_sides(panel, sides)
            if results.peak:
                panel.add([(low, results.peak), (high, results.peak)], Style(BLACK, width=1.5, dash=2), "multiply-add peak of a core")
            panels.append(panel)
    ratios = []
    for cell, title in CELLS.items():
        best = results.best_peers(rf"train/(?P<side>\w+)/{cell}/(?P<x>\d+x[12])/batch64/threads1")
        if best:
            ratios.append(ratio_panel(f"{title}: margin", best, lambda x: [int(n) for n in reversed(x.split("x"))],
                                      lambda x: "{1}x{0}".format(*x.split("x")), "layers x hidden units"))
    drawn = {curve.title for panel in panels for curve in panel.curves}
    notes = ["whole updates of a character model on one thread: 65 characters, 100 steps, a batch of 64, Adam"]
    names = {side_name(side): text for side, text in results.notes.items()}
    notes += [f"{name}: {text}" for name, text in names.items() if name in drawn]
    return panels + ratios, 3, notes + RATIO_NOTES * bool(ratios)


def threads(results):
    """Nothing for machines of few cores, whose points would make no curve."""
    if results.cores < 4:
        return [], 3, []
    kinds = {"training, 64 sequences": ("train", r"(?P<x>\d+)x1/batch64/threads(?P<n>\d+)"),
             "32 sequences": ("sequence", SIZES + r"/T100xB32/threads(?P<n>\d+)"),
             "a step of 256 streams": ("streams", SIZES + r"/256(/threads(?P<n>\d+))?")}
    panels = []
    for title_of_kind, (kind, work) in kinds.items():
        for cell, title in CELLS.items():
            times = collections.defaultdict(dict)
            for match, values in results.matching(f"{kind}/rnn/{cell}/{work}"):
                times[int(match["x"])][int(match["n"] or 1)] = values["seconds"]
            times = {H: points for H, points in sorted(times.items()) if 1 in points and len(points) > 1}
            if not times:
                continue
            counts = sorted({n for points in times.values() for n in points})
            panel = Panel(f"{title}, {title_of_kind}", "threads", "speed-up per thread", [
                "set logscale x 2", f"set xrange [{counts[0] / 1.1}:{counts[-1] * 1.1}]", "set yrange [0:1.1]",
                f"set xtics {tics((n, str(n)) for n in counts)}", "set ytics 0.25"])
            for (H, points), (colour, mark) in zip(reversed(times.items()), ((RED, 7), (BLUE, 5), (SKY, 9))):
                panel.add([(n, points[1] / seconds / n) for n, seconds in points.items()], Style(colour, mark, 2),
                          f"{H} hidden units")
            panel.add([(n, 1) for n in counts], Style(BLACK, width=1.5, dash=2), "ideal")
            panels.append(panel)
    return panels, 3, []


PICTURES = {"roofline": (roofline, "How near librnn comes to what one core can do"),
            "step": (step, "How long one step takes, beside other libraries"),
            "training": (training, "How fast training is on one core, beside other libraries"),
            "threads": (threads, "What more threads bring")}


def draw_pictures(stem, document):
    isa = document["isa"].upper().replace("AVX512", "AVX-512")
    results = Results(document)
    for picture, (panels_of, words) in PICTURES.items():
        path = f"{stem}-{picture}.svg"
        panels, columns, notes = panels_of(results)
        if panels:
            notes.append(f"librnn {document['librnn']}, {document['date']}")
            title = f"{words}: {document['cpu']}, {document['cores']} cores, {isa}"
            draw(path, picture_script(title, panels, columns, notes), title)
            print(path)
        elif os.path.exists(path):
            os.remove(path)  # of other results than the JSON file's


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", default="bench/results", help="the folder to write to")
    parser.add_argument("--draw", action="store_true", help="the pictures of JSON files, which are given")
    parser.add_argument("folders", nargs="*", metavar="folder",
                        default=[bench_table.results_folder(), os.path.join(bench_table.results_folder(), "peers")])
    arguments = parser.parse_args()
    if shutil.which("gnuplot") is None:
        sys.exit("gnuplot, which draws the report, is not installed (Debian: gnuplot-nox)")

    if arguments.draw:
        for path in arguments.folders:
            with open(path) as f:
                draw_pictures(os.path.splitext(path)[0], json.load(f))
        return
    document = make_document(arguments.folders)
    name = f"{document['cpu']} {document['cores']} cores {document['isa']}"
    stem = os.path.join(arguments.to, re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))
    os.makedirs(arguments.to, exist_ok=True)
    with open(stem + ".json", "w") as f:
        f.write(json_text(document) + "\n")
    print(stem + ".json")
    draw_pictures(stem, document)


if __name__ == "__main__":
    main()
