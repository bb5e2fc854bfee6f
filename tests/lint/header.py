#!/usr/bin/env python3
"""Check that the comment of every function in rnn.h has its labels, in their order, and how long lines are, which
nothing but this says of a file that is laid out by hand: header.py rnn.h"""

import re
import sys

LONGEST_LINE = 110  # as .clang-format has it
LABELS = ["Returns", "Errors", "Threads", "Realtime", "Since"]
STATUS = re.compile(r"\bRNN_[A-Z_]+\b")

failures = []


def check(name, declaration, comment, statuses):
    def fail(why):
        failures.append(f"{name}: {why}")

    lines = [re.sub(r"^ \* ?", "", line) for line in comment.splitlines()]
    found = [match[1] for line in lines if (match := re.match(r"([A-Z]\w+) +\S", line)) and match[1] in LABELS]
    for label in LABELS[1:]:
        if found.count(label) != 1:
            fail(f"{found.count(label)} lines start with {label}")
    if found != [label for label in LABELS if label in found]:
        fail(f"labels are in the order {found}")
    result = declaration.split("rnn_", 1)[0] if not declaration.startswith("rnn_status_t ") else "rnn_status_t"
    if ("Returns" in found) != (result.strip() not in ("rnn_status_t", "void")):
        fail("Returns belongs to functions that return something other than a status")

    text = " ".join(lines)
    realtime = re.search(r"Realtime +(\w+)", text)
    if realtime and realtime[1] not in ("yes", "no"):
        fail(f"Realtime is {realtime[1]}")
    since = re.search(r"Since +(\S+)", text)
    if since and not re.fullmatch(r"\d+\.\d+", since[1]):
        fail(f"Since is {since[1]}")
    errors = re.search(r"Errors +(.*?) Threads ", text)
    if errors and declaration.startswith("rnn_status_t "):
        if not STATUS.search(errors[1]) and not errors[1].startswith("as "):
            fail("Errors names no status")
        for status in STATUS.findall(errors[1]):
            if status not in statuses and status != "RNN_ISA":
                fail(f"{status} is no status")
    elif errors and not errors[1].startswith("none"):
        fail("a function without a status cannot have errors")
    if not re.match(r"[A-Z].*\.", " ".join(lines).strip()):
        fail("the comment starts with no sentence")


def main():
    text = open(sys.argv[1], encoding="ascii").read()
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            failures.append(f"line {number} has {len(line)} characters; it may have {LONGEST_LINE}")
    enumerators = re.search(r"typedef int32_t rnn_status_t;\s*enum \{(.*?)\};", text, re.S)
    statuses = set(re.findall(r"(RNN_\w+) *=", enumerators[1]))
    functions = re.findall(r"(/\*(?:(?!\*/).)*\*/)?\s*\bRNN_API ([^#;]*?\b(rnn_\w+)\([^;]*\);)", text, re.S)
    declared = len(re.findall(r"^RNN_API ", text, re.M))
    if declared < 10 or declared != len(functions):
        failures.append(f"{len(functions)} of {declared} functions understood")
    for comment, declaration, name in functions:
        if not comment:
            failures.append(f"{name}: no comment")
            continue
        check(name, declaration, comment.strip("/*").strip(), statuses)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
