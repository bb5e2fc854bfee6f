#!/usr/bin/env python3
"""Print a value for Meson's libdir where its own is wrong: libdir.py

On Debian and its relatives Meson asks dpkg-architecture for the folder of libraries. Where that is missing (dpkg-dev),
it takes lib64, in which neither the loader nor pkg-config nor CMake looks there.
"""

import os
import shutil

if os.path.exists("/etc/debian_version") and not shutil.which("dpkg-architecture"):
    print("libdir=lib")
