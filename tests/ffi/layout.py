"""Whether the structs of a binding are those of rnn.json."""

import sys


def check_layout(text, structs):
    """text: a line for each struct, its name and size, and for each field, STRUCT.FIELD, its offset and size. A struct
    is rnn.json's, or ends before a field that a later version added."""
    found = {}
    for line in text.splitlines():
        name, *numbers = line.split(" ")
        struct, _, field = name.partition(".")
        found.setdefault(struct, [])
        found[struct].append((field, *map(int, numbers)))
    if not found:
        sys.exit("--layout prints no structs")
    for name, ((_, size), *fields) in found.items():
        described = [(field["name"], field["offset"], field["size"]) for field in structs[name]["fields"]]
        wrong = [f"{name}.{a[0]}: {a[1:]}; rnn.json has {b}" for a, b in zip(fields, described) if a != b]
        if wrong or len(fields) > len(described):
            sys.exit("\n".join(wrong) or f"{name}: more fields than in rnn.json")
        end = described[len(fields)][1] if len(fields) < len(described) else structs[name]["size"]
        if size != end:
            sys.exit(f"{name}: {size} bytes; rnn.json has {end} up to {fields[-1][0]}")
