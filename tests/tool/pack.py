#!/usr/bin/env python3
"""rnn pack and rnn unpack give every file back, on every instruction set, and find damage: pack.py RNN"""

import base64
import hashlib
import os
import random
import subprocess

from archives import BLOCK, blocks, sample, with_header
from tool import expect, main

PRESETS = [f"-{preset}" for preset in range(1, 6)]

# The archives of sample(3000): they change with the format and the model alone, and then on purpose.
PINNED = {"-1": "b48fbc843240b6b8", "-2": "5ff8289d17ef743a", "-3": "0e10ed4953a62be0", "-4": "5622493ffb9ca8d8",
          "-5": "bdd567f330dc1bfd"}
PINNED_ARCHIVE = ("ilJOTlANChoBAQAAnPmQQUUAAAAmAAAApD1M6Y9NuUoJFq0s0hwzkZbcSwL8tlnlKqSK0YaBiITz2Hm6qgZx9GD2AAAAAAAAAACq"
                  "c/am")
PINNED_TEXT = b"the cell keeps what it has seen, and what it has seen keeps the cell\n"


def there_and_back(tool, data, *options, name="data"):
    """The archive, after it was unpacked from a file, and from a pipe."""
    tool.write(name, data)
    tool.ok("pack", name, "-o", "archive", "--force", *options)
    tool.ok("unpack", "archive", "-o", "back", "--force")
    expect((tool.folder / "back").read_bytes() == data, f"{len(data)} bytes with {options} do not come back")
    archive = (tool.folder / "archive").read_bytes()
    return archive


