#!/usr/bin/env python3
"""Build a program in C by a Meson project that has this one below subprojects: subproject.py SOURCE BUILD CC... -- CXX...

Of the sources that BUILD has compiled the subproject's compiler (which is this program, too) only reads the headers, to
see that they are found, and takes BUILD's objects: compiling all would take minutes.
"""

import json
import os
import pathlib
import shlex
import shutil
import sys
import tempfile

from scratch import check_program, run, skip_without, write_program

OBJECTS = "RNN_TEST_OBJECTS"  # environment variable: a file with the objects by their sources


def compiled(build):
    """The library's objects by their sources."""
    objects = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = build / entry["output"]
        if entry["output"].startswith(("lib/", "capi/")) and path.exists():
            objects[str((build / entry["file"]).resolve())] = str(path)
    return objects


def compile_or_copy(command):
    """The subproject's compiler."""
    objects = json.loads(pathlib.Path(os.environ[OBJECTS]).read_text())
    known = objects.get(os.path.realpath(command[-1])) if "-c" in command else None
    if known:
        output = command.index("-o") + 1
        shutil.copy(known, command[output])
        command[output] = os.devnull
        command[command.index("-c")] = "-E"
    os.execvp(command[0], command)


def check(source, folder, cc, cxx):
    (folder / "subprojects").mkdir(parents=True)
    (folder / "subprojects/rnn").symlink_to(source)
    shutil.copy(pathlib.Path(__file__).parent / "subproject/meson.build", folder)
    write_program(source / "include/rnn/rnn.h", folder)
    run("meson", "setup", folder / "build", folder, CC=shlex.join(cc),
        CXX=shlex.join([sys.executable, __file__, "--compile", *cxx]))
    run("meson", "compile", "-C", folder / "build", "app")
    check_program(folder / "build/app", True)


def main():
    if sys.argv[1] == "--compile":
        compile_or_copy(sys.argv[2:])
    source, build = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    end = sys.argv.index("--")
    skip_without("meson", "readelf")
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        objects = work / "objects.json"
        objects.write_text(json.dumps(compiled(build)))
        os.environ[OBJECTS] = str(objects)
        check(source, work / "app", sys.argv[3:end], sys.argv[end + 1:])


main()
