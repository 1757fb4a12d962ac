"""Checks for a week's author, beyond what reading it finds: a week that doesn't add up."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from q1lab.ground import command_table
from q1lab.ground.command_table import acts_for_condition
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import printable, read_text
from q1lab.plugins.author.result_leaks import picture_text, result_numbers, written_results
from q1lab.week.markdown_reader import FILES, is_path, lines_for_audience
from q1lab.week.syllabus import (
    GLOSSARY,
    Action,
    Block,
    ContentFinding,
    Fold,
    Part,
    Step,
    Term,
    Text,
    Week,
    for_learner,
)
from q1lab.week.text_numbers import MeasuredResult
from q1lab.week.week_builder import TomlLines


def lint_week(
    week: Week, models: Collection[str] | None, counters: Collection[str] | None
) -> list[ContentFinding]:
    findings: list[ContentFinding] = []
    names = [variant.name for variant in week.variants]
    known_models = sorted(models) if models is not None else [*names, "baseline"]
    text, _ = lines_for_audience(
        printable(read_text(week.root / "week.toml", encoding="utf-8-sig")), week.course
    )
    lines = TomlLines(text)
    for index, name in enumerate(names):
        if name not in known_models:
            at = lines.table("variants", index)
            text = f"unknown variant {name!r}; {nearest(name, known_models)}"
            findings.append(ContentFinding("week.toml", at, text, False))
    for index, kpi in enumerate(week.kpis):
        if kpi.counter and counters is not None and kpi.counter not in counters:
            at = lines.key("counter", lines.table("kpis", index))
            text = f"unknown counter {kpi.counter!r}; {nearest(kpi.counter, counters)}"
            findings.append(ContentFinding("week.toml", at, text, False))
    for index, session in enumerate(week.sessions):
        total = sum(part.minutes for part in session.parts)
        if session.parts and total != session.minutes:
            at = lines.key("minutes", lines.table("sessions", index))
            parts = " + ".join(str(part.minutes) for part in session.parts)
            text = (
                f"session {session.id} plans {session.minutes} minutes, "
                f"its parts add up to {parts} = {total}"
            )
            findings.append(ContentFinding("week.toml", at, text, False))
    for step in week.steps():
        if fault := step.behavior.fault(step, week):
            findings.append(_at(step, f"step {step.id!r} {fault}"))
        if fault := _never_done(step):
            findings.append(_at(step, f"step {step.id!r} {fault}"))
    findings += _lint_code(week)
    findings += _lint_numbers(week)
    findings += _lint_width(week)
    findings += _lint_links(week)
    findings += _lint_open_pages(week)
    text = "\n".join(markdown for _, _, markdown in _markdown(week))
    for term in week.terms:
        if term.first_in(text) is None:
            words = f"the week never says {term.name!r}; take it out"
            findings.append(ContentFinding(GLOSSARY, term.line, words, False))
    choices: list[str | None] = [*names] or [None]
    for chosen in choices:
        for finding in (
            *_lint_order(week, chosen, known_models),
            *_lint_minutes(week, chosen),
            *_lint_words(week, chosen),
            *_lint_results(week, chosen),
        ):
            if finding not in findings:
                findings.append(finding)
    return findings


def _never_done(step: Step) -> str:
    """The reason why a step can never be done; "" for a step that can."""
    if step.done_when == step.behavior.done_when or step.ticking_action or step.ticking_form:
        return ""
    names = " or ".join(f"`q1lab {act.name}`" for act in acts_for_condition(step.done_when))
    return f"is done when {step.done_when!r}; put an action below it that does that: {names}"


def _lint_order(
    week: Week, chosen: str | None, known_models: list[str]
) -> Iterator[ContentFinding]:
    """Faults in the order in which a learner meets the blocks."""
    predicted = False
    met: set[str] = set()
    made_files: set[str] = set()
    files_of_week = [
        _made_by(action)
        for part in week.parts()
        for block in _blocks(part, chosen)
        for action in _actions(week, block, chosen)
    ]
    for part in week.parts():
        yield from _unexplained(week, part, chosen)
        for block in _blocks(part, chosen):
            needs = block.needs if isinstance(block, Step | Fold) else None
            if needs is not None and needs not in met:
                is_in_week = any(step.id == needs for step in week.steps())
                why = "comes only after this" if is_in_week else "is not in the week"
                yield _at(block, f"this needs step {needs!r}, which {why}")
            if isinstance(block, Step):
                predicted = predicted or block.done_when == "prediction made"
                met.add(block.id)
            for action in _actions(week, block, chosen):
                for name in _used_by(action):
                    if name in files_of_week and name not in made_files:
                        text = f"{name} is made only after this; move the step that makes it up"
                        yield _at(action, text)
                made_files.add(_made_by(action))
                words = action.argv()
                if action.kind == "command" and (problem := _refused(words)):
                    yield _at(action, problem)
                if words[1:2] == ("take",) and len(words) > 2 and words[2] not in week.files:
                    near = nearest(words[2], week.files)
                    yield _at(action, f"the week has no file {words[2]!r} to take; {near}")
                if action.kind == "run" and not predicted:
                    text = "a run with no prediction step before it; add one of kind=predict above"
                    yield _at(action, text)
                for key in ("variant", "baseline", "for"):
                    name = str(action.options.get(key, ""))
                    if name and not is_path(name) and name not in known_models:
                        text = f"unknown variant {name!r}; {nearest(name, known_models)}"
                        yield _at(action, text)


def _unexplained(week: Week, part: Part, chosen: str | None) -> Iterator[ContentFinding]:
    """Experiments (steps that train and are written up) without a text on how to read the
    result."""
    explained_steps = {block.needs for block in _blocks(part, chosen) if isinstance(block, Fold)}
    for block in _blocks(part, chosen):
        if isinstance(block, Step) and block.into == "analysis" and block.id not in explained_steps:
            actions = _actions(week, block, chosen)
            if any(action.kind == "run" or action.argv()[1:2] == ("run",) for action in actions):
                text = f"nothing says what to make of it; put <details needs={block.id}> below"
                yield _at(block, text)


def _at(block: Block | Part, text: str) -> ContentFinding:
    """A finding for the author, which doesn't stop a learner."""
    return ContentFinding(block.file, block.line, text, False)


