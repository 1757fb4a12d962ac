"""What happened, by what it left behind: steps that tick themselves.

A step of the week is done when its condition holds (`done_when`): the file is there, its checks are
green, the study's runs have ended, a document was written, the post is published. So
app, commands and documents can't contradict what happened. A step is unticked by hand, and stays so
until something new happens. Where a mark disappears (a study that was deleted, a file that changed
after its checks), nothing is claimed any more, and one line says why, wherever the step is shown.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from q1lab import acts, paths
from q1lab.files import sha256_file
from q1lab.index import learner_tables, results
from q1lab.index.store import Row, Store
from q1lab.journal import artifacts, choice, papers, posts, predictions
from q1lab.week import progress
from q1lab.week.model import Action, Step, Week
from q1lab.week.progress import Progress, Record


@dataclass(frozen=True)
class Mark:
    """What an act left behind: ``words`` say it, ``since`` when it first was so (ISO)."""

    words: str
    since: str


Stamp = tuple[int, int] | None
"""When a file was changed last (nanoseconds), and its size in bytes; None for no file."""


@dataclass(frozen=True)
class Evidence:
    """``marks`` by step id; ``lost`` says of steps whose mark has disappeared why."""

    marks: Mapping[str, Mark]
    lost: Mapping[str, str]
    titles: Mapping[str, str]
    files: Mapping[Path, Stamp]
    """The files that were looked at, as they were then."""

    @property
    def holds(self) -> bool:
        """Whether these files are still as they were."""
        return all(_stamp(path) == stamp for path, stamp in self.files.items())

    @property
    def gone(self) -> tuple[str, ...]:
        """The losses as sentences of their own."""
        return tuple(f"“{self.titles[step]}” is {why}" for step, why in self.lost.items())


# ── what acts leave behind


def note_check(store: Store, week: str, file: Path, variant: str) -> None:
    """Note that all checks of a file of the learner's passed, as ``variant``."""
    if file.resolve().is_relative_to(paths.models_dir().resolve()):
        return
    try:
        sha = sha256_file(file)
    except OSError:
        return
    path = str(file.absolute())
    passed = [row for row in learner_tables.evidence(store, week) if row["act"] == "check"]
    if (path, variant, sha) not in [(row["file"], row["variant"], row["sha"]) for row in passed]:
        store.add("check", week=week, file=path, variant=variant, sha256=sha)


def note_merge(store: Store, week: str, file: Path, into: Path, commit: str | None) -> None:
    """Note that ``file`` was merged into the learner's model ``into``."""
    store.add("merge", week=week, file=str(file), into=str(into), commit=commit)


def note_written(store: Store, week: str, act: str, path: Path, commit: str | None) -> None:
    """Note that the document of an act (``retro``) was written just now; without a new commit the
    old one stays noted."""
    store.add(act, week=week, path=str(path), commit=commit)


def note_looked(store: Store, week: str, act: str, what: str, variant: str = "") -> None:
    """Note that something was shown to a person: ``act`` is the command (``compare``), ``what`` the
    study or file, and ``variant`` whose it is."""
    store.add("look", week=week, command=act, what=what, variant=variant)


def show_reference(store: Store, week: str, variant: str) -> None:
    """Note that the learner asked to see q1lab's own implementation."""
    store.add("reference", week=week, variant=variant)


def may_show_reference(store: Store, week: str, variant: str) -> bool:
    """Whether q1lab's own implementation of ``variant`` gives nothing away any more: a file of the
    learner's has passed its checks, or they asked for it (also as the last hint)."""
    rows = learner_tables.evidence(store, week)
    if any(variant in row["variant"].split("+") for row in rows if row["act"] in _SHOWS_REFERENCE):
        return True
    return LAST_HINT in learner_tables.used_hints(store, week, variant)


def is_reference(origin: str) -> bool:
    """Whether a model file is one that q1lab ships, by what was typed for it: a name, no path. The
    baseline gives nothing away."""
    return origin != "baseline" and "/" not in origin and not origin.endswith(".py")


_SHOWS_REFERENCE = ("check", "reference")
LAST_HINT = 4
"""The stage of the hints that shows the reference."""


# ── from acts to steps


def read(store: Store, week: Week) -> Progress:
    """Everything that the learner did in the week, ticked by hand or by what happened."""
    done = progress.read(store, week.label)
    return merge(store, week, done, look(store, week, done))


