"""Steps that tick themselves, by what the learner's acts left in the journal and the index.

A step of the week is done when its condition holds (`done_when`). Each condition is one function
below: the time since which it holds, or None. A step that the learner unticks stays unticked until
the act is done again. The files of an act are not watched: its step stays done when they change.
Only a study that was deleted, and a file that is not committed as it is, open their steps again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.journal import learner_tables, predictions, stored_results
from q1lab.journal.store import Row, Store
from q1lab.judgment.facts import facts_of
from q1lab.judgment.intervals import Reason
from q1lab.week import chosen_variant, progress, step_commands
from q1lab.week.lists import artifacts, papers, posts
from q1lab.week.progress import Progress, StepState
from q1lab.week.step_commands import COMMITTED, WRITTEN
from q1lab.week.syllabus import Step, Week

if TYPE_CHECKING:
    from q1lab.compare.comparison import Comparison


# ── noting acts


def note_check(store: Store, week: str, file: Path, variant: str) -> None:
    """Note that a file of the learner's passed all of its checks as ``variant``."""
    if file.resolve().is_relative_to(paths.models_dir().resolve()):
        return
    try:
        sha = sha256_file(file)
    except OSError:
        return
    path = str(file.absolute())
    passed = [row for row in learner_tables.evidence_rows(store, week) if row["act"] == "check"]
    if (path, variant, sha) not in [(row["file"], row["variant"], row["sha"]) for row in passed]:
        store.add("check", week=week, file=path, variant=variant, sha256=sha)


def note_merge(store: Store, week: str, file: Path, into: Path, commit: str | None) -> None:
    """Note that ``file`` was merged into the learner's model ``into``."""
    store.add("merge", week=week, file=str(file), into=str(into), commit=commit)


def note_written(store: Store, week: str, act: str, path: Path, commit: str | None) -> None:
    """Note that the document of an act (``retro``) was written just now; without a new commit the
    old one stays noted."""
    store.add(act, week=week, path=str(path), commit=commit)


def note_viewed(store: Store, week: str, act: str, subject: str, variant: str = "") -> None:
    """Note that a person has seen something: ``act`` is the command (``compare``), ``subject``
    the study or file, and ``variant`` the modification that it belongs to."""
    store.add("look", week=week, command=act, what=subject, variant=variant)


def note_comparison_read(store: Store, week: str, comparison: Comparison) -> None:
    """Note that a person has opened a comparison with all of its values. One without a verdict does
    not count, unless an arm diverged: that is an answer, too. What one says of the chosen
    modification is kept for the week's page."""
    if comparison.analysis.reason not in (None, Reason.DIVERGED):
        return
    study, chosen = comparison.study, learner_tables.modification_row(store, week)
    note_viewed(store, week, "compare", study.id, study.variant)
    if chosen is None or not chosen_variant.study_trained(
        study.id,
        study.variant.removesuffix("*"),
        learner_tables.names_of_modification(chosen),
        str(chosen["variant"]),
    ):
        return
    told = [fact.text for fact in facts_of(comparison) if fact.part in ("answer", "limits")]
    own = {"verdict": comparison.analysis.verdict, "sentence": " ".join(told)}
    progress.save_week_setting(store, week, "verdict", {"variant": str(chosen["variant"]), **own})


def note_reference_shown(store: Store, week: str, variant: str) -> None:
    """Note that the learner asked to see q1lab's own implementation."""
    store.add("reference", week=week, variant=variant)


def may_show_reference(store: Store, week: str, variant: str) -> bool:
    """True once q1lab's own implementation of ``variant`` gives nothing away: a file of the
    learner's has passed its checks, or the learner asked to see it (also as the last hint)."""
    rows = learner_tables.evidence_rows(store, week)
    if any(variant in row["variant"].split("+") for row in rows if row["act"] in _SHOWS_REFERENCE):
        return True
    return LAST_HINT in learner_tables.used_hints(store, week, variant)


_SHOWS_REFERENCE = ("check", "reference")
LAST_HINT = 5
"""The stage of the hints that shows the reference."""


# ── from acts to steps


def read_progress(store: Store, week: Week) -> Progress:
    """The learner's progress in the week, with the steps that their acts tick."""
    return tick_by_evidence(store, week, progress.recorded_progress(store, week.label))


