"""Comparisons as the table that a paper prints, in Markdown or LaTeX: a row for each arm, and below
it the sentences that limit what the numbers say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from q1lab.documents.markdown_escape import Md, sentence, table
from q1lab.ground.files import printable
from q1lab.ground.text_formats import DASH, MINUS
from q1lab.judgment.difference_text import interval_text, level_text, mean_text, number_writer
from q1lab.judgment.label_text import arm_names, headline_method, sample_text
from q1lab.judgment.short_text import caveat_line, confidence_line, size_line
from q1lab.study.studies import ARMS
from q1lab.verdict.comparison import Comparison


@dataclass(frozen=True)
class PrintedTable:
    """A table of the comparisons in one metric, in plain text."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


class PrintedForm(NamedTuple):
    """A language that tables are printed in: the suffix of its files, and its writer."""

    suffix: str
    write: Callable[[PrintedTable], str]


def print_tables(comparisons: Sequence[Comparison], form: str) -> str:
    """The comparisons in ``markdown`` or ``latex``, a table for each metric."""
    by_metric: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        by_metric.setdefault(comparison.metric.axis, []).append(comparison)
    tables = [_printed_table(axis, group) for axis, group in by_metric.items()]
    return "\n".join(PRINTED_FORMS[form].write(printed) for printed in tables)


def _printed_table(axis: str, comparisons: Sequence[Comparison]) -> PrintedTable:
    several = len(comparisons) > 1
    heads = ("arm", "n", axis, "difference", "interval", "verdict")
    rows, notes = (
        [],
        [f"± is the standard deviation over runs. Differences are modified {MINUS} baseline."],
    )
    for comparison in comparisons:
        study_id = comparison.study.id
        rows += [((study_id, *row) if several else row) for row in _arm_rows(comparison)]
        limits = " ".join(_limiting_sentences(comparison))
        notes.append(f"{study_id}: {limits}" if several else limits)
    name = comparisons[0].study.id if not several else "q1lab-studies"
    return PrintedTable(name, ("study", *heads) if several else heads, tuple(rows), tuple(notes))


def _arm_rows(c: Comparison) -> Iterable[tuple[str, ...]]:
    """The baseline's row, and the modified arm's with the difference."""
    analysis, writer = c.analysis, number_writer(c.analysis)
    interval = f"{interval_text(analysis)} ({level_text(analysis)})" if analysis.ends else DASH
    difference = DASH if analysis.mean is None else mean_text(analysis)
    ends = {"baseline": ("", "", ""), "modified": (difference, interval, analysis.verdict)}
    for arm, name in zip(ARMS, arm_names(c), strict=True):
        result = c.arms[arm]
        spread = f" ± {writer.loss(result.std)}" if result.std is not None else ""
        finished = sum(value is not None for value in result.values.values())
        yield name, str(finished), f"{writer.loss(result.mean)}{spread}", *ends[arm]


def _limiting_sentences(c: Comparison) -> Iterable[str]:
    """The method, the error rate and the caveats of a comparison."""
    has_verdict = c.analysis.reason is None
    yield (
        f"{_capitalized(headline_method(c.analysis.headline))}, {sample_text(c)}."
        if has_verdict
        else size_line(c)
    )
    yield from filter(None, (confidence_line(c), caveat_line(c), c.subject.limit))


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


# ── the languages


def _markdown(printed: PrintedTable) -> str:
    numbers = [index for index, head in enumerate(printed.heads) if head not in WORDS]
    notes = "\n\n".join(sentence(note) for note in printed.notes)
    return f"{table(printed.heads, _cells(printed.rows), right=numbers)}\n\n{notes}\n"


WORDS = ("study", "arm", "verdict")
"""Columns of words; the others hold numbers."""


def _cells(rows: Iterable[tuple[str, ...]]) -> list[list[str]]:
    """The rows, with empty cells left empty."""
    return [[value or Md("") for value in row] for row in rows]


GREEK_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
"""LaTeX's name of each of the letters."""
LATEX_CHARACTERS: Mapping[str, str] = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\char34{}",  # \textquotedbl is unknown to LaTeX's first encoding
    "--": r"-{}-",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\to$",
    **{
        letter: f"$\\{name}$"
        for letter, name in zip(GREEK_LETTERS, GREEK_NAMES.split(), strict=True)
    },
    "–": "--",
    "\u00a0": "~",
}
"""Characters that LaTeX reads as commands or that its first fonts lack, with the text that prints
them."""
_NOT_IN_PDFLATEX = re.compile("[^\u0000-\u017f‘’“”—…•€™]")
_LATEX = re.compile("|".join(re.escape(text) for text in LATEX_CHARACTERS))


def latex_text(text: str) -> str:
    """Text of one line in which LaTeX finds no command."""
    line = " ".join(printable(text).split(" "))
    return _LATEX.sub(lambda match: LATEX_CHARACTERS[match[0]], " ".join(line.splitlines()))


# a smaller table rather than one whose verdicts lie beyond the paper
_NO_WIDER_THAN_THE_TEXT = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def _latex(printed: PrintedTable) -> str:
    columns = "".join("l" if head in WORDS else "r" for head in printed.heads)
    lines = [" & ".join(map(latex_text, row)) + r" \\" for row in (printed.heads, *printed.rows)]
    body = "\n".join(f"    {line}" for line in (r"\toprule", lines[0], r"\midrule", *lines[1:]))
    caption = " ".join(map(latex_text, printed.notes))
    label = re.sub(r"[^a-z0-9-]", "-", printed.name.lower())
    needs = "% It needs \\usepackage{booktabs,graphicx}.\n"
    if foreign := "".join(dict.fromkeys(_NOT_IN_PDFLATEX.findall(f"{body}{caption}"))):
        needs += (
            f"% pdflatex can't print {foreign}: use lualatex or xelatex, and a font with them.\n"
        )
    return (
        f"{needs}\\begin{{table}}\n  \\centering\n"
        f"{_NO_WIDER_THAN_THE_TEXT}\n"
        f"  \\begin{{tabular}}{{{columns}}}\n{body}\n    \\bottomrule\n  \\end{{tabular}}}}\n"
        f"  \\caption{{{caption}}}\n  \\label{{tab:{label}}}\n\\end{{table}}\n"
    )


PRINTED_FORMS = {"markdown": PrintedForm(".md", _markdown), "latex": PrintedForm(".tex", _latex)}