def merge(store: Store, week: Week, done: Progress, seen: Evidence) -> Progress:
    """``done`` with the steps ticked that ``seen`` has a mark for, but those that were unticked by
    hand since."""
    records = dict(done.records)
    unticked = {
        row["step_id"]: str(row["updated"])
        for row in learner_tables.steps(store, week.label)
        if not row["done"]
    }
    for step_id, why in seen.lost.items():
        records[step_id] = replace(records.get(step_id, Record()), lost=why)
    for step_id, mark in seen.marks.items():
        record = records.get(step_id, Record())
        if not record.done and unticked.get(step_id, "") < mark.since:
            records[step_id] = replace(record, done=True, done_at=mark.since)
    return replace(done, records=MappingProxyType(records))


def look(store: Store, week: Week, done: Progress | None = None) -> Evidence:
    """The marks that are there now. What was there at an earlier look and is not any more is told,
    until the learner ticks the step by hand or its act is done again."""
    done = done or progress.read(store, week.label)
    week = progress.narrowed(week, done)
    facts = _Facts(store, week, done)
    marks: dict[str, Mark] = {}
    steps = list(week.steps())
    for number, step in enumerate(steps):
        if step.done_when and (mark := facts.of(step, steps[:number])):
            marks[step.id] = mark
    kept: dict[str, Any] = store.setting(f"evidence:{week.label}", {})
    now = {
        step: {"words": mark.words, "since": mark.since, "variant": facts.variant}
        for step, mark in marks.items()
    }
    there = {step.id: step.title for step in steps}
    lost = {
        step: f"not ticked any more: {facts.why.get(step) or _missing(found['words'])}"
        for step, found in kept.items()
        if step in there
        and step not in now
        and not done.of(step).done
        and found.get("variant", facts.variant) == facts.variant
    }
    if {**kept, **now} != kept:
        store.set_setting(f"evidence:{week.label}", {**kept, **now})
    return Evidence(
        MappingProxyType(marks),
        MappingProxyType(lost),
        MappingProxyType(there),
        MappingProxyType(facts.files),
    )


def _missing(words: str) -> str:
    return f"{words} can't be found now"


