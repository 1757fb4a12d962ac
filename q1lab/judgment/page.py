"""A judgment as one HTML page: the figure, and the full form below it. Without scripts, and without
anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from q1lab.judgment.blocks import HeadlineBlock, Sentence, Table
from q1lab.judgment.picture import IN_A_PAGE, draw_comparison
from q1lab.judgment.report_blocks import report_blocks
from q1lab.judgment.title_text import brief_title, comparison_sample

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment

STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; line-height: 1.2; margin: 0 0 0.6em; overflow-wrap: anywhere; }
h2 { font-size: 1.2em; line-height: 1.3; margin: 1.4em 0 0.4em; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; }
td, th { padding: 0.1em 0.8em 0.1em 0; text-align: right; white-space: nowrap; }
td { vertical-align: top; }
td:first-child, th:first-child { text-align: left; font-weight: normal; white-space: normal; }
@media (max-width: 34em) {
  h1 { font-size: 1.3em; }
  h2 { font-size: 1.1em; }
  body { margin-top: 1em; }
  table { display: block; overflow-x: auto; }
}
"""


def judgment_page(j: Judgment) -> str:
    """The page, for a browser or a mail."""
    title, sample = escape(brief_title(j)), escape(comparison_sample(j))
    figure = draw_comparison(j, {}, "svg", width=IN_A_PAGE, titled=False).decode()
    body = "\n".join(_blocks(j, figure))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{sample}</p>\n{body}\n</body>\n</html>\n"
    )


def _blocks(j: Judgment, figure: str) -> Iterator[str]:
    for block in report_blocks(j, published=True):
        match block:
            case HeadlineBlock():
                continue  # the title says it
            case Sentence(text=text):
                yield f"<p>{escape(text)}</p>"
            case Table():
                yield _table(block)
            case _:
                yield figure


def _table(table: Table) -> str:
    rows = [(row.label, row.baseline, row.modified, row.change) for row in table.rows]
    cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.heads)
    body = "\n".join(f"<tr>{row}</tr>" for row in [head, *cells])
    foot = f"\n<p>{escape(table.foot)}</p>" if table.foot else ""
    return f"<table>\n{body}\n</table>{foot}"
