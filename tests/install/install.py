#!/usr/bin/env python3
"""Install into a scratch prefix and use what is there as a user does: install.py BUILD CC...

The program at the top of the installed rnn.h is built by the C compiler with the flags of pkg-config alone, against
the shared and against the static library, and run.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = re.compile(r"^ \*   #include <rnn/rnn\.h>.*?\n \*   }\n", re.S | re.M)


def run(*command, **environment):
    command = [str(word) for word in command]
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def header_program(prefix):
    text = (prefix / "include/rnn/rnn.h").read_text()
    program = PROGRAM.search(text)
    if not program:
        sys.exit("rnn.h: no program at its top")
    return re.sub(r"^ \*( {3})?", "", program[0], flags=re.M)


def pkg_config(prefix, directory, *options):
    return run("pkg-config", f"--define-variable=prefix={prefix}", *options, "rnn", PKG_CONFIG_PATH=str(directory)).split()


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))


def check_output(output):
    numbers = [float(word) for word in output.split()]
    if len(numbers) != 2 or not all(-10 < x < 10 for x in numbers):
        sys.exit(f"the program printed {output!r}")


def check_shared(source, work, prefix, libraries, cc):
    flags = pkg_config(prefix, libraries / "pkgconfig", "--cflags", "--libs")
    if "-ltbb" in flags or "-lstdc++" in flags:
        sys.exit(f"users of the shared library need not know of {flags}")
    run(*cc, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", work / "shared", *flags)
    if not any(name.startswith("librnn.so.") for name in needed(work / "shared")):
        sys.exit(f"the program needs {needed(work / 'shared')}")
    check_output(run(work / "shared", LD_LIBRARY_PATH=str(libraries)))


def check_static(source, work, prefix, libraries, cc):
    for path in libraries.glob("librnn.so*"):
        path.unlink()
    flags = pkg_config(prefix, libraries / "pkgconfig", "--cflags", "--libs", "--static")
    run(*cc, "-std=c99", source, "-o", work / "static", *flags)
    if any(name.startswith("librnn") for name in needed(work / "static")):
        sys.exit(f"the program needs {needed(work / 'static')}")
    check_output(run(work / "static"))


def main():
    build, *cc = sys.argv[1:]
    meson = shutil.which("meson")
    if not meson or not shutil.which("pkg-config"):
        sys.exit(77)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        run(meson, "install", "-C", build, "--no-rebuild", "--destdir", work / "root")
        configuration = next(work.glob("root/**/pkgconfig/rnn.pc"))
        libraries = configuration.parent.parent
        stated = re.search(r"^prefix=(.*)$", configuration.read_text(), re.M)[1]
        prefix = work / "root" / stated.lstrip("/")
        installed = sorted(p.relative_to(prefix).as_posix() for p in prefix.rglob("*") if p.is_file())
        strange = [p for p in installed if not re.search(r"(^|/)(librnn\.|rnn/|rnn\.pc$)", p)]
        if strange:
            sys.exit(f"installs {strange}")

        source = work / "program.c"
        source.write_text(header_program(prefix))
        check_shared(source, work, prefix, libraries, cc)
        check_static(source, work, prefix, libraries, cc)


main()
