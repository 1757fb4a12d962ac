"""A command that reports three numbers: its metric, a training loss, and the norm of a gradient."""

import sys

rate, seed = float(sys.argv[1]), int(sys.argv[2])
for step in range(1, 7):
    loss = 2 / (step + seed)
    print(f"METRIC step={step} loss={loss} grad_norm={rate * loss / 1000}")
    if step % 2 == 0:
        print(f"METRIC step={step} val/acc={1 - rate * loss / 4}")