def _blocks(part: Part, chosen: str | None) -> Iterator[Block]:
    return (block for block in part.blocks if block.variant in (None, chosen))


def _actions(week: Week, block: Block, chosen: str | None) -> list[Action]:
    actions = block.actions if isinstance(block, Step) else (block,)
    return [
        for_learner(action, chosen, week.numbers)
        for action in actions
        if isinstance(action, Action)
    ]


def _refused(words: Sequence[str]) -> str:
    """The reason why q1lab refuses a command; "" for a command that it takes."""
    try:
        command_table.parse_command(words[1:])
    except Problem as problem:
        return f"`{shlex.join(words)}`: {problem}"
    return ""


def _made_by(action: Action) -> str:
    """The model file that a `q1lab new NAME` puts into the learner's repo, else an empty text."""
    words = action.argv()
    new = action.kind == "command" and words[1:2] == ("new",) and len(words) == 3
    return f"{words[2]}.py" if new else ""


def _used_by(action: Action) -> Iterator[str]:
    """The files of the learner's own that an action works on."""
    words = action.argv()[2:] if action.kind in ("run", "check", "command") else ()
    return (word.removeprefix("./") for word in words if word.endswith(".py"))


def _lint_minutes(week: Week, chosen: str | None) -> Iterator[ContentFinding]:
    """Minutes that don't add up to what the part gives: those of its steps, of reading, and of its
    tables."""
    for part in week.parts():
        required_steps = [
            b for b in _blocks(part, chosen) if isinstance(b, Step) and not b.optional
        ]
        step_minutes = [step.minutes for step in required_steps if step.minutes is not None]
        all_minutes = [*step_minutes, *([part.reading] if part.reading else [])]
        if step_minutes and sum(all_minutes) != part.minutes:
            of = "its steps and its reading add" if part.reading else "its steps add"
            sums = f"{of} up to {' + '.join(map(str, all_minutes))} = {sum(all_minutes)}"
            text = f"part {part.id} gives {part.minutes} minutes{_for(chosen)}, {sums}"
            yield _at(part, text)
        count = _words(week, part, chosen)
        needed = round(count / WORDS_A_MINUTE)
        if step_minutes and needed > max(1, part.reading):  # a few words need no minutes
            text = (
                f"part {part.id} has {count:,} words{_for(chosen)}, {needed} minutes at "
                f"{WORDS_A_MINUTE} a minute; it gives {part.reading}, say reading={needed}"
            )
            yield _at(part, text)
        tables = [
            (block, line, minutes)
            for block in _blocks(part, chosen)
            if isinstance(block, Text | Fold)
            for line, minutes in table_minutes(block.markdown)
        ]
        total = sum(minutes for _, _, minutes in tables)
        if tables and total != part.minutes:
            block, line, _ = tables[0]
            text = (
                f"part {part.id} gives {part.minutes} minutes{_for(chosen)}, its table adds up to "
                f"{total}"
            )
            yield ContentFinding(block.file, block.line + line, text, False)


