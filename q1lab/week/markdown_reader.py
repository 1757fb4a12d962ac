"""Content files as text: a reader that stays inside its folder, and one Markdown file as sections
of texts, folds, steps and actions, in order. The text between them is kept as it was written."""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from q1lab.ground import command_table, plugin_finder
from q1lab.ground.errors import nearest
from q1lab.ground.files import printable, read_text
from q1lab.week.markdown_cuts import Cut, Cuts
from q1lab.week.step_kinds import STEP_KINDS
from q1lab.week.syllabus import (
    MAX_BYTES,
    Action,
    Block,
    CodeBlock,
    ContentFinding,
    Fold,
    Step,
    Text,
    WeekVariant,
)
from q1lab.week.text_numbers import TextNumbers

PART_ATTRIBUTES = ("id", "minutes", "reading")
GUIDE_ATTRIBUTES = ("part",)
STEP_ATTRIBUTES = (
    "id",
    "kind",
    "minutes",
    "needs",
    "done_when",
    "into",
    "heading",
    "optional",
    "variant",
    "was",
    "beside",
)
GUIDE_MARKER = "<!-- q1lab:guide -->"
_WAYS = " q1lab:"
"""A part of each line that names the readers of the lines below it."""
_WAY = re.compile(r"\s*(?:<!--|#) q1lab:(course|alone|both)(?: -->)?\s*$")
"""A comment, in Markdown or TOML, that names the readers of the lines below it."""
FILES = "files"
"""The folder in a week that holds what `q1lab take` copies."""

EACH = re.compile(r"\{each(?:\.(\w+))?\}")
"""A placeholder for a variant's name, or a key of its table, in a row repeated for each variant."""
OF_EACH = ("short", "title", "changes", "used_in", "difficulty", "paper", "question", "lines")

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_TAIL = re.compile(r"\s*\{([^{}]*)\}\s*$")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(.*)")
_TASK = re.compile(r"[-*+] \[[ xX]\] +(.*)")
_FILE_MARK = re.compile(r"<!-- q1lab:file ([^\s>]+) -->\s*$")
_NEEDS = re.compile(r"<details[^>]*\sneeds=\"?([\w-]+)", re.IGNORECASE)
_FIGURE = re.compile(r"<details[^>]*\sfigure=\"?([\w-]+)", re.IGNORECASE)
_NEXT_FRAME = "\n---\n"
_FOLD_EDGE = re.compile(r"<details|\s*</details>\s*$", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.IGNORECASE)
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def lines_for_audience(text: str, course: bool) -> tuple[str, list[int]]:
    """The lines of a file for learners who follow the course, or for those who came by themselves,
    with their numbers in the file."""
    if _WAYS not in text:
        return text, list(range(1, text.count("\n") + 2))
    lines, numbers = [], []
    other, audience = "alone" if course else "course", "both"
    for number, line in enumerate(text.split("\n"), 1):
        if audience_match := _WAY.match(line):
            audience = audience_match[1]
        elif audience != other:
            lines.append(line)
            numbers.append(number)
    return "\n".join(lines), numbers


def line_in_file(numbers: Mapping[str, list[int]], file: str, line: int) -> int:
    """The number in its file of a line that is counted among the lines that were read."""
    lines = numbers.get(file, [])
    return lines[line - 1] if line <= len(lines) else line


