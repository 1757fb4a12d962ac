"""A command that reports four numbers: its metric, a training loss, the norm of a gradient, and the
seed's noise, which is the same in both arms."""

import sys

rate, seed = float(sys.argv[1]), int(sys.argv[2])
for step in range(1, 7):
    loss = rate * 2 / (step + seed)
    print(f"METRIC step={step} loss={loss} grad_norm={loss / 1000} noise={seed / step}")
    if step % 2 == 0:
        print(f"METRIC step={step} val/acc={1 - loss / 4}")
