"""Steps that tick themselves, by the evidence that the learner's acts left behind.

A step of the week is done when its condition holds (`done_when`): the file is there, its checks are
green, the study's runs have ended, a document was written, the post is published. So the app, the
commands and the documents can't contradict what happened. A step that the learner unticks stays
unticked until something new happens. When the evidence for a step disappears (the study was
deleted, the file changed after its checks), the step is no longer ticked, and one line says why
wherever the step is shown."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from q1lab.ground import command_table, paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.index import learner_tables, stored_results
from q1lab.index.store import Row, Store
from q1lab.judgment.intervals import Reason
from q1lab.week import progress
from q1lab.week.lists import artifacts, papers, posts
from q1lab.week.progress import Progress, StepState
from q1lab.week.syllabus import Step, Week

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison


@dataclass(frozen=True)
class StepEvidence:
    """The evidence that a step is done: ``words`` name it, ``since`` is when it first held
    (ISO)."""

    words: str
    since: str


FileStamp = tuple[int, int] | None
"""A file's last change (nanoseconds) and its size in bytes; None for no file."""


@dataclass(frozen=True)
class WeekEvidence:
    """``by_step``: evidence by step id. ``lost``: for each step whose evidence has disappeared, the
    reason."""

    by_step: Mapping[str, StepEvidence]
    lost: Mapping[str, str]
    titles: Mapping[str, str]
    facts: Facts

    @property
    def gone(self) -> tuple[str, ...]:
        """The losses as whole sentences."""
        return tuple(f"“{self.titles[step]}” is {why}" for step, why in self.lost.items())


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
    not count, unless an arm diverged: that is an answer, too."""
    if comparison.analysis.reason in (None, Reason.DIVERGED):
        study = comparison.study
        note_viewed(store, week, "compare", study.id, study.variant)


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
    """The learner's progress in the week, with the steps that their evidence ticks."""
    done = progress.recorded_progress(store, week.label)
    return tick_by_evidence(done, find_evidence(store, week, done))


def tick_by_evidence(done: Progress, found_evidence: WeekEvidence) -> Progress:
    """``done`` with the steps ticked that have evidence, except those that the learner has unticked
    since."""
    records = dict(done.records)
    for step_id, why in found_evidence.lost.items():
        records[step_id] = replace(records.get(step_id, StepState()), lost=why)
    for step_id, step_evidence in found_evidence.by_step.items():
        record = records.get(step_id, StepState())
        if not record.done and record.changed < step_evidence.since:
            records[step_id] = replace(record, done=True, done_at=step_evidence.since)
    return replace(done, records=MappingProxyType(records))


def find_evidence(
    store: Store, week: Week, done: Progress | None = None, before: WeekEvidence | None = None
) -> WeekEvidence:
    """The evidence for the week's steps now. Evidence that has disappeared since an earlier call is
    reported as lost, until the learner ticks the step by hand or does its act again. The facts of
    ``before`` are used again as long as they hold."""
    done = done or progress.recorded_progress(store, week.label)
    week = progress.learner_week(week, done)
    facts = before.facts if before and before.facts.hold(store, week) else Facts(store, week)
    steps = list(week.steps())
    evidence_by_step = facts.evidence_by_step(steps, done)
    earlier: dict[str, Any] = store.setting(f"evidence:{week.label}", {})
    now = {
        step: {"words": step_evidence.words, "since": step_evidence.since, "variant": facts.variant}
        for step, step_evidence in evidence_by_step.items()
    }
    titles = {step.id: step.title for step in steps}
    lost = {
        step: f"not ticked any more: {facts.why.get(step) or _missing(evidence_then['words'])}"
        for step, evidence_then in earlier.items()
        if step in titles
        and step not in now
        and not done.of(step).done
        and evidence_then.get("variant", facts.variant) == facts.variant
    }
    if {**earlier, **now} != earlier:
        store.set_setting(f"evidence:{week.label}", {**earlier, **now})
    return WeekEvidence(
        MappingProxyType(evidence_by_step),
        MappingProxyType(lost),
        MappingProxyType(titles),
        facts,
    )


def _missing(words: str) -> str:
    return f"{words} can't be found now"


