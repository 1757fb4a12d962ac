"""A gate: it keeps or discards one proposal after the other, at 5% for all."""

from __future__ import annotations

from q1lab.ground.act import MORE as PLUGINS
from q1lab.ground.act import Act
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, UNFINISHED, USAGE
from q1lab.ground.hooks import EntryKind, PartKind, Plugin, SkillPage

KEEP, DISCARD, MORE, REFUSED = OK, 10, 11, 12

STATUSES = {
    KEEP: "keep",
    FAILED: "failed",
    USAGE: "usage",
    UNFINISHED: "another proposal is being judged",
    DISCARD: "discard",
    MORE: "--max-cost allows too few runs",
    REFUSED: "refused, the budget is spent",
    INTERRUPTED: "interrupted",
}
"""The exit statuses of `q1lab gate`, which report its decision."""

GATED = """
CREATE TABLE gated (
    study_id TEXT NOT NULL, created TEXT NOT NULL, at TEXT NOT NULL, kept INTEGER NOT NULL,
    facts TEXT NOT NULL, PRIMARY KEY (study_id, created)
) STRICT
"""

PLUGIN = Plugin(
    about="q1lab gate: keep or discard one proposal after the other",
    acts=(
        Act(
            "gate",
            "Keep or discard one proposal after the other, at 5% for all.",
            PLUGINS,
            "q1lab.plugins.gate.gate_command:gate",
            statuses=STATUSES,
        ),
    ),
    designs={"gate": PartKind("q1lab.plugins.gate.gate_design:Gate")},
    entries={
        "gate": EntryKind(
            "q1lab.plugins.gate.gate_record:FIELDS", "q1lab.plugins.gate.gate_record:fold_decision"
        )
    },
    tables={"gated": GATED},
    row_groups="q1lab.plugins.gate.gate_record:budget_groups",
    skill_pages={
        "gate": SkillPage(
            "keep or discard the ideas of a loop, by a command of its own",
            "q1lab.plugins.gate.gate_command:skill_page",
        )
    },
)
