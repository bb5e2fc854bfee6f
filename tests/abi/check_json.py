#!/usr/bin/env python3
"""Hold rnn.json to rnn.h by the C compiler, without libclang: check_json.py RNN_JSON INCLUDE_DIRECTORY CC...

The description becomes a C11 program of static assertions about sizes, offsets, types, constants and functions, and has
all names that the header declares. A description with one number or one type changed has to be refused.
"""

import copy
import json
import pathlib
import re
import subprocess
import sys

ADVICE = "rnn.json does not describe rnn.h: run scripts/describe_abi"


def declare(callback, name):
    """A pointer to a function of the callback's type."""
    parameters = ", ".join(parameter["type"] for parameter in callback["parameters"])
    return f"{callback['returns']} (*{name})({parameters or 'void'})"


def assertions(description):
    yield "#include <rnn/rnn.h>\n#include <stddef.h>"
    yield f"_Static_assert(sizeof(void *) == {description['abi']['pointer_size']}, \"pointers\");"
    for name, kind in description["types"].items():
        yield f"_Static_assert(_Generic(({name})0, {kind}: 1, default: 0), \"{name}\");"
    for name in description["handles"]:
        yield f"extern {name} *handle_{name};"
    for name, value in description["constants"].items():
        yield f"_Static_assert({name} == {value}, \"{name}\");"
    for name, callback in description["callbacks"].items():
        yield f"_Static_assert(_Generic(({name})0, {declare(callback, '')}: 1, default: 0), \"{name}\");"
    for name, struct in description["structs"].items():
        yield f"_Static_assert(sizeof({name}) == {struct['size']}, \"{name}\");"
        yield f"_Static_assert(_Alignof({name}) == {struct['alignment']}, \"{name}\");"
        for field in struct["fields"]:
            where = f"(({name} *)0)->{field['name']}"
            yield f"_Static_assert(offsetof({name}, {field['name']}) == {field['offset']}, \"{where}\");"
            yield f"_Static_assert(sizeof {where} == {field['size']}, \"{where}\");"
            yield f"_Static_assert(_Generic({where}, {field['type']}: 1, default: 0), \"{where}\");"
    for name, function in description["functions"].items():
        yield f"_Static_assert(_Generic(&{name}, {declare(function, '')}: 1, default: 0), \"{name}\");"


def compile_errors(description, include, cc):
    command = [*cc, "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", include, "-x", "c", "-"]
    program = "\n".join(assertions(description)) + "\n"
    return subprocess.run(command, input=program, capture_output=True, text=True).stderr


def names(description):
    for kind in ("handles", "constants", "callbacks", "structs", "functions"):
        yield from description[kind]
    for name, struct in description["structs"].items():
        yield from (f"{name}.{field['name']}" for field in struct["fields"])


def declared(header):
    """All names of types, constants, functions and fields in rnn.h, by its layout."""
    header = re.sub(r"/\*.*?\*/|^ *#.*?$", "", header, flags=re.S | re.M)
    yield from re.findall(r"^RNN_API [^;(]*?(\w+)\(", header, re.M)
    yield from re.findall(r"^typedef struct \w+ (\w+);", header, re.M)
    yield from re.findall(r"^typedef \w+ \(\*(\w+)\)", header, re.M)
    yield from re.findall(r"^ +(RNN_\w+) *=", header, re.M)
    for fields, name in re.findall(r"^typedef struct \w+ \{(.*?)^\} (\w+);", header, re.S | re.M):
        yield name
        yield from (f"{name}.{a or b}" for a, b in re.findall(r"\(\*(\w+)\)\(|(\w+);", fields))


def falsified(description):
    """The description with one thing wrong, in all its kinds."""
    def with_change(change):
        result = copy.deepcopy(description)
        change(result)
        return result

    config = description["structs"]["rnn_config_t"]["fields"]
    last = len(config) - 1
    yield with_change(lambda d: d["structs"]["rnn_config_t"].update(size=d["structs"]["rnn_config_t"]["size"] + 8))
    yield with_change(lambda d: d["structs"]["rnn_config_t"]["fields"][last].update(offset=config[last]["offset"] + 4))
    yield with_change(lambda d: d["structs"]["rnn_config_t"]["fields"][last].update(size=2 * config[last]["size"]))
    yield with_change(lambda d: d["structs"]["rnn_config_t"]["fields"][1].update(type="uint32_t"))
    yield with_change(lambda d: d["constants"].update(RNN_CELL_GRU=3))
    yield with_change(lambda d: d["functions"]["rnn_step"]["parameters"][1].update(type="float *"))
    yield with_change(lambda d: d["functions"]["rnn_destroy"].update(returns="rnn_status_t"))
    yield with_change(lambda d: d["callbacks"]["rnn_progress_function_t"].update(returns="int64_t"))


def main():
    path, include, *cc = sys.argv[1:]
    description = json.loads(pathlib.Path(path).read_text())
    header = (pathlib.Path(include) / "rnn/rnn.h").read_text()
    if errors := compile_errors(description, include, cc):
        sys.exit(f"{errors}{ADVICE}")
    described, in_header = set(names(description)), set(declared(header))
    if described != in_header:
        sys.exit(f"{sorted(in_header - described)} only in rnn.h, {sorted(described - in_header)} only in rnn.json\n"
                 f"{ADVICE}")
    version = ".".join(re.search(rf"#define RNN_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    if description["version"] != version:
        sys.exit(f"version {description['version']}; the header's is {version}\n{ADVICE}")
    for number, wrong in enumerate(falsified(description)):
        if not compile_errors(wrong, include, cc):
            sys.exit(f"falsified description {number} passes")


main()
