"""A class in one command: many people's studies and model files in, one table out."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE
from q1lab.ground.hooks import Plugin

REFUSED_HAND_IN, HAND_IN_UNCHECKED = 20, 21

PLUGIN = Plugin(
    about="q1lab class: one table of what a whole class hands in",
    acts=(
        Act(
            "class",
            "One table of what a whole class hands in.",
            MORE,
            "q1lab.plugins.class_.class_command:class_",
            statuses={
                OK: "all are verified",
                FAILED: "nothing to judge",
                USAGE: "usage",
                REFUSED_HAND_IN: "one is refused, or a check failed",
                HAND_IN_UNCHECKED: "one could not be checked completely",
                INTERRUPTED: "interrupted",
            },
        ),
    ),
)
