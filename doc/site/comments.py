#!/usr/bin/env python3
"""Turn the comments of rnn.h into what Doxygen and Sphinx read, and the docstrings of the Python package likewise:
paragraphs, indented formulas, and lines of a name and what is said of it.

    comments.py HEADER    prints the header as Doxygen's filter
"""

import pathlib
import re
import sys

LABELS = ("Returns", "Errors", "Threads", "Realtime", "Since")
# A section, and the comment between empty lines at its start.
SECTION = re.compile(r"^/\* ---- ([^\n]*?) -+ \*/\n\n(?:(/\*(?:(?!\*/).)*\*/)\n\n)?", re.M | re.S)


def slug(title):
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def escape(text):
    return re.sub(r"([\\*`|_])", r"\\\1", text)


class Names:
    """The names of rnn.h, which become links."""

    def __init__(self, header):
        self.roles = {name: "func" for name in re.findall(r"^RNN_API [^;(]*?\b(rnn_\w+)\(", header, re.M)}
        self.roles |= {name: "enumerator" for name in re.findall(r"^ +(RNN_\w+) = ", header, re.M)}
        self.roles |= {name: "struct" for name in re.findall(r"^\} (rnn_\w+_t);", header, re.M)}
        self.roles |= {name: "type" for name in re.findall(r"^typedef .*?\b(rnn_\w+_t)(?:;|\)\()", header, re.M)}

    def inline(self, text):
        out, end = [], 0
        for match in re.finditer(r"`([^`]+)`|\b(rnn_\w+|RNN_\w+)(\(\)|\.\.\.)?((?:\.[a-z_]+)?)", text):
            out.append(escape(text[end:match.start()]))
            if match[1]:
                word = f"``{match[1]}``"
            elif match[2] in self.roles:
                word = f":c:{self.roles[match[2]]}:`{match[2]}`" + (f"\\ ``{match[4]}``" if match[4] else "")
            else:
                word = f"``{match[0]}``"
            out.append(("\\ " if out and out[-1][-1:].strip() else "") + word)
            end = match.end()
            if text[end:end + 1].isalnum():
                out.append("\\ ")
        text = "".join(out) + escape(text[end:])
        return re.sub(r"^(\w)\.", r"\1\\.", text)  # else the item of a list


def paragraphs(lines):
    part = []
    for line in [*lines, ""]:
        if line.strip():
            part.append(line)
        elif part:
            yield part
            part = []


def indent(line):
    return len(line) - len(line.lstrip())


def label_of(line, column, allowed):
    """The name at the start of a line, of which the text begins at the column."""
    name = line[:column].strip()
    words = set(re.split(r", ?", name))
    return name if line[column - 1:column] == " " and line[column:].strip() and words <= allowed else None


def table(rows, names, out):
    out += ["", ".. list-table::", "   :widths: 15 85", "   :class: labels", ""]
    for name, text in rows:
        out += [f"   * - ``{name}``" if name not in LABELS else f"   * - {name}", f"     - {names.inline(text)}"]
    out.append("")


def convert(lines, names, allowed=(), column=9):
    """A comment as lines of reStructuredText. Names in `allowed` begin the rows of a table, with text at the column."""
    out, allowed = [], {*LABELS, *allowed}
    for part in paragraphs(lines):
        if part[0].startswith(">>>"):
            out += ["", *part, ""]
            continue
        prose, rows, literal = [], [], []

        def flush():
            if prose:
                out.extend(["", names.inline(" ".join(prose)), ""])
            if literal:
                least = min(map(indent, literal))
                out.extend(["", "::", "", *("   " + line[least:] for line in literal), ""])
            if rows:
                table(rows, names, out)
            for kept in (prose, literal, rows):
                kept.clear()

        for line in part:
            name = label_of(line, column, allowed) if indent(line) == 0 else None
            if name:
                if not rows:
                    flush()
                rows.append((name, line[column:].strip()))
            elif rows and indent(line):
                rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
            elif indent(line):
                if not literal:
                    flush()
                literal.append(line)
            else:
                # A sentence that ends where the next word would have had room ends a paragraph.
                if not prose or re.search(r"[^.]\.$", prose[-1]) and len(f"{prose[-1]} {line.split()[0]}") < 104:
                    flush()
                prose.append(line)
        flush()
    return out


