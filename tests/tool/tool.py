"""The program rnn as the tests run it, in a folder of their own: each calls main(check)."""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

SENTENCE = "the cell keeps what it has seen\n"
VARIED = "Gr\u00fc\u00dfe an alle, said the cat; 12 of 7\u20ac were lost.\n"


class Tool:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def command(self, *arguments):
        return [self.program, *map(str, arguments)]

    def run(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), cwd=self.folder, capture_output=True, timeout=100, **options)

    def ok(self, *arguments, **options):
        """What it writes to stdout, as text."""
        done = self.run(*arguments, **options)
        expect(done.returncode == 0, f"{arguments}: status {done.returncode}, {done.stderr}")
        expect(not re.search(rb"[\r\033]", done.stderr), f"{arguments}: control characters in a pipe, {done.stderr}")
        return done.stdout.decode("utf-8")

    def json(self, *arguments, **options):
        return json.loads(self.ok(*arguments, "--json", **options))

    def fails(self, pattern, *arguments, status=1, **options):
        """One line on stderr, behind a note at most, that holds the pattern and nothing that a terminal would obey; nothing
        on stdout."""
        done = self.run(*arguments, **options)
        said = done.stderr.decode("utf-8", "replace")
        expect(done.returncode == status, f"{arguments}: status {done.returncode}, expected {status}: {said}")
        line = re.fullmatch(r"(?:rnn: note: [^\x00-\x1f\x7f-\x9f]+\n)?(rnn: [^\x00-\x1f\x7f-\x9f]+\n)", said)
        expect(line and re.search(pattern, line[1]), f"{arguments}: {said!r}")
        expect(done.stdout == b"", f"{arguments}: fails, and writes {done.stdout}")

    def write(self, name, text):
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return name

    def train(self, text, *arguments):
        """A small model of the text, quickly."""
        return self.json("train", text, "--cell", "gru", "--hidden", "24", "--batch", "8", "--learning-rate", "0.02",
                         "--quiet", *arguments)


def expect(condition, message):
    if not condition:
        sys.exit(f"{message}")


def near(found, expected, what, tolerance=1e-12):
    expect(abs(found - expected) <= tolerance * max(1, abs(expected)), f"{what}: {found}, expected {expected}")


def split(path):
    """The header of a safetensors file, and what is behind it."""
    data = path.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + size]), data[8 + size:]


def join(header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def metadata(path):
    return split(path)[0]["__metadata__"]


def with_metadata(path, key, value):
    """The file with that metadata; without the key if value is None."""
    header, data = split(path)
    header["__metadata__"].pop(key, None)
    if value is not None:
        header["__metadata__"][key] = value
    return join(header, data)


def main(check):
    os.environ.pop("RNN_ISA", None)
    with tempfile.TemporaryDirectory() as folder:
        check(Tool(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(folder)))
