#!/usr/bin/env python3
"""Compare what the libraries define with the list of the ABI.

    check_symbols.py NM SYMBOLS_TXT RNN_H SHARED_LIBRARY STATIC_LIBRARY

The header declares and the shared library exports exactly the list, each function with the version that its Since in
the header says. Every strong symbol of the static library is on the list or in namespace rnn: a program that links it
may have any other name itself.
"""

import re
import subprocess
import sys

# The last label of a function's comment, and its name.
DECLARATION = re.compile(r"^ \* Since +([0-9.]+) \*/\nRNN_API [^;(]*?(\w+)\(", re.M)


def defined(nm, *arguments):
    """Types and names of the defined global symbols."""
    command = [nm, "--defined-only", "--extern-only", *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [match.groups() for match in re.finditer(r"^[0-9a-f]+ (\w) (.+)$", output, re.M)]


def main():
    nm, listed_path, header_path, shared, static = sys.argv[1:]
    with open(listed_path, encoding="ascii") as file:
        lines = file.read().split()
    listed = set(lines)
    with open(header_path, encoding="ascii") as file:
        since = dict(reversed(pair) for pair in DECLARATION.findall(file.read()))
    declared = set(since)
    versions = dict(name.partition("@@")[::2] for kind, name in defined(nm, "-D", shared) if kind != "A")
    exported = set(versions)
    special = r"vtable|VTT|typeinfo|typeinfo name|guard variable|TLS \w+ function"
    in_namespace = re.compile(rf"^(({special}) for )?rnn::")
    strong = {name for kind, name in defined(nm, "-C", static) if kind in "ABCDGRST"}

    problems = []
    if lines != sorted(listed):
        problems.append("the list is not sorted, or has a name twice")

    def report(names, text):
        problems.extend(f"{name} {text}" for name in sorted(names))

    report(declared - listed, "is declared in the header, and not on the list")
    report(listed - declared, "is on the list, and not in the header")
    report(exported - listed, "is exported, and not on the list")
    report(listed - exported, "is on the list, and not exported")
    report(listed - strong, "is on the list, and not in the static library")
    report({name for name in strong - listed if not in_namespace.match(name)}, "is not in namespace rnn")
    for name in sorted(declared & exported):
        if versions[name] != f"RNN_{since[name]}":
            problems.append(f"{name} is there since {since[name]}, and exported with the version {versions[name]}")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