class WeekReader:
    """Collects findings while the files of one folder are read, as they are with the course or
    without it (``lines_for_audience``)."""

    def __init__(self, root: Path, course: bool) -> None:
        self.root = root
        self._real_root = root.resolve()
        self.course = course
        self.numbers: dict[str, list[int]] = {}
        """By file, the numbers of its lines that were read."""
        self.findings: list[ContentFinding] = []
        self.ids: dict[str, str] = {}
        self.code: list[CodeBlock] = []
        self.cuts = Cuts()
        self.variants: Sequence[WeekVariant] = ()
        self.values = TextNumbers()
        """The values of the text's placeholders."""

    def add(self, file: str, line: int, message: str, fatal: bool = True) -> None:
        line = line_in_file(self.numbers, file, line)
        self.findings.append(ContentFinding(file, line, message, fatal))

    def text(self, name: str, asked_in: str, asked_at: int) -> str | None:
        """The text of a file inside the folder, or None with a finding at the place that asked for
        it."""
        path = self.root / name
        if not stays_inside(name):
            why = "must be a plain path inside the content folder"
        elif not path.resolve().is_relative_to(self._real_root):
            why = "leads outside the content folder"
        else:
            try:
                text = printable(read_text(path, MAX_BYTES, "utf-8-sig"))
                expanded, self.numbers[name] = self._each(
                    name, *lines_for_audience(text, self.course)
                )
                return expanded
            except FileNotFoundError:
                why = "is not there; create it or correct the name"
            except OSError as error:
                why = f"can't be read: {error.strerror or error}"
            except UnicodeDecodeError as error:
                line = bytes(error.object).count(b"\n", 0, error.start) + 1
                self.add(name, line, "the file is not UTF-8; save it as UTF-8")
                return None
        self.add(asked_in, asked_at, f"file {name!r} {why}")
        return None

    def _each(self, file: str, text: str, numbers: list[int]) -> tuple[str, list[int]]:
        """The text with each row of a table or list that names `{each}` once for every variant of
        the week, and the lines' numbers in the file. Left out are variants for which a number in
        it is not known."""
        if "{each" not in text:
            return text, numbers
        lines, at = [], []
        for line, number in zip(text.split("\n"), numbers, strict=True):
            rows = [line]
            if line.lstrip()[:2] in ("| ", "- ") and (names := EACH.findall(line)):
                for name in {*names} - {"", *OF_EACH}:
                    self.add(file, number, f"unknown {{each.{name}}}; {nearest(name, OF_EACH)}")
                rows = [_row(variant, line) for variant in self.variants]
                rows = [row for row in rows if not any(self.values.unknown(row))] or rows[:1]
            lines += rows
            at += [number] * len(rows)
        return "\n".join(lines), at

    def register_id(self, id_: str, kind: str, file: str, line: int) -> str:
        """Check and register an id; on a problem report it and return one that can't clash."""
        if not id_:
            example = "{#a1 minutes=15}" if kind == "part" else "{#a1-read kind=read}"
            why = f"this {kind} has no id; put one at the line's end, for example {example}"
        elif not _ID.fullmatch(id_):
            why = f"id {id_!r}: use a small letter, then small letters, digits and hyphens"
        elif id_ in self.ids:
            why = f"id {id_!r} is used already at {self.ids[id_]}; ids are unique in a week"
        else:
            self.ids[id_] = f"{file}:{line_in_file(self.numbers, file, line)}"
            return id_
        self.add(file, line, why)
        return f"line-{line}"


def _row(variant: WeekVariant, line: str) -> str:
    """A row for one variant: with its name for `{each}`, and what week.toml says of it."""
    row = line.replace("{each}", variant.name)
    return EACH.sub(lambda match: str(getattr(variant, match[1], match[0])), row)


@dataclass
class PageSection:
    """The blocks below one ## line; `id` is a part's, claimed in reading order."""

    title: str
    attributes: dict[str, str]
    id: str
    line: int
    blocks: list[Block] = field(default_factory=list)


