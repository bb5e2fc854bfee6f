#!/usr/bin/env python3
"""Make the installed library known to the loader of glibc, or say what its users have to set: loader.py LIBDIR SONAME

Meson runs it after installing, but not into a DESTDIR.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys


def ldconfig(*options):
    command = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if not command:
        return None
    result = subprocess.run([command, *options], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return result.stdout if result.returncode == 0 else None


def loaded(soname):
    """The file that a program loads by this name; None if none; the first of the cache's lines counts."""
    found = re.search(rf"^\s*{re.escape(soname)} .*=> (.*)$", ldconfig("-p") or "", re.M)
    return found and os.path.realpath(found[1])


def pkg_config_folders():
    try:
        result = subprocess.run(["pkg-config", "--variable=pc_path", "pkg-config"], capture_output=True, text=True)
    except OSError:
        return None
    folders = os.environ.get("PKG_CONFIG_PATH", "").split(":") + result.stdout.strip().split(":")
    return {os.path.realpath(folder) for folder in folders if folder}


def main():
    libraries = pathlib.Path(os.environ["MESON_INSTALL_PREFIX"], sys.argv[1])
    soname = sys.argv[2]
    if " libs found in cache" not in (ldconfig("-p") or ""):  # not glibc, whose loader reads the cache
        return
    if os.geteuid() == 0:
        ldconfig()
    file = loaded(soname)
    if file is None:
        print(f"Programs do not find {soname} in {libraries} yet. As root: "
              f"echo {libraries} > /etc/ld.so.conf.d/rnn.conf && ldconfig\n"
              f"or, for one user: export LD_LIBRARY_PATH={libraries}")
    elif file != os.path.realpath(libraries / soname):
        print(f"Programs load {file} before {libraries / soname}. To have the new one, remove the old one,\n"
              f"or: export LD_LIBRARY_PATH={libraries}")
    folders = pkg_config_folders()
    if folders is not None and os.path.realpath(libraries / "pkgconfig") not in folders:
        print(f"pkg-config does not look there: export PKG_CONFIG_PATH={libraries}/pkgconfig")


main()
