"""The tools of people who write weeks: a check of a week's folder, and the start of a new one."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import Plugin

PLUGIN = Plugin(
    about="q1lab content: check a week of your own, or start one",
    acts=(
        Act(
            "content",
            "Check another week's content, or start one.",
            MORE,
            "q1lab.plugins.author.content_command:content",
        ),
    ),
)