class MarkdownPage:
    """One file, cut at its ## lines, unless it is one `whole` page. A `guide` is a variant's: its
    headings go one level down."""

    def __init__(
        self,
        reader: WeekReader,
        file: str,
        text: str,
        variants: list[str],
        guide: str | None = None,
        whole: bool = False,
    ) -> None:
        self.reader = reader
        self.file = file
        self.variants = variants
        self.guide = guide
        self.whole = whole
        self.before: list[Block] = []
        self.sections: list[PageSection] = []
        self.blocks = self.before
        self.lines = text.split("\n")
        self.at = 0
        """The first line that no block holds yet."""
        cuts = reader.cuts.cuts_of(text)
        for cut in cuts:
            self._code(cut)
        for cut in cuts:
            if cut.first >= self.at:
                self._cut(cut, cuts)
        self._text(len(self.lines))

    def _add(self, line: int, message: str) -> None:
        self.reader.add(self.file, line + 1, message)

    def _code(self, cut: Cut) -> None:
        """Collect the Python of a fence, and put the week's files where the text shows them."""
        if cut.kind == "fence":
            fence, info = self._opening(cut)
            if not self.lines[cut.last - 1].strip().startswith(fence) or cut.last == cut.first + 1:
                self._add(cut.first, f"this {fence} block is never closed")
            if info[:1] == ["python"]:
                self.reader.code.append(CodeBlock(f"{self._held(cut)}\n", self.file, cut.first + 2))
        elif cut.kind == "html_block":
            for number in range(cut.first, cut.last):
                if shown := _FILE_MARK.match(self.lines[number]):
                    self.lines[number] = self._shown(shown[1], number)

    def _opening(self, cut: Cut) -> tuple[str, list[str]]:
        """The mark that opens a fence, and the words behind it."""
        opening = _FENCE.match(self.lines[cut.first])
        assert opening
        return opening[1], opening[2].split()

    def _held(self, cut: Cut) -> str:
        return textwrap.dedent("\n".join(self.lines[cut.first + 1 : cut.last - 1]))

    def _shown(self, name: str, at: int) -> str:
        """A block of code that holds one of the week's files; nothing, and a finding, when it can't
        be read."""
        text = self.reader.text(f"{FILES}/{name}", self.file, at + 1)
        if text is None:
            return ""
        kind = "python" if name.endswith(".py") else "text"
        if kind == "python":
            self.reader.code.append(CodeBlock(text, f"{FILES}/{name}", 1))
        return f"```{kind}\n{text.rstrip(chr(10))}\n```"

    def _cut(self, cut: Cut, cuts: list[Cut]) -> None:
        first, line = cut.first, self.lines[cut.first]
        task = _TASK.match(line)
        if cut.kind == "heading_open" and cut.level == 0:
            self._heading(line, first)
        elif cut.kind == "list_item_open" and cut.level == 1 and task:
            inner = [
                inner_cut
                for inner_cut in cuts
                if inner_cut.level == 2 and first < inner_cut.first < cut.last
            ]
            self._read_step(
                task[1], cut, [inner_cut for inner_cut in inner if self._is_action(inner_cut)]
            )
        elif cut.level == 0 and self._is_action(cut):
            self._text(first, cut.last)
            if (action := self._action(cut)) is None:
                return
            if self.blocks and isinstance(step := self.blocks[-1], Step):
                action = replace(action, variant=step.variant)
                self.blocks[-1] = replace(step, actions=(*step.actions, action))
            else:
                self.blocks.append(action)
        elif cut.kind == "html_block" and line.strip() == GUIDE_MARKER:
            self._text(first, first + 1)
            self.blocks.append(Text(GUIDE_MARKER, self.file, first + 1, self.guide))
        elif cut.kind == "html_block" and line.lower().startswith("<details"):
            self._fold(first)

    def _is_action(self, cut: Cut) -> bool:
        return cut.kind == "fence" and self._opening(cut)[1][:1] == ["q1lab"]

    def _text(self, end: int, after: int | None = None) -> None:
        """Keep the lines up to ``end`` as text, and go on at ``after``."""
        while self.at < end and not self.lines[self.at].strip():
            self.at += 1
        if markdown := "\n".join(self.lines[self.at : end]).rstrip():
            self.blocks.append(Text(markdown, self.file, self.at + 1, self.guide))
        self.at = end if after is None else after

    def _heading(self, line: str, at: int) -> None:
        if line.startswith("## ") and not self.whole:
            self._text(at, at + 1)
            self.sections.append(self._section(line[3:], at))
            self.blocks = self.sections[-1].blocks
        elif line.startswith("# ") and not "".join(self.lines[:at]).strip():
            self.at = at + 1  # the file's own title, for readers of the plain file
        elif self.guide:
            self.lines[at] = "#" + line

    def _section(self, heading: str, at: int) -> PageSection:
        if self.guide:
            title, attributes = self._attributes(heading, GUIDE_ATTRIBUTES, "guide's section", at)
            return PageSection(title, attributes, "", at + 1)
        title, attributes = self._attributes(heading, PART_ATTRIBUTES, "part", at)
        id_ = self.reader.register_id(attributes.get("id", ""), "part", self.file, at + 1)
        return PageSection(title, attributes, id_, at + 1)

    def _read_step(self, head: str, cut: Cut, pressed: list[Cut]) -> None:
        first = cut.first
        self._text(first, cut.last)
        title, attributes = self._attributes(head, STEP_ATTRIBUTES, "step", first)
        id_ = self.reader.register_id(attributes.get("id", ""), "step", self.file, first + 1)
        kind = attributes.get("kind", "tick")
        variant = attributes.get("variant", self.guide)
        minutes = attributes.get("minutes")
        optional = attributes.get("optional", "no")
        if kind not in STEP_KINDS:
            self._add(first, f"unknown step kind {kind!r}; {nearest(kind, STEP_KINDS)}")
            kind = "tick"
        done_when = attributes.get("done_when", STEP_KINDS[kind].done_when)
        if done_when and done_when not in command_table.step_conditions():
            near = nearest(done_when, command_table.step_conditions())
            self._add(first, f"unknown done_when {done_when!r}; {near}")
        if variant is not None and variant not in self.variants:
            self._add(first, f"unknown variant {variant!r}; {nearest(variant, self.variants)}")
        if minutes is not None and not re.fullmatch(r"[0-9]{1,4}", minutes):
            message = f"minutes must be a whole number, for example minutes=10, not {minutes!r}"
            self._add(first, message)
            minutes = None
        if optional not in ("yes", "no"):
            self._add(first, f"optional must be yes or no, not {optional!r}")
        if not title:
            self._add(first, "this step has no text")
        if self.blocks is self.before and not self.whole:
            self._add(first, "this step stands before the first part; move it below a ## line")
        actions = [action for action_cut in pressed if (action := self._action(action_cut))]
        inside_actions = {
            number for action_cut in pressed for number in range(action_cut.first, action_cut.last)
        }
        detail_lines = [n for n in range(first + 1, cut.last) if n not in inside_actions]
        self.blocks.append(
            Step(
                id=id_,
                kind=kind,
                title=title,
                detail="\n".join(self.lines[n].removeprefix("  ") for n in detail_lines).strip(
                    "\n"
                ),
                actions=tuple(replace(action, variant=variant) for action in actions),
                file=self.file,
                line=first + 1,
                into=attributes.get("into"),
                heading=attributes.get("heading"),
                optional=optional == "yes",
                variant=variant,
                minutes=None if minutes is None else int(minutes),
                needs=attributes.get("needs"),
                done_when=done_when,
                was=tuple(attributes.get("was", "").split()),
                beside=attributes.get("beside"),
            )
        )

    def _fold(self, first: int) -> None:
        """Keep a fold: as the answer of the recall step just above it, else in its place, as every
        figure."""
        ends = (n for n in range(first + 1, len(self.lines)) if _FOLD_EDGE.match(self.lines[n]))
        end = next(ends, None)
        if end is None or not self.lines[end].lstrip().startswith("</"):
            self._add(first, "this <details> is never closed")
            self._text(first, len(self.lines))
            return
        self._text(first, end + 1)
        summaries = [
            m[1].strip() for n in range(first, end) if (m := _SUMMARY.search(self.lines[n]))
        ]
        body = range(first + 1, end)
        for n in body:
            if (task := _TASK.match(self.lines[n])) and _TAIL.search(task[1]):
                self._add(n, "a step can't stand inside <details>")
        markdown = "\n".join(self.lines[n] for n in body if not _SUMMARY.search(self.lines[n]))
        needs = _NEEDS.match(self.lines[first])
        figure = _FIGURE.match(self.lines[first])
        fold = Fold(
            title="".join(summaries[-1:]) or "More",
            markdown=markdown.strip("\n"),
            file=self.file,
            line=first + 1,
            variant=self.guide,
            needs=needs[1] if needs else None,
            frames=self._frames(figure[1], first) if figure else (),
        )
        last = self.blocks[-1] if self.blocks and not figure else None
        if isinstance(last, Step) and last.behavior.answer_below and last.answer is None:
            self.blocks[-1] = replace(last, answer=replace(fold, variant=last.variant))
        elif self.blocks is not self.before or self.whole:
            self.blocks.append(fold)

    def _frames(self, name: str, at: int) -> tuple[str, ...]:
        """The pictures of a figure: NAME.txt, which is what NAME.py prints."""
        text = self.reader.text(f"{FILES}/{name}.txt", self.file, at + 1)
        source = self.reader.text(f"{FILES}/{name}.py", self.file, at + 1)
        if text is None or source is None:
            return ()
        self.reader.code.append(CodeBlock(source, f"{FILES}/{name}.py", 1, prints=text))
        return tuple(frame.strip("\n") for frame in text.split(_NEXT_FRAME))

    def _action(self, cut: Cut) -> Action | None:
        at = cut.first
        kind = " ".join(self._opening(cut)[1][1:])
        text = self._held(cut)
        fields_by_kind = command_table.fields_by_action()
        if kind not in fields_by_kind:
            self._add(at, f"unknown action {kind!r}; {nearest(kind, fields_by_kind)}")
            return None
        try:
            options = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            message, line = toml_error(error, text)
            self._add(at + line, message)
            return None
        for key in options:
            if key not in fields_by_kind[kind]:
                message = (
                    f"a {kind} action has no field {key!r}; {nearest(key, fields_by_kind[kind])}"
                )
                self._add(at, message)
        for problem in _option_problems(kind, options):
            self._add(at, problem)
            return None
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
        title = str(options.pop("title", "")) or _default_title(kind, options)
        action = Action(kind, title, MappingProxyType(options), self.file, at + 1, self.guide)
        is_away = kind == "command" and {*action.argv()[1:2]} & {*plugin_finder.away()}
        return None if is_away else action  # nobody is offered the command of an absent plug-in

    def _attributes(
        self, line: str, allowed: tuple[str, ...], owner: str, at: int
    ) -> tuple[str, dict[str, str]]:
        """Split `Title {#id key=value}` into the title and its attributes."""
        match = _TAIL.search(line)
        if match is None or not ("=" in match[1] or match[1].lstrip().startswith("#")):
            return line.strip(), {}
        attributes: dict[str, str] = {}
        for word in _WORD.findall(match[1]):
            key, _, value = word.partition("=") if word[0] != "#" else ("id", "", word[1:])
            if not key or not value:
                self._add(at, f"can't read {word!r}; write #id or key=value")
            elif key not in allowed or (key == "id" and word[0] != "#"):
                self._add(at, f"a {owner} has no attribute {key!r}; {nearest(key, allowed)}")
            elif key in attributes:
                self._add(at, f"attribute {key!r} is given twice")
            else:
                attributes[key] = value.replace('"', "")
        return line[: match.start()].strip(), attributes


