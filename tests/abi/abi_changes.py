#!/usr/bin/env python3
"""Check that abi_diff.py tells changes of rnn.h that break programs from those that do not: abi_changes.py RNN_H CC..."""

import pathlib
import re
import shutil
import sys
import tempfile

import abi_diff

ADDED_FUNCTION = "\nRNN_API rnn_status_t rnn_added(rnn_t *rnn, int32_t count);\n"

# A pattern of the header, what takes its place, and what programs make of that.
CHANGES = {
    "nothing": (r"\A", "", "compatible"),
    "a comment": (r"Conventions", "Customs", "compatible"),
    "a function more": (r"(?=\n#ifdef __cplusplus\n})", ADDED_FUNCTION, "longer"),
    "a field more": (r"(?=\n\} rnn_config_t;)", "\n  size_t added;", "longer"),
    "a field more, of a struct without its size":
        (r"(typedef struct rnn_config \{\s*size_t )struct_size(.*?)(?=\n\} rnn_config_t;)",
         r"\1size\2\n  size_t added;", "incompatible"),
    "a field more within": (r"(?<=\n)(?=  int32_t input_size;)", "  int32_t added;\n", "incompatible"),
    "a field less": (r"\n  float forget_bias;", "", "incompatible"),
    "a field of another type": (r"int32_t hidden_size;", "float hidden_size;", "incompatible"),
    "a field of another sign": (r"int32_t hidden_size;", "uint32_t hidden_size;", "incompatible"),
    "a field of another size": (r"int32_t hidden_size;", "int64_t hidden_size;", "incompatible"),
    "a field more and another type":
        (r"int32_t hidden_size;(.*?)(?=\n\} rnn_config_t;)", r"float hidden_size;\1\n  size_t added;", "incompatible"),
    "fields in another order":
        (r"(\n  int32_t input_size;[^\n]*)(\n  int32_t hidden_size;[^\n]*)", r"\2\1", "incompatible"),
    "a function less": (r"\nRNN_API rnn_status_t rnn_step\([^;]*;", "", "incompatible"),
    "a function of another name": (r"(?<=RNN_API rnn_status_t )rnn_step", "rnn_advance", "incompatible"),
    "a parameter of another type": (r"(?<=rnn_step\(rnn_t \*rnn, const )float", "double", "incompatible"),
    "a parameter more": (r"(?<=rnn_step\(rnn_t \*rnn, )", "int32_t added, ", "incompatible"),
    "a parameter less": (r"(?<=rnn_step\(rnn_t \*rnn), const float \*\w+", "", "incompatible"),
    "another result": (r"RNN_API rnn_status_t(?= rnn_step\()", "RNN_API int64_t", "incompatible"),
    "another status type": (r"int32_t(?= rnn_status_t;)", "int64_t", "incompatible"),
    "another callback": (r"(?<=\(\*rnn_progress_function_t\)\()", "int32_t added, ", "incompatible"),
}


def main():
    header_path, *cc = sys.argv[1:]
    if not shutil.which("abidiff"):
        print(f"skipped: abidiff is missing (Debian: {abi_diff.PACKAGE})")
        sys.exit(77)
    header = pathlib.Path(header_path).read_text()
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        described = pathlib.Path(directory) / "librnn.abi"
        abi_diff.describe(header, cc, described)
        for name, (pattern, replacement, expected) in CHANGES.items():
            changed, count = re.subn(pattern, replacement, header, count=1, flags=re.S)
            verdict, report = abi_diff.compare(described, changed, cc) if count else ("not in rnn.h", "")
            print(f"{name}: {verdict}")
            if verdict != expected:
                failures += 1
                print(f"  must be {expected}\n{report}")
    sys.exit(1 if failures else 0)


main()
