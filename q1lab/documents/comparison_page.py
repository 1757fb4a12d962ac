"""A comparison as one HTML page for others: the same text as in the documents, with its
figure, and nothing that has to be loaded."""

from __future__ import annotations

import ast
from dataclasses import replace

from q1lab.compare import comparison_cache
from q1lab.compare.comparison import Comparison
from q1lab.compare.published_names import with_published_names
from q1lab.documents import comparison_tables, html_page, reproduce
from q1lab.documents.comparison_tables import StudyFacts
from q1lab.documents.markdown_escape import inline
from q1lab.documents.reproduce import Reproduction
from q1lab.documents.templates import Rendered, render_template
from q1lab.ground.python_source import parse_python
from q1lab.journal.store import Store
from q1lab.judgment import arrange, layout, picture
from q1lab.judgment.names import short_name
from q1lab.study import variants
from q1lab.study.studies import Study

TEMPLATE = "comparison.md.j2"
FIGURE = "figure.svg"


def comparison_document(c: Comparison, study: StudyFacts, reproduction: Reproduction) -> Rendered:
    """The page as Markdown."""
    record = {
        "title": arrange.title(c),
        "about": _about(c.study),
        "sample": arrange.sample_text(c),
        "study": study,
        "again": reproduction,
        "figure": FIGURE,
    }
    return render_template(TEMPLATE, record)


def _about(study: Study) -> str:
    """A line on what the modification does, of the model file that ships; empty where none does."""
    name = short_name(study.arms["modified"].origin)
    if not study.model_files or name not in variants.modifications():
        return ""
    doc = ast.get_docstring(parse_python(variants.find_variant(name).text)) or ""
    return doc.partition("\n")[0]


def comparison_page(store: Store, study: Study) -> str:
    """The page of a study's comparison as HTML."""
    c = with_published_names(comparison_cache.compare(store, study))
    again = reproduce.reproduction_of(study, None, keeps=False)
    if corrected := c.commands.corrected:  # there is nothing to train again as it stands
        again = replace(again, command="", notes=(inline(corrected),))
    facts = comparison_tables.study_facts(c, in_repository=False)
    text = comparison_document(c, facts, again).text
    figure = picture.draw_comparison(
        c,
        comparison_cache.read_curves(store, study),
        "svg",
        width=picture.IN_A_PAGE,
        titled=False,
    )
    note = (
        f"Made from the record of {study.id} by q1lab, the program that judged these runs. "
        "“I” is the person who ran them."
    )
    return html_page.html_page(text, layout.html_heading(c), figure, note)