def _option_problems(kind: str, options: dict[str, Any]) -> Iterator[str]:
    """The faults in an action's values. Content may name q1lab's own commands and files
    of the learner's repo; it can't reach outside, nor run another program."""
    need = command_table.acts()[kind].action_fields[0] if kind in command_table.acts() else kind
    if kind != "open" and need not in options:
        yield f"a {kind} action needs {need}"
    if kind == "open" and ("document" in options) == ("url" in options):
        yield "an open action needs document or url, one of them"
    for key, value in options.items():
        if key == "seeds":
            numbers = value if isinstance(value, list) else [value]
            are_seeds = all(
                isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers
            )
            if not are_seeds or not numbers or (not isinstance(value, list) and value < 1):
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
        elif key in ("document", "file") and not stays_inside(value):
            yield f"{key} {value!r} must be a plain path inside the learner's repo"
        elif key in ("variant", "baseline") and is_path(value) and not stays_inside(value):
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
    return f"{kind.capitalize()} {options[command_table.acts()[kind].action_fields[0]]}"


def stays_inside(name: str) -> bool:
    """True if `name` is a plain relative path that can't lead out of its folder, on any system."""
    if not name.isprintable() or "\\" in name or ":" in name or name.startswith(("/", "~")):
        return False
    return bool(name) and ".." not in PurePosixPath(name).parts


def is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith(".py")


def _unbalanced(command: str) -> bool:
    if not set(command) & set("'\"\\"):
        return False
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
