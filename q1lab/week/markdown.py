"""Content files as text: a reader that stays inside its folder, and the line scan of one Markdown
file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from q1lab import acts
from q1lab.errors import nearest
from q1lab.files import open_regular, plain
from q1lab.week.model import (
    MAX_BYTES,
    STEP_KINDS,
    Action,
    Block,
    Code,
    Finding,
    Fold,
    Step,
    Text,
)

PART_ATTRIBUTES = ("id", "minutes")
GUIDE_ATTRIBUTES = ("part",)
STEP_ATTRIBUTES = ("id", "kind", "minutes", "needs", "into", "optional", "variant")
GUIDE_MARK = "<!-- q1lab:guide -->"
_WAY = re.compile(r"\s*(?:<!--|#) q1lab:(course|alone|both)(?: -->)?\s*$")
"""Whom the lines below are for; a comment in Markdown, and in TOML."""
FILES = "files"
"""The folder in a week that holds what `q1lab take` copies."""

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_TAIL = re.compile(r"\s*\{([^{}]*)\}\s*$")
_TOKEN = re.compile(
    r'\s*(?:#(?P<id>[^\s"=]+)|(?P<key>[A-Za-z_-]+)=(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+)))'
)
_TASK = re.compile(r"[-*+] \[[ xX]\] +(.*)")
_FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})\s*(.*)")
_FILE_MARK = re.compile(r"<!-- q1lab:file ([^\s>]+) -->\s*$")
_DETAILS = re.compile(r"<details(?:\s+needs=\"?([\w-]+)\"?)?\s*>", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.IGNORECASE)
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def in_file(finding: Finding, numbers: Mapping[str, list[int]]) -> Finding:
    """A finding that counts the lines that were read, with its line in the file."""
    lines = numbers.get(finding.file, [])
    return replace(finding, line=lines[finding.line - 1]) if finding.line <= len(lines) else finding


def for_way(text: str, course: bool) -> tuple[str, list[int]]:
    """The lines of a file that are for those who follow the course, or for those who came by
    themselves; and their numbers in the file."""
    numbered = []
    other, way = "alone" if course else "course", "both"
    for number, line in enumerate(text.split("\n"), 1):
        if mark := _WAY.match(line):
            way = mark[1]
        elif way != other:
            numbered.append((number, line))
    return "\n".join(line for _, line in numbered), [number for number, _ in numbered]


class Reader:
    """Collects findings while the files of one folder are read, as they are with the course or
    without it (``for_way``)."""

    def __init__(self, root: Path, course: bool) -> None:
        self.root = root
        self.course = course
        self.numbers: dict[str, list[int]] = {}
        """By file, the numbers of its lines that were read."""
        self.findings: list[Finding] = []
        self.ids: dict[str, tuple[str, int]] = {}
        self.code: list[Code] = []

    def add(self, file: str, line: int, message: str, fatal: bool = True) -> None:
        self.findings.append(in_file(Finding(file, line, message, fatal), self.numbers))

    def text(self, name: str, asked_in: str, asked_at: int) -> str | None:
        """The text of a file inside the folder, or None with a finding at the place that asked for
        it."""
        if not inside(name):
            self.add(
                asked_in, asked_at, f"file {name!r} must be a plain path inside the content folder"
            )
            return None
        path = self.root / name
        try:
            if not path.resolve().is_relative_to(self.root.resolve()):
                self.add(asked_in, asked_at, f"file {name!r} leads outside the content folder")
                return None
            if path.exists() and not path.is_file():
                self.add(asked_in, asked_at, f"{name!r} is not a file")
                return None
            with open_regular(path) as handle:
                data = handle.read(MAX_BYTES + 1)
        except FileNotFoundError:
            self.add(
                asked_in, asked_at, f"file {name!r} is not there; create it or correct the name"
            )
            return None
        except OSError as error:
            self.add(asked_in, asked_at, f"file {name!r} can't be read: {error.strerror or error}")
            return None
        if len(data) > MAX_BYTES:
            self.add(name, 1, f"the file is larger than {MAX_BYTES // 1_000_000} MB; split it")
            return None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.add(name, line, "the file is not UTF-8; save it as UTF-8")
            return None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        told, self.numbers[name] = for_way(plain(text), self.course)
        return told

    def claim(self, id_: str | None, what: str, file: str, line: int) -> str:
        """Check and register an id; on a problem report it and return one that can't clash."""
        stand_in = f"line-{line}"
        if not id_:
            example = "{#a1 minutes=15}" if what == "part" else "{#a1-read kind=read}"
            self.add(
                file,
                line,
                f"this {what} has no id; put one at the line's end, for example {example}",
            )
            return stand_in
        if not _ID.fullmatch(id_):
            self.add(
                file,
                line,
                f"id {id_!r}: use a small letter, then small letters, digits and hyphens",
            )
            return stand_in
        if id_ in self.ids:
            first, at = self.ids[id_]
            self.add(
                file, line, f"id {id_!r} is used already at {first}:{at}; ids are unique in a week"
            )
            return stand_in
        self.ids[id_] = (file, line)
        return id_

    def attributes(
        self, line: str, allowed: tuple[str, ...], what: str, file: str, at: int
    ) -> tuple[str, dict[str, str]]:
        """Split `Title {#id key=value}` into the title and its attributes."""
        match = _TAIL.search(line)
        if match is None or not ("=" in match[1] or match[1].lstrip().startswith("#")):
            return line.strip(), {}
        found: dict[str, str] = {}
        inside, end = match[1].strip(), 0
        while end < len(inside):
            token = _TOKEN.match(inside, end)
            if token is None:
                self.add(file, at, f"can't read {inside[end:].strip()!r}; write #id or key=value")
                break
            end = token.end()
            key = "id" if token["id"] else token["key"]
            value = token["id"] or (token["bare"] if token["quoted"] is None else token["quoted"])
            if key not in allowed or (key == "id" and not token["id"]):
                self.add(file, at, f"a {what} has no attribute {key!r}; {nearest(key, allowed)}")
            elif key in found:
                self.add(file, at, f"attribute {key!r} is given twice")
            found[key] = value
        return line[: match.start()].strip(), found