class _Facts:
    """What one look knows, so that each thing is asked once."""

    def __init__(self, store: Store, week: Week, done: Progress) -> None:
        self.store, self.week, self.done = store, week, done
        row = learner_tables.modification(store, week.label)
        self.variant = str(row["variant"]) if row else None
        self.file = Path(row["file"]) if row and row["file"] else None
        self.own_names = learner_tables.own_names(row)
        self.post = posts.of_week(store, week.label)
        self._rows = learner_tables.evidence(store, week.label)
        self.files: dict[Path, Stamp] = {}
        self.why: dict[str, str] = {}
        """Why a step has no mark, where more can be said than that it can't be found."""
        self._why = ""
        self._before: list[Step] = []
        self._at: Step | None = None
        self._since: dict[str, str] = {}
        """Since when a step before has its mark."""

    def rows(self, act: str) -> Iterator[Row]:
        """What an act left behind, newest first; rows whose file is gone left out."""
        for row in self._rows:
            if row["act"] == act and (row["file"] is None or self._is_there(Path(row["file"]))):
                yield row

    @cached_property
    def ended(self) -> list[Row]:
        """The studies whose runs have all ended."""
        return results.ended(self.store)

    @cached_property
    def prediction(self) -> Mapping[str, Any] | None:
        """The prediction for what was chosen, made in the app or with ``q1lab predict``."""
        return predictions.newest(self.store, self.variant or "", self.week.label)

    def _is_there(self, path: Path) -> bool:
        self.files[path] = _stamp(path)
        return self.files[path] is not None

    def of(self, step: Step, before: list[Step]) -> Mark | None:
        """What shows that the step's condition holds; ``before`` are the steps before it."""
        self._why, self._at, self._before = "", step, before
        holds = CONDITIONS.get(step.done_when)
        mark = self._document(step.done_when) if holds is None else holds(self, step.doing)
        if mark is not None:
            self._since[step.id] = mark.since
        elif self._why:
            self.why[step.id] = self._why
        return mark

    def _trained(self, study: str, its_variant: str, names: frozenset[str]) -> bool:
        """Whether a study trained what is chosen, under one of these names."""
        mine = its_variant.removesuffix("*")
        return choice.trained(study, mine, names, self.variant or mine)

    def _predicted(self, _: Action | None) -> Mark | None:
        found = self.prediction
        return Mark("the prediction", str(found["created"])) if found else None

    def _new(self, _: Action | None) -> Mark | None:
        if self.file is None or not self._is_there(self.file):
            return None
        row = learner_tables.modification(self.store, self.week.label)
        return Mark(f"the file {self.file.name}", str(row["chosen"]) if row else "")

    def _check(self, action: Action | None) -> Mark | None:
        name = Path(str(action.options["file"])).name if action else ""
        own = self.file is not None and name == f"{self.variant}.py"  # under whatever name it is
        wanted = str(action.options.get("for", "")) if action else ""
        for row in self.rows("check"):
            path = Path(row["file"])
            if path.name != name and not (own and path == self.file):
                continue
            if wanted not in ("", "baseline", *row["variant"].split("+")):
                continue  # it passed as another modification, or as a model without one
            if _sha(path) == row["sha"]:
                self._why = ""
                return Mark(f"the green checks of {path.name}", row["at"])
            self._why = f"{path.name} has changed since its checks were green"
        return None

    def _run(self, action: Action | None) -> Mark | None:
        if self.variant is None and any(step.behavior.chooses for step in self.week.steps()):
            return None  # trained to try q1lab, before there was a modification to train
        names = self.own_names
        if action is not None:
            names |= {Path(str(action.options["variant"])).stem}
        wanted = action.options.get("seeds", 3) if action else 3
        seeds = len(wanted) if isinstance(wanted, tuple | list) else int(wanted)
        for row in self.ended:
            if row["planned"] >= seeds and self._trained(row["id"], row["variant"], names):
                return Mark(f"the {row['runs']} runs of {row['id']}", str(row["ended"]))
        return None

    def _merge(self, _: Action | None) -> Mark | None:
        for row in self.rows("merge"):
            merged, into = Path(row["subject"]), Path(row["file"])
            if merged == self.file or merged.stem == self.variant:
                return Mark(f"the merge of {merged.name} into {into.name}", row["at"])
        return None

    def _modification(self, _: Action | None, committed: bool = False) -> Mark | None:
        """Written since the newest of the answers that the steps before it asked for. Some may
        still be open, but not all of those since the step that last had the document written. A
        step that needs the prediction needs it in the document."""
        mine = (one for one in self.rows("modification") if one["variant"] == (self.variant or ""))
        row = next(mine, None)
        if row is None:
            return None
        facts, found = json.loads(row["facts"]), Mark(Path(row["file"]).name, row["at"])
        if self._too_early(found):
            return None
        if committed and not facts["committed"]:
            self._why = f"{found.words} is written and not committed"
            return None
        number = self.prediction["id"] if self.prediction else None
        if self._needs_prediction() and facts["prediction"] != number:
            self._why = f"{found.words} was written without the prediction"
            return None
        asked = (s for s in self._before if s.into and s.into not in progress.ELSEWHERE)
        answers = [s for s in asked if not s.optional and (s.behavior.form or s.done_when)]
        written = [step for step in answers if self._when(step) is not None]
        if any(str(self._when(step)) > found.since for step in written):
            self._why = f"an answer is newer than {found.words}"
            return None
        fresh: list[Step] = []  # a step that asks for nothing new is done with the one before it
        for step in reversed(self._before):
            if fresh and step.done_when in acts.ACTS["modification"].done_when:
                break
            fresh += [step] if step in answers else []
        return found if any(step in written for step in fresh) or not fresh else None

    def _needs_prediction(self) -> bool:
        """Whether the step at hand needs the one that asks for the prediction."""
        needs = self._at.needs if self._at else None
        return any(step.id == needs and step.done_when == PREDICTED for step in self._before)

    def _too_early(self, mark: Mark) -> bool:
        """Whether the mark was left before the step was done that this one needs."""
        needed = next((s for s in self._before if self._at and s.id == self._at.needs), None)
        if needed is None:
            return False
        since = self._when(needed)
        early = since is None or since > mark.since
        if early:
            self._why = f"{mark.words} was written before “{needed.title}” was done"
        return early

    def _when(self, step: Step) -> str | None:
        """When a step was done, by hand or by its mark; None when it was not. A prediction has to
        be there, whatever is ticked."""
        record = self.done.of(step.id)
        by_hand = record.done_at if record.done and step.done_when != PREDICTED else None
        return by_hand or self._since.get(step.id)

    def _document(self, condition: str) -> Mark | None:
        """The document of an act, written or committed (`Act.done_when`)."""
        (act,) = acts.bringing(condition)
        row = next(self.rows(act.name), None)
        if row is None:
            return None
        name = Path(row["file"]).name
        if row["sha"] is None and condition in act.done_when[1:]:
            self._why = f"{name} is written and not committed"
            return None
        return Mark(name, row["at"])

    def _draft(self, _: Action | None) -> Mark | None:
        path = self.post["path"] if self.post else None
        if self.post is None or not path or not self._is_there(Path(path)):
            return None
        return Mark(f"the draft {Path(path).name}", str(self.post["updated"]))

    def _published(self, _: Action | None) -> Mark | None:
        if self.post is None or not self.post["url"]:
            return None
        if not posts.is_out(self.post):
            self._why = f"of the post's draft are {posts.empty_words(self.post['empty'])}"
            return None
        return Mark(f"the post at {self.post['url']}", str(self.post["published"]))

    def _shared(self, _: Action | None) -> Mark | None:
        shares = posts.counted(self.post)
        if len(shares) < posts.ENOUGH_CHANNELS:
            return None
        times = sorted(str(item["shared"]) for item in shares)
        return Mark(f"the post in {len(shares)} channels", times[posts.ENOUGH_CHANNELS - 1])

    def _compared(self, _: Action | None) -> Mark | None:
        ended = {row["id"] for row in self.ended}
        for row in self.rows("compare"):
            study = row["subject"]
            if study in ended and self._trained(study, row["variant"], self.own_names):
                return Mark(f"the comparison of {study}", row["at"])
        return None

    def _diff(self, action: Action | None) -> Mark | None:
        name = Path(action.argv()[-1]).name if action else ""
        for row in self.rows("diff"):
            path = Path(row["subject"])
            if path.name == name or path == self.file:
                return Mark(f"the diff of {path.name}", row["at"])
        return None

    def _seen(self, action: Action | None) -> Mark | None:
        """What an act showed to a person; of the post, the draft that is there."""
        name = action.act.name if action is not None and action.act is not None else ""
        draft = self.post["path"] if self.post and name.startswith("post ") else None
        for row in self.rows(name):
            shown = Path(row["subject"])
            if draft is None or shown == Path(draft):
                return Mark(f"`q1lab {name}` of {shown.name}", row["at"])
        return None

    def _paper(self, _: Action | None) -> Mark | None:
        """The paper that the page names."""
        one = self.week.chosen
        for row in papers.papers(self.store):
            mine = one is None or one.is_paper(row["title"], row["link"])
            if mine and row["week"] == self.week.label and row["done"]:
                return Mark(f"the paper “{row['title']}”", str(row["done"]))
        return None

    def _artifact(self, _: Action | None) -> Mark | None:
        """The newest that was recorded in this week."""
        for row in reversed(artifacts.every(self.store)):
            if row["week"] == self.week.label:
                return Mark(f"{row['kind']} {row['title']}", str(row["added"]))
        return None


PREDICTED = "prediction made"

CONDITIONS: Mapping[str, Callable[[_Facts, Action | None], Mark | None]] = {
    PREDICTED: _Facts._predicted,
    "file made": _Facts._new,
    "checks passed": _Facts._check,
    "runs ended": _Facts._run,
    "comparison seen": _Facts._compared,
    "diff seen": _Facts._diff,
    "modification written": _Facts._modification,
    "modification committed": partial(_Facts._modification, committed=True),
    "modification merged": _Facts._merge,
    "post drafted": _Facts._draft,
    "post published": _Facts._published,
    "post shared": _Facts._shared,
    "seen": _Facts._seen,
    "paper read": _Facts._paper,
    "artifact added": _Facts._artifact,
}
"""What shows that a condition holds (`Act.done_when`), given the step's action that brings it
about. Those of a document that are not here hold by `_Facts._document`."""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _sha(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None