WORDS_A_MINUTE = 120
"""Reading speed, for a text with formulas."""


def _words(week: Week, part: Part, chosen: str | None) -> int:
    """The words of a part's prose, with its answers and the folds that need a step, but without
    code, comments and addresses. A fold that needs none is there for who wants it. What belongs to
    an optional step is optional, too: the folds that need it, and a fold right below it that stays
    shut until another step is done."""
    blocks = list(_blocks(part, chosen))
    optional = {block.id for block in blocks if isinstance(block, Step) and block.optional}
    count = 0
    below_optional = False
    for block in blocks:
        if isinstance(block, Step):
            below_optional = block.optional
            if block.optional:
                continue
        if isinstance(block, Fold):
            if below_optional or not block.needs or block.needs in optional:
                continue
        elif isinstance(block, Text):
            below_optional = False
        for _, _, markdown in _texts(block):
            prose = _NO_PROSE.sub(" ", week.numbers.fill(markdown))
            count += sum(bool(re.search(r"\w", word)) for word in re.split(r"[\s|]+", prose))
    return count


_NO_PROSE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$|<!--.*?-->|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
"""Blocks of code, comments and the addresses of links."""


def _lint_words(week: Week, chosen: str | None) -> Iterator[ContentFinding]:
    """Words of the glossary that one learner meets without a link to what they mean, and links to
    words that are not in it."""
    addresses = {term.address: term for term in week.terms}
    unmet = list(week.terms)
    for file, at, markdown in _path(week, chosen):
        linked: dict[int, Term] = {}
        for link in _WORD_LINK.finditer(markdown):
            term = addresses.get(link[2].removeprefix("../"))
            if term is None:
                text = f"the glossary has no word for {link[2]}; {nearest(link[2], addresses)}"
                yield ContentFinding(file, at + markdown.count("\n", 0, link.start()), text, False)
            else:
                linked.setdefault(link.start(1), term)
        prose = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), markdown)
        for term in list(unmet):
            if (first := term.first_in(prose)) is not None:
                unmet.remove(term)
                if linked.get(first) is not term:
                    word = f"[{term.name}]({'../' * file.count('/')}{term.address})"
                    text = f"{term.name!r} is said here first; link it: {word}"
                    yield ContentFinding(file, at + prose.count("\n", 0, first), text, False)


