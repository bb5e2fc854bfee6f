#!/usr/bin/env python3
"""Check that what .github/workflows runs is there: workflows.py ROOT

Exits with 77 where Python has no YAML.
"""

import os
import pathlib
import re
import sys

try:
    import yaml
except ImportError:
    print("skipped: yaml for Python is missing (Debian: python3-yaml)")
    sys.exit(77)

failures = []


def steps(workflow):
    for job in workflow["jobs"].values():
        if not {"runs-on", "steps", "timeout-minutes"} <= job.keys():
            failures.append("a job without runs-on, steps or timeout-minutes")
        for step in job["steps"]:
            if len({"run", "uses"} & step.keys()) != 1:
                failures.append(f"a step that neither runs nor uses something: {step}")
            yield step.get("run", "")
        yield from (row["run"] for row in job.get("strategy", {}).get("matrix", {}).get("include", ()))


def main():
    root = pathlib.Path(sys.argv[1])
    workflows = sorted((root / ".github/workflows").glob("*.yml"))
    commands = [step for path in workflows for step in steps(yaml.safe_load(path.read_text()))]
    ran = {word for command in commands for word in re.findall(r"(?:scripts|\.ci)/\w+", command)}
    failures.extend(f"there is no program {name}" for name in sorted(ran) if not os.access(root / name, os.X_OK))
    if ".ci/run" not in ran:
        failures.append("no workflow runs .ci/run")
    print("\n".join(failures))
    sys.exit(bool(failures))


main()
