"""A column of compare's table of both arms: the iters of each run, and how long one took."""

from q1lab.judgment.cost_columns import CostColumn

ITERS = CostColumn("iters", "iters of a run", lambda _, run: run["iter"])
PER_ITER = CostColumn(
    "s_per_iter",
    "seconds per iter",
    lambda _, run: run["seconds"] / run["iter"] if run["iter"] else None,
    measured=True,
    write="{:.2g}".format,
)
