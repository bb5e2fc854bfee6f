#!/usr/bin/env python3
"""What the shells and man are told of the options is what there is: completion.py RNN"""

import re
import shutil
import subprocess

from tool import expect, main


def ran(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    expect(done.returncode == 0 and done.stderr == "", f"{command}: {done}")
    return done.stdout


def commands_of(tool):
    listed = tool.ok("--help").split("Subcommands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def options_of(tool, *command):
    text = tool.ok(*command, "--help").split("\n\nExample")[0]
    return set(re.findall(r"^  (?:-\w,)?(--?[\w-]+)", text, re.MULTILINE))


def check_all(tool):
    """Each command and each option is in each script and in the manual page."""
    scripts = {shell: tool.ok("completion", shell) for shell in ("bash", "zsh", "fish")}
    scripts["man"] = tool.ok("man-page").replace("\\-", "-")
    commands = commands_of(tool)
    expect(len(commands) > 10 and "train" in commands, commands)
    for name, script in scripts.items():
        expect(script.isascii() and "man-page" not in script, f"{name}: {script}")
        for command in commands:
            expect(command in script, f"{name} without {command}")
            options = options_of(tool, command)
            expect(options, f"{command} has no options")
            for option in options:
                word = option if name != "fish" else f"-l {option[2:]} " if option[:2] == "--" else f"-s {option[1:]} "
                expect(word in script, f"{name} without {command} {option}")


def check_parsed(tool):
    for shell in ("bash", "zsh", "fish"):
        tool.write(f"script.{shell}", tool.ok("completion", shell))
        if shutil.which(shell):
            ran(shell, "-n", f"script.{shell}", cwd=tool.folder)
    tool.write("rnn.1", tool.ok("man-page"))
    if shutil.which("groff"):
        page = ran("groff", "-man", "-ww", "-Tascii", "-P-bcou", "rnn.1", cwd=tool.folder)
        expect("RNN TRAIN" in page and "--learning-rate FLOAT" in page, page[:3000])


def completed(tool, *words):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    lines = ran("bash", "--norc", "-c", f"""
        source script.bash
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        $(complete -p rnn | sed 's/.*-F //; s/ .*//')
        printf '%s\\n' "${{COMPREPLY[@]}}" """, cwd=tool.folder)
    return set(lines.split("\n")) - {""}


def check_bash(tool):
    if not shutil.which("bash"):
        return
    (tool.folder / "files").mkdir()
    for name in ("text one", "text.txt"):
        tool.write(f"files/{name}", "")
    expect(completed(tool, "rnn", "t") == {"train"}, "rnn t")
    expect(completed(tool, "rnn", "") >= set(commands_of(tool)), "rnn")
    expect(completed(tool, "rnn", "--v") == {"--version"}, "rnn --v")
    expect(completed(tool, "rnn", "help", "ev") == {"eval"}, "rnn help ev")
    expect(completed(tool, "rnn", "completion", "") >= {"bash", "zsh", "fish"}, "rnn completion")
    for command in commands_of(tool):
        expect(completed(tool, "rnn", command, "-") >= options_of(tool, command), f"rnn {command} -")
    expect(completed(tool, "rnn", "train", "--schedule-s") == {"--schedule-start"}, "--schedule-s")
    for words in (("--cell", "m"), ("--cell", "=", "m")):
        expect(completed(tool, "rnn", "train", "x", *words) == {"mingru", "minlstm"}, words)
    expect(completed(tool, "rnn", "train", "--cell", "=") >= {"gru", "lstm"}, "--cell=")
    expect(completed(tool, "rnn", "train", "--hidden", "") == set(), "--hidden")
    expect(completed(tool, "rnn", "train", "--quiet", "files/text.") == {"files/text.txt"}, "behind a flag")
    for words in (("train", "files/t"), ("train", "--out", "files/t"), ("eval", "model", "files/t")):
        expect(completed(tool, "rnn", *words) == {"files/text one", "files/text.txt"}, words)


def check_fish(tool):
    if not shutil.which("fish"):
        return
    def offered(line):
        done = ran("fish", "--no-config", "-c", f"source script.fish; complete -C '{line}'", cwd=tool.folder)
        return {word.split("\t")[0] for word in done.splitlines()}

    expect(offered("rnn t") == {"train"}, "rnn t")
    expect(offered("rnn train --cell m") == {"mingru", "minlstm"}, "--cell m")
    expect(offered("rnn train --schedule-s") == {"--schedule-start"}, "--schedule-s")


def check(tool):
    check_all(tool)
    check_parsed(tool)
    check_bash(tool)
    check_fish(tool)
    expect("complete -F _rnn_mpi rnn-mpi" in tool.ok("completion", "bash", "--name", "rnn-mpi"), "--name")
    for name in ("a b", "$(id)", "a;b", "-a", ".a", "a\nb", "a'b"):
        for command in (("completion", "bash"), ("man-page",)):
            tool.fails("--name: a name has letters", *command, "--name=" + name, status=2)
    tool.fails("sh not in", "completion", "sh", status=2)


main(check)
