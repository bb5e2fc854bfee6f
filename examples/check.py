#!/usr/bin/env python3
"""Run the examples, and hold README.md and doc/ to them: check.py ROOT BUILD PROGRAM... [LIBRARY.so]

Without the shared library the parts that need it are left out.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

failures = []


def expect(condition, message):
    if not condition:
        failures.append(message)


def run(*command, cwd=None, **environment):
    return subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, **environment},
                          capture_output=True, text=True, errors="replace", timeout=120)


def blocks_of(page):
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.S | re.M)


def check_readme(root, minimal):
    blocks = blocks_of(root / "README.md")
    program = [language for language, _ in blocks].index("c")
    expect(blocks[program][1] == (root / "examples/minimal.c").read_text(), "README.md: its C program is not minimal.c")
    said = run(minimal)
    expect(said.returncode == 0 and said.stdout == blocks[program + 1][1],
           f"README.md: minimal says\n{said.stdout}{said.stderr}")


def check_python(root, library):
    blocks = blocks_of(root / "doc/languages.md")
    ffi = ("python", (root / "examples/ffi.py").read_text())
    expect(ffi in blocks, "doc/languages.md: no Python program is ffi.py")
    said = run(sys.executable, root / "examples/ffi.py", LD_LIBRARY_PATH=str(library.parent))
    expect(said.returncode == 0 and said.stdout == blocks[blocks.index(ffi) + 1][1],
           f"doc/languages.md: ffi.py says\n{said.stdout}{said.stderr}")


def check_link(root, build, library, scratch):
    """The compiler commands of doc/install.md, on the library that is built but not installed."""
    commands = [line for language, code in blocks_of(root / "doc/install.md") if language == "sh"
                for line in code.splitlines() if line.startswith("cc ")]
    expect(commands, "doc/install.md: no compiler command")
    for command in commands:
        shutil.copy(root / "examples/minimal.c", scratch / "app.c")
        done = run("sh", "-ec", f"{command}\n./app", cwd=scratch, LD_LIBRARY_PATH=str(library.parent),
                   CPATH=str(root / "include"), PKG_CONFIG_PATH=str(build / "meson-uninstalled"))
        expect(done.returncode == 0, f"doc/install.md: {command}\n{done.stdout}{done.stderr}")


def check_subproject(root, scratch):
    """The meson.build of doc/install.md with this tree as its subproject can be set up."""
    project = scratch / "project"
    (project / "subprojects").mkdir(parents=True)
    (project / "subprojects/rnn").symlink_to(root)
    (project / "meson.build").write_text(
        next(code for language, code in blocks_of(root / "doc/install.md") if language == "meson"))
    shutil.copy(root / "examples/minimal.c", project / "app.c")
    done = run("meson", "setup", "--force-fallback-for=rnn", project / "build", project)
    expect(done.returncode == 0, f"doc/install.md: the Meson subproject\n{done.stdout}{done.stderr}")


def check_errors(program, scratch, cases):
    for name, arguments in cases.items():
        done = run(program, *arguments, cwd=scratch)
        expect(done.returncode == 1 and re.fullmatch(rf"{program.name}: [^\n]+\n", done.stderr),
               f"{program.name} on {name}: status {done.returncode}, {done.stderr!r}")


def check_demo_help(root, charlm, scratch):
    """scripts/demo --help builds nothing, so it knows the options and their defaults by itself."""
    told = run(root / "scripts/demo", "--hidden", "1", "--help", cwd=scratch, PATH="/usr/bin:/bin")
    expect(told.returncode == 0 and not told.stderr, f"scripts/demo --help: status {told.returncode}, {told.stderr!r}")
    known = run(charlm, "--help").stdout
    names = set(re.findall(r"--[a-z][a-z0-9-]+", known))
    expect(names and names == set(re.findall(r"--[a-z][a-z0-9-]+", told.stdout.partition("Options:")[2])),
           f"scripts/demo --help has not the options of\n{known}")
    for name, default in re.findall(r"(--[a-z0-9-]+) [^\n]*?=([\w.]+)(?:\s|$)", known):
        expect(re.search(rf"^  {name} .*default: {re.escape(default)}$", told.stdout, re.M),
               f"scripts/demo --help: not the default of {name}, {default}")


def check_charlm_errors(charlm, scratch):
    (scratch / "empty").touch()
    (scratch / "short").write_text("too short")
    (scratch / "text").write_text("a text of some length, long enough\n" * 40)
    check_errors(charlm, scratch, {
        "a missing file": ["missing"],
        "a directory": ["."],
        "an empty file": ["empty"],
        "a short file": ["short"],
        "a prefix of other characters": ["text", "--prefix", "QED"],
        "a file that cannot be written": ["text", "--out", "missing/model.rnn"],
        "a file of another format": ["text", "--out", "model.pt"],
        "dropout between no layers": ["text", "--layers", "1", "--dropout", "0.1"],
        "too many layers": ["text", "--layers", "1000"],
        "no temperature": ["text", "--temperature", "0"],
        "no time": ["text", "--seconds", "nan"],
        "an unknown option": ["--unknown"],
        "an unknown cell": ["text", "--cell", "elman"],
        "full dropout": ["text", "--dropout", "1"],
    })


def check_other_errors(programs, scratch):
    (scratch / "gap.csv").write_text("year,sunspots\n1700,5\n1702,16\n")
    (scratch / "few.csv").write_text("year,sunspots\n1700,5\n1701,11\n")
    check_errors(programs["seq2seq"], scratch, {
        "no hidden units": ["--hidden", "0"], "no updates": ["--updates", "0"], "an unknown option": ["--unknown"]})
    check_errors(programs["chain"], scratch, {
        "an unknown cell": ["--cell", "elman"], "an unknown option": ["--unknown"]})
    check_errors(programs["adding"], scratch, {
        "too short a length": ["--length", "1"], "an unknown network": ["--network", "gru"],
        "a plot that cannot be written": ["--plot", "missing/plot.svg"]})
    check_errors(programs["sunspots"], scratch, {
        "a missing file": ["missing"], "a gap": ["gap.csv"], "too few years": ["few.csv"],
        "a plot that cannot be written": ["--plot", "missing/plot.svg"]})


def check_beam(beam):
    done = run(beam)
    expect(done.returncode == 0 and re.fullmatch(r"greedy, of probability 0\.1\d: a \w+ \w+\n"
                                                 r"best,   of probability 0\.[23]\d: the king waits\n", done.stdout),
           f"beam: status {done.returncode}, {done.stdout}{done.stderr}")


def check_plots(programs, scratch):
    plot = scratch / "it's a plot.svg"
    commands = {"adding": ["--length", "3", "--updates", "2"], "sunspots": ["--networks", "1", "--updates", "20"]}
    for name, arguments in commands.items():
        done = run(programs[name], *arguments, "--plot", plot)
        if shutil.which("gnuplot"):
            expect(done.returncode == 0 and "</svg>" in plot.read_text(), f"{name} --plot: {done.stderr}")
        else:
            expect(done.returncode == 1 and "gnuplot" in done.stderr, f"{name} --plot without gnuplot: {done.stderr}")


def check_text(charlm, scratch, *options):
    """A text of all bytes, among them those that no terminal likes."""
    (scratch / "bytes").write_bytes(bytes(range(256)) * 12)
    done = run(charlm, "bytes", "--seconds", "0.5", "--hidden", "16", "--prefix", "ABC",
               "--out", scratch / "model.safetensors", *options, cwd=scratch)
    expect(done.returncode == 0, f"charlm on all bytes: status {done.returncode}, {done.stderr!r}")
    expect("'hey' -> 'hey how are you'\n" in done.stdout, "charlm: no sentence")
    expect(re.search(r"characters/s, 0:00 left", done.stdout), "charlm: no progress")
    expect("\nABC" in done.stdout, "charlm: no sample")
    expect(not re.search(r"[\x00-\x08\x0b-\x1f]", done.stdout), "charlm: prints control characters")
    expect(b"vocabulary" in (scratch / "model.safetensors").read_bytes(), "charlm: no model with a vocabulary")


def main():
    paths = [pathlib.Path(path).resolve() for path in sys.argv[1:]]
    root, build = paths[:2]
    programs = {path.stem: path for path in paths[2:] if ".so" not in path.name}
    library = next((path for path in paths[2:] if ".so" in path.name), None)
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        check_charlm_errors(programs["charlm"], scratch)
        check_demo_help(root, programs["charlm"], scratch)
        check_other_errors(programs, scratch)
        check_beam(programs["beam"])
        check_plots(programs, scratch)
        check_text(programs["charlm"], scratch, "--layers", "1")
        check_text(programs["charlm"], scratch, "--bf16", "--cell", "gru", "--layers", "1", "--embedding", "8")
        check_text(programs["charlm"], scratch, "--cell", "lstm", "--layers", "2", "--dropout", "0.1")
        check_readme(root, programs["minimal"])
        check_subproject(root, scratch)
        if library:
            check_python(root, library)
            if shutil.which("pkg-config"):
                check_link(root, build, library, scratch)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
