#!/usr/bin/env python3
"""Archives of rnn pack are the same on several CPUs: pack_across.py [--share PERCENT] RNN "OTHER RNN" ...

--share packs fewer bytes, for slow CPUs.
"""

import shlex
import subprocess
import sys

from archives import sample
from tool import expect


def run(program, *arguments, data):
    done = subprocess.run([*shlex.split(program), *arguments], input=data, capture_output=True)
    expect(done.returncode == 0 and done.stderr == b"", f"{program} {arguments}: {done}")
    return done.stdout


def main():
    arguments = sys.argv[1:]
    share = 100
    if arguments[0] == "--share":
        share = int(arguments[1])
        del arguments[:2]
    first, *others = arguments
    for preset, size in (("-1", 70_000), ("-2", 10_000), ("-3", 4000), ("-4", 1500), ("-5", 800)):
        size = size * share // 100
        data = sample(size)
        archive = run(first, "pack", preset, "-", "--threads", "2", data=data)
        expect(run(first, "unpack", "-", "--threads", "1", data=archive) == data, f"{preset} {first}")
        for other in others:
            expect(run(other, "pack", preset, "-", "--threads", "1", data=data) == archive, f"{preset}: packed by {other}")
            expect(run(other, "unpack", "-", "--threads", "1", data=archive) == data, f"{preset}: unpacked by {other}")
        print(f"{preset}: {size} bytes, {len(archive)} packed, the same on {1 + len(others)} CPUs", flush=True)


main()
