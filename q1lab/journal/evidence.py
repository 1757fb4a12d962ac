"""What happened, by what it left behind: steps that tick themselves.

A step of the week is done when the act that it names has left its mark: the file is there, its
checks are green, the study's runs have ended, a document was written, the post is published. So
app, commands and documents can't contradict what happened. A step is unticked by hand, and stays so
until something new happens. Where a mark disappears (a study that was deleted, a file that changed
after its checks), nothing is claimed any more, and one line says why, wherever the step is shown.

What a step names is read from its kind, its actions, and the commands in its text (``acts_of``).
"""

from __future__ import annotations

import contextlib
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from q1lab import paths
from q1lab.files import sha256_file, utc_now
from q1lab.index import learned, results
from q1lab.index.store import Store
from q1lab.journal import posts, predictions, reading
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
    kept = dict(store.setting(f"checks:{week}", {}))
    before = kept.get(str(file.absolute()), {})
    if before.get("sha256") != sha or before.get("variant") != variant:
        kept[str(file.absolute())] = {"variant": variant, "sha256": sha, "at": utc_now()}
        store.set_setting(f"checks:{week}", kept)


def note_merge(store: Store, week: str, file: Path, into: Path, commit: str | None) -> None:
    """Note that ``file`` was merged into the learner's model ``into``."""
    record = {"file": str(file), "into": str(into), "commit": commit, "at": utc_now()}
    store.set_setting(f"merged:{week}", record)


def note_document(store: Store, week: str, name: str, path: Path) -> None:
    """Note that a document (``modification``, ``roadmap``) was written just now."""
    store.set_setting(f"written:{name}:{week}", {"path": str(path), "at": utc_now()})


def note_looked(store: Store, week: str, act: str, what: str, variant: str = "") -> None:
    """Note that something was shown to a person: ``act`` is the command (``compare``), ``what`` the
    study or file, and ``variant`` whose it is."""
    kept = dict(store.setting(f"looked:{week}", {}))
    seen = {**kept.get(act, {}), what: {"variant": variant, "at": utc_now()}}
    store.set_setting(f"looked:{week}", {**kept, act: dict(list(seen.items())[-MOST_LOOKS:])})


MOST_LOOKS = 50
"""Studies or files that are remembered for each act."""


def show_reference(store: Store, week: str, variant: str) -> None:
    """Note that the learner asked to see q1lab's own implementation."""
    kept = dict(store.setting(f"reference:{week}", {}))
    store.set_setting(f"reference:{week}", {**kept, variant: kept.get(variant) or utc_now()})


def may_show_reference(store: Store, week: str, variant: str) -> bool:
    """Whether q1lab's own implementation of ``variant`` gives nothing away any more: a file of the
    learner's has passed its checks, or they asked for it (also as the last hint)."""
    checks: Mapping[str, Any] = store.setting(f"checks:{week}", {})
    if any(variant in str(found.get("variant", "")).split("+") for found in checks.values()):
        return True
    if variant in store.setting(f"reference:{week}", {}):
        return True
    return LAST_HINT in learned.used_hints(store, week, variant)


def is_reference(origin: str) -> bool:
    """Whether a model file is one that q1lab ships, by what was typed for it: a name, no path. The
    baseline gives nothing away."""
    return origin != "baseline" and "/" not in origin and not origin.endswith(".py")


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
        for row in learned.steps(store, week.label)
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
    for step in week.steps():
        mark = facts.of(step)
        if mark is not None:
            marks[step.id] = mark
    kept: dict[str, Any] = store.setting(f"evidence:{week.label}", {})
    now = {
        step: {"words": mark.words, "since": mark.since, "variant": facts.variant}
        for step, mark in marks.items()
    }
    there = {step.id: step.title for step in week.steps()}
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


def _names(step: Step, command: str) -> bool:
    return any(f"{name} ".startswith(f"{command} ") for name, _ in acts_of(step))


_COMMAND = re.compile(r"`(q1lab [^`]+)`")


def acts_of(step: Step) -> Iterator[tuple[str, Action | None]]:
    """(command without ``q1lab``, its action or None) for what a step names: its actions first,
    then those commands in its text that the learner has to fill in. A check and a run are ``check``
    and ``run``; typed as a command they are experiments beside the week's own. A first model.py is
    no modification."""
    for action in step.actions:
        if action.kind in ("check", "run"):
            yield action.kind, action
        elif action.kind == "command":
            words = action.argv()
            beside = words[1:2] in (("run",), ("check",)) or words[1:3] == ("new", "--baseline")
            if words[:1] == ("q1lab",) and not beside:
                yield " ".join(words[1:]), action
    for found in _COMMAND.findall(step.detail):
        with contextlib.suppress(ValueError):
            command = " ".join(shlex.split(found)[1:])
            if command.startswith(FILLED_IN):
                yield command, None