@dataclass
class Section:
    """What stands below one ## line; `id` is a part's, claimed in reading order."""

    title: str
    attributes: dict[str, str]
    id: str
    line: int
    blocks: list[Block] = field(default_factory=list)


class Scan:
    """One pass over the lines of a file: sections, and in them texts, folds, steps and actions in
    order."""

    def __init__(
        self,
        reader: Reader,
        file: str,
        variants: list[str],
        variant: str | None = None,
        demote: bool = False,
        whole: bool = False,
    ) -> None:
        """``demote``: headings go one level down; ``whole``: the file is one page without
        parts."""
        self.reader = reader
        self.file = file
        self.variants = variants
        self.variant = variant
        self.demote = demote
        self.whole = whole
        self.before: list[Block] = []
        self.sections: list[Section] = []
        self.blocks = self.before
        self.buffer: list[str] = []
        self.start = 1
        self.lines: list[str] = []
        self.at = 0

    def run(self, text: str) -> None:
        self.lines = text.split("\n")
        while self.at < len(self.lines):
            line = self.lines[self.at]
            first = line[:1]
            if first in "`~ " and (match := _FENCE.match(line)):
                self._fence(match)
            elif first == "#":
                self._heading(line)
            elif first in "-*+" and first and (task := _TASK.match(line)):
                self._step(task[1])
            elif first == "<" and line.lower().startswith("<details"):
                self._fold()
            elif first == "<" and (mark := _FILE_MARK.match(line)):
                self._file(mark[1])
            elif first == "<" and line.strip() == GUIDE_MARK:
                self._flush()
                self.blocks.append(Text(GUIDE_MARK, self.file, self.at + 1, self.variant))
                self.at += 1
            else:
                self._keep(line)
        self._flush()

    def _keep(self, line: str) -> None:
        if not self.buffer:
            self.start = self.at + 1
        self.buffer.append(line)
        self.at += 1

    def _flush(self) -> None:
        markdown = "\n".join(self.buffer)
        if stripped := markdown.strip("\n"):
            skipped = len(markdown) - len(markdown.lstrip("\n"))
            self.blocks.append(
                Text(stripped.rstrip(), self.file, self.start + skipped, self.variant)
            )
        self.buffer = []

    def _heading(self, line: str) -> None:
        if line.startswith("## ") and not self.whole:
            self._flush()
            self.sections.append(self._section(line[3:], self.at + 1))
            self.blocks = self.sections[-1].blocks
            self.at += 1
        elif line.startswith("# ") and not self.sections and not self.buffer and not self.before:
            self.at += 1  # the file's own title, for readers of the plain file
        elif self.demote and line.lstrip("#").startswith(" "):
            self._keep("#" + line)
        else:
            self._keep(line)

    def _section(self, heading: str, at: int) -> Section:
        if self.demote:
            title, found = self.reader.attributes(
                heading, GUIDE_ATTRIBUTES, "guide's section", self.file, at
            )
            return Section(title, found, "", at)
        title, found = self.reader.attributes(heading, PART_ATTRIBUTES, "part", self.file, at)
        return Section(title, found, self.reader.claim(found.get("id"), "part", self.file, at), at)

    def _fence(self, match: re.Match[str]) -> None:
        """A fence at the left margin: an action, or a block of text that is not looked into."""
        opened, kind, body = self.at + 1, match[3].split(), self._fenced(match)
        if kind[:1] != ["q1lab"]:
            self._code(kind, body, opened)
            for line in (self.lines[opened - 1], *body, self.lines[self.at - 1]):
                if not self.buffer:
                    self.start = opened
                self.buffer.append(line)
            return
        self._flush()
        action = self._action(kind, body, opened)
        if action is None:
            return
        if self.blocks and isinstance(last := self.blocks[-1], Step):
            self.blocks[-1] = replace(
                last, actions=(*last.actions, replace(action, variant=last.variant))
            )
        else:
            self.blocks.append(action)

    def _code(self, kind: list[str], body: list[str], opened: int) -> None:
        if kind[:1] == ["python"]:
            self.reader.code.append(Code("\n".join(body) + "\n", self.file, opened + 1))

    def _file(self, name: str) -> None:
        """Show one of the week's files in the text."""
        if shown := self._shown(name, self.at + 1):
            if not self.buffer:
                self.start = self.at + 1
            self.buffer += shown
        self.at += 1

    def _shown(self, name: str, at: int) -> list[str]:
        """The lines of a block of code that holds one of the week's files; none, and a finding,
        when it can't be read."""
        text = self.reader.text(f"{FILES}/{name}", self.file, at)
        if text is None:
            return []
        kind = "python" if name.endswith(".py") else "text"
        if kind == "python":
            self.reader.code.append(Code(text, f"{FILES}/{name}", 1))
        return [f"```{kind}", *text.rstrip("\n").split("\n"), "```"]

    def _fenced(self, match: re.Match[str]) -> list[str]:
        """The lines inside the fence that opens at the current line; afterwards `at` is behind
        it."""
        opened, mark = self.at + 1, match[2]
        close = re.compile(rf" *{re.escape(mark[0])}{{{len(mark)},}}\s*$")
        body: list[str] = []
        for index in range(self.at + 1, len(self.lines)):
            if close.match(self.lines[index]):
                self.at = index + 1
                return body
            body.append(self.lines[index])
        self.reader.add(self.file, opened, f"this {mark} block is never closed")
        self.at = len(self.lines)
        return body

    def _step(self, head: str) -> None:
        self._flush()
        at = self.at + 1
        title, attributes = self.reader.attributes(head, STEP_ATTRIBUTES, "step", self.file, at)
        self.at += 1
        detail, actions = self._detail()
        id_ = self.reader.claim(attributes.get("id"), "step", self.file, at)
        kind = attributes.get("kind", "tick")
        if kind not in STEP_KINDS:
            self.reader.add(
                self.file, at, f"unknown step kind {kind!r}; {nearest(kind, STEP_KINDS)}"
            )
            kind = "tick"
        variant = attributes.get("variant", self.variant)
        if variant is not None and variant not in self.variants:
            self.reader.add(
                self.file, at, f"unknown variant {variant!r}; {nearest(variant, self.variants)}"
            )
        minutes = attributes.get("minutes")
        if minutes is not None and not re.fullmatch(r"[0-9]{1,4}", minutes):
            self.reader.add(
                self.file,
                at,
                f"minutes must be a whole number, for example minutes=10, not {minutes!r}",
            )
            minutes = None
        optional = attributes.get("optional", "no")
        if optional not in ("yes", "no"):
            self.reader.add(self.file, at, f"optional must be yes or no, not {optional!r}")
        if not title:
            self.reader.add(self.file, at, "this step has no text")
        if self.blocks is self.before and not self.whole:
            self.reader.add(
                self.file, at, "this step stands before the first part; move it below a ## line"
            )
            return
        self.blocks.append(
            Step(
                id=id_,
                kind=kind,
                title=title,
                detail=detail,
                actions=tuple(replace(action, variant=variant) for action in actions),
                file=self.file,
                line=at,
                into=attributes.get("into"),
                optional=optional == "yes",
                variant=variant,
                minutes=None if minutes is None else int(minutes),
                needs=attributes.get("needs"),
            )
        )

    def _detail(self) -> tuple[str, list[Action]]:
        """The indented lines below a step, without the indent, and the actions fenced among
        them."""
        kept: list[str] = []
        actions: list[Action] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip():
                kept.append("")
                self.at += 1
                continue
            if not line.startswith("  "):
                break
            fence = _FENCE.match(line[2:])
            if fence is None:
                kept.append(line[2:])
                self.at += 1
                continue
            opened = self.at + 1
            body = [inner[2:] if inner.startswith("  ") else inner for inner in self._fenced(fence)]
            if fence[3].split()[:1] == ["q1lab"]:
                if action := self._action(fence[3].split(), body, opened):
                    actions.append(action)
            else:
                self._code(fence[3].split(), body, opened)
                kept += [line[2:], *body, fence[2]]
        return "\n".join(kept).strip("\n"), actions

    def _fold(self) -> None:
        self._flush()
        opened, title = self.at + 1, "More"
        body: list[str] = []
        for index in range(self.at, len(self.lines)):
            line = self.lines[index]
            if index >= opened and line.lower().startswith("<details"):
                break
            if summary := _SUMMARY.search(line):
                title = summary[1].strip() or title
                continue
            if line.strip().lower() == "</details>":
                self.at = index + 1
                self._folded(title, "\n".join(body).strip("\n"), opened)
                return
            if (task := _TASK.match(line)) and _TAIL.search(task[1]):
                self.reader.add(self.file, index + 1, "a step can't stand inside <details>")
            if index >= opened:
                mark = _FILE_MARK.match(line)
                body += self._shown(mark[1], index + 1) if mark else [line]
        self.reader.add(self.file, opened, "this <details> is never closed")
        self.at = len(self.lines)

    def _folded(self, title: str, markdown: str, at: int) -> None:
        """Keep a fold: as the answer of the recall step just above it, else in its place."""
        opening = _DETAILS.match(self.lines[at - 1])
        needs = opening[1] if opening else None
        opened: int | None = None
        for number, line in enumerate(self.lines[at : self.at], at + 1):
            if not (fence := _FENCE.match(line)):
                continue
            if opened is None and fence[3].split()[:1] == ["python"]:
                opened = number
            elif opened is not None:
                self._code(["python"], self.lines[opened : number - 1], opened)
                opened = None
        if self.blocks is self.before:
            return
        last = self.blocks[-1] if self.blocks else None
        recall = isinstance(last, Step) and last.kind == "recall" and last.answer is None
        variant = last.variant if isinstance(last, Step) and recall else self.variant
        fold = Fold(title, markdown, self.file, at, variant, needs)
        if isinstance(last, Step) and recall:
            self.blocks[-1] = replace(last, answer=fold)
        else:
            self.blocks.append(fold)

    def _action(self, words: list[str], body: list[str], at: int) -> Action | None:
        import tomllib

        kind = words[1] if len(words) == 2 else " ".join(words[1:])
        known = acts.actions()
        if kind not in known:
            self.reader.add(self.file, at, f"unknown action {kind!r}; {nearest(kind, known)}")
            return None
        text = "\n".join(body)
        try:
            options = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            message, line = toml_error(error, text)
            self.reader.add(self.file, at + line, message)
            return None
        for key in options:
            if key not in known[kind]:
                message = f"a {kind} action has no field {key!r}; {nearest(key, known[kind])}"
                self.reader.add(self.file, at, message)
        for problem in _option_problems(kind, options):
            self.reader.add(self.file, at, problem)
            return None
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
        title = str(options.pop("title", "")) or _default_title(kind, options)
        return Action(kind, title, MappingProxyType(options), self.file, at, self.variant)


