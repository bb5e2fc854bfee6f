#!/usr/bin/env python3
"""Print the program at the top of rnn.h: example.py RNN_H"""

import sys

lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
first = next(i for i, line in enumerate(lines) if line.startswith(" *   #include"))
last = next(i for i, line in enumerate(lines) if line.startswith(" *   }"))
print("\n".join(line[5:] for line in lines[first : last + 1]))
