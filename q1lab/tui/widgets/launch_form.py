"""The form of a new study, in two steps: what is trained, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Label, OptionList, Select, Static
from textual.widgets.option_list import Option

from q1lab.ground.errors import Problem
from q1lab.ground.options import KEPT_FOLDER
from q1lab.study import kept_folder, variants
from q1lab.study.command_line import (
    IN_COMMANDS,
    OPTIONS,
    Request,
    option_values,
    options_with,
    request_from_options,
)
from q1lab.study.corpora import DEFAULT_DATA
from q1lab.study.presets import PRESETS
from q1lab.study.studies import Study
from q1lab.tui.widgets.choice_list import ChoiceList

OTHER = "other"

AUTO = "auto"
WHAT, HOW = "what", "how"
"""The form's two steps: modification, seeds and size; and everything else, which has defaults."""
KEPT = "Its folder says everything else: model files, seeds, size and device."
EngineTables = Mapping[str, Mapping[str, Any]]
ROWS = [name for name in IN_COMMANDS if OPTIONS[name].label]
"""The options that have a row in the form."""


def default_values() -> dict[str, str]:
    """The values that empty fields stand for, as far as they are known before a plan is made: by
    the name of the field."""
    from q1lab.runner import machine
    from q1lab.study.presets import default_preset
    from q1lab.study.wandb_runs import wandb_mode

    device = machine.likely_device("auto")
    preset = default_preset(device)
    return {
        "preset": preset,
        "max_iters": f"{PRESETS[preset]['max_iters']:,}",
        "device": device,
        "dtype": "the fastest",
        "wandb": wandb_mode(AUTO),
        "jobs": str(machine.free_slots(device)),
    }


