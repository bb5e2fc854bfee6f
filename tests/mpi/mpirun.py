#!/usr/bin/env python3
"""Run a program on a number of ranks, also on more than there are cores, and as root in a container:
mpirun.py MPIRUN RANKS PROGRAM [ARGUMENT]..."""

import os
import subprocess
import sys

# Open MPI 4 and 5 ask for that. A rank's threads may use all cores.
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_hwloc_base_binding_policy": "none"}


def run(mpirun, ranks, *command, environment=None, **options):
    return subprocess.run([str(word) for word in (mpirun, "-n", ranks, *command)],
                          env={**os.environ, **OPEN_MPI, **(environment or {})}, **options)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:], timeout=250).returncode)
