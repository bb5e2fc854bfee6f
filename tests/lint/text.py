#!/usr/bin/env python3
"""Check all text files: ASCII, no tabs, no trailing blanks, a newline at the end: text.py ROOT"""

import pathlib
import subprocess
import sys

BINARY = {".png", ".jpg", ".gz", ".bin", ".safetensors", ".pt", ".onnx"}

failures = []


def files(root):
    """What git knows and what is new and not ignored, or without git all that is not hidden or built."""
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             check=True, capture_output=True).stdout
        return [root / name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        return [p for p in root.rglob("*") if not any(part.startswith((".", "build")) for part in p.relative_to(root).parts)]


def check(path, name):
    data = path.read_bytes()
    if path.suffix in BINARY or b"\0" in data:
        return
    if data and not data.endswith(b"\n"):
        failures.append(f"{name}: no newline at the end")
    if data.endswith(b"\n\n"):
        failures.append(f"{name}: empty lines at the end")
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("ascii")
        except UnicodeDecodeError:
            failures.append(f"{name}:{number}: not ASCII")
        if b"\t" in line and path.suffix != ".go":  # gofmt's style
            failures.append(f"{name}:{number}: tab")
        if b"\r" in line:
            failures.append(f"{name}:{number}: carriage return")
        if line != line.rstrip():
            failures.append(f"{name}:{number}: trailing blank")


def main():
    root = pathlib.Path(sys.argv[1])
    listed = [path for path in files(root) if path.is_file() and not path.is_symlink()]
    if len(listed) < 20:
        failures.append(f"only {len(listed)} files found")
    for path in listed:
        check(path, path.relative_to(root))
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
