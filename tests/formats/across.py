#!/usr/bin/env python3
"""Files written on one CPU load on each other and are the same bytes: across.py PROGRAM [PROGRAM ...]

A program is a command line of tests/formats/across, of this CPU or under an emulator. A build without training writes
fewer files.
"""

import pathlib
import shlex
import subprocess
import sys
import tempfile


def main():
    programs = [shlex.split(program) for program in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as root:
        folders = []
        for number, program in enumerate(programs):
            folders.append(pathlib.Path(root) / str(number))
            folders[-1].mkdir()
            subprocess.run([*program, "write", folders[-1]], check=True)
        for program in programs:
            for folder in folders:
                subprocess.run([*program, "read", folder], check=True)
        files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
        for program, found in zip(programs, files):
            differ = [name for name, data in found.items() if files[0].get(name, data) != data]
            if differ or not found:
                sys.exit(f"{shlex.join(program)} writes other bytes: {', '.join(sorted(differ))}")
        print(f"{len(files[0])} files, the same from {len(programs)} programs")


main()
