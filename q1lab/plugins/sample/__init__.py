"""The passages that both models of a study write from one prompt."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import Plugin

HERE = "q1lab.plugins.sample"

PLUGIN = Plugin(
    about="q1lab sample: passages of both models of a study",
    acts=(
        Act(
            "sample",
            "Text that both models of a study write from one prompt.",
            MORE,
            f"{HERE}.sample_command:sample",
            done_when=("seen",),
        ),
    ),
)
