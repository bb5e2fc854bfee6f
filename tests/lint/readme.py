#!/usr/bin/env python3
"""Do what README.md, bench/README.md and the pages of doc/ say: readme.py ROOT BUILD LIBRARY CC...

Programs in C and C++ (which have main) are compiled and run, those in Python (which import something) are run, and the
commands of shell blocks are there. In all Markdown files, the files and headings of links are there. A page may not say
what does not work. Exits with 77 if there is no README.md.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COMPILED = {"c": (".c", ["-std=c99"]), "cpp": (".cpp", ["-std=c++17", "-x", "c++"])}
SHELL = {"sh", "bash", "shell", "console"}
KNOWN = {"cd", "export", "sudo", "git", "cc", "c++", "gcc", "python3", "pip", "meson", "ninja", "pkg-config", "apt-get",
         "rnn", "apt", "mpicc", "mpirun", "srun"}

failures = []


def run(command, where, directory, environment):
    result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        failures.append(f"{where}: {' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.returncode == 0


def check_program(language, code, where, root, cc, library, directory, environment):
    suffix, flags = COMPILED[language]
    source = pathlib.Path(directory) / f"block{suffix}"
    source.write_text(code)
    command = [*cc, *flags, "-Wall", "-Wextra", "-Werror", "-I", root / "include", source, "-o", "block", "-x", "none",
               library, f"-Wl,-rpath,{library.parent}", "-lm", *(["-lstdc++"] if language == "cpp" else [])]
    if run(command, where, directory, environment):
        run(["./block"], where, directory, environment)


def run_python(code, where, directory, environment):
    """By an interpreter that has numpy, if the code needs it and there is one."""
    for interpreter in (sys.executable, "/usr/bin/python3"):
        has = "import numpy" not in code or shutil.which(interpreter) and \
            subprocess.run([interpreter, "-c", "import numpy"], capture_output=True).returncode == 0
        if has:
            run([interpreter, "-c", code], where, directory, environment)
            return
    print(f"{where}: skipped: numpy is missing (Debian: python3-numpy)")


def check_command(line, where, root, build):
    words = line.removeprefix("$ ").split()
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if not words or words[0].startswith("#"):
        return
    if words[0] == "sudo":
        words = words[1:]
    command = words[0].split(";")[0]
    if "/" in command:
        inside = build / command.removeprefix("build/") if command.startswith("build/") else root / command
        if not os.access(inside, os.X_OK):
            failures.append(f"{where}: there is no program {command}")
    elif command not in KNOWN and shutil.which(command) is None:
        failures.append(f"{where}: there is no command {command}")


def markdown(root):
    """All pages but those of builds and of other projects."""
    outside = (".", "build", "node_modules", "subprojects", "target")
    return [path for path in sorted(root.rglob("*.md"))
            if not any(part.startswith(outside) for part in path.relative_to(root).parts)]


def anchors(path):
    """Those that GitHub and the manual make of headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)", text, re.M)}


def check_links(path, root):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(), flags=re.S | re.M)
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)", text):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            failures.append(f"{path.relative_to(root)}: there is no {name}")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            failures.append(f"{path.relative_to(root)}: {name or 'it'} has no heading #{anchor}")


def check_page(path, root, build, cc, library, environment):
    text, name = path.read_text(), path.relative_to(root)
    blocks = list(re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.S | re.M))
    for block in blocks:
        where = f"{name}:{text[:block.start()].count(chr(10)) + 1}"
        language, code = block[1], block[2]
        with tempfile.TemporaryDirectory() as directory:
            if language in COMPILED and " main(" in code:
                check_program(language, code, where, root, cc, library, directory, environment)
            elif language == "python" and re.match("import |from ", code):
                run_python(code, where, directory, environment)
            elif language in SHELL:
                for line in code.replace("\\\n", " ").splitlines():
                    check_command(line.strip(), where, root, build)
    if path.name == "README.md" and not any(block[1] in SHELL for block in blocks):
        failures.append(f"{name}: no commands")


def main():
    root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    library = pathlib.Path(sys.argv[3]).resolve()
    if not (root / "README.md").exists():
        sys.exit(77)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library.parent), PYTHONPATH=str(root / "bindings/python"))
    for path in (root / "README.md", root / "bench/README.md", *sorted((root / "doc").rglob("*.md"))):
        check_page(path, root, build, sys.argv[4:], library, environment)
    for path in markdown(root):
        check_links(path, root)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
