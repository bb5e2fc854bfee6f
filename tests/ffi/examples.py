#!/usr/bin/env python3
"""Build and run the example of one language in examples/ffi, and hold it to the one in C:

    examples.py LANGUAGE ROOT LIBRARY.so SCRATCH REFERENCE [PROGRAM]

REFERENCE is the C example, PROGRAM the example if it is built already. Every example prints the same bytes and saves
the same file, and its own structs have the offsets and sizes of rnn.json. Exits with 77 if a tool is missing, and says
which; scripts/test_ffi installs them all.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from layout import check_layout

FILE = "sentences.safetensors"
HEADER = ("c", "cpp", "go")  # their structs are those of rnn.h itself


class Missing(Exception):
    """What has to be installed."""


def run(command, directory, environment=None):
    done = subprocess.run([str(word) for word in command], cwd=directory, env={**os.environ, **(environment or {})},
                          capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def tool(name, package):
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is missing (Debian: {package})")
    return path


def need(what, package, command, environment=None):
    done = subprocess.run([str(word) for word in command], env={**os.environ, **(environment or {})},
                          capture_output=True, timeout=60)
    if done.returncode != 0:
        raise Missing(f"{what} is missing ({package})")


class Example:
    """How each language builds and runs: a method gives its command and sets its environment."""

    def __init__(self, root, library, scratch, program):
        self.sources, self.include, self.libraries = root / "examples/ffi", root / "include", library.parent
        self.scratch, self.program = scratch, program
        self.environment = {"LD_LIBRARY_PATH": str(self.libraries)}

    def build(self, *command):
        run(command, self.scratch, self.environment)

    def c(self):
        return [self.program]

    cpp = c

    def python(self):
        for python in filter(os.path.exists, (sys.executable, "/usr/bin/python3")):
            if subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0:
                return [python, self.sources / "sentences.py"]
        raise Missing("numpy is missing (Debian: python3-numpy)")

    def node(self):
        node = tool("node", "nodejs")
        self.environment["NODE_PATH"] = str(self.scratch.parent / "node/node_modules")
        need("koffi", "npm: koffi", [node, "-e", "require('koffi')"], self.environment)
        return [node, self.sources / "sentences.js"]

    def rust(self):
        self.build(tool("rustc", "rustc"), "-L", self.libraries, self.sources / "sentences.rs")
        return ["./sentences"]

    def go(self):
        go = tool("go", "golang-go")
        self.environment |= {"CGO_CFLAGS": f"-I{self.include}", "CGO_LDFLAGS": f"-L{self.libraries}",
                             "GOCACHE": str(self.scratch / "cache"), "CGO_ENABLED": "1"}
        self.build(go, "build", "-o", "sentences", self.sources / "sentences.go")
        return ["./sentences"]

    def java(self):
        jar = pathlib.Path("/usr/share/java/jna.jar")
        javac, java = tool("javac", "default-jdk-headless"), tool("java", "default-jdk-headless")
        if not jar.exists():
            raise Missing(f"{jar} is missing (Debian: libjna-java)")
        quick = "-J-XX:TieredStopAtLevel=1"
        self.build(javac, quick, "-proc:none", "-cp", jar, "-d", self.scratch, self.sources / "Sentences.java")
        return [java, "-Djna.nounpack=true", "-cp", f"{jar}:{self.scratch}", "Sentences"]

    def csharp(self):
        mono = tool("mono", "mono-runtime")
        self.build(tool("mcs", "mono-mcs"), self.sources / "Sentences.cs", f"-out:{self.scratch}/Sentences.exe")
        return [mono, "Sentences.exe"]

    def lua(self):
        return [tool("luajit", "luajit"), self.sources / "sentences.lua"]

    def ruby(self):
        ruby = tool("ruby", "ruby")
        need("Ruby's ffi", "Debian: ruby-ffi", [ruby, "-e", "require 'ffi'"])
        return [ruby, "-W", self.sources / "sentences.rb"]

    def fortran(self):
        self.build(tool("gfortran", "gfortran"), "-O", "-Wall", "-Werror", self.sources / "sentences.f90",
                   f"-L{self.libraries}", "-lrnn", "-o", "sentences")
        return ["./sentences"]

    def perl(self):
        perl = tool("perl", "perl")
        need("FFI::Platypus", "Debian: libffi-platypus-perl", [perl, "-MFFI::Platypus", "-e", "1"])
        return [perl, self.sources / "sentences.pl"]

    def php(self):
        php = tool("php", "php-cli")
        need("PHP's FFI", "Debian: php-cli", [php, "-r", "exit(class_exists('FFI') ? 0 : 1);"])
        return [php, self.sources / "sentences.php"]


def check_reference(text):
    """The C example does what all are to do."""
    step, outputs = r"step( [0-9A-F]{8}){2}\n", r"good i am fine\noutputs(?: [0-9A-F]{8}){4}\n"
    pattern = (r"librnn \d+\.\d+\.\d+\nRNN_INVALID_ARGUMENT: rnn_create: config\.hidden_size is -4; [^\n]+\n"
               f"({step}){{3}}" r"(update \d+: loss \d\.\d{6}\n)+\d+ reports\n" + f"(?P<first>{outputs})(?P=first)")
    if not re.fullmatch(pattern, text):
        sys.exit(f"the C example says\n{text}")


def main():
    language, paths = sys.argv[1], [pathlib.Path(path).resolve() for path in sys.argv[2:]]
    root, library, scratch, reference, program = (paths + paths[-1:])[:5]
    scratch = scratch / language
    (scratch / "reference").mkdir(parents=True, exist_ok=True)
    for directory in (scratch, scratch / "reference"):
        (directory / FILE).unlink(missing_ok=True)
    example = Example(root, library, scratch, program)
    try:
        command = getattr(example, language)()
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(77)
    expected = run([reference], scratch / "reference", example.environment)
    said = run(command, scratch, example.environment)
    check_reference(expected)
    if said != expected:
        sys.exit(f"{language} says\n{said}\nC says\n{expected}")
    if (scratch / FILE).read_bytes() != (scratch / "reference" / FILE).read_bytes():
        sys.exit(f"{language} saves another file than C")
    if language not in HEADER:
        description = json.loads((root / "include/rnn/rnn.json").read_text())
        check_layout(run([*command, "--layout"], scratch, example.environment), description["structs"])


main()
