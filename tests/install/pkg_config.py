#!/usr/bin/env python3
"""Build a program in C with the flags of pkg-config alone, and with the archive alone: pkg_config.py BUILD CC..."""

import pathlib
import shutil
import sys
import tempfile

from scratch import Installation, check_program, run, skip_without


def flags(installed, *options, package="rnn"):
    return run("pkg-config", f"--define-variable=prefix={installed.prefix}", *options, package,
               PKG_CONFIG_PATH=str(installed.libraries / "pkgconfig")).split()


def check_shared(installed, work, cc):
    needs = flags(installed, "--cflags", "--libs")
    if "-ltbb" in needs or "-lstdc++" in needs:
        sys.exit(f"users of the shared library need not know of {needs}")
    run(*cc, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", installed.program, "-o", work / "shared", *needs)
    check_program(work / "shared", True, LD_LIBRARY_PATH=str(installed.libraries))


def check_static(installed, work, cc, name, *needs):
    run(*cc, "-std=c99", installed.program, "-o", work / name, *needs)
    check_program(work / name, False)


def check_archive(installed, work, cc):
    """A host may carry the archive and the header along: the archive has all objects, and refers to no other file."""
    host = work / "host"
    (host / "rnn").mkdir(parents=True)
    shutil.copy(installed.prefix / "include/rnn/rnn.h", host / "rnn")
    shutil.copy(installed.libraries / "librnn.a", host)
    needs = [flag for flag in flags(installed, "--libs", "--static") if flag != "-lrnn" and not flag.startswith("-L")]
    # All objects, not only those that this program uses.
    run(*cc, "-std=c99", "-I", host, installed.program, "-o", host / "program",
        "-Wl,--whole-archive", host / "librnn.a", "-Wl,--no-whole-archive", *needs)
    check_program(host / "program", False)


def main():
    build, *cc = sys.argv[1:]
    skip_without("meson", "pkg-config", "readelf")
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        installed = Installation(build, work)
        if installed.strange_files():
            sys.exit(f"installs {installed.strange_files()}")
        check_shared(installed, work, cc)
        check_static(installed, work, cc, "beside_shared", *flags(installed, "--cflags", "--libs", package="rnn-static"))
        installed.remove_shared()
        check_static(installed, work, cc, "static", *flags(installed, "--cflags", "--libs", "--static"))
        check_archive(installed, work, cc)


main()