_WORD_LINK = re.compile(rf"(?<=\[)([^\[\]]+)\]\(((?:\.\./)*{re.escape(GLOSSARY)}#[^)\s]*)\)")
_CODE = re.compile(
    r"^(`{3,}|~{3,}).*?^\1\s*$|`[^`\n]+`|^#.*?$|<!--.*?-->|\]\([^)]*\)", re.DOTALL | re.MULTILINE
)
"""Text that holds no link: code, headings, comments, the addresses of links."""


def _path(week: Week, chosen: str | None) -> Iterator[tuple[str, int, str]]:
    """The Markdown of the week in the order in which one learner meets it: file, line, text."""
    blocks = list(week.overview)
    for session in week.sessions:
        blocks.append(Text(session.intro, session.file, 1))
        for part in session.parts:
            blocks += _blocks(part, chosen)
    for block in blocks:
        if isinstance(block, Step):
            yield block.file, block.line + 1, block.detail
            yield from () if block.answer is None else _texts(block.answer)
        else:
            yield from _texts(block)


def _for(chosen: str | None) -> str:
    return f" for {chosen}" if chosen else ""


def table_minutes(markdown: str) -> Iterator[tuple[int, int]]:
    """For each table with a column headed `minutes`: its line, counted from 0, and the sum."""
    lines = markdown.split("\n")
    for number, line in enumerate(lines):
        heads = [cell.strip() for cell in line.strip("|").split("|")]
        follows = lines[number + 1] if number + 1 < len(lines) else ""
        if not (line.startswith("|") and "minutes" in heads and re.fullmatch(r"[|:\- ]+", follows)):
            continue
        column, total = heads.index("minutes"), 0
        for row in lines[number + 2 :]:
            if not row.startswith("|"):
                break
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            number_match = re.match(r"[0-9]+", cells[column]) if column < len(cells) else None
            total += int(number_match[0]) if number_match else 0
        yield number, total


def _lint_code(week: Week) -> Iterator[ContentFinding]:
    """Python in the text that no Python can read. (`content check --run` runs it, too.)"""
    for code in week.code:
        try:
            compile(code.source, code.file, "exec")
        except (SyntaxError, ValueError) as error:
            line = code.line + (getattr(error, "lineno", None) or 1) - 1
            message = getattr(error, "msg", None) or str(error)
            yield ContentFinding(
                code.file, line, f"this block of Python does not run: {message}", False
            )


CODE_WIDTH = 70
"""Columns that a block of code may have: in a fold, a terminal of 80 breaks longer lines."""


def _lint_width(week: Week) -> Iterator[ContentFinding]:
    """Blocks of code, and pictures, that are wider than the page of a small terminal."""
    for part in week.parts():
        for block in part.blocks:
            wide = [
                line
                for frame in (block.frames if isinstance(block, Fold) else ())
                for line in frame.split("\n")
                if len(line) > CODE_WIDTH
            ]
            if wide:
                text = (
                    f"a picture of this figure has {len(wide[0])} columns; {CODE_WIDTH} fit on a "
                    "small screen"
                )
                yield ContentFinding(block.file, block.line, text, False)
    for file, at, markdown in _markdown(week):
        inside = False
        for number, line in enumerate(week.numbers.fill(markdown).split("\n")):
            if line.lstrip().startswith(("```", "~~~")):
                inside = not inside
            elif inside and len(line) > CODE_WIDTH:
                text = (
                    f"this line of code has {len(line)} columns; {CODE_WIDTH} fit on a small screen"
                )
                yield ContentFinding(file, at + number, text, False)


def _verdict_step(week: Week, chosen: str | None) -> str:
    """The step from which on a learner may meet results: that of their own verdict, the first to
    write in once the comparison was seen; in a week without one, the prediction's. "" for a week
    that has neither."""
    compared, predicted = False, ""
    for part in week.parts():
        for block in _blocks(part, chosen):
            if isinstance(block, Step):
                if compared and block.kind == "write":
                    return block.id
                compared = compared or block.done_when == "comparison seen"
                if block.done_when == "prediction made":
                    predicted = predicted or block.id
    return predicted


