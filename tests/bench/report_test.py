#!/usr/bin/env python3
"""Run scripts/bench_report.py on small results that are made up: report_test.py ROOT

Exits with 77 if there is no gnuplot.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

failures = []


def expect(condition, message):
    if not condition:
        failures.append(message)


def benchmark(name, nanoseconds, **counters):
    """Three repetitions, of which the median is known and the mean is another."""
    return [{"name": name, "run_type": "iteration", "real_time": time, "cpu_time": time, "time_unit": "ns", **counters}
            for time in (nanoseconds, 0.9 * nanoseconds, 3 * nanoseconds)]


def limits():
    reads = [benchmark(f"limit/read/{size}", size / 100, bytes=size) for size in (4096, 2**18, 2**20, 2**22, 2**26)]
    return sum(reads, benchmark("limit/fma", 1000, flops=100000))


def steps(side, slower):
    sizes = ((1, 16, 1), (65, 128, 65), (256, 512, 256))
    return sum((benchmark(f"step/{side}/{cell}/{I}x{H}x{O}" + "/dense" * (I == 65), slower * H * H / 10,
                          flops=2 * H * H, bytes=4 * H * H)
                for cell in ("vanilla", "gru", "lstm") for I, H, O in sizes), [])


def updates(side, slower):
    return sum((benchmark(f"train/{side}/{cell}/{H}x{L}/batch64/threads{n}", slower * H * H * L / n, workers=n,
                          flops=80 * H * H * L)
                for cell in ("vanilla", "gru", "lstm") for H in (128, 512) for L in (1, 2) for n in (1, 2)), [])


def write(folder, program, benchmarks, **context):
    caches = [{"type": "Data", "level": 1, "size": 32768}, {"type": "Instruction", "level": 1, "size": 65536},
              {"type": "Unified", "level": 2, "size": 1048576}, {"type": "Unified", "level": 3, "size": 33554432}]
    context = {"date": "2030-01-02T03:04:05+00:00", "num_cpus": 4, "caches": caches, "load_avg": [0.5], "isa": "avx2",
               "compiler": "GCC", "librnn": "0.1.0", "command": "scripts/bench --report", **context}
    folder.mkdir(exist_ok=True)
    (folder / f"bench_{program}.json").write_text(json.dumps({"context": context, "benchmarks": benchmarks}))


def report(root, to, *folders):
    done = subprocess.run([sys.executable, root / "scripts/bench_report.py", "--to", to, *folders],
                          capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines(), done.stderr


def texts(path):
    """All text of a picture, which has to be XML, and a text file as the others here."""
    data = path.read_text()
    expect(data.isascii() and "\t" not in data and " \n" not in data, f"{path.name}: not ASCII, tabs, trailing blanks")
    return " ".join(xml.etree.ElementTree.fromstring(data).itertext())


def check_all(root, folder):
    write(folder / "in", "step", limits() + steps("rnn", 1) + steps("naive", 5) +
          benchmark("latency/rnn/gru/1x16x1", 5e8, p50=1e-6, p99=2e-6, p999=4e-6))
    write(folder / "in", "train", limits() + updates("rnn", 1))
    (folder / "in/bench_kernels.json").write_text("")  # of a filter that leaves nothing
    write(folder / "peers", "peer_onednn", limits() + steps("rnn", 1) + steps("onednn", 2) + updates("onednn", 3),
          peer_onednn="3.7", training_of_onednn="without the head", command="scripts/bench_peers")
    write(folder / "peers", "peer_torch", steps("torch", 9), isa="sse2", date="2030-01-01T00:00:00+00:00")

    code, paths, errors = report(root, folder / "out", folder / "in", folder / "peers")
    expect(code == 0, f"exits with {code}: {errors}")
    expect("peer_torch" in errors, "does not say that it leaves out another instruction set")
    expect([path.rsplit("-", 1)[-1] for path in paths[1:]] ==
           ["roofline.svg", "step.svg", "training.svg", "threads.svg"], f"wrote {paths}")
    if failures:
        return

    document = json.loads(pathlib.Path(paths[0]).read_text())
    expect((document["cores"], document["isa"], document["date"]) == (4, "avx2", "2030-01-02"), "wrong machine")
    expect(document["caches"] == {"L1": 32768, "L2": 1048576, "L3": 33554432}, "wrong caches")
    expect(sorted(document["programs"]) == ["peer_onednn", "step", "train"], "wrong programs")
    peer = document["programs"]["peer_onednn"]
    expect((peer["command"], peer["peer_onednn"], peer["compiler"]) == ("scripts/bench_peers", "3.7", "GCC"),
           "no command or versions of the peer")
    step = document["programs"]["step"]["benchmarks"]
    expect(step["step/rnn/gru/256x512x256"] ==
           {"seconds": 2.621e-05, "gflops": 20.0, "gb_per_s": 40.0, "of_limit": 0.4}, "wrong numbers of a step")
    expect(step["latency/rnn/gru/1x16x1"] == {"seconds": 1e-6, "p99": 2e-6, "p99.9": 4e-6}, "wrong latencies")
    update = document["programs"]["train"]["benchmarks"]["train/rnn/lstm/512x2/batch64/threads2"]
    expect((update["gflops"], update["of_limit"]) == (160.0, 0.8), "wrong numbers of an update")

    pictures = {path.rsplit("-", 1)[-1]: texts(pathlib.Path(path)) for path in paths[1:]}
    for name, words in {"roofline.svg": "one stream's step|bare read|peak, 100 GFLOP/s|L2",
                        "step.svg": "librnn|oneDNN|plain C++|vanilla|GRU|LSTM|100 ns|512",
                        "training.svg": "librnn|oneDNN|LSTM, 2 layers|GFLOP/s|without the head",
                        "threads.svg": "512 hidden units|training"}.items():
        for word in words.split("|"):
            expect(word in pictures[name], f"{name}: no '{word}'")
        expect("PyTorch" not in pictures[name], f"{name}: a peer without results")


def check_few(root, folder):
    """Pictures without results are not there, nor those of other results."""
    write(folder / "in", "train", updates("rnn", 1))
    (folder / "in/bench_step.json").unlink()
    code, paths, errors = report(root, folder / "out", folder / "in")
    expect(code == 0 and len(paths) == 3, f"of training alone: exits with {code}, wrote {paths}: {errors}")
    expect(sorted(map(str, (folder / "out").iterdir())) == sorted(paths), "a picture of other results stays")
    write(folder / "in", "train", updates("rnn", 1), num_cpus=2)
    code, paths, errors = report(root, folder / "out", folder / "in")
    expect(code == 0 and [path.rsplit("-", 1)[-1] for path in paths[1:]] == ["training.svg"],
           f"two cores: exits with {code}, wrote {paths}, of which none shows how threads scale: {errors}")
    code, paths, errors = report(root, folder / "none", folder / "none")
    expect(code == 1 and "No results" in errors and not paths, f"without results: exits with {code}: {errors}")


def main():
    root = pathlib.Path(sys.argv[1])
    if shutil.which("gnuplot") is None:
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        check_all(root, pathlib.Path(folder))
        check_few(root, pathlib.Path(folder))
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
