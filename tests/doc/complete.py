#!/usr/bin/env python3
"""Check that every program in doc/snippets is run by a test, and shown in a page: complete.py ROOT"""

import pathlib
import sys

root = pathlib.Path(sys.argv[1])
tests = "".join((root / name).read_text() for name in ("tests/doc/meson.build", "scripts/test_js"))
pages = "".join(path.read_text() for path in (root / "doc").rglob("*.md"))
failures = []
programs = [path for path in sorted((root / "doc/snippets").iterdir()) if path.suffix != ".out"]
for path in programs:
    if not any(name in tests for name in (f"'{path.stem}'", f"'{path.name}'", f"snippets/{path.name}")):
        failures.append(f"doc/snippets/{path.name} is run by no test")
    if not path.with_name(path.name + ".out").exists():
        failures.append(f"doc/snippets/{path.name}.out is not there")
    if f"snippets/{path.name}" not in pages:
        failures.append(f"doc/snippets/{path.name} is in no page")
if len(programs) < 10:
    failures.append(f"only {len(programs)} programs found")
print("\n".join(failures))
sys.exit(bool(failures))