class Facts:
    """The traces of the learner's acts, each read once, and the evidence that follows from them.
    They hold until a file changes, or the database by more than a tick, an answer or minutes."""

    def __init__(self, store: Store, week: Week) -> None:
        self.store, self.week = store, week
        self.stamp = store.stamp().without_progress
        row = learner_tables.modification_row(store, week.label)
        self.variant = str(row["variant"]) if row else None
        self.file = Path(row["file"]) if row and row["file"] else None
        self.own_names = learner_tables.names_of_modification(row)
        self.post = posts.post_of_week(store, week.label)
        self._rows = learner_tables.evidence_rows(store, week.label)
        self.files: dict[Path, FileStamp] = {}
        """The files that were examined, with their stamps at that time."""
        self.why: dict[str, str] = {}
        """By step without evidence, the reason, where it is more than "can't be found"."""
        self._why = ""
        self._evidence_by_step: dict[str, StepEvidence | None] = {}
        """Evidence by step, as far as it has been worked out."""

    def hold(self, store: Store, week: Week) -> bool:
        """True if reading everything again would find the same."""
        same = self.store is store and self.week is week and not self.changed_files
        return same and self.stamp == store.stamp().without_progress

    @property
    def changed_files(self) -> bool:
        """True if an examined file has changed since."""
        return any(_stamp(path) != stamp for path, stamp in self.files.items())

    def rows(self, act: str) -> Iterator[Row]:
        """The rows of an act in the journal, newest first; rows whose file is gone are left out."""
        for row in self._rows:
            if row["act"] == act and (row["file"] is None or self._is_there(Path(row["file"]))):
                yield row

    @cached_property
    def ended(self) -> list[Row]:
        """The studies whose runs have all ended."""
        return stored_results.list_ended(self.store)

    @cached_property
    def prediction(self) -> Mapping[str, Any] | None:
        """The prediction for what was chosen, made in the app or with ``q1lab predict``."""
        from q1lab.week.lists import predictions

        return predictions.newest_prediction(self.store, self.variant or "", self.week.label)

    def _is_there(self, path: Path) -> bool:
        if path not in self.files:
            self.files[path] = _stamp(path)
        return self.files[path] is not None

    def evidence_by_step(self, steps: Sequence[Step], done: Progress) -> dict[str, StepEvidence]:
        """The evidence that the steps' conditions hold, by step. Each is worked out once, except
        for the modification's document: whether that is new enough depends on when the steps before
        it were done."""
        for number, step in enumerate(steps):
            if not step.done_when:
                continue
            self._why = ""
            if step.done_when in (WRITTEN, COMMITTED):
                self._evidence_by_step[step.id] = self._modification(step, steps[:number], done)
            elif step.id not in self._evidence_by_step:
                holds = CONDITIONS.get(step.done_when, Facts._document)
                self._evidence_by_step[step.id] = holds(self, step)
            else:
                continue
            self.why[step.id] = "" if self._evidence_by_step[step.id] else self._why
        return {
            step: step_evidence
            for step, step_evidence in self._evidence_by_step.items()
            if step_evidence
        }

    def _trained(self, study: str, its_variant: str, names: frozenset[str]) -> bool:
        """True if a study trained the chosen modification under one of these names."""
        from q1lab.week import chosen_variant

        plain_variant = its_variant.removesuffix("*")
        return chosen_variant.study_trained(
            study, plain_variant, names, self.variant or plain_variant
        )

    def _predicted(self, _: Step) -> StepEvidence | None:
        prediction = self.prediction
        return StepEvidence("the prediction", str(prediction["created"])) if prediction else None

    def _new(self, _: Step) -> StepEvidence | None:
        if self.file is None or not self._is_there(self.file):
            return None
        row = learner_tables.modification_row(self.store, self.week.label)
        return StepEvidence(f"the file {self.file.name}", str(row["chosen"]) if row else "")

    def _check(self, step: Step) -> StepEvidence | None:
        action = step.ticking_action
        name = Path(str(action.options["file"])).name if action else ""
        # under whatever name it is
        checks_own_file = self.file is not None and name == f"{self.variant}.py"
        wanted_variant = str(action.options.get("for", "")) if action else ""
        for row in self.rows("check"):
            path = Path(row["file"])
            if path.name != name and not (checks_own_file and path == self.file):
                continue
            if wanted_variant not in ("", "baseline", *row["variant"].split("+")):
                continue  # it passed as another modification, or as a model without one
            if _sha(path) == row["sha"]:
                self._why = ""
                return StepEvidence(f"the green checks of {path.name}", row["at"])
            self._why = f"{path.name} has changed since its checks were green"
        return None

    def _run(self, step: Step) -> StepEvidence | None:
        action = step.ticking_action
        if self.variant is None and any(step.behavior.chooses for step in self.week.steps()):
            return None  # trained to try q1lab, before there was a modification to train
        names = self.own_names
        if action is not None:
            names |= {Path(str(action.options["variant"])).stem}
        planned_seeds = action.options.get("seeds", 3) if action else 3
        seeds = (
            len(planned_seeds) if isinstance(planned_seeds, tuple | list) else int(planned_seeds)
        )
        for row in self.ended:
            if row["planned"] >= seeds and self._trained(row["id"], row["variant"], names):
                return StepEvidence(f"the {row['runs']} runs of {row['id']}", str(row["ended"]))
        return None

    def _merge(self, _: Step) -> StepEvidence | None:
        for row in self.rows("merge"):
            merged, into = Path(row["subject"]), Path(row["file"])
            if merged == self.file or merged.stem == self.variant:
                return StepEvidence(f"the merge of {merged.name} into {into.name}", row["at"])
        return None

    def _modification(
        self, step: Step, before: Sequence[Step], done: Progress
    ) -> StepEvidence | None:
        """The document counts if it is newer than every answer of the steps before it. Some of
        these may still be open, but not all since the last step that had the document written. A
        step that needs the prediction needs it in the document."""
        rows = self.rows("modification")
        row = next((row for row in rows if row["variant"] == (self.variant or "")), None)
        if row is None:
            return None
        facts, path = json.loads(row["facts"]), Path(row["file"])
        written_document = StepEvidence(path.name, row["at"])
        needed = next((earlier for earlier in before if earlier.id == step.needs), None)
        if needed and not ((since := self._when(needed, done)) and since <= written_document.since):
            self._why = f"{written_document.words} was written before “{needed.title}” was done"
            return None
        if step.done_when == COMMITTED and not (facts["committed"] or self._is_committed(path)):
            self._why = f"{written_document.words} is written and not committed"
            return None
        made = self.prediction and self.prediction["id"]
        if needed and needed.done_when == PREDICTED and facts["prediction"] != made:
            self._why = f"{written_document.words} was written without the prediction"
            return None
        document_steps = (s for s in before if s.into and s.into not in progress.ANSWERS_ELSEWHERE)
        answers = [s for s in document_steps if not s.optional and (s.behavior.form or s.done_when)]
        written = [answer for answer in answers if self._when(answer, done)]
        if any(str(self._when(answer, done)) > written_document.since for answer in written):
            self._why = f"an answer is newer than {written_document.words}"
            return None
        fresh: list[Step] = []  # a step that asks for nothing new is done with the one before it
        for earlier in reversed(before):
            if fresh and earlier.done_when in (WRITTEN, COMMITTED):
                break
            fresh += [earlier] if earlier in answers else []
        return written_document if any(answer in written for answer in fresh) or not fresh else None

    def _when(self, step: Step, done: Progress) -> str | None:
        """The time at which a step was done, by hand or by its evidence; None if it is open. A
        prediction has to exist: a tick by hand does not count for it."""
        record = done.of(step.id)
        by_hand = record.done_at if record.done and step.done_when != PREDICTED else None
        step_evidence = self._evidence_by_step.get(step.id)
        return by_hand or (step_evidence.since if step_evidence else None)

    def _document(self, step: Step) -> StepEvidence | None:
        """The document of an act, written or committed (`Act.done_when`)."""
        (act,) = command_table.acts_for_condition(step.done_when)
        row = next(self.rows(act.name_in_journal), None)
        if row is None:
            return None
        name = Path(row["file"]).name
        if row["sha"] is None and step.done_when in act.done_when[1:]:
            self._why = f"{name} is written and not committed"
            return None
        return StepEvidence(name, row["at"])

    def _draft(self, _: Step) -> StepEvidence | None:
        path = self.post["path"] if self.post else None
        if self.post is None or not path or not self._is_there(Path(path)):
            return None
        return StepEvidence(f"the draft {Path(path).name}", str(self.post["updated"]))

    def _published(self, _: Step) -> StepEvidence | None:
        if self.post is None or not self.post["url"]:
            return None
        if not posts.is_out(self.post):
            self._why = f"of the post's draft are {posts.empty_words(self.post['empty'])}"
            return None
        return StepEvidence(f"the post at {self.post['url']}", str(self.post["published"]))

    def _shared(self, _: Step) -> StepEvidence | None:
        shares = posts.counted_shares(self.post)
        if len(shares) < posts.ENOUGH_CHANNELS:
            return None
        times = sorted(str(item["shared"]) for item in shares)
        return StepEvidence(f"the post in {len(shares)} channels", times[posts.ENOUGH_CHANNELS - 1])

    def _compared(self, _: Step) -> StepEvidence | None:
        """Opened after the study's last run had ended."""
        ended = {row["id"]: str(row["ended"] or "") for row in self.ended}
        for row in self.rows("compare"):
            study = row["subject"]
            if study not in ended or not self._trained(study, row["variant"], self.own_names):
                continue
            if ended[study] <= row["at"]:
                self._why = ""
                return StepEvidence(f"the comparison of {study}", row["at"])
            self._why = f"runs of {study} have ended since its comparison was read"
        return None

    def _diff(self, step: Step) -> StepEvidence | None:
        action = step.ticking_action
        name = Path(action.argv()[-1]).name if action else ""
        for row in self.rows("diff"):
            path = Path(row["subject"])
            if path.name == name or path == self.file:
                if step.done_when == "diff committed" and not self._is_committed(path):
                    self._why = f"{path.name} as it is now is not committed"
                    return None
                return StepEvidence(f"the diff of {path.name}", row["at"])
        return None

    def _is_committed(self, path: Path) -> bool:
        from q1lab.ground.git_repository import Repository

        try:
            repo = Repository.discover(path)
            self._is_there(repo.git_dir / "logs/HEAD")  # every commit adds a line to it
            return repo.has_committed(path)
        except Problem:
            return False

    def _seen(self, step: Step) -> StepEvidence | None:
        """Something that an act has shown to the learner; for the post, the present draft, for
        what tells of a study, that which the step names or one of the chosen modification."""
        action = step.ticking_action
        name = action.performed_act.name if action and action.performed_act else ""
        arguments = set(action.argv()[1 + len(name.split()) :] if action else ())
        study = arguments - {variant.name for variant in self.week.variants}
        draft = self.post["path"] if self.post and name.startswith("post ") else None
        for row in self.rows(name):
            shown = Path(row["subject"])
            if study and shown.name not in study:
                continue
            is_own = study or self._trained(shown.name, row["variant"], self.own_names)
            if row["variant"] and not is_own:
                continue
            if draft is None or shown == Path(draft):
                return StepEvidence(f"`q1lab {name}` of {shown.name}", row["at"])
        return None

    def _paper(self, _: Step) -> StepEvidence | None:
        """The paper that the page names."""
        chosen_variant = self.week.chosen
        for row in papers.all_papers(self.store):
            is_chosen_paper = chosen_variant is None or chosen_variant.is_paper(
                row["title"], row["link"]
            )
            if is_chosen_paper and row["week"] == self.week.label and row["done"]:
                return StepEvidence(f"the paper “{row['title']}”", str(row["done"]))
        return None

    def _artifact(self, _: Step) -> StepEvidence | None:
        """The newest that was recorded in this week."""
        for row in reversed(artifacts.all_artifacts(self.store)):
            if row["week"] == self.week.label:
                return StepEvidence(f"{row['kind']} {row['title']}", str(row["added"]))
        return None


PREDICTED = "prediction made"
WRITTEN, COMMITTED = command_table.acts()["modification"].done_when

CONDITIONS: Mapping[str, Callable[[Facts, Step], StepEvidence | None]] = {
    PREDICTED: Facts._predicted,
    "file made": Facts._new,
    "checks passed": Facts._check,
    "runs ended": Facts._run,
    "comparison seen": Facts._compared,
    "diff seen": Facts._diff,
    "diff committed": Facts._diff,
    "modification merged": Facts._merge,
    "post drafted": Facts._draft,
    "post published": Facts._published,
    "post shared": Facts._shared,
    "seen": Facts._seen,
    "paper read": Facts._paper,
    "artifact added": Facts._artifact,
}
"""The finder of evidence for each condition (`Act.done_when`). The modification's document has a
rule of its own (`Facts._modification`); the documents of other acts use `Facts._document`."""


def _stamp(path: Path) -> FileStamp:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _sha(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None
