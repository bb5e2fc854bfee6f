#!/usr/bin/env python3
"""Configure this project where the system has no package of xsimd, JSON for Modern C++, CLI11 and GoogleTest, and compile
with what subprojects/*.wrap provides: fallback.py SOURCE CC... -- CXX...

Nothing is downloaded: this system's headers stand where Meson would put the sources.
"""

import configparser
import json
import pathlib
import shlex
import shutil
import sys
import tempfile

from scratch import run, skip_without

# Of each wrap: what Meson looks for, and a folder here, where that is in the wrap's.
SOURCES = {
    "xsimd": ("xsimd", "/usr/include/xsimd", "include/xsimd"),
    "nlohmann_json": ("nlohmann_json", "/usr/include/nlohmann", "include/nlohmann"),
    "cli11": ("CLI11", "/usr/include/CLI", "include/CLI"),
    "gtest": ("gtest", "/usr/src/googletest/googletest", "googletest"),
}
# Files that include JSON and CLI11, and one of GoogleTest; kernels would take too long.
COMPILED = ("/json_value.cpp", "/sunspots.cpp", "/gtest_main.cc")


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    end = sys.argv.index("--")
    skip_without("meson", "ninja")
    missing = [name for name, (_, here, _) in SOURCES.items() if not pathlib.Path(here).is_dir()]
    if missing:
        print(f"skipped: no sources of {' and '.join(missing)}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory) / "rnn"
        built = shutil.ignore_patterns("build*", ".git", "target", "node_modules", "*-[0-9]*.[0-9]*")
        shutil.copytree(source, tree, symlinks=True, ignore=built)
        for name, (_, here, there) in SOURCES.items():
            wrap = configparser.ConfigParser()
            wrap.read(tree / f"subprojects/{name}.wrap")
            folder = tree / "subprojects" / wrap["wrap-file"]["directory"]
            shutil.copytree(tree / "subprojects/packagefiles" / wrap["wrap-file"]["patch_directory"], folder)
            shutil.copytree(here, folder / there)
        forced = ",".join(dependency for dependency, _, _ in SOURCES.values())
        run("meson", "setup", tree / "build", tree, "--wrap-mode=nodownload", f"--force-fallback-for={forced}",
            "-Dtests=enabled", "-Dexamples=enabled", "-Dbenchmarks=disabled", "-Dtool=disabled",
            CC=shlex.join(sys.argv[2:end]), CXX=shlex.join(sys.argv[end + 1:]))
        commands = json.loads((tree / "build/compile_commands.json").read_text())
        outputs = [next(c["output"] for c in commands if c["file"].endswith(name)) for name in COMPILED]
        run("ninja", "-C", tree / "build", *outputs)
        flags = " ".join(c["command"] for c in commands)
        for dependency in ("xsimd", "nlohmann_json", "CLI11", "googletest"):
            if f"subprojects/{dependency}-" not in flags:
                sys.exit(f"nothing is compiled with the fallback of {dependency}")


main()
