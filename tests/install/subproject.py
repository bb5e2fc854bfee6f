#!/usr/bin/env python3
"""Build a program in C by a Meson project that has this one below subprojects: subproject.py SOURCE BUILD CC... -- CXX...

The library's objects are those of BUILD.
"""

import pathlib
import shutil
import sys
import tempfile

from scratch import check_program, run, skip_without, write_program

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import compile_once  # noqa: E402


def main():
    source, build = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    end = sys.argv.index("--")
    skip_without("meson", "readelf")
    with tempfile.TemporaryDirectory() as directory:
        app = pathlib.Path(directory) / "app"
        (app / "subprojects").mkdir(parents=True)
        (app / "subprojects/rnn").symlink_to(source)
        shutil.copy(pathlib.Path(__file__).parent / "subproject/meson.build", app)
        write_program(source / "include/rnn/rnn.h", app)
        compilers = compile_once.environment(build, app, ("lib/", "capi/"), sys.argv[3:end], sys.argv[end + 1:])
        run("meson", "setup", app / "build", app, **compilers)
        run("meson", "compile", "-C", app / "build", "app", **compilers)
        check_program(app / "build/app", True)


main()
