"""Write down a prediction before the runs: direction, size, δ, how sure."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, RadioSet, Static, TextArea

from q1lab.compare.scoring import DIRECTIONS
from q1lab.errors import Problem
from q1lab.index.store import Store
from q1lab.journal import predictions
from q1lab.tui.screens.base import Dialog, Scroll
from q1lab.tui.widgets.listing import Radio
from q1lab.week import progress as domain

SLIM = 76
"""From this many cells up the three directions are in one line."""
WORDS = {"lower": "lower (better)", "higher": "higher (worse)", "same": "about the same"}


class PredictScreen(Dialog[None]):
    """A form. What is wrong with it is said under it; a locked prediction is shown, and can be
    amended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "keep", priority=True),
    ]

    def __init__(self, week: str, variant: str, step_id: str) -> None:
        super().__init__()
        self.week = week
        self.variant = variant
        self.heading = f"Your prediction for {variant}"
        self.step_id = step_id
        self.locked: str | None = None
        self.keeping = False

    kind, shape = Scroll, "form"
    keys = "^s keeps it · Esc closes without"

    def body(self) -> ComposeResult:
        yield Static(id="lock", classes="warn", markup=False)
        yield Label("Against the baseline, the final val loss will be")
        with RadioSet(id="direction"):
            for name in DIRECTIONS:
                yield Radio(WORDS[name], value=name == "lower", id=name)
        for name, label, hint in (
            ("size", "by (nats)", "such as 0.03"),
            ("matters", "δ: too small to matter below (nats)", "such as 0.01"),
            ("confidence", "how sure of the direction, in %", "such as 70"),
        ):
            with Horizontal(classes="field"):
                yield Label(label)
                yield Input(placeholder=hint, id=name, max_length=16)
        yield Label("because", classes="last")
        yield TextArea(
            id="reasoning", soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False
        )
        yield Static(id="said", markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Keep", variant="primary", id="keep")
            yield Button("Cancel", id="cancel")

    def on_mount(self) -> None:
        self.q1.ask(lambda store: predictions.newest(store, self.variant, self.week), self._fill)
        self.query_one("#direction").focus()
        self._say()

    def on_resize(self) -> None:
        """The answers beside each other where their words have room; no lines between the fields
        where there are few."""
        self.box.set_class(self.size.width < SLIM, "-slim")
        self.box.set_class(self.size.height < 24, "-tight")

    def _fill(self, found: dict[str, Any] | None) -> None:
        """Show the prediction there is."""
        if found is None or not self.query("#lock"):
            return
        self.query_one(f"#{found['direction']}", Radio).value = True
        self.query_one("#size", Input).value = f"{found['size']:g}"
        self.query_one("#matters", Input).value = f"{found['matters']:g}"
        self.query_one("#confidence", Input).value = f"{found['confidence'] * 100:g}"
        self.query_one("#reasoning", TextArea).text = found["reasoning"] or ""
        if found["locked"]:
            self.locked = found["locked"]
            self.query_one("#lock", Static).update(
                f"Locked on {self.locked[:10]} by {found['locked_by']}. "
                "Keeping a change adds a dated amendment; "
                "studies that began keep the first one."
            )

    def _values(self) -> dict[str, Any]:
        """The form's values. Raises Problem naming the field."""
        pressed = self.query_one(RadioSet).pressed_button
        direction = pressed.id if pressed and pressed.id else "lower"
        size = 0.0 if direction == "same" else self._number("size", "the size")
        matters = self._number("matters", "δ")
        sure = self._number("confidence", "how sure you are") / 100
        reasoning = self.query_one("#reasoning", TextArea).text
        return {
            "direction": direction,
            "size": size,
            "matters": matters,
            "confidence": sure,
            "reasoning": reasoning,
        }

    def _number(self, field: str, words: str) -> float:
        text = (
            self.query_one(f"#{field}", Input)
            .value.strip()
            .replace(",", ".")
            .rstrip("%")
            .lstrip("−-")
        )
        try:
            return float(text)
        except ValueError:
            raise Problem(
                f"{words} is missing" if not text else f"{words}: {text!r} is not a number"
            ) from None

    @on(Input.Changed)
    @on(RadioSet.Changed)
    def _say(self) -> None:
        """The prediction as a sentence, or what is missing, as it is typed."""
        said = self.query_one("#said", Static)
        try:
            values = self._values()
        except Problem as problem:
            begun = any(field.value for field in self.query(Input))
            said.update(_sentence(problem) if begun else "Your prediction as a sentence.")
            said.set_classes("muted")
            return
        way = {"lower": "lower by {:g} nats", "higher": "higher by {:g} nats", "same": "the same"}
        what = way[values["direction"]].format(values["size"])
        said.update(
            f"{self.variant} against the baseline: {what}; "
            f"less than {values['matters']:g} would not matter; "
            f"{values['confidence']:.0%} sure."
        )
        said.set_classes("good")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss()

    @on(Button.Pressed, "#keep")
    def action_save(self) -> None:
        """Keep it if it is whole, once."""
        if self.keeping:
            return
        try:
            values = self._values()
        except Problem as problem:
            self.notify(_sentence(problem), severity="warning", markup=False)
            return
        direction, amend = values.pop("direction"), self.locked is not None

        def keep(store: Store) -> None:
            predictions.predict(store, self.week, self.variant, direction, **values, amend=amend)
            domain.tick(store, self.week, self.step_id, True)

        self.keeping = True
        self.q1.ask(keep, lambda _: self.dismiss(), self._failed)

    def _failed(self, problem: Problem) -> None:
        self.keeping = False
        self.q1.tell(str(problem))


def _sentence(problem: Problem) -> str:
    text = str(problem)
    first = text[:1].upper() if text[:1].isascii() else text[:1]  # δ is not Δ
    return f"{first}{text[1:]}."