def _option_problems(kind: str, options: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the values of an action. Content may name q1lab's own commands and files
    of the learner's repo; it can't reach outside, nor run another program."""
    need = acts.ACTS[kind].action[0] if kind in acts.ACTS else kind
    if kind != "open" and need not in options:
        yield f"a {kind} action needs {need}"
    if kind == "open" and ("document" in options) == ("url" in options):
        yield "an open action needs document or url, one of them"
    for key, value in options.items():
        if key == "seeds":
            numbers = value if isinstance(value, list) else [value]
            whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers)
            if not whole or not numbers or (not isinstance(value, list) and value < 1):
                yield "seeds must be a number from 1 up, or a list like [0, 1, 2]"
            elif len(set(numbers)) != len(numbers):
                yield "a seed is listed twice"
        elif key == "max_iters":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                yield "max_iters must be a whole number from 1 up"
        elif not isinstance(value, str) or not value.strip() or "\n" in value:
            yield f"{key} must be one line of text in quotes"
        elif value.startswith("-"):
            yield f"{key} can't start with a hyphen"
        elif key in ("document", "file") and not inside(value):
            yield f"{key} {value!r} must be a plain path inside the learner's repo"
        elif key in ("variant", "baseline") and is_path(value) and not inside(value):
            yield f"{key} {value!r} must be a name, or a plain path inside the learner's repo"
        elif key == "url" and not re.fullmatch(r"https://[^\s<>\"']+", value):
            yield f"url {value!r} must start with https://"
        elif key == "command" and (not re.match(r"q1lab( |$)", value) or _unbalanced(value)):
            yield f"command {value!r} must be one q1lab command"


def _default_title(kind: str, options: dict[str, Any]) -> str:
    if kind == "run":
        return f"Run {options['variant']} against {options.get('baseline', 'baseline')}"
    if kind == "open":
        return f"Open {options.get('document') or options['url']}"
    if kind == "command":
        return str(options["command"])
    return f"{kind.capitalize()} {options[acts.ACTS[kind].action[0]]}"


def inside(name: str) -> bool:
    """Whether `name` is a plain relative path that can't lead out of its folder, on any system."""
    if not name.isprintable() or "\\" in name or ":" in name or name.startswith(("/", "~")):
        return False
    return bool(name) and ".." not in PurePosixPath(name).parts


def is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith(".py")


def _unbalanced(command: str) -> bool:
    import shlex

    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def toml_error(error: Exception, text: str) -> tuple[str, int]:
    """A TOML error in words, and its line (counted from 1 in `text`)."""
    if isinstance(error, RecursionError):
        return "the TOML is nested too deeply", 1
    message = str(error)
    match = _TOML_LINE.search(message)
    line = int(match[1]) if match and match[1] else text.count("\n") + 1
    return f"not valid TOML: {_TOML_LINE.sub('', message).strip()}", line
