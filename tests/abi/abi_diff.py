#!/usr/bin/env python3
"""Compare the functions and structs of rnn.h with those that programs were built with, by libabigail's abidiff.

    abi_diff.py [--update] RNN_H LIBRNN_ABI CC...

LIBRNN_ABI is what abidw wrote of the header of the last refresh; --update refreshes it. More functions, and more fields
at the end of a struct that starts with struct_size, leave older programs as they are; all else is refused.
Exits with 77 if libabigail is missing.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PACKAGE = "abigail-tools"
FUNCTION = re.compile(r"^(RNN_API [^;{]*\));", re.M)
SIZED_STRUCT = re.compile(r"^typedef struct (\w+) \{\s*size_t struct_size;", re.M)

# In the exit status of abidiff.
ERRORS = 1 | 2

# A struct of its report that has nothing but more fields.
LONGER_STRUCT = re.compile(r"^'struct (\w+)' changed:\n"
                           r"  type size changed from (\d+) to \d+ \(in bits\)\n"
                           r"  \d+ data member insertions?:\n"
                           r"((?:    '.*', at offset \d+ \(in bits\)\n)+)(?=\n|\Z)", re.M)
NO_CHANGE = re.compile(r"(Leaf changes|Changed leaf types) summary: .*|(\S+ \S+) summary: 0 Removed, 0 Changed, 0 Added \S+|")


def run(*command, folder=None):
    return subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=100)


def checked(result):
    if result.returncode != 0:
        sys.exit(f"{' '.join(result.args)}\n{result.stdout}{result.stderr}")


def build(header, cc, folder):
    """A library with the header's functions, which do nothing: its debug information is the ABI, in an instant."""
    text, count = FUNCTION.subn(r"\1 { __builtin_unreachable(); }", header)
    if count < 10:
        sys.exit(f"only {count} functions found in rnn.h")
    (folder / "functions.c").write_text(text)
    # A path without the folder's, since it is part of what is described.
    checked(run(*cc, "-std=c99", "-g", "-w", "-fPIC", "-shared", "functions.c", "-o", "librnn.so", folder=folder))
    return folder / "librnn.so"


def describe(header, cc, path):
    """Write the ABI of the header's text to a file."""
    with tempfile.TemporaryDirectory() as directory:
        library = build(header, cc, pathlib.Path(directory))
        checked(run("abidw", "--no-architecture", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
                    "--no-parameter-names", "--type-id-style", "hash", "--out-file", path, library))


def longer_structs_only(report, header):
    """Whether all that a report has are fields behind the end of structs that tell their size."""
    for name, size, fields in LONGER_STRUCT.findall(report):
        first = min(int(offset) for offset in re.findall(r", at offset (\d+) ", fields))
        if name not in SIZED_STRUCT.findall(header) or first < int(size):
            return False
    return all(NO_CHANGE.fullmatch(line) for line in LONGER_STRUCT.sub("", report).splitlines())


def compare(described, header, cc):
    """What abidiff says: "compatible", "longer" (compatible, and there is more), or "incompatible"; and its report."""
    def diff(*options):
        result = run("abidiff", "--no-architecture", "--no-corpus-path", "--ignore-soname", "--no-show-locs",
                     "--leaf-changes-only", *options, described, library)
        if result.returncode & ERRORS:
            sys.exit(f"{' '.join(result.args)}\n{result.stdout}{result.stderr}")
        return result.returncode, result.stdout

    with tempfile.TemporaryDirectory() as directory:
        library = build(header, cc, pathlib.Path(directory))
        changed, report = diff()
        if not changed:
            return "compatible", report
        changed, rest = diff("--no-added-syms")
        return ("longer" if not changed or longer_structs_only(rest, header) else "incompatible"), report


def main():
    arguments = sys.argv[1:]
    update = arguments[:1] == ["--update"]
    header_path, described, *cc = arguments[update:]
    if not shutil.which("abidiff") or not shutil.which("abidw"):
        print(f"skipped: abidiff is missing (Debian: {PACKAGE})")
        sys.exit(77)
    header = pathlib.Path(header_path).read_text()
    if update:
        describe(header, cc, described)
        return
    verdict, report = compare(described, header, cc)
    print(report)
    if verdict == "longer":
        print("Programs that were built before still work. scripts/update_abi keeps that so for what was added.")
    elif verdict == "incompatible":
        sys.exit("Programs that were built before would break.")


if __name__ == "__main__":
    main()
