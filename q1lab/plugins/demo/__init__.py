"""A first verdict in a minute: eight real pairs of runs, replayed, and judged as they come."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import Plugin

HERE = "q1lab.plugins.demo"

PLUGIN = Plugin(
    about="q1lab demo: a first verdict in a minute, from runs that ship",
    acts=(
        Act(
            "demo",
            "A first verdict in a minute: eight pairs of runs, replayed.",
            MORE,
            f"{HERE}.demo_command:demo",
            is_frequent=True,
        ),
    ),
)
