"""PyTorch, imported for programs that exit with 77 without it."""

import os
import sys

try:
    import torch
except ImportError:
    DEBIAN = "/usr/bin/python3"  # python3-torch belongs to Debian's own Python, which may not be the first in PATH
    if os.path.exists(DEBIAN) and os.path.realpath(sys.executable) != os.path.realpath(DEBIAN):
        os.execv(DEBIAN, [DEBIAN] + sys.argv)
    print("PyTorch is missing (Debian: python3-torch)")
    sys.exit(77)
