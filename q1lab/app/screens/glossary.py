"""The week's glossary."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import OptionList

from q1lab.app.screens.base import Dialog
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.choice_list import ChoiceList
from q1lab.app.widgets.page_blocks import Prose
from q1lab.ground.files import printable
from q1lab.week.syllabus import Term


def open_glossary(app: WeekApp, text: str) -> None:
    """Open the glossary: the words of a text first, then all others."""
    terms = list(dict.fromkeys([*app.week.terms_in(text), *app.week.terms]))
    if terms:
        app.push_screen(GlossaryScreen(terms))
    else:
        app.notify("This week has no glossary.")


class GlossaryScreen(Dialog[None]):
    """The words on the left; on the right, the meaning of the word under the cursor."""

    heading, shape = "Words", "tall words"

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        self.terms = list(terms)

    def body(self) -> ComposeResult:
        yield ChoiceList(*(printable(term.name) for term in self.terms), markup=False)
        with VerticalScroll(can_focus=False):
            yield Prose()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.query_one(Prose).show(printable(self.terms[event.option_index].markdown))
