#!/usr/bin/env python3
"""Check the Python package's types by mypy --strict: check_types.py FOLDER. Exits with 77 without mypy."""

import shutil
import subprocess
import sys

mypy = shutil.which("mypy")
if not mypy:
    print("skipped: mypy is missing (Debian: mypy, python3-numpy)")
    sys.exit(77)
sys.exit(subprocess.run([mypy, "--strict", "--cache-dir=/dev/null", "-p", "librnn"], cwd=sys.argv[1]).returncode)