def _hidden_results(week: Week) -> list[MeasuredResult]:
    """The results that a learner is to find out: all but those of the week's own experiments, which
    ship as model files."""
    return [row for row in week.numbers.measured if f"{row.variant}.py" not in week.files]


def _lint_results(week: Week, chosen: str | None) -> Iterator[ContentFinding]:
    """Results that one learner meets before their own verdict, in any of the week's data."""
    rows = _hidden_results(week)
    numbers = result_numbers(rows)
    names = {row.variant for row in rows} | {variant.name for variant in week.variants}
    hidden = "|".join(map(re.escape, sorted(names)))
    placeholder = re.compile(rf"\{{measured\.[a-z]+\.(?:{hidden})(?:\.(?:mean|interval))?\}}")
    verdict = _verdict_step(week, chosen)
    for place, block in _places(week, chosen):
        for file, at, markdown in (*_texts(block), *_pictures(block)):
            shown = {
                (match.start(), match[0], "a result") for match in placeholder.finditer(markdown)
            }
            prose = placeholder.sub(lambda match: " " * len(match[0]), markdown)
            for data in {row.data for row in rows}:
                text = replace(week.numbers, corpus=data).fill(prose)
                for written in written_results(text, numbers):
                    result = f"a result of {written.result.description}"
                    shown.add((written.position, written.number, result))
            for position, number, result in sorted(shown):
                message = f"{place} shows {number}, {result}, before {verdict!r}; move it below"
                line = at + markdown.count("\n", 0, position)
                yield ContentFinding(file, line, message, False)
        if isinstance(block, Step) and block.id == verdict:
            return


def _places(week: Week, chosen: str | None) -> Iterator[tuple[str, Block]]:
    """The blocks of the week in the order in which one learner meets them, each with its place in
    words."""
    yield from (("the overview", block) for block in week.overview)
    for session in week.sessions:
        yield f"session {session.id!r}", Text(session.intro, session.file, 1)
        for part in session.parts:
            place = f"part {part.id!r}"
            for block in _blocks(part, chosen):
                if isinstance(block, Step):
                    place = f"step {block.id!r}"
                needs = block.needs if isinstance(block, Fold) else None
                yield (f"step {needs!r}" if needs else place), block


def _pictures(block: Block) -> Iterator[tuple[str, int, str]]:
    """The pictures of a figure."""
    for frame in block.frames if isinstance(block, Fold) else ():
        yield block.file, block.line, frame


def _lint_open_pages(week: Week) -> Iterator[ContentFinding]:
    """Results on pages that a learner may open at any time: the glossary, hints and files of the
    week, and the README of its repository with the pictures there."""
    numbers = result_numbers(_hidden_results(week))
    if not numbers:
        return
    pages = [week.root / GLOSSARY, *sorted((week.root / "hints").glob("*.md"))]
    pages += [week.root / FILES / name for name in week.files]
    pages += _front_page(week.root)
    for page in pages:
        try:
            text = printable(read_text(page))
        except (OSError, UnicodeDecodeError):
            continue  # no text; what a text shows of it is checked where it is shown
        shown = picture_text(text) if page.suffix == ".svg" else text
        name = os.path.relpath(page, week.root)
        for result in written_results(shown, numbers):
            line = 1 if page.suffix == ".svg" else shown.count("\n", 0, result.position) + 1
            message = (
                f"{result.number} is a result of {result.result.description}, and a learner may "
                "read this before the week; show another example"
            )
            yield ContentFinding(name, line, message, False)


def _front_page(folder: Path) -> list[Path]:
    """The README of the repository that holds a folder, and the pictures that it shows."""
    for parent in folder.resolve().parents:
        if (parent / ".git").exists():
            readme = parent / "README.md"
            if not readme.is_file():
                return []
            shown = re.findall(r"!\[[^\]]*\]\(([^):]+\.svg)\)", read_text(readme))
            return [readme, *(parent / picture for picture in shown)]
    return []


