"""What the tests of this folder share: the library installed into a scratch prefix, and a program that uses it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

PROGRAM = re.compile(r"^ \*   #include <rnn/rnn\.h>.*?\n \*   }\n", re.S | re.M)

# What may be installed, below the prefix.
EXPECTED = re.compile(r"include/rnn/(rnn\.(h|hpp|json)|mpi\.h)|"
                      r"lib(64)?(/[^/]+)?/(librnn[0-9.]*\.(a|so|dylib)[0-9.]*|pkgconfig/rnn(-static)?\.pc|"
                      r"cmake/rnn/rnnConfig(Version)?\.cmake)|"
                      r"bin/rnn(-mpi)?|share/(man/man1/rnn(-mpi)?\.1|[a-z-]+(/[a-z_.-]+)*/_?rnn(-mpi)?(\.fish|\.bash)?)")

# Meson's, so that programs find the library that was built: they are to find the one that was installed.
os.environ.pop("LD_LIBRARY_PATH", None)


def skip_without(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        print(f"skipped: {' and '.join(missing)} missing")
        sys.exit(77)


def run(*command, **environment):
    command = [str(word) for word in command]
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


class Installation:
    """`meson install` of the build folder, with all of it moved to below `work`, and the program at rnn.h's top."""

    def __init__(self, build, work):
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", work / "root")
        configuration = next(work.glob("root/**/pkgconfig/rnn.pc")).read_text()
        self.libraries = next(work.glob("root/**/pkgconfig")).parent
        stated = re.search(r"^prefix=(.*)$", configuration, re.M)[1]
        self.version = re.search(r"^Version: (.*)$", configuration, re.M)[1]
        self.prefix = work / "root" / stated.lstrip("/")
        self.program = write_program(self.prefix / "include/rnn/rnn.h", work)

    def strange_files(self):
        installed = sorted(p.relative_to(self.prefix).as_posix() for p in self.prefix.rglob("*") if p.is_file())
        return [path for path in installed if not EXPECTED.fullmatch(path)]

    def remove_shared(self):
        for path in self.libraries.glob("librnn.so*"):
            path.unlink()


def write_program(header, folder):
    program = PROGRAM.search(header.read_text())
    if not program:
        sys.exit("rnn.h: no program at its top")
    path = folder / "program.c"
    path.write_text(re.sub(r"^ \*( {3})?", "", program[0], flags=re.M))
    return path


def check_program(program, shared, **environment):
    """It runs, prints two numbers, and needs the shared library or not."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))
    if any(name.startswith("librnn") for name in needed) != shared:
        sys.exit(f"{program} needs {needed}")
    output = run(program, **environment)
    numbers = [float(word) for word in output.split()]
    if len(numbers) != 2 or not all(-10 < x < 10 for x in numbers):
        sys.exit(f"{program} printed {output!r}")
