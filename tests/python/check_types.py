#!/usr/bin/env python3
"""Check the Python package's types by mypy --strict: check_types.py FOLDER. Exits with 77 without mypy."""

import shutil
import subprocess
import sys

mypy = shutil.which("mypy")
if not mypy:
    print("skipped: mypy is missing (Debian: mypy, python3-numpy)")
    sys.exit(77)
done = subprocess.run([mypy, "--strict", "--cache-dir=/dev/null", "-p", "librnn"], cwd=sys.argv[1], capture_output=True,
                      text=True)
print(done.stdout + done.stderr)
if 'module named "numpy"' in done.stdout:
    print("skipped: mypy does not see numpy (Debian: python3-numpy)")
    sys.exit(77)
sys.exit(done.returncode)