ELSEWHERE = ("hook", "outline", "surprises", "plan", "insights", "slipped", "pace")
"""What answers go into that MODIFICATION.md does not hold: the post and the retrospective do."""

FILLED_IN = ("post publish", "post share", "paper add")


class _Facts:
    """What one look knows, so that each thing is asked once."""

    def __init__(self, store: Store, week: Week, done: Progress) -> None:
        self.store, self.week, self.done = store, week, done
        row = learned.modification(store, week.label)
        self.variant = str(row["variant"]) if row else None
        self.file = Path(row["file"]) if row and row["file"] else None
        self.own_names = learned.own_names(row)
        self.post = posts.of_week(store, week.label)
        self.files: dict[Path, Stamp] = {}
        self.why: dict[str, str] = {}
        """Why a step has no mark, where more can be said than that it can't be found."""
        self._why = ""
        self._before: list[Step] = []
        self._at: Step | None = None
        self._since: dict[str, str] = {}
        """Since when a step before has its mark."""

    def _is_there(self, path: Path) -> bool:
        self.files[path] = _stamp(path)
        return self.files[path] is not None

    def of(self, step: Step) -> Mark | None:
        """The mark of the first of the step's acts that leaves one."""
        finders: Mapping[str, Callable[[Action | None], Mark | None]] = {
            "new": self._new,
            "check": self._check,
            "run": self._run,
            "merge": self._merge,
            "modification": self._modification,
            "retro": self._retro,
            "roadmap": self._roadmap,
            "post new": self._draft,
            "post publish": self._published,
            "post share": self._shared,
            "paper add": self._paper,
            "compare": self._compared,
            "diff": self._diff,
            "post words": self._draft_seen,
            "post lint": self._draft_seen,
            "post preview": self._draft_seen,
        }
        self._why, self._at = "", step
        try:
            if step.kind == "predict":
                return self._predicted()
            for command, action in acts_of(step):
                for name, finder in finders.items():
                    if command == name or command.startswith(name + " "):
                        mark = finder(action)
                        if mark is not None:
                            self._since[step.id] = mark.since
                        return mark
            return None
        finally:
            self._before.append(step)
            if self._why:
                self.why[step.id] = self._why

    def _predicted(self) -> Mark | None:
        """A prediction for what was chosen, in the app or with ``q1lab predict``."""
        found = predictions.newest(self.store, self.variant or "", self.week.label)
        return None if found is None else Mark("the prediction", str(found["created"]))

    def _new(self, _: Action | None) -> Mark | None:
        if self.file is None or not self._is_there(self.file):
            return None
        row = learned.modification(self.store, self.week.label)
        return Mark(f"the file {self.file.name}", str(row["chosen"]) if row else "")

    def _check(self, action: Action | None) -> Mark | None:
        checks: Mapping[str, Any] = self.store.setting(f"checks:{self.week.label}", {})
        name = Path(str(action.options["file"])).name if action else ""
        own = self.file is not None and name == f"{self.variant}.py"  # under whatever name it is
        for path, found in checks.items():
            if Path(path).name != name and not (own and path == str(self.file)):
                continue
            now = _sha(Path(path)) if self._is_there(Path(path)) else None
            if now == found["sha256"]:
                self._why = ""
                return Mark(f"the green checks of {Path(path).name}", str(found["at"]))
            if now is not None:
                self._why = f"{Path(path).name} has changed since its checks were green"
        return None

    def _run(self, action: Action | None) -> Mark | None:
        if self.variant is None and any(step.kind == "choose" for step in self.week.steps()):
            return None  # trained to try q1lab, before there was a modification to train
        names = self.own_names
        if action is not None:
            names |= {Path(str(action.options["variant"])).stem}
        wanted = action.options.get("seeds", 3) if action else 3
        seeds = len(wanted) if isinstance(wanted, tuple | list) else int(wanted)
        for row in results.ended(self.store):
            if row["variant"].removesuffix("*") in names and row["planned"] >= seeds:
                return Mark(f"the {row['runs']} runs of {row['id']}", str(row["ended"]))
        return None

    def _merge(self, _: Action | None) -> Mark | None:
        found = self.store.setting(f"merged:{self.week.label}")
        if found is None or not self._is_there(Path(found["into"])):
            return None
        names = f"{Path(found['file']).name} into {Path(found['into']).name}"
        return Mark(f"the merge of {names}", str(found["at"]))

    def _modification(self, _: Action | None) -> Mark | None:
        """Written since the newest of the answers that the steps before it asked for. Some may
        still be open, but not all of those since the step that last had the document written."""
        found = self._document("modification")
        if found is None or self._too_early(found):
            return None
        asked = (s for s in self._before if s.into and s.into not in ELSEWHERE)
        answers = [s for s in asked if not s.optional and s.kind != "tick"]
        written = [step for step in answers if self.done.of(step.id).done]
        if any(str(self.done.of(step.id).done_at) > found.since for step in written):
            self._why = f"an answer is newer than {found.words}"
            return None
        fresh: list[Step] = []  # a step that asks for nothing new is done with the one before it
        for step in reversed(self._before):
            if fresh and _names(step, "modification"):
                break
            fresh += [step] if step in answers else []
        return found if any(step in written for step in fresh) or not fresh else None

    def _too_early(self, mark: Mark) -> bool:
        """Whether the mark was left before the step was done that this one needs."""
        needs = self._at.needs if self._at else None
        if needs is None:
            return False
        record = self.done.of(needs)
        since = record.done_at if record.done else self._since.get(needs)
        early = since is None or since > mark.since
        if early:
            step = next(one for one in self.week.steps() if one.id == needs)
            self._why = f"{mark.words} was written before “{step.title}” was done"
        return early

    def _roadmap(self, _: Action | None) -> Mark | None:
        return self._document("roadmap")

    def _document(self, name: str) -> Mark | None:
        found = self.store.setting(f"written:{name}:{self.week.label}")
        if found is None or not self._is_there(Path(found["path"])):
            return None
        return Mark(Path(found["path"]).name, str(found["at"]))

    def _retro(self, _: Action | None) -> Mark | None:
        row = learned.retro(self.store, self.week.label)
        if row is None or not self._is_there(Path(row["path"])):
            return None
        return Mark(Path(row["path"]).name, str(row["written"]))

    def _draft(self, _: Action | None) -> Mark | None:
        path = self.post["path"] if self.post else None
        if self.post is None or not path or not self._is_there(Path(path)):
            return None
        return Mark(f"the draft {Path(path).name}", str(self.post["updated"]))

    def _published(self, _: Action | None) -> Mark | None:
        if self.post is None or not self.post["url"]:
            return None
        return Mark(f"the post at {self.post['url']}", str(self.post["published"]))

    def _shared(self, _: Action | None) -> Mark | None:
        shares = posts.counted(self.post)
        if len(shares) < posts.ENOUGH_CHANNELS:
            return None
        times = sorted(str(item["shared"]) for item in shares)
        return Mark(f"the post in {len(shares)} channels", times[posts.ENOUGH_CHANNELS - 1])

    def _looks(self, act: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """(study or file, what was noted) of the looks that a command gave, newest first."""
        looked: Mapping[str, Any] = self.store.setting(f"looked:{self.week.label}", {})
        seen: dict[str, Mapping[str, str]] = looked.get(act, {})
        return reversed(seen.items())

    def _compared(self, _: Action | None) -> Mark | None:
        for study, found in self._looks("compare"):
            if found["variant"].removesuffix("*") in self.own_names:
                return Mark(f"the comparison of {study}", found["at"])
        return None

    def _diff(self, action: Action | None) -> Mark | None:
        name = Path(action.argv()[-1]).name if action else ""
        for path, found in self._looks("diff"):
            if Path(path).name == name or path == str(self.file):
                return Mark(f"the diff of {Path(path).name}", found["at"])
        return None

    def _draft_seen(self, action: Action | None) -> Mark | None:
        act = " ".join(action.argv()[1:3]) if action else ""
        for path, found in self._looks(act):
            return Mark(f"`q1lab {act}` of {Path(path).name}", found["at"])
        return None

    def _paper(self, _: Action | None) -> Mark | None:
        for row in reading.papers(self.store):
            if row["week"] == self.week.label and row["done"]:
                return Mark(f"the paper “{row['title']}”", str(row["done"]))
        return None


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
