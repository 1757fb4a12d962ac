"""The whole comparison in words and bars, as `q1lab compare` prints it; until the study is
complete, the pairs so far."""

from __future__ import annotations

from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from q1lab.app.screens.base import FullScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.fitted_text import FittedText
from q1lab.app.widgets.lines_view import Lay, LinesView, no_lines
from q1lab.app.widgets.study_text import comparison_heading, final_comparison
from q1lab.app.widgets.theme_colors import palette
from q1lab.compare import progress_figure, series_reader
from q1lab.compare.comparison import Comparison
from q1lab.journal.store import Store
from q1lab.judgment import layout, series_table
from q1lab.judgment.lines import Line, plain_lines
from q1lab.study import studies
from q1lab.week import evidence


class VerdictScreen(FullScreen[None]):
    """``c`` copies the text, ``o`` writes it into a file."""

    CSS_PATH = "../lab.tcss"
    screen_name = "verdict"
    AUTO_FOCUS = "#verdict"

    def __init__(self, study_id: str, record: Comparison | None) -> None:
        super().__init__()
        self.study_id, self.comparison = study_id, record
        self.told: Lay = no_lines
        self.sweep: Lay = no_lines
        """The table of the sweep that the study belongs to."""

    def body(self) -> ComposeResult:
        yield FittedText(self._draw_head, id="verdict-head")
        with VerticalScroll(id="verdict"):
            yield LinesView()

    def on_mount(self) -> None:
        self.q1.show_end(self.study_id)
        self.watch(self.q1, "snapshot", self._arrived, init=False)
        self.q1.run_job(self._read_series, self._tell_series)
        self._compare(self.comparison)
        self._arrived(self.q1.snapshot)

    def _read_series(self, store: Store) -> Lay:
        of = studies.load(self.study_id).origin.series
        series = series_reader.read_series(store, of.id) if of is not None else None
        return no_lines if series is None else partial(series_table.series_lines, series)

    def _tell_series(self, lay: Lay) -> None:
        self.sweep = lay
        self._draw()

    def _compare(self, record: Comparison | None, so_far: Lay = no_lines) -> None:
        """Show the comparison, and record that the learner has seen it: it may complete a step.
        Without one, show the pairs so far."""
        self.comparison, self.told = record, so_far
        if record is not None:
            self.told = partial(layout.lines_below, record)
            label = self.q1.week.label
            note = partial(evidence.note_comparison_read, week=label, comparison=record)
            self.q1.store_thread.submit(note)
        self._draw()
        self.refresh_bindings()

    def _arrived(self, snapshot: Snapshot) -> None:
        view = snapshot.focus
        if self.comparison is None and view is not None and view.row.id == self.study_id:
            so_far = partial(progress_figure.progress_lines, view.study, view.runs)
            self._compare(final_comparison(view), so_far)

    def _draw_head(self) -> None:
        c, colors = self.comparison, palette(self.app)
        for head in self.query(FittedText).filter("#verdict-head"):
            head.update(Text(self.study_id) if c is None else comparison_heading(c, colors))

    def _draw(self) -> None:
        self._draw_head()
        for text in self.query(LinesView):  # none once the screen is closed
            text.show(self._lay)

    def _lay(self, width: int) -> list[Line]:
        told, sweep = self.told(width), self.sweep(width)
        return [*told, *([[]] if told and sweep else []), *sweep]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.comparison is not None if action in ("export", "more") else True

    def action_more(self) -> None:
        """Open the form of a study with as many seeds as the verdict names."""
        from q1lab.app.screens.run_form import open_form_with_more_seeds

        c = self.comparison
        needed = c.analysis.seeds_needed if c is not None else None
        n = needed.mid if needed is not None else None
        with self.q1.errors_as_dialogs():
            study = studies.load(self.study_id)
            self.dismiss()
            open_form_with_more_seeds(self.q1, study, n)

    def action_copy(self) -> None:
        width, c = min(100, self.size.width - 6), self.comparison
        told = [] if c is None else [*layout.headline(c, width), []]
        text = "\n".join([*plain_lines([*told, *self._lay(width)]), ""])
        self.q1.copy_text(text, "the comparison as text")

    def action_export(self) -> None:
        from q1lab.app.screens.forms import open_export_form

        open_export_form(self.q1, self.study_id)
