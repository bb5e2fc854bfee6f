#!/usr/bin/env python3
"""Build librnn without training and without formats: minimal.py ROOT CC

The program examples/embedded.c, linked with that library, runs, and neither it nor the library needs anything that
opens a file, or oneTBB. Prints how large it is. CC compiles no_files.c, which runs too.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

UNWANTED = re.compile(r"\b(f?open(at)?(64)?|freopen(64)?|creat|rename|unlink|fsync|.*filesystem.*|.*fstream.*|"
                      r".*(tbb|oneapi).*|.*nlohmann.*)\b")


def run(*command):
    result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}")
    return result.stdout


def needed(path):
    """The undefined symbols of a program or a static library."""
    return set(re.findall(r"\bU (.+?)(?:@.*)?$", run("nm", "-C", path), re.M))


def main():
    root, cc = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder) / "build"
        run("meson", "setup", build, root, "-Dtraining=disabled", "-Dformats=disabled", "-Dtests=disabled",
            "-Dbenchmarks=disabled", "-Ddefault_library=static")
        run("ninja", "-C", build, "examples/embedded")
        program, library = build / "examples/embedded", build / "capi/librnn.a"
        print(run(program), end="")

        refusals = build / "no_files"
        run(*cc, "-I", root / "include", root / "tests/minimal/no_files.c", library, "-lstdc++", "-lm", "-o", refusals)
        run(refusals)

        symbols = needed(program) | needed(library)
        if "__cxa_throw" not in symbols:
            sys.exit(f"nm shows no symbols of {library}")
        unwanted = sorted(filter(UNWANTED.match, symbols))
        if unwanted:
            sys.exit("needs " + ", ".join(unwanted))
        if re.search(r"tbb", run("ldd", program)):
            sys.exit("the program is linked with oneTBB")
        run("strip", program)
        print(f"examples/embedded, stripped, with the library: {program.stat().st_size} bytes")


main()