def body(comment):
    """The lines of a comment without its marks."""
    text = re.sub(r"^/\*\*?|\*/$", "", comment.strip()).rstrip()
    first, *rest = text.split("\n")
    if all(re.match(r" +\*( |$)", line) for line in rest):
        return [first.strip(), *(re.sub(r"^ +\* ?", "", line).rstrip() for line in rest)]
    return [first.strip(), *(line.strip() for line in rest)]


def embed(lines, mark):
    return f"/**{mark} \\verbatim embed:rst\n" + "\n".join(lines) + "\n\\endverbatim */"


def filtered(header):
    """The header with comments as Doxygen has them, and with a group for each of its sections."""
    names = Names(header)
    header = re.sub(r"\A/\*.*?\*/\n", lambda m: "\n" * m[0].count("\n"), header, flags=re.S)
    opened = False

    def section(match):
        nonlocal opened
        close = "/** @} */ " if opened else ""
        opened = True
        return f"{close}/** \\defgroup {slug(match[1])} {match[1]}\n @{{ */\n\n"

    header = SECTION.sub(section, header)
    header = re.sub(r"\n#ifdef __cplusplus\n\}", "\n/** @} */\n#ifdef __cplusplus\n}", header)

    def before(match):
        comment, declaration = match[1], match[2]
        parameters = set(re.findall(r"(\w+)(?:\[\])?\s*(?:[,)]|$)", declaration.partition("(")[2]))
        lines = body(comment)
        column = next((match.end() for line in lines if (match := re.match(r"Since +", line))), 9)
        return embed(convert(lines, names, parameters, column), "") + "\n" + declaration

    # What stands in front of a declaration.
    header = re.sub(r"^(/\*(?!\*)(?:(?!\*/).)*\*/)\n((?:RNN_API|typedef|enum|struct)\b[^;{]*)", before, header,
                    flags=re.S | re.M)

    # `enum { /* what it is of */ ... }; /* more */`
    def enumeration(match):
        about = " ".join(body(match[1]) + ([". ", *body(match[3])] if match[3] else [])).replace(" . ", ".")
        return embed(convert([about], names), "") + "\nenum {" + match[2] + "\n};\n"

    header = re.sub(r"^enum \{ (/\*(?:(?!\*/).)*\*/)(.*?)\n\};(?: +(/\*[^\n]*\*/))?\n", enumeration, header,
                    flags=re.S | re.M)

    def behind(match):
        return match[1] + embed(convert([" ".join(body(match[2]))], names), "<")

    # Enumerators and fields: in front of them in a line of its own, or behind them.
    def ahead(match):
        return embed(convert(body(match[1]), names), "") + "\n"

    header = re.sub(r"^  (/\*(?!\*)(?:(?!\*/).)*\*/)\n", ahead, header, flags=re.S | re.M)
    return re.sub(r"^(  [^/\n]*[,;{]? *)(/\*(?!\*)(?:(?!\*/).)*\*/)$", behind, header, flags=re.S | re.M)


def sections(header):
    """Their titles, and what is said of each."""
    names = Names(header)
    return [(title, convert(body(about), names) if about else []) for title, about in SECTION.findall(header)]


def introduction(header):
    return convert_introduction(re.match(r"/\*.*?\*/", header, re.S)[0], Names(header))


def convert_introduction(comment, names):
    """The comment at the top: its program, then conventions, a paragraph for each that is indented."""
    text = "\n".join(body(comment))
    program = text[text.index("  #include"):text.index("Conventions")]
    conventions = text[text.index("Conventions\n") + len("Conventions\n"):]
    out = [names.inline(text[:text.index("\n")]), "", "The simplest whole program:", "", ".. code-block:: c", ""]
    out += ["   " + line[2:] for line in program.rstrip().split("\n")]
    out += ["", "Conventions", "-----------", ""]
    rules, _, letters = conventions.partition("\n\n")
    # A rule begins where a line does, behind one that ends a sentence.
    for rule in re.split(r"(?<=\.)\n", rules):
        out += ["- " + names.inline(" ".join(rule.split())), ""]
    return out + [names.inline(" ".join(letters.split())), ""]


if __name__ == "__main__":
    print(filtered(pathlib.Path(sys.argv[1]).read_text()), end="")
