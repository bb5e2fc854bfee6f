#!/usr/bin/env python3
"""Build librnn without training, without formats, for one ISA: minimal.py ROOT BUILD ISA CC... -- CXX...

The program examples/embedded.c, linked with that library, runs, and neither it nor the library needs anything that
opens a file, or oneTBB. Prints how large it is. CC compiles no_files.c, which runs too. The kernels' objects, which no
option changes, are those of BUILD.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import compile_once  # noqa: E402

UNWANTED = re.compile(r"\b(f?open(at)?(64)?|freopen(64)?|creat|rename|unlink|fsync|.*filesystem.*|.*fstream.*|"
                      r".*(tbb|oneapi).*|.*nlohmann.*)\b")


def run(*command, **environment):
    result = subprocess.run([str(c) for c in command], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}")
    return result.stdout


def needed(path):
    """The undefined symbols of a program or a static library."""
    return set(re.findall(r"\bU (.+?)(?:@.*)?$", run("nm", "-C", path), re.M))


def main():
    root, built = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    end = sys.argv.index("--")
    isa, cc = sys.argv[3], sys.argv[4:end]
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder) / "build"
        compilers = compile_once.environment(built, pathlib.Path(folder), "lib/kernels/", cc, sys.argv[end + 1:])
        run("meson", "setup", build, root, "-Dtraining=disabled", "-Dformats=disabled", "-Dtests=disabled",
            "-Dbenchmarks=disabled", "-Ddefault_library=static", f"-Disas={isa}", **compilers)
        run("meson", "compile", "-C", build, "examples/embedded", **compilers)
        program, library = build / "examples/embedded", build / "capi/librnn.a"
        print(run(program), end="")

        refusals = build / "no_files"
        run(*cc, "-I", root / "include", root / "tests/minimal/no_files.c", library, "-lstdc++", "-lm", "-o", refusals)
        run(refusals, isa, RNN_ISA="")

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