class LaunchForm(VerticalScroll, can_focus=False):
    """``request()`` is the request that the form describes now, ``initial`` the one it starts with.
    ``data`` is the default data; ``folder`` is the learner's, whose kept studies can be chosen."""

    def __init__(
        self,
        initial: Request,
        data: str = DEFAULT_DATA,
        folder: Path | None = None,
    ) -> None:
        super().__init__(id="launch-form")
        self.names = variants.modifications()
        if initial.variant == "baseline":  # against itself
            self.names = [initial.variant, *self.names]
        self.folder = folder or Path()
        self.kept_folders = {
            folder.name: folder for folder in kept_folder.find_kept_folders(self.folder)
        }
        self.initial_variant = initial.variant or self.names[0]
        self.initial = initial
        self.data = data

    def compose(self) -> ComposeResult:
        initial = self.initial
        width = max(map(len, self.names))
        rows = [
            Option(f"{name:<{width}} {variants.find_variant(name).title}", id=name)
            for name in self.names
        ]
        rows.append(Option("a file of mine …", id=OTHER))
        rows += [
            Option(f"{kept_folder.STUDIES_FOLDER}/{name}  once more", id=name)
            for name in self.kept_folders
        ]
        yield ChoiceList(*rows, id="variant", classes=WHAT, markup=False, compact=True)
        own_file = "" if self.initial_variant in self.names else self._short(self.initial_variant)
        yield Input(
            own_file, placeholder="path to your model file", id="file", classes=WHAT, compact=True
        )
        yield Static(KEPT, id="kept", classes=WHAT, markup=False)
        values = option_values(initial)
        for name in ROWS:
            yield from self._row(name, values[name])

    def _row(self, name: str, value: Any) -> Iterable[Widget]:
        """The row of an option: its label, and a choice if it has ``choices``, else text."""
        option = OPTIONS[name]
        page = WHAT if option.on_first_page else HOW
        decided = "" if KEPT_FOLDER in option.goes_with else " decided"
        hint = f"{Path(self.data).name} or file" if name == "data" else option.hint
        with Horizontal(classes=f"pick {page}{decided}"):
            yield Label(option.label)
            if options := self._choices(name):
                picked = value if (value, value) in options else Select.NULL
                yield Select(options, prompt=hint, value=picked, id=name, compact=True)
            else:
                text = " ".join(value) if option.is_list else str(value or "")
                yield Input(text, placeholder=hint, id=name, compact=True)

    def show_plan_values(self, study: Study) -> None:
        """Show the plan's values as the placeholders of empty fields."""
        values = {
            "baseline": study.baseline,
            "data": f"{study.data.name} or file",
            "max_iters": f"{study.max_iters:,}",
            "jobs": str(study.trainer.jobs),
            "preset": study.trainer.recipe,
            "device": study.trainer.device,
            "dtype": study.trainer.number_format,
            "wandb": study.trainer.wandb,
        }
        self.show_values(values)

    def show_values(self, values: Mapping[str, str]) -> None:
        """Show these values in the empty fields; no other line of a list then says the same."""
        for name, value in values.items():
            field = self.query_one(f"#{name}")
            if isinstance(field, Input):
                field.placeholder = value
            elif isinstance(field, Select) and field.is_blank() and not field.expanded:
                field.prompt = value
                field.set_options(self._choices(name, value))

    def _choices(self, name: str, default: str = AUTO) -> list[tuple[str, str]]:
        """The choices of an option as a list shows them, without its default."""
        choices = OPTIONS[name].choices
        return [(choice, choice) for choice in choices if choice not in (AUTO, default)]

    def on_mount(self) -> None:
        index = (
            self.names.index(self.initial_variant)
            if self.initial_variant in self.names
            else len(self.names)
        )
        self.query_one("#variant", OptionList).highlighted = index
        self._own_file()

    @on(OptionList.OptionHighlighted)
    def _own_file(self) -> None:
        self.set_class(self._picked() == OTHER, "-file")
        self.set_class(self._chosen_kept_folder() is not None, "-kept")

    @on(Input.Changed, "#file")
    def _own_folder(self) -> None:
        self.set_class(self._chosen_kept_folder() is not None, "-kept")

    def _chosen_kept_folder(self) -> Path | None:
        """The folder of the kept study that is chosen or typed; else None."""
        chosen = self.kept_folders.get(self._picked())
        if chosen is None and self._picked() == OTHER:
            typed = self._file()
            chosen = Path(typed) if typed and kept_folder.is_kept_folder(typed) else None
        return chosen

    def _file(self) -> str:
        """The path as typed; resolved in the learner's folder if it exists only there."""
        typed = self._field_value("file")
        in_folder = self.folder / typed
        as_typed = Path(typed).expanduser()
        return str(in_folder) if typed and not as_typed.exists() and in_folder.exists() else typed

    def _short(self, path: str) -> str:
        """A path inside the learner's folder, relative to it, if `_file` resolves it to the same
        file."""
        full = Path(path)
        if not full.is_absolute() or not full.is_relative_to(self.folder.absolute()):
            return path
        short = full.relative_to(self.folder.absolute())
        return path if short.exists() and not short.samefile(full) else f"./{short}"

    def _picked(self) -> str:
        option = self.query_one("#variant", OptionList).highlighted_option
        return option.id if option is not None and option.id else OTHER

    def _field_value(self, name: str) -> str:
        """The field's value; empty if nothing is typed or chosen."""
        field: Any = self.query_one(f"#{name}")
        return field.value.strip() if isinstance(field.value, str) else ""

    def _typed(self, name: str) -> Any:
        """The value of an option as typed; None if its row is empty. Problem for a number that is
        none."""
        option, text = OPTIONS[name], self._field_value(name)
        if option.is_list:
            return tuple(text.replace(",", " ").split())
        if option.is_number and text:
            return option.whole_number(text, option.label)
        return text if text or name == "seeds" else None  # no seeds at all are a mistake

    def request(self) -> Request:
        """The form's request. Problem for errors that show without reading a file."""
        variant = self._file() if self._picked() == OTHER else self._picked()
        if not variant:
            raise Problem("Give the path to your model file.")
        if (folder := self._chosen_kept_folder()) is not None:
            free = options_with(KEPT_FOLDER).intersection(ROWS)
            typed = {name: self._typed(name) for name in free}
            return request_from_options(variant=str(folder), **typed)
        values = {**option_values(self.initial), **{name: self._typed(name) for name in ROWS}}
        request = request_from_options(variant=variant, **values)
        _ = request.parsed_seeds  # raises a Problem for invalid seeds at once
        return request