def tick_by_evidence(store: Store, week: Week, done: Progress) -> Progress:
    """``done`` with the steps ticked whose condition holds, except those unticked since."""
    acts = Acts(store, progress.learner_week(week, done))
    records = dict(done.records)
    for step in acts.week.steps():
        record, since = records.get(step.id, StepState()), ""
        if step.done_when and not record.done:
            since = CONDITIONS.get(step.done_when, Acts.document)(acts, step, records) or ""
        if since > record.changed:
            records[step.id] = replace(record, done=True, done_at=since)
    return replace(done, records=MappingProxyType(records))


Records = Mapping[str, StepState]


class Acts:
    """The traces of the learner's acts, and the conditions that follow from them: methods that
    return the time (ISO) since which a step's condition holds, or None."""

    def __init__(self, store: Store, week: Week) -> None:
        self.store, self.week = store, week
        row = learner_tables.modification_row(store, week.label)
        self.chosen: Row | None = row
        self.variant = str(row["variant"]) if row else None
        self.file = Path(row["file"]) if row and row["file"] else None
        self.names = learner_tables.names_of_modification(row)

    def rows(self, act: str) -> list[Row]:
        """The lines of an act in the journal, in no order."""
        return [row for row in self._rows if row["act"] == act]

    @cached_property
    def _rows(self) -> list[Row]:
        return learner_tables.evidence_rows(self.store, self.week.label)

    @cached_property
    def ended(self) -> list[Row]:
        """The studies whose runs have all ended."""
        return stored_results.list_ended(self.store)

    @cached_property
    def post(self) -> Mapping[str, Any]:
        return posts.post_of_week(self.store, self.week.label) or {}

    @cached_property
    def prediction(self) -> Mapping[str, Any] | None:
        return predictions.newest_prediction(self.store, self.variant or "", self.week.label)

    @property
    def predicted_since(self) -> str | None:
        return str(self.prediction["created"]) if self.prediction else None

    def is_own_study(self, study: str, variant: str) -> bool:
        """True if a study trained the chosen modification."""
        plain = variant.removesuffix("*")
        return chosen_variant.study_trained(study, plain, self.names, self.variant or plain)

    def predicted(self, step: Step, records: Records) -> str | None:
        return self.predicted_since

    def made(self, step: Step, records: Records) -> str | None:
        return str(self.chosen["chosen"]) if self.chosen and self.file else None

    def checked(self, step: Step, records: Records) -> str | None:
        options = step.ticking_action.options if step.ticking_action else {}
        name, wanted = Path(str(options.get("file", ""))).name, str(options.get("for", ""))
        own = name == f"{self.variant}.py"
        return _newest(
            row
            for row in self.rows("check")
            if (Path(row["file"]).name == name or (own and Path(row["file"]) == self.file))
            and wanted in ("", "baseline", *row["variant"].split("+"))
        )

    def ran(self, step: Step, records: Records) -> str | None:
        if self.variant is None and any(step.behavior.chooses for step in self.week.steps()):
            return None  # trained to try q1lab, before there was a modification to train
        options = step.ticking_action.options if step.ticking_action else {}
        least = int(options.get("seeds", 3))
        for row in self.ended:
            if row["planned"] >= least and self.is_own_study(row["id"], row["variant"]):
                return str(row["ended"])
        return None

    def merged(self, step: Step, records: Records) -> str | None:
        subjects = {str(self.file), f"{self.variant}.py"}
        merges = self.rows("merge")
        return _newest(
            row for row in merges if {row["subject"], Path(row["subject"]).name} & subjects
        )

    def modification(self, step: Step, records: Records) -> str | None:
        """The document counts from the step on that this one needs."""
        needed = next((each for each in self.week.steps() if each.id == step.needs), None)
        state = records.get(step.needs or "", StepState())
        after = state.done_at if state.done else None
        if needed and needed.done_when == PREDICTED:
            after = self.predicted_since
        if needed and not after:
            return None

        def counts(facts: Mapping[str, Any]) -> bool:
            holds = not (needed and needed.done_when == PREDICTED) or (
                self.prediction is not None and facts["prediction"] == self.prediction["id"]
            )
            return holds and (step.done_when == WRITTEN or bool(facts["committed"]))

        return _newest(
            row
            for row in self.rows("modification")
            if row["variant"] == (self.variant or "")
            and row["at"] >= (after or "")
            and counts(json.loads(row["facts"]))
        )

    def document(self, step: Step, records: Records) -> str | None:
        """The document of an act, written or committed (step_commands.CONDITIONS)."""
        (command,) = step_commands.commands_for(step.done_when)
        needs_commit = step.done_when in step_commands.CONDITIONS[command][1:]
        name = command.removeprefix("course ")
        return _newest(row for row in self.rows(name) if row["sha"] or not needs_commit)

    def drafted(self, step: Step, records: Records) -> str | None:
        return str(self.post["updated"]) if self.post.get("path") else None

    def published(self, step: Step, records: Records) -> str | None:
        return str(self.post["published"]) if self.post and posts.is_out(self.post) else None

    def shared(self, step: Step, records: Records) -> str | None:
        times = sorted(str(share["shared"]) for share in posts.counted_shares(self.post or None))
        return times[posts.ENOUGH_CHANNELS - 1] if len(times) >= posts.ENOUGH_CHANNELS else None

    def compared(self, step: Step, records: Records) -> str | None:
        """Opened after the study's last run had ended."""
        ended = {row["id"]: str(row["ended"] or "") for row in self.ended}
        return _newest(
            row
            for row in self.rows("compare")
            if row["subject"] in ended
            and row["at"] >= ended[row["subject"]]
            and self.is_own_study(row["subject"], row["variant"])
        )

    def diffed(self, step: Step, records: Records) -> str | None:
        name = Path(step.ticking_action.argv()[-1]).name if step.ticking_action else ""
        return _newest(
            row
            for row in self.rows("diff")
            if Path(row["subject"]).name in (name, self.file and self.file.name)
            and (step.done_when != "diff committed" or _is_committed(Path(row["subject"])))
        )

    def seen(self, step: Step, records: Records) -> str | None:
        """Something that an act has shown to the learner."""
        action = step.ticking_action
        if action is None:
            return None
        named = set(action.argv()[1 + len(action.command.split()) :]) - {
            v.name for v in self.week.variants
        }
        return _newest(
            row
            for row in self.rows(action.command)
            if (Path(row["subject"]).name in named)
            or (
                not named
                and (
                    not row["variant"]
                    or self.is_own_study(Path(row["subject"]).name, row["variant"])
                )
            )
        )

    def read(self, step: Step, records: Records) -> str | None:
        """The paper that the page names."""
        chosen = self.week.chosen
        for row in papers.all_papers(self.store):
            is_it = chosen is None or chosen.is_paper(row["title"], row["link"])
            if is_it and row["week"] == self.week.label and row["done"]:
                return str(row["done"])
        return None

    def added(self, step: Step, records: Records) -> str | None:
        rows = [
            row for row in artifacts.all_artifacts(self.store) if row["week"] == self.week.label
        ]
        return str(rows[-1]["added"]) if rows else None


def _is_committed(path: Path) -> bool:
    """True if the last commit holds the file as it is now."""
    from q1lab.ground.git_repository import Repository

    try:
        return Repository.discover(path).has_committed(path)
    except Problem:
        return False


def _newest(rows: Iterable[Row]) -> str | None:
    return max((str(row["at"]) for row in rows), default=None)


PREDICTED = "prediction made"
CONDITIONS: Mapping[str, Callable[[Acts, Step, Records], str | None]] = {
    PREDICTED: Acts.predicted,
    "file made": Acts.made,
    "checks passed": Acts.checked,
    "runs ended": Acts.ran,
    "comparison seen": Acts.compared,
    "diff seen": Acts.diffed,
    "diff committed": Acts.diffed,
    "modification merged": Acts.merged,
    WRITTEN: Acts.modification,
    COMMITTED: Acts.modification,
    "post drafted": Acts.drafted,
    "post published": Acts.published,
    "post shared": Acts.shared,
    "seen": Acts.seen,
    "paper read": Acts.read,
    "artifact added": Acts.added,
}
"""The documents of other acts use `Acts.document`."""
