"""The passages that both models of a study write from one prompt, and blind tests of them."""

from __future__ import annotations

from q1lab.ground.act import MORE, Act
from q1lab.ground.hooks import EntryKind, Plugin, StudyScreen

HERE = "q1lab.plugins.sample"

PLUGIN = Plugin(
    about="q1lab sample: passages of both models of a study, and blind tests",
    acts=(
        Act(
            "sample",
            "Text that both models of a study write from one prompt.",
            MORE,
            f"{HERE}.sample_command:sample",
            done_when=("seen",),
        ),
    ),
    entries={
        "blind": EntryKind(f"{HERE}.blind_lines:BLIND", f"{HERE}.blind_lines:fold_blind"),
        "guess": EntryKind(
            f"{HERE}.blind_lines:GUESS",
            f"{HERE}.blind_lines:fold_guess",
            learner_only="an answer of a blind test",
        ),
    },
    tables={
        "blind_tests": """
CREATE TABLE blind_tests (
    study_id TEXT NOT NULL, created TEXT NOT NULL, number INTEGER NOT NULL, seed INTEGER NOT NULL,
    key TEXT NOT NULL, passages TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (study_id, created, number)
) STRICT
""",
        "blind_answers": """
CREATE TABLE blind_answers (
    study_id TEXT NOT NULL, created TEXT NOT NULL, number INTEGER NOT NULL, pair INTEGER NOT NULL,
    choice INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (study_id, created, number, pair),
    FOREIGN KEY (study_id, created, number) REFERENCES blind_tests
) STRICT
""",
    },
    study_screens=(
        StudyScreen(
            "sample",
            key=f"{HERE}.passage_keys:OPENS",
            screen=f"{HERE}.screen:SampleScreen",
            shows=f"{HERE}.passage_keys:has_passages",
            keys=f"{HERE}.passage_keys:KEYS",
        ),
    ),
    study_facts=f"{HERE}.blind_text:facts",
)
