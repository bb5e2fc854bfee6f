#!/usr/bin/env python3
"""Run the documented lines that build a program with the installed library: documented.py SOURCE PROGRAM

In README.md and doc/ these are the lines `cc app.c ...`, the CMake lines of find_package(rnn) and the Meson project.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)


def run(command, folder):
    print(f"$ {command}", flush=True)
    subprocess.run(["sh", "-ec", command], cwd=folder, check=True)


def check(folder, program, static):
    output = subprocess.run([folder / program], check=True, capture_output=True, text=True).stdout
    if "the cell keeps what it has seen" not in output:
        sys.exit(f"{program} printed {output!r}")
    needed = subprocess.run(["ldd", folder / program], check=True, capture_output=True, text=True).stdout
    if ("librnn" in needed) == static:
        sys.exit(f"{program} is to be {'static' if static else 'shared'}, and needs\n{needed}")


def main():
    root = pathlib.Path(sys.argv[1])
    code = pathlib.Path(sys.argv[2]).read_text()
    pages = [root / "README.md", *sorted((root / "doc").rglob("*.md"))]
    blocks = [block.groups() for page in pages for block in BLOCK.finditer(page.read_text())]
    done = set()

    def new_folder():
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "app.c").write_text(code)
        return folder

    for language, text in blocks:
        for line in re.findall(r"^cc app\.c .*pkg-config.*$", text, re.M):
            folder = new_folder()
            run(line, folder)
            static = "static" in line
            check(folder, "app", static)
            done.add("pkg-config, static" if static else "pkg-config, shared")
        if language == "cmake" and "find_package(rnn" in text:
            folder = new_folder()
            (folder / "CMakeLists.txt").write_text(
                f"cmake_minimum_required(VERSION 3.16)\nproject(app C)\nadd_executable(app app.c)\n{text}")
            run("cmake -B build && cmake --build build", folder)
            check(folder, "build/app", False)
            done.add("CMake")
        if language == "meson" and "dependency('rnn'" in text:
            folder = new_folder()
            (folder / "meson.build").write_text(text)
            run("meson setup build --wrap-mode=nofallback && meson compile -C build", folder)
            check(folder, "build/app", False)
            done.add("Meson")
    missing = {"pkg-config, static", "pkg-config, shared", "CMake", "Meson"} - done
    if missing:
        sys.exit(f"no documented lines for {', '.join(sorted(missing))}")


main()
