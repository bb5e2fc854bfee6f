#!/usr/bin/env python3
"""Do what README.md and bench/README.md say: readme.py ROOT BUILD LIBRARY CC...

Programs in C and C++ are compiled and run, Python is run, the commands of shell blocks are there, and the files of links.
A README may not say what does not work. Exits with 77 if there is no README.md.
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
         "apt", "mpicc", "mpirun", "srun"}

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


def check_readme(name, root, build, cc, library, environment):
    text = (root / name).read_text()
    blocks = list(re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.S | re.M))
    for block in blocks:
        where = f"{name}:{text[:block.start()].count(chr(10)) + 1}"
        language, code = block[1], block[2]
        with tempfile.TemporaryDirectory() as directory:
            if language in COMPILED:
                check_program(language, code, where, root, cc, library, directory, environment)
            elif language == "python":
                run_python(code, where, directory, environment)
            elif language in SHELL:
                for line in code.replace("\\\n", " ").splitlines():
                    check_command(line.strip(), where, root, build)
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        if not ((root / name).parent / link).exists():
            failures.append(f"{name}: there is no {link}")
    if not any(block[1] in SHELL for block in blocks):
        failures.append(f"{name}: no commands")


def main():
    root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    library = pathlib.Path(sys.argv[3]).resolve()
    if not (root / "README.md").exists():
        sys.exit(77)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library.parent), PYTHONPATH=str(root / "bindings/python"))
    for name in ("README.md", "bench/README.md"):
        check_readme(name, root, build, sys.argv[4:], library, environment)
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
