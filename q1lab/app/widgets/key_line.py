"""The keys at the foot of a screen."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.app import App
from textual.binding import Binding
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

from q1lab.ground.text_formats import cut_cells

HELP = "app.help"


class KeyHint(NamedTuple):
    """One key of the line: its texts, and the key that a click presses."""

    key: str
    name: str
    words: str
    more: str
    always: bool
    """True if the key is shown even if not all fit."""
    enabled: bool

    @property
    def cells(self) -> int:
        return cell_len(self.name) + cell_len(self.words) + 3


class KeyLine(Widget):
    """The footer. If not all keys fit, it leaves out those further right, but never the key that
    goes back, nor help, which lists all keys, nor Enter where the screen says what that does now.
    The palette's key is at the right edge. Below a dialog it is blank: no key of its screen works.

    One widget draws all keys: Textual's footer mounts a widget per key, and mounts all of them
    again whenever one changes.
    """

    ALLOW_SELECT = False
    hints: reactive[tuple[KeyHint, ...]] = reactive(())
    palette: reactive[KeyHint | None] = reactive(None)
    pointed: reactive[str] = reactive("")
    """The key under the mouse."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._read)
        self.app.screen_change_signal.subscribe(self, lambda _: self.refresh())

    def on_resize(self) -> None:
        self._read(self.screen)  # the first frame has its keys

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _read(self, screen: Screen[object]) -> None:
        if not self.app.app_focus or screen is not self.screen:
            return
        active = screen.active_bindings
        hints: dict[str, KeyHint] = {}
        for _, binding, enabled, _ in active.values():
            if not binding.show or binding.action in hints:
                continue
            # Textual's words, of an open list of choices
            words = "close" if binding.description == "Dismiss menu" else ""
            always = binding.action == HELP or "escape" in binding.key
            if binding.key == "enter" and (now := getattr(screen, "enter_words", "")):
                always, words = True, cut_cells(now, self.size.width * 3 // 8)
            hints[binding.action] = self._hint(binding, enabled, always, words)
        self.hints = tuple(hints.values())
        palette = active.get(App.COMMAND_PALETTE_BINDING)
        self.palette = palette and self._hint(palette.binding, palette.enabled, always=True)

    def _hint(self, binding: Binding, enabled: bool, always: bool, words: str = "") -> KeyHint:
        # with a field in focus, which takes ? as a letter, help is at F1
        name = "F1" if binding.key == "f1" else self.app.get_key_display(binding)
        words = words or binding.description
        return KeyHint(binding.key, name, words, binding.tooltip or words, always, enabled)

    def _fitting(self) -> list[KeyHint]:
        room = self.size.width - sum(hint.cells for hint in self.hints if hint.always)
        if self.palette is not None:
            room -= self.palette.cells + 2  # a line before it, and a cell after
        shown = []
        for hint in self.hints:
            if hint.always or hint.cells <= room:
                shown.append(hint)
                room -= 0 if hint.always else hint.cells
        return shown

    def render(self) -> Content:
        if self.app.screen is not self.screen:
            return Content("")
        left = Content("").join(map(self._hint_text, self._fitting()))
        if self.palette is None:
            return left
        right = Content.assemble(("▏", "$foreground 20%"), self._hint_text(self.palette), " ")
        gap = self.size.width - left.cell_length - right.cell_length
        return Content.assemble(left, " " * gap, right)

    def _hint_text(self, hint: KeyHint) -> Content:
        content = Content.assemble(
            (f" {hint.name}", "bold $footer-key-foreground"),
            (f" {hint.words} ", "$footer-description-foreground"),
        )
        if hint.key == self.pointed:
            content = content.stylize("on $block-hover-background")
        if not hint.enabled:
            content = content.stylize("dim")
        press = f"app.simulate_key({hint.key!r})" if hint.enabled else "app.bell"
        return content.stylize(Style.from_meta({"@mouse.down": press, "key": hint.key}))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.pointed = str(event.style.meta.get("key", ""))

    def on_leave(self) -> None:
        self.pointed = ""

    def watch_pointed(self) -> None:
        hints = (*self.hints, *([self.palette] if self.palette else []))
        self.tooltip = next((hint.more for hint in hints if hint.key == self.pointed), None)
