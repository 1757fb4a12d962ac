"""What a study is made of, as a form: the usual fields, and below them what is rarely changed."""

from __future__ import annotations

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Label, OptionList, Select
from textual.widgets.option_list import Option

from q1lab.errors import Problem
from q1lab.study import variants
from q1lab.study.command import Wish, parse_range, parse_seeds
from q1lab.study.presets import PRESETS

OTHER = "other"

AUTO = "auto"
PICKS = {
    "device": ("device", "by itself", ("cpu", "cuda", "mps")),
    "dtype": ("dtype", "by itself", ("fp32", "bf16")),
    "wandb": ("W&B", "as configured", ("online", "offline", "disabled")),
}
"""Fields with a fixed choice: label, what nothing chosen means, the choices."""


class LaunchForm(VerticalScroll, can_focus=False):
    """``wish`` is what it says now, ``asked`` what it says at first."""

    def __init__(
        self,
        asked: Wish,
    ) -> None:
        super().__init__(id="launch-form")
        self.names = [name for name in variants.names() if name != "baseline"]
        self.given = asked.variant or self.names[0]
        self.asked = asked

    def compose(self) -> ComposeResult:
        asked = self.asked
        rows = [Option(f"{name:<9} {variants.find(name).title}", id=name) for name in self.names]
        yield OptionList(
            *rows, Option("a file of mine …", id=OTHER), id="variant", markup=False, compact=True
        )
        own = "" if self.given in self.names else self.given
        yield Input(own, placeholder="path to your model file", id="file", compact=True)
        with Horizontal(classes="pick"):
            yield Label("against")
            hint = "what it was made from"
            yield Input(asked.baseline or "", placeholder=hint, id="baseline", compact=True)
        with Horizontal(classes="pick"):
            yield Label("preset")
            chosen = asked.preset if asked.preset in PRESETS else Select.NULL
            presets = [(name, name) for name in PRESETS]
            yield Select(presets, prompt="by device", value=chosen, id="preset", compact=True)
        for name, label, value, hint in (
            ("data", "data", asked.data, "stdlib, shakespeare, a file"),
            ("seeds", "seeds", asked.seeds, "3, 3..12, or 0,1,2,7"),
            ("iters", "iters", asked.overrides.get("max_iters", ""), "the preset's"),
        ):
            with Horizontal(classes="pick"):
                yield Label(label)
                yield Input(value, placeholder=hint, id=name, compact=True)
        for name, (label, prompt, choices) in PICKS.items():
            with Horizontal(classes="pick"):
                yield Label(label)
                given = getattr(asked, name)
                picked = given if given in choices else Select.NULL
                options = [(one, one) for one in choices]
                yield Select(options, prompt=prompt, value=picked, id=name, compact=True)
        more = " ".join(f"{k}={v}" for k, v in asked.overrides.items() if k != "max_iters")
        for name, label, value, hint in (
            ("jobs", "at once", str(asked.jobs or ""), "one run per core or GPU"),
            ("more", "set", more, "such as dropout=0.1"),
        ):
            with Horizontal(classes="pick"):
                yield Label(label)
                yield Input(value, placeholder=hint, id=name, compact=True)

    def on_mount(self) -> None:
        index = self.names.index(self.given) if self.given in self.names else len(self.names)
        self.query_one("#variant", OptionList).highlighted = index
        self._own_file()

    @on(OptionList.OptionHighlighted)
    def _own_file(self) -> None:
        self.query_one("#file").display = self._picked() == OTHER

    def _picked(self) -> str:
        option = self.query_one("#variant", OptionList).highlighted_option
        return option.id if option is not None and option.id else OTHER

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _picked_of(self, name: str) -> str:
        value = self.query_one(f"#{name}", Select).value
        return value if isinstance(value, str) else AUTO

    def _number(self, name: str, otherwise: str) -> str:
        """What a field for a whole number says; empty when it says nothing."""
        text = self._text(name)
        if text and (not text.isascii() or not text.isdigit() or int(text) < 1):
            label = "at once" if name == "jobs" else name
            raise Problem(
                f"{label} {text!r}: give a whole number from 1 up, or nothing for {otherwise}"
            )
        return text

    def wish(self) -> Wish:
        """The form as a wish. Problem, without any file read, for what can be seen to be wrong."""
        variant = self._text("file") if self._picked() == OTHER else self._picked()
        if not variant:
            raise Problem("Give the path to your model file.")
        overrides = {}
        for item in self._text("more").replace(",", " ").split():
            key, sign, value = item.partition("=")
            if not sign or not key or not value:
                raise Problem(f"set {item!r}: give KEY=VALUE, for example learning_rate=3e-4")
            overrides[key] = value
        if iters := self._number("iters", "the preset's"):
            overrides["max_iters"] = iters
        jobs = self._number("jobs", "one per core, or one per GPU")
        _ = parse_range(self._text("seeds")) or parse_seeds(self._text("seeds"))
        preset = self.query_one("#preset", Select).value
        return replace(
            self.asked,
            variant=variant,
            seeds=self._text("seeds"),
            baseline=self._text("baseline") or None,
            preset=preset if isinstance(preset, str) else None,
            data=self._text("data") or "stdlib",
            device=self._picked_of("device"),
            dtype=self._picked_of("dtype"),
            wandb=self._picked_of("wandb"),
            jobs=int(jobs) if jobs else None,
            overrides=overrides,
        )
