#!/usr/bin/env python3
"""rnn train on several ranks reads texts of every encoding as on one, and each rank a part: text.py MPIRUN PROGRAM"""

import pathlib
import random
import re
import sys
import tempfile

from mpirun import run

OPTIONS = ["--lanes", "4", "--batch", "8", "--hidden", "8", "--updates", "3", "--validations", "1", "--threads", "1", "-o",
           "model.rnn"]
# Of 1 to 4 bytes in UTF-8, with first and last codes of these sizes, and a mark in the middle of a text.
CHARACTERS = "ae \n\x7f\x80\xe9\u07ff\u0800\u4e2d\ufeff\uffff\U00010000\U0001F3BC\U0010ffff"
BLOCK = 4096  # bytes of which a rank reads a multiple

draw = random.Random(5)
text_of = lambda count: "".join(draw.choices(CHARACTERS, k=count))
TEXT = text_of(12000)
UTF8 = TEXT.encode()
TEXTS = {
    "utf-8": UTF8,
    "utf-8, marked": b"\xef\xbb\xbf" + UTF8,
    "utf-16, little": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "utf-16, big": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "a byte of the last part": UTF8[:-500] + b"\xe9" + UTF8[-500:],
    "bytes, marked": b"\xef\xbb\xbf" + UTF8[:20000] + b"\xff" + UTF8[20000:],
    "half a unit": b"\xff\xfe" + TEXT.encode("utf-16-le") + b"a",
    "half a pair": b"\xfe\xff" + TEXT.encode("utf-16-be") + b"\xd8\x3c",
    "bytes": bytes(draw.choices(range(256), k=20000)),
    "continuations": bytes(draw.choices(b"\x80\xbf\xe4\xf0", k=20000)),
    "a character between blocks": b"a" * (BLOCK - 2) + "\U0001F3BC".encode() * 3000,
    "few characters": "\xe9\u4e2d\U0001F3BC".encode() * 40,
}


def expect(condition, message):
    if not condition:
        sys.exit(str(message))


class Tool:
    def __init__(self, mpirun, program, folder):
        self.mpirun, self.program, self.folder = mpirun, program, folder

    def write(self, name, content):
        (self.folder / name).write_bytes(content)

    def train(self, ranks, *arguments):
        """The status, the model, and all that is said but how fast it went, also if several ranks say the same."""
        model = self.folder / "model.rnn"
        model.unlink(missing_ok=True)
        done = run(self.mpirun, ranks, self.program, "train", *arguments, *OPTIONS, cwd=self.folder, capture_output=True,
                   text=True, timeout=100)
        said = [line for line in (done.stdout + done.stderr).splitlines() if re.match("rnn: |training|validation", line)]
        said = list(dict.fromkeys(re.sub(r"^rnn: rank \d+: ", "rnn: ", line) for line in said))
        return done.returncode, model.read_bytes() if model.exists() else None, said

    def same(self, status, *arguments, ranks=(3,), pattern=""):
        expected = self.train(1, *arguments)
        expect(expected[0] == status and re.search(pattern, " ".join(expected[2])), f"{arguments}: {expected}")
        for count in ranks:
            found = self.train(count, *arguments)
            expect(found == expected, f"{arguments}: on {count} ranks {found[0], found[2]}, on one {expected[0], expected[2]}")


def check_texts(tool):
    for i, (name, content) in enumerate(TEXTS.items()):
        tool.write("text", content)
        tool.same(0, "text", ranks=(2, 4) if i == 0 else (2 + i % 3,),
                  pattern="" if "utf" in name or "character" in name else "its bytes are the characters")
    tool.write("text", UTF8)
    tool.write("other", text_of(3000).encode())
    tool.same(0, "text", "--validation", "other")


def check_vocabularies(tool):
    """Of a model to begin with: of characters, of bytes, and of both."""
    tool.write("text", UTF8)
    expect(tool.train(1, "text")[0] == 0, "no model of characters")
    (tool.folder / "model.rnn").rename(tool.folder / "characters.rnn")
    tool.write("more", UTF8 + "\u0436".encode() + UTF8)
    tool.same(0, "more", "--init", "characters.rnn", pattern="'\u0436'")
    tool.same(1, "more", "--init", "characters.rnn", "--keep-vocabulary", pattern=r"line \d+, column \d+: the character '\u0436'")
    tool.write("bytes", TEXTS["a byte of the last part"])
    tool.same(1, "bytes", "--init", "characters.rnn", pattern="is of characters; the text is neither UTF-8")
    expect(tool.train(1, "bytes")[0] == 0, "no model of bytes")
    (tool.folder / "model.rnn").rename(tool.folder / "bytes.rnn")
    for name in ("utf-8, marked", "utf-16, big"):
        tool.write("text", TEXTS[name])
        tool.same(0, "text", "--init", "bytes.rnn")


def check_errors(tool):
    tool.write("empty", b"")
    tool.same(1, "empty", pattern="the text has 0 characters")
    tool.write("short", b"abc")
    tool.same(1, "short", pattern="the text has 3 characters")
    tool.same(1, ".")
    status, _, said = tool.train(2, "/dev/null")
    expect(status == 1 and "/dev/null is not a regular file" in " ".join(said), said)


def check_reads(tool):
    """Each of four ranks reads about a quarter of a large text, to know its symbols, and about one to learn."""
    if not pathlib.Path("/proc/self/io").exists():
        return
    size = 8 << 20
    tool.write("text", b"seen and kept...".ljust(16) * (size // 16))
    script = '"$@" && grep rchar /proc/$$/io'
    done = run(tool.mpirun, 4, "sh", "-c", script, "sh", tool.program, "train", "text", *OPTIONS, "--quiet", cwd=tool.folder,
               capture_output=True, text=True, timeout=100)
    read = [int(count) for count in re.findall(r"rchar: (\d+)", done.stdout)]
    expect(done.returncode == 0 and len(read) == 4, done)
    expect(max(read) < 0.6 * size, f"of {size} bytes: {read}")
    print(f"of {size} bytes: {read}")


def main():
    mpirun, program = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(mpirun, program, pathlib.Path(folder))
        check_reads(tool)
        check_texts(tool)
        check_vocabularies(tool)
        check_errors(tool)


main()
