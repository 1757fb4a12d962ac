"""Shuffle the characters of a text.

A model can then learn only how often each one occurs. `python
shuffle_text.py` writes the characters of model.py into shuffled.txt,
repeated until there is enough to train on. It prints the loss that no
model can beat on this text: the entropy of the counts. (To use other
files: `python shuffle_text.py SOURCE TARGET`.)
"""

import math
import random
import sys
from collections import Counter
from pathlib import Path

named = sys.argv[1:3] or ("model.py", "shuffled.txt")
source, target = map(Path, named)
letters = list(source.read_text(encoding="utf-8"))
counts, total = Counter(letters), len(letters)
entropy = -sum(
    c / total * math.log(c / total) for c in counts.values()
)
random.seed(0)
pieces = []
while sum(map(len, pieces)) < 200_000:
    random.shuffle(letters)
    pieces.append("".join(letters))
target.write_text("".join(pieces), encoding="utf-8")
print(f"{target}: {len(counts)} different characters")
uniform = math.log(len(counts))
print(f"a uniform guess costs {uniform:.4f} nats")
print(f"the counts alone give {entropy:.4f} nats: the floor")
