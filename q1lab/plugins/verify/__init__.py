"""A stranger's check of a bundle: files, journal, claim, and runs that are trained again."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE
from q1lab.ground.hooks import Plugin

REFUSED_BUNDLE, NOT_CHECKED = 20, 21

PLUGIN = Plugin(
    about="q1lab verify: check a study that someone else gives you",
    acts=(
        Act(
            "verify",
            "Check a study that someone else gives you.",
            MORE,
            "q1lab.plugins.verify.verify_command:verify",
            is_frequent=True,
            statuses={
                OK: "verified",
                FAILED: "not a bundle",
                USAGE: "usage",
                REFUSED_BUNDLE: "refused",
                NOT_CHECKED: "could not be checked completely",
                INTERRUPTED: "interrupted",
            },
        ),
    ),
    export_examples=("q1lab verify rope-1.zip                  anyone can check that archive",),
)
