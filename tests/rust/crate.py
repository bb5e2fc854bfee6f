#!/usr/bin/env python3
"""Test bindings/rust, the crate for Rust, with the library of the build folder:

    crate.py shared|static|pkg-config|style ROOT BUILD SCRATCH REFERENCE

shared runs all tests of the crate and holds its example to REFERENCE, the one in C; static runs those that need no
documentation, pkg-config few with the library that pkg-config finds; all without a network. style holds the crate to
rustfmt, clippy and rustdoc. Exits with 77 if a tool is missing, and says which.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

OLDEST = (1, 63)
FILE = "sentences.safetensors"


def skip(message):
    print(f"skipped: {message}")
    sys.exit(77)


def cargo():
    """Cargo, or Debian's if the one that comes first in PATH cannot run."""
    for path in filter(None, (shutil.which("cargo"), "/usr/bin/cargo")):
        done = subprocess.run([path, "--version"], capture_output=True, text=True) if os.path.exists(path) else None
        if done and (version := re.match(r"cargo (\d+)\.(\d+)", done.stdout)):
            return path, (int(version[1]), int(version[2]))
    skip("cargo is missing (Debian: cargo)")


def run(command, crate, environment):
    done = subprocess.run([str(word) for word in command], cwd=crate, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}")


def check_refusal(command, crate, environment, message):
    done = subprocess.run(command, cwd=crate, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode == 0 or message not in done.stderr or "set LIBRNN_DIR" not in done.stderr:
        sys.exit(f"not refused by {message!r}: status {done.returncode}\n{done.stderr}")


def check_example(program, reference, scratch, environment):
    """Both print the same bits and save the same file; C's also asks for -4 units, which have no form in Rust."""
    results = []
    for name, command in {"c": reference, "rust": program}.items():
        folder = scratch / f"sentences_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).unlink(missing_ok=True)
        said = subprocess.run([command], cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True,
                              text=True).stdout
        lines = [line for line in said.splitlines() if not line.startswith("RNN_INVALID_ARGUMENT: ")]
        results.append((lines, (folder / FILE).read_bytes()))
    (expected, expected_file), (lines, file) = results
    if lines != expected or len(lines) < 9:
        sys.exit("\n".join(["the example says", *lines, "C's says", *expected]))
    if file != expected_file:
        sys.exit("the example saves another file than C's")


def check_package(path, crate, environment):
    """What goes to crates.io: all that is needed, nothing else, and no warning about what it says of itself."""
    options = ["--offline", "--allow-dirty"]  # a test is for what is not committed, too
    done = subprocess.run([path, "package", *options, "--no-verify"], cwd=crate, env={**os.environ, **environment},
                          capture_output=True, text=True)
    if done.returncode != 0 or "warning" in done.stderr:
        sys.exit(f"cargo package: status {done.returncode}\n{done.stderr}")
    listed = subprocess.run([path, "package", *options, "--list"], cwd=crate, env={**os.environ, **environment},
                            capture_output=True, text=True, check=True).stdout.split()
    needed = {"Cargo.toml", "LICENSE", "README.md", "build.rs", "src/lib.rs", "src/sys.rs", "examples/sentences.rs"}
    strange = [name for name in listed if not re.fullmatch(r"(src|examples|tests)/\w+\.rs|\.cargo_vcs_info\.json|"
                                                           r"Cargo\.(lock|toml(\.orig)?)|LICENSE|README\.md|build\.rs", name)]
    if strange or not needed <= set(listed):
        sys.exit(f"the crate has {listed}")


def main():
    kind, (root, build, scratch, reference) = sys.argv[1], [pathlib.Path(path).resolve() for path in sys.argv[2:]]
    crate = root / "bindings/rust"
    if kind == "shared":
        # The program in doc/languages.md is that of the crate's README, which is tested.
        program = re.search(r"^```rust\n.*?^```", (root / "doc/languages.md").read_text(), re.S | re.M)
        if not program or program[0] not in (crate / "README.md").read_text():
            sys.exit("doc/languages.md has another program in Rust than bindings/rust/README.md")
    path, found = cargo()
    if found < OLDEST:
        skip("cargo is older than that of Rust 1.63 (Debian 12: cargo)")
    environment = {"LIBRNN_DIR": str(build), "LIBRNN_STATIC": str(int(kind == "static")),
                   "CARGO_TARGET_DIR": str(scratch / kind)}
    if kind in ("shared", "pkg-config"):  # what is linked statically needs no folder
        environment["LD_LIBRARY_PATH"] = str(build / "capi")
    offline = ["--offline", "--locked"]
    if kind == "shared":
        run([path, "test", *offline], crate, environment)
        check_example(scratch / kind / "debug/examples/sentences", reference, scratch, environment)
    elif kind == "static":
        run([path, "test", *offline, "--tests"], crate, environment)
    elif kind == "pkg-config":
        if not shutil.which("pkg-config"):
            skip("pkg-config is missing (Debian: pkg-config)")
        environment |= {"LIBRNN_DIR": "", "PKG_CONFIG_PATH": str(build / "meson-uninstalled")}
        run([path, "test", *offline, "--test", "realtime"], crate, environment)
        check_refusal([path, "check", *offline], crate, environment | {"PKG_CONFIG_LIBDIR": "/", "PKG_CONFIG_PATH": ""},
                      'pkg-config knows no package "rnn"')
        check_refusal([path, "check", *offline], crate, environment | {"LIBRNN_DIR": "/proc"},
                      "there is no library in /proc")
    else:
        for tool, package in {"fmt": "rustfmt", "clippy": "rust-clippy"}.items():
            if subprocess.run([path, tool, "--version"], capture_output=True).returncode != 0:
                skip(f"cargo {tool} is missing (Debian: {package})")
        run([path, "fmt", "--check"], crate, environment)
        run([path, "clippy", *offline, "--all-targets", "--", "-Dwarnings"], crate, environment)
        run([path, "doc", *offline, "--no-deps"], crate, environment | {"RUSTDOCFLAGS": "-Dwarnings"})
        check_package(path, crate, environment)


main()