def check_round_trips(tool):
    for data in (b"", b"a", b"\0", bytes(range(256)), b"\n" * 5000, sample(5000)):
        for preset in ("-1", "-5") if len(data) < 300 else ("-1", "-3"):
            archive = there_and_back(tool, data, preset)
            expect(len(archive) <= len(data) + 40, f"{len(data)} bytes become {len(archive)}")
    noise = random.Random(1).randbytes(2 * BLOCK + 5)
    for size in (BLOCK - 1, BLOCK, BLOCK + 1, len(noise)):
        archive = there_and_back(tool, noise[:size], "-1")
        expect(len(archive) <= size * 1.001, f"{size} random bytes become {len(archive)}")
    mixed = sample(BLOCK) + noise[:BLOCK] + sample(BLOCK // 2)  # the model goes on behind a stored block
    archive = there_and_back(tool, mixed, "-1")
    expect(len(archive) < BLOCK * 1.5, f"{len(mixed)} bytes become {len(archive)}")


def check_pipes(tool):
    data = sample(3000)
    packed = tool.run("pack", "-", input=data)
    expect(packed.returncode == 0 and packed.stderr == b"", packed)
    expect(packed.stdout == there_and_back(tool, data), "a pipe's archive is another one")
    unpacked = tool.run("unpack", "-", input=packed.stdout)
    expect(unpacked.returncode == 0 and unpacked.stdout == data, unpacked)
    tool.write("name", data)
    found = tool.json("pack", "name")
    expect(found["read"] == len(data) and found["written"] == len(packed.stdout) and
           found["bits_per_byte"] == 8 * len(packed.stdout) / len(data), found)
    (tool.folder / "name").unlink()
    expect(tool.json("unpack", "name.rnnp")["written"] == len(data), "unpack --json")
    expect((tool.folder / "name").read_bytes() == data, "the name without .rnnp")


def check_streaming(tool):
    """A block is written as soon as it is there, and unpacked as soon as it was read."""
    with subprocess.Popen(tool.command("pack", "-1", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as packer, \
            subprocess.Popen(tool.command("unpack", "-"), stdin=packer.stdout, stdout=subprocess.PIPE) as unpacker:
        packer.stdin.write(bytes(BLOCK))
        packer.stdin.flush()
        expect(unpacker.stdout.read(BLOCK) == bytes(BLOCK), "the first block")
        packer.stdin.write(b"end")
        packer.stdin.close()
        expect(unpacker.stdout.read() == b"end", "the last block")
        expect(packer.wait() == 0 and unpacker.wait() == 0, "their statuses")


def check_same_everywhere(tool):
    for preset, size in (("-2", 6000), ("-4", 700)):  # SSE2 is slow
        data = sample(size)
        tool.write("data", data)
        archives = {}
        for isa, threads in ((None, "2"), (None, "1"), ("avx2", "1"), ("sse2", "1"), ("scalar", "1")):
            environment = {**os.environ, **({"RNN_ISA": isa} if isa else {})}
            done = tool.run("pack", preset, "data", "-o", "-", "--threads", threads, env=environment)
            if b"RNN_ISA" in done.stderr:  # this CPU does not have it
                continue
            expect(done.returncode == 0, done.stderr)
            archives[isa, threads] = done.stdout
            back = tool.run("unpack", "-", "--threads", "1", input=archives[None, "2"], env=environment)
            expect(back.returncode == 0 and back.stdout == data, f"unpacked with {isa}: {back.stderr}")
        expect(len(set(archives.values())) == 1, f"{preset}: archives differ: {list(archives)}")


def check_pinned(tool):
    found = {preset: hashlib.sha256(there_and_back(tool, sample(3000), preset)).hexdigest()[:16] for preset in PRESETS}
    expect(found == PINNED, f"the format or the model is another: {found}")
    archive = there_and_back(tool, PINNED_TEXT, "-1")
    expect(archive == base64.b64decode(PINNED_ARCHIVE), f"the small archive is another: {base64.b64encode(archive)}")


def fails_with(tool, archive, pattern, prefix):
    """Unpacking fails with the message, and writes the prefix: to standard output, and to a new file."""
    tool.write("bad", archive)
    new = tool.folder / "new"
    new.unlink(missing_ok=True)
    tool.fails(pattern, "unpack", "bad", "-o", "new")
    found = new.read_bytes() if new.exists() else b""
    expect(found == prefix and new.exists() == bool(prefix), f"{len(found)} bytes are written, expected {len(prefix)}")


def check_truncation(tool):
    data = sample(40)
    archive = there_and_back(tool, data, "-1")
    end = len(archive) - 12
    for size in range(len(archive)):
        fails_with(tool, archive[:size], "no archive" if size < 8 else "damaged", data if size >= end else b"")
    fails_with(tool, archive + b"\0", "goes on", data)


def check_flips(tool):
    data = sample(40)
    archive = there_and_back(tool, data, "-1")
    end = len(archive) - 12
    for place in range(len(archive)):
        changed = bytearray(archive)
        changed[place] ^= 1 << place % 8
        fails_with(tool, bytes(changed), "no archive" if place < 8 else "damaged", data if place >= end else b"")


def check_damage_in_blocks(tool):
    """What is before the damage is right, whether it goes to a file or a pipe."""
    data = sample(BLOCK) + random.Random(2).randbytes(BLOCK) + sample(1000)
    archive = there_and_back(tool, data, "-1")
    starts = blocks(archive)
    expect(len(starts) == 4, f"blocks at {starts}")
    for number, start in enumerate(starts):
        prefix = data[:number * BLOCK]
        fails_with(tool, archive[:start] + bytes([archive[start] ^ 4]) + archive[start + 1:], "damaged", prefix)
        fails_with(tool, archive[:start + 5], f"byte {start}.*too early", prefix)
        if number < 3:
            place = start + 12 + 40
            changed = archive[:place] + bytes([archive[place] ^ 128]) + archive[place + 1:]
            fails_with(tool, changed, "checksum", prefix)
            done = tool.run("unpack", "-", input=changed)
            expect(done.returncode == 1 and done.stdout == prefix, f"to a pipe: {len(done.stdout)}, {done.stderr}")
    swapped = archive[:starts[0]] + archive[starts[1]:starts[2]] + archive[starts[0]:starts[1]] + archive[starts[2]:]
    fails_with(tool, swapped, "damaged", b"")
    fails_with(tool, archive[:starts[2]] + archive[starts[3]:], "checksum", data[:2 * BLOCK])
    tool.write("bad", archive[:starts[2]])
    tool.write("kept", "what was there")
    tool.fails("stays as it was", "unpack", "bad", "-o", "kept", "--force")
    expect((tool.folder / "kept").read_bytes() == b"what was there", "a damaged archive replaced a file")


def check_unknown(tool):
    """What this program cannot read it does not touch."""
    archive = there_and_back(tool, sample(100), "-1")
    tool.write("kept", "what was there")
    for message, changed in (("version 2 ", with_header(archive, version=2)),
                             ("version 0 ", with_header(archive, version=0)),
                             ("preset 9, whose network", with_header(archive, preset=9)),
                             ("preset 0", with_header(archive, preset=0)),
                             ("options", with_header(archive, options=1)),
                             ("damaged: its header", archive[:12] + b"....." + archive[17:]),
                             ("no archive", sample(100)), ("no archive", b"")):
        fails_with(tool, changed, message, b"")
        tool.fails(message, "unpack", "bad", "-o", "kept", "--force")
        tool.fails(message, "unpack", "bad", "-o", "-")
        expect((tool.folder / "kept").read_bytes() == b"what was there", "an unknown archive replaced a file")
    tool.write("good", archive)
    tool.fails("RNN_ISA", "unpack", "good", "-o", "new", env={**os.environ, "RNN_ISA": "pdp11"})
    expect(not (tool.folder / "new").exists(), "without its network an archive is written")


def check_files(tool):
    data = sample(100)
    tool.write("in", data)
    tool.ok("pack", "in")
    for command in (["pack", "in"], ["unpack", "in.rnnp"]):
        tool.fails("--force", *command)
        tool.ok(*command, "--force")
    expect((tool.folder / "in").read_bytes() == data, "what comes back over the file")
    (tool.folder / "in.rnnp").chmod(0o600)
    (tool.folder / "link").symlink_to("in.rnnp")
    tool.ok("pack", "in", "-o", "link", "--force")
    expect((tool.folder / "link").is_symlink() and (tool.folder / "in.rnnp").stat().st_mode & 0o777 == 0o600,
           "a link, or the permissions of the file")
    tool.fails("same file", "pack", "in", "-o", "./in", "--force", status=2)
    tool.fails("same file", "unpack", "in.rnnp", "-o", "link", "--force", status=2)
    tool.fails("rnnp", "unpack", "in", status=2)
    tool.fails("--json", "pack", "in", "-o", "-", "--json", status=2)
    tool.fails("--force has no effect", "unpack", "in.rnnp", "-o", "-", "--force", status=2)
    tool.fails("missing", "pack", "missing")
    tool.fails("no/such", "pack", "in", "-o", "no/such")
    tool.fails("directory", "pack", ".", "-o", "new")
    tool.fails("regular", "pack", "in", "-o", ".", "--force")
    for command in ("pack", "unpack"):
        with open("/dev/full", "w") as full:
            done = subprocess.run(tool.command(command, "in" if command == "pack" else "in.rnnp", "-o", "-"),
                                  cwd=tool.folder, stdout=full, stderr=subprocess.PIPE)
        expect(done.returncode == 1 and b"cannot write standard output: No space left" in done.stderr, f"a full disk: {done}")
    expect(sorted(path.name for path in tool.folder.iterdir() if "tmp" in path.name or path.name == "new") == [],
           "files are left")


def check(tool):
    check_files(tool)
    for path in tool.folder.iterdir():
        path.unlink()
    check_pinned(tool)
    check_round_trips(tool)
    check_pipes(tool)
    check_streaming(tool)
    check_same_everywhere(tool)
    check_truncation(tool)
    check_flips(tool)
    check_damage_in_blocks(tool)
    check_unknown(tool)


main(check)
