"""The demo as a screen: two questions, three explanations, eight pairs at speed, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.timer import Timer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from q1lab.commands.demo import demo_text
from q1lab.commands.demo.shipped_runs import read_runs
from q1lab.ground.errors import Problem
from q1lab.judgment.records import Judgment
from q1lab.judgment.short_text import headline_block, short_sentences
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.widgets.blocks_view import BlocksView
from q1lab.tui.widgets.chart_data import chart_data
from q1lab.tui.widgets.choice_list import ChoiceList
from q1lab.tui.widgets.loss_chart import LossChart
from q1lab.tui.widgets.study_text import TONES
from q1lab.tui.widgets.theme_colors import palette
from q1lab.verdict.progress_figure import pairs_figure

READING_SECONDS, PAIR_SECONDS, FRAME_SECONDS = 20.0, 3.5, 1 / 12
"""The time for the three explanations, for a pair's training, and for a picture of it."""

TALL = 30
"""From this height in cells, the verdict's paragraphs stand apart."""


class DemoScreen(FullScreen[tuple[Judgment | None]]):
    """Each page goes on by itself but those that ask; any key goes on at once. Its result
    holds the verdict; None where the reader left before it."""

    CSS_PATH = "demo.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "words", "words", tooltip="Explain val loss, seed and interval"),
        Binding("enter,space", "finish", "done"),
        Binding("escape", "back", "back"),
        Binding("q", "back", "leave", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.shipped = read_runs()
        self.direction = ""
        self.judgment: Judgment | None = None
        self.seen = False
        """True once the verdict is told."""
        self._next: Callable[[], None] | None = None
        """The next page, which a key begins; None while the reader is asked."""
        self._timer: Timer | None = None
        self._frames: Timer | None = None
        self._is_over = False
        """True once all pairs are shown."""

    def body(self) -> ComposeResult:
        study = self.shipped.study
        yield Static(f" q1lab demo · {study.variant} against {study.baseline}", id="demo-head")
        with VerticalScroll(id="demo-page", can_focus=False):
            yield Static(id="demo-text", markup=False)
            yield ChoiceList(id="demo-answers", markup=False)
        with Horizontal(id="demo-low"):
            yield LossChart()
            with VerticalScroll(can_focus=False):
                yield BlocksView(id="demo-figure")

    def on_mount(self) -> None:
        self.query_one(LossChart).can_focus = False
        self._ask(demo_text.question(self.shipped), demo_text.DIRECTIONS)

    # ── the pages

    def _ask(self, text: str, answers: dict[str, str]) -> None:
        self.query_one("#demo-text", Static).update(Text(text))
        self.set_class(True, "-asks")
        choices = self.query_one(ChoiceList)
        choices.set_options(Option(words, id=name) for name, words in answers.items())
        choices.highlighted = 0
        choices.focus()

    @on(OptionList.OptionSelected, "#demo-answers")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        answer = event.option_id or ""
        if not self.direction and answer in ("lower", "higher"):
            self.direction = answer
            self._ask(demo_text.size_question(self.shipped), demo_text.SIZES)
            return
        size = answer if self.direction else ""
        guess = demo_text.guess_of(self.direction or answer, size)
        # the judge imports scipy, which takes a second
        run_in_background(self, lambda: self.shipped.judge(guess), self._judged, self._not_judged)
        self._explain()

    def _judged(self, judgment: Judgment) -> None:
        self.judgment = judgment
        if self._is_over:
            self._tell()

    def _not_judged(self, problem: Problem) -> None:
        self._next = None
        self.query_one("#demo-text", Static).update(str(problem))

    def _explain(self) -> None:
        self.set_class(False, "-asks")
        self.query_one(ChoiceList).disabled = True  # hidden, it would still take the focus
        text = Text("\n\n").join(self._explanations())
        self.query_one("#demo-text", Static).update(text)
        self._begin(self._replay, READING_SECONDS)

    def _explanations(self) -> Iterator[Text]:
        style = f"bold {palette(self.app).accent}"
        for word, sentence in zip(
            demo_text.WORDS, demo_text.explanations(self.shipped), strict=True
        ):
            text = Text(sentence)
            text.highlight_words([word], style)
            yield text
        yield Text("It goes on by itself; any key skips ahead.", palette(self.app).muted)

    def _replay(self) -> None:
        self.set_class(True, "-replays")
        text = Text(demo_text.looks_sentence(self.shipped), palette(self.app).muted)
        self.query_one("#demo-text", Static).update(text)
        self._show_pairs(0.0)
        self._begin(self._tell, PAIR_SECONDS * len(self.shipped.study.seeds))
        began = monotonic()

        def draw() -> None:
            self._show_pairs((monotonic() - began) / PAIR_SECONDS)

        self._frames = self.set_interval(FRAME_SECONDS, draw)

    def _show_pairs(self, pairs: float) -> None:
        """Both arms' curves, and the differences with their intervals, as in the lab."""
        study, runs = self.shipped.study, self.shipped.at(pairs)
        self.query_one(LossChart).data = chart_data(runs, study.metric)
        figure = pairs_figure(study, runs)
        if not self._is_over:  # then the pairs share a row, and the narrowing intervals have room
            figure = figure.one_by_one()
        self.query_one(BlocksView).show((figure,) if figure.bars else ())

    def _tell(self) -> None:
        """The verdict, once the judge has it."""
        self._next, self._is_over = None, True
        if self._frames is not None:
            self._frames.stop()
        self._show_pairs(len(self.shipped.study.seeds))
        if self.judgment is not None:
            self.seen = True
            self.query_one("#demo-text", Static).update(self._verdict(self.judgment))
            self.refresh_bindings()

    def _verdict(self, judgment: Judgment) -> Text:
        colors, block = palette(self.app), headline_block(judgment)
        tone = getattr(colors, TONES.get(block.verdict, "foreground"))
        head = Text.assemble(
            (block.word, f"bold {tone}"), f"   {block.names[1]} − {block.names[0]} = {block.mean}"
        )
        texts = [
            "\n".join(short_sentences(judgment)),
            demo_text.guess_sentence(judgment),
            demo_text.stop_sentence(self.shipped),
        ]
        lines = [head, *(Text(line) for line in texts if line), Text(demo_text.NEXT, "bold")]
        return Text("\n\n" if self.size.height >= TALL else "\n").join(lines)

    # ── keys

    def _begin(self, act: Callable[[], None], seconds: float) -> None:
        """Let ``act`` follow in so many seconds, or at a key."""
        self._next = act
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(seconds, act)

    def on_key(self, event: events.Key) -> None:
        if self._next is None or event.key in ("w", "escape", "q") or event.key.startswith("ctrl+"):
            return
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._next()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "words":  # its dialog would hide the replay
            return self._frames is None or self.seen
        return self.seen if action == "finish" else True

    def action_finish(self) -> None:
        self.action_back()

    def action_words(self) -> None:
        from q1lab.ground.paths import content_dir
        from q1lab.tui.screens.glossary import GlossaryScreen
        from q1lab.week.content import load_week

        if self._timer is not None:
            self._timer.stop()  # until the reader is back
        terms = load_week(content_dir()).terms
        shown = [term for word in demo_text.WORDS for term in terms if term.name == word]
        self.app.push_screen(GlossaryScreen(shown))

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._next is not None:
            self._begin(self._next, READING_SECONDS)

    def action_back(self) -> None:
        self.dismiss((self.judgment if self.seen else None,))
