#!/usr/bin/env python3
"""Build a program in C by a CMake project in C alone, see cmake/: cmake.py BUILD CC..."""

import pathlib
import shlex
import sys
import tempfile

from scratch import Installation, check_program, run, skip_without


def check(installed, folder, cc, kinds, parts):
    """Configure the parts of the project with these kinds of library installed; programs by the kind they must use."""
    run("cmake", "-S", pathlib.Path(__file__).parent / "cmake", "-B", folder, "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={installed.prefix}", f"-DRNN_VERSION={installed.version}",
        f"-DPROGRAM={installed.program}", f"-DPARTS={';'.join(parts)}", f"-DRNN_INSTALLED={';'.join(kinds)}",
        CC=shlex.join(cc))
    run("cmake", "--build", folder)
    programs = {"default/rnn": kinds[0]} | {f"default/{kind}": kind for kind in kinds}
    programs |= {f"{part}/rnn": "static" for part in parts if part in ("component", "variable")}
    for program, kind in programs.items():
        check_program(folder / program, kind == "shared")


def main():
    build, *cc = sys.argv[1:]
    skip_without("meson", "cmake", "ninja", "readelf")
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        installed = Installation(build, work)
        check(installed, work / "both", cc, ["shared", "static"], ["default", "component", "variable"])
        installed.remove_shared()
        check(installed, work / "one", cc, ["static"], ["default", "missing"])


main()
