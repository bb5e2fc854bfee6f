#!/usr/bin/env python3
"""Check that includes go one way: includes.py ROOT

    capi -> formats, training -> network -> cells -> kernels
"""

import pathlib
import re
import sys

LAYERS = {  # folder: what it may include besides itself
    "lib/kernels": [],
    "lib/cells": ["lib/kernels"],
    "lib/network": ["lib/cells", "lib/kernels"],
    "lib/training": ["lib/network", "lib/cells", "lib/kernels"],
    "lib/formats": ["lib/training", "lib/network", "lib/cells", "lib/kernels"],
    "capi": ["lib/formats", "lib/training", "lib/network", "lib/cells", "lib/kernels"],
    "include/rnn": [],
}
OWNERS = {  # library: the only files that may include it
    r"(oneapi/)?tbb\b": r"lib/training/",
    r"xsimd/": r"lib/kernels/\w+-inl\.h$",
    r"nlohmann/": r"lib/formats/",
    r"(onnx|google)/": r"lib/formats/onnx\w*\.(h|cpp)$",
    r"(\w+mmintrin|arm_neon)\.h": r"lib/kernels/(\w+-inl|float_mode)\.h$",
}
# Files that are compiled for an instruction set: an inline function of another header could be merged with the
# copy of another unit.
ISA_FILE = re.compile(r"lib/kernels/(\w+-inl\.h|isa_\w+\.cpp|table\.h)$")
ISA_HEADERS = re.compile(r"(cstddef|cstdint|xsimd/xsimd\.hpp|\w+mmintrin\.h|arm_neon\.h)$")
ISA_LOCAL = re.compile(r"lib/kernels/(\w+-inl|table|subnormals)\.h$")

failures = []


def check(path, line, name, quoted):
    def fail(why):
        failures.append(f"{path}:{line}: includes {name}: {why}")

    folder = next((f for f in LAYERS if path.startswith(f + "/")), None)
    if folder is None:
        return
    if quoted and name != "rnn/rnn.h":
        target = name.rsplit("/", 1)[0] if "/" in name else ""
        if target not in LAYERS:
            fail("paths start at the root of the repository")
        elif target != folder and target not in LAYERS[folder]:
            fail(f"{folder} may include {', '.join(LAYERS[folder]) or 'nothing'}")
    if quoted and name == "rnn/rnn.h" and folder in ("lib/kernels",):
        fail("kernels know nothing but memory")
    for library, owner in OWNERS.items():
        if re.match(library, name) and not re.match(owner, path):
            fail(f"only {owner} may")
    if ISA_FILE.match(path) and not (ISA_LOCAL if quoted else ISA_HEADERS).match(name):
        fail("an instruction set's unit may not share inline functions with others")
    if path == "include/rnn/rnn.h" and name not in ("stddef.h", "stdint.h"):
        fail("rnn.h stands alone")


def main():
    root = pathlib.Path(sys.argv[1])
    count = 0
    for folder in LAYERS:
        for path in sorted((root / folder).iterdir()):
            if path.suffix not in (".h", ".hpp", ".cpp"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
                if match:
                    count += 1
                    check(path.relative_to(root).as_posix(), number, match[2], match[1] == '"')
    if count < 50:
        failures.append(f"only {count} includes found")
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
