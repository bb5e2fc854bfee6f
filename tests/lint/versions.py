#!/usr/bin/env python3
"""Check that all packages have one version, and one maintainer whose address is none of an example: versions.py ROOT"""

import pathlib
import re
import sys

failures = []


def find(root, name, pattern, optional=False):
    path = root / name
    if optional and not path.exists():
        return None
    found = re.search(pattern, path.read_text(), re.M)
    if not found:
        failures.append(f"{name} does not say {pattern!r}")
        return None
    return ".".join(found.groups())


def main():
    root = pathlib.Path(sys.argv[1])
    version = find(root, "meson.build", r"^  version: '(.*)',$")
    number = r'"?(\d+\.\d+\.\d+)'
    places = {
        "include/rnn/rnn.h": r"^#define RNN_VERSION_MAJOR (\d+)\n#define RNN_VERSION_MINOR (\d+)\n#define RNN_VERSION_PATCH (\d+)",
        "include/rnn/rnn.json": rf'^ "version": {number}"',
        "debian/changelog": rf"\Arnn \({number}-\d+\)",
        "bindings/python/librnn/_abi.py": rf"^VERSION = {number}",
        "bindings/rust/Cargo.toml": rf"^version = {number}",
        "bindings/rust/Cargo.lock": rf'^name = "librnn"\nversion = {number}',
    }
    found = {name: find(root, name, pattern) for name, pattern in places.items()}
    found["bindings/js/package.json"] = find(root, "bindings/js/package.json", rf'^  "version": {number}', optional=True)
    for name, other in found.items():
        if other is not None and other != version:
            failures.append(f"{name} is of version {other}, meson.build of {version}")
    if not re.search(rf"^## \[(Unreleased|{re.escape(version or '')})\]", (root / "CHANGELOG.md").read_text(), re.M):
        failures.append(f"CHANGELOG.md has a section of neither {version} nor what is unreleased")

    maintainer = find(root, "debian/control", r"^Maintainer: (.*)$")
    if find(root, "debian/changelog", r"^ -- (.*?)  ") != maintainer:
        failures.append("debian/changelog has another maintainer than debian/control")
    for name in ("debian/control", "debian/changelog", "debian/copyright", "SECURITY.md", "CONTRIBUTING.md", "meson.build",
                 "bindings/rust/Cargo.toml", "bindings/python/pyproject.toml"):
        text = (root / name).read_text()
        for address in re.findall(r"[\w.+-]+@[\w.-]+|https?://[\w./-]+", text):
            if re.search(r"\bexample(\.\w+)?\b", address):
                failures.append(f"{name}: {address} is the address of an example")
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
