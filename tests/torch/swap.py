#!/usr/bin/env python3
"""doc/distributed.md's exchange over torch.distributed moves what it says: swap.py PAGE"""

import multiprocessing
import pathlib
import re
import sys
import tempfile

try:
    import torch
    import torch.distributed
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

RANKS = 3


def size(sender, receiver):
    return (sender * 5 + receiver * 3) % 7 * 100000


def run(rank, code, file):
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=RANKS)
    names = {"torch": torch, "rank": rank, "ranks": RANKS}
    exec(code, names)
    for _ in range(3):
        blocks = [torch.full((size(rank, other),), 10 * rank + other, dtype=torch.uint8) for other in range(RANKS)]
        received = names["swap"](blocks, [size(other, rank) for other in range(RANKS)])
        for other, block in enumerate(received):
            assert len(block) == size(other, rank) and bool((block == 10 * other + rank).all()), (rank, other)


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    code = re.search(r"^```python\n(def swap\(.*?)^```", text, re.S | re.M).group(1)
    with tempfile.TemporaryDirectory() as folder:
        processes = [multiprocessing.Process(target=run, args=(rank, code, f"{folder}/ranks"), daemon=True) for rank in range(RANKS)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        sys.exit(any(process.exitcode != 0 for process in processes))


main()
