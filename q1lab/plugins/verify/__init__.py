"""A stranger's check of a bundle: files, claim, model files, and runs that are trained again."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE
from q1lab.ground.hooks import Plugin, SkillPage

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
                OK: "what was checked holds",
                FAILED: "not a bundle",
                USAGE: "usage",
                REFUSED_BUNDLE: "refused",
                NOT_CHECKED: "not checked completely, or the arms differ in more than the change",
                INTERRUPTED: "interrupted",
            },
        ),
    ),
    export_examples=("q1lab verify rope-1.q1lab.zip            anyone can check that archive",),
    skill_pages={
        "verify": SkillPage(
            "check a study that another person made",
            "q1lab.plugins.verify.verify_command:skill_page",
        )
    },
)