_GITHUB = re.compile(r"https?://(?:www\.)?github\.com/[\w.-]+/[\w.-]+(?P<rest>[\w./-]*)")
_LASTS = re.compile(
    r"/(?:blob|tree|raw|commit)/[0-9a-f]{40}(?:/|$)|/(?:pull|issues|discussions)/[0-9]+"
)
"""Addresses whose content lasts: a commit's files, and threads."""


def _lint_links(week: Week) -> Iterator[ContentFinding]:
    """Links to a branch of a repository: the file may be gone tomorrow, or say something else."""
    for file, at, markdown in _markdown(week):
        for link in _GITHUB.finditer(markdown):
            if not _LASTS.match(link["rest"].rstrip(".")):
                text = f"{link[0].rstrip('.')} names no commit: link to /blob/ and its 40 digits"
                yield ContentFinding(file, at + markdown.count("\n", 0, link.start()), text, False)


_LOSS = re.compile(
    r"[+\u2212-]?[0-9]\.[0-9]{2,} nats"
    r"|[0-9]\.[0-9]{2,} ± [0-9.]*[0-9]"
    r"|\bloss(?:es)?\b[^|.;{}]{0,40}?\b(?P<loss>[0-9]\.[0-9]{3,})"
)
"""A loss or a difference of losses, by its form: in nats, with a spread, or behind the word."""
_BESIDE = re.compile(r"(?<![\w^(])[+\u2212][0-9]\.[0-9]{2,}")
"""A difference: meant as measured where the same paragraph quotes what was measured."""
_EXAMPLE = re.compile(r'"[^"]*"|^(```|~~~).*?^\1', re.DOTALL | re.MULTILINE)
"""Quotations (a learner's possible words) and blocks of code: their numbers are examples."""
_SOURCE = re.compile(r"https?://|arXiv|#[0-9]|`[^`]+\.(?:md|toml|json|py)`|[Ff]or example")


def _lint_numbers(week: Week) -> Iterator[ContentFinding]:
    """Placeholders without a value, and losses that name no file and no paper."""
    for file, at, markdown in _markdown(week):
        for line, name in week.numbers.unknown(markdown):
            text = f"there is no number {name}; add it to the results file, or correct the name"
            yield ContentFinding(file, at + line, text, False)
        line = 0
        for paragraph in _EXAMPLE.sub(_blank, markdown).split("\n\n"):
            match = _LOSS.search(paragraph)
            if match is None and "{measured." in paragraph:
                match = _BESIDE.search(paragraph)
            if match and not _SOURCE.search(paragraph):
                number = match.groupdict().get("loss") or match[0]
                text = (
                    f"{number!r} names no source; quote a result of your own as "
                    "{measured.PRESET.VARIANT}, or name the file or paper"
                )
                yield ContentFinding(
                    file, at + line + paragraph.count("\n", 0, match.end()), text, False
                )
            line += paragraph.count("\n") + 2


def _blank(match: re.Match[str]) -> str:
    """Blanks over as many lines, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match[0]).replace("\n\n", "\n \n") if "\n" in match[0] else ""


def _markdown(week: Week) -> Iterator[tuple[str, int, str]]:
    """All text of a week: file, line of its start, Markdown."""
    for block in week.overview:
        yield from _texts(block)
    for part in week.parts():
        for block in part.blocks:
            yield from _texts(block)
    for session in week.sessions:
        yield session.file, 1, session.intro


def _texts(block: Block) -> Iterator[tuple[str, int, str]]:
    """All text of one block: file, line of its start, Markdown."""
    if isinstance(block, Text | Fold):
        yield block.file, block.line, block.markdown
    elif isinstance(block, Step):
        yield block.file, block.line, f"{block.title}\n{block.detail}"
        if block.answer is not None:
            yield from _texts(block.answer)
