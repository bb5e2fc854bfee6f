#!/usr/bin/env python3
"""For tests that build this project once more: a compiler that takes the objects that a build has already.

    compile_once.py COMPILER... -c ... SOURCE     with RNN_TEST_OBJECTS naming a file with the objects by their sources

Of these sources it only reads the headers, to see that they are found: compiling all would take minutes.
"""

import json
import os
import pathlib
import shlex
import shutil
import sys

OBJECTS = "RNN_TEST_OBJECTS"


def environment(build, folder, prefixes, cc, cxx):
    """For meson: compilers that take what `build` has compiled from sources below `prefixes`; `folder` gets a file."""
    objects = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = build / entry["output"]
        if entry["output"].startswith(prefixes) and path.exists():
            objects[str((build / entry["file"]).resolve())] = str(path)
    listed = folder / "objects.json"
    listed.write_text(json.dumps(objects))
    return {"CC": shlex.join(cc), "CXX": shlex.join([sys.executable, __file__, *cxx]), OBJECTS: str(listed)}


def main():
    command = sys.argv[1:]
    objects = json.loads(pathlib.Path(os.environ[OBJECTS]).read_text())
    known = objects.get(os.path.realpath(command[-1])) if "-c" in command else None
    if known:
        output = command.index("-o") + 1
        shutil.copy(known, command[output])
        command[output] = os.devnull
        command[command.index("-c")] = "-E"
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
