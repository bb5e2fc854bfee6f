#!/usr/bin/env python3
"""Check the symbols of the static archive and of the shared library: objects.py ARCHIVE SHARED_LIBRARY ISA...

The ODR trap: an inline function that the AVX-512 unit emits as a weak symbol may be the copy that the linker keeps
for everybody, in the library or in the program around it. So an object of an instruction set may define nothing but
its table and the functions of its outputs, or its products in other formats than f32, which use these functions, and
nothing weak at all. And the library may not put names into a program that are not its own, nor run code when it is
loaded, nor use thread-local storage beside the last error.
"""

import collections
import re
import subprocess
import sys

ISA_OBJECT = re.compile(r"(isa|lowp)_([a-z0-9]+)\.cpp\.o$")

# What the compiler calls by itself.
ISA_UNDEFINED = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}

# Of the real-time functions' objects, only this one may use thread-local storage, and only after a failure.
THREAD_LOCAL = re.compile(r"(capi_)?error\.cpp\.o$")
# The headers of protobuf, in builds with ONNX, use it, and run code when the library is loaded.
PROTOBUF = re.compile(r"formats_onnx_\w+\.cpp\.o$")
TLS_RELOCATION = re.compile(r"R_\w*(TLS|TPOFF|TPREL|DTPOFF|DTPREL)")

OWN_NAME = re.compile(r"^(rnn_\w+$|rnn::|\(anonymous namespace\)|"
                      r"(typeinfo|typeinfo name|vtable|VTT|guard variable|construction vtable) for rnn::|"
                      r"(virtual thunk|non-virtual thunk) to rnn::)")

failures = []


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(archive):
    """{object: [(type, name)]} with demangled names."""
    found = collections.defaultdict(list)
    for line in run("nm", "-A", "-C", archive).splitlines():
        match = re.match(r".*?:([^:]+\.o):\s*([0-9a-f]*)\s+(\S) (.*)", line)
        if match:
            found[match[1]].append((match[3], match[4]))
    return found


def check_isa_object(name, entries):
    kind, isa = ISA_OBJECT.search(name).groups()
    formats = {"isa": ["table", "outputs"], "lowp": ["bf16", "int8"]}[kind]
    own = {f"rnn::kernels::{isa}_{f}" for f in formats}
    strong = [n for t, n in entries if t in "TDRBGS"]
    if not strong or not own.issuperset(strong):
        failures.append(f"{name}: defines {strong}; it must define one of {sorted(own)} and nothing else")
    for t, n in entries:
        if t in "WVu" or t in "wv":
            failures.append(f"{name}: weak or unique symbol {n}")
        outputs = re.fullmatch(r"rnn::kernels::(\w+)_outputs", n)
        if t == "U" and n not in ISA_UNDEFINED and not (outputs and isa.startswith(outputs[1]) and kind == "lowp"):
            failures.append(f"{name}: needs {n}")


def member(line):
    """The object that readelf's line "File: archive(object)" or "File: path" names."""
    return line.rstrip(")").replace("(", "/").split("/")[-1]


def check_sections(archive):
    name = None
    for line in run("readelf", "-S", "-W", archive).splitlines():
        section = re.match(r"\s*\[ *\d+\] (\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) ", line)
        if line.startswith("File: "):
            name = member(line)
        elif section and int(section[2], 16) != 0:
            if re.match(r"\.(init_array|ctors)", section[1]) and not PROTOBUF.search(name):
                failures.append(f"{name}: runs code when the library is loaded")
            elif ISA_OBJECT.search(name) and re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)", section[1]):
                failures.append(f"{name}: has data that can change, in {section[1]}")
    if name is None:
        failures.append(f"{archive}: no objects")


def check_thread_local(archive):
    name = None
    for line in run("readelf", "-r", "-W", archive).splitlines():
        if line.startswith("File: "):
            name = member(line)
        elif TLS_RELOCATION.search(line) and not THREAD_LOCAL.search(name) and not PROTOBUF.search(name):
            failures.append(f"{name}: thread-local storage: {line.split()[-1]}")


def main():
    archive, shared, *isas = sys.argv[1:]
    objects = symbols(archive)
    matches = [ISA_OBJECT.search(name) for name in objects]
    found = sorted(match[2] for match in matches if match and match[1] == "isa")
    if found != sorted(isas):
        failures.append(f"objects of {found}; expected those of {sorted(isas)}")
    for name, entries in sorted(objects.items()):
        if ISA_OBJECT.search(name):
            check_isa_object(name, entries)
        for t, n in entries:
            if t in "TDRBGSC" and not OWN_NAME.match(n):
                failures.append(f"{name}: global symbol {n} is neither rnn_* nor rnn::")
    check_sections(archive)
    check_thread_local(archive)

    exported = [line.split()[-1] for line in run("nm", "-D", "--defined-only", shared).splitlines()]
    exported = [name for name in exported if not re.match(r"RNN_[0-9.]+(@|$)", name)]  # the versions themselves
    for name in exported:
        if not name.startswith("rnn_"):
            failures.append(f"{shared}: exports {name}")
    if len(exported) < 10:
        failures.append(f"{shared}: exports only {exported}")

    print("\n".join(failures))
    sys.exit(bool(failures))


main()
