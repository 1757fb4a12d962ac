"""Every key of the app by action id, in one table: the footer, the help screen and the remapping read it.

A learner moves a key in config.toml: ``[keymap]`` then ``"study.tick" = "x"``. The part before the dot says
where the key works; a screen takes all of its own with ``bindings("study")``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from textual.binding import Binding

from q1lab.errors import Problem


@dataclass(frozen=True)
class Key:
    """One action that a key starts."""

    keys: str
    """Textual's key names, comma separated."""
    action: str
    words: str
    """What it does, in a word or two: the footer has little room."""
    more: str = ""
    """The same as a sentence, for help and palette."""
    footer: bool = False
    shown: str | None = None
    """How the key is written, when Textual's own way would be odd."""


KEYS: dict[str, Key] = {
    # everywhere
    "app.study": Key("1", "app.go('study')", "study", "Go to the study screen"),
    "app.lab": Key("2,l", "app.go('lab')", "lab", "Go to the lab: studies and their training"),
    "app.results": Key("3", "app.go('results')", "results", "Go to the results of past studies"),
    "app.progress": Key("4", "app.go('progress')", "progress", "Go to KPIs, papers and artifacts"),
    "app.timer": Key("t", "app.timer", "timer", "Start or pause the timer of the part"),
    "app.help": Key("question_mark,f1", "app.help", "help", "All keys of this screen", True, "?"),
    "app.quit": Key("q", "app.leave", "quit", "Leave; training goes on, progress is kept"),
    # study
    "study.tick": Key("space", "tick", "tick", "Tick the step, or take the tick away", True),
    "study.write": Key("e,enter", "write", "write", "Write the step's answer; open its form", True, "e"),
    "study.editor": Key(
        "E,shift+e", "editor", "in $EDITOR", "Write the answer in your own editor", False, "E"
    ),
    "study.act": Key("r", "act", "run", "Start what the step carries: a study, a document, a check", True),
    "study.hint": Key("h", "hint", "hint", "Show the next hint for the modification"),
    "study.next": Key("n,right_square_bracket", "next", "next part", "Go to the next part", False, "n"),
    "study.back": Key("p,left_square_bracket", "back", "part before", "Go to the part before", False, "p"),
    "study.open": Key("u", "open", "open step", "Go to the first unfinished step"),
    "study.filter": Key("slash", "find", "find", "Find a part or step by its words", False, "/"),
    "study.copy": Key("c", "copy", "copy", "Copy the step's command or answer"),
    "study.unfold": Key("f", "unfold", "unfold", "Open or fold the answers in the text"),
    # progress
    "progress.edit": Key("e,enter", "edit", "edit", "Change the value under the cursor", True, "e"),
    "progress.paper": Key("a", "add", "add", "Add a paper or an artifact", True),
    "progress.tick": Key("space", "toggle", "tick", "Tick the statement, or take the tick away", True),
    "progress.copy": Key("c", "copy", "copy card", "Copy the progress card as text", True),
    "progress.remove": Key("delete,x", "remove", "remove", "Remove the row under the cursor", False, "x"),
}


def bindings(where: str) -> list[Binding]:
    """The bindings of one screen (``study``), in the table's order."""
    return [
        Binding(
            key.keys, key.action, key.words, show=key.footer, id=name, key_display=key.shown,
            tooltip=key.more or key.words, system=False,
        )
        for name, key in KEYS.items()
        if name.split(".")[0] == where
    ]  # fmt: skip


def check_keymap(keymap: Mapping[str, str], where: str) -> dict[str, str]:
    """The remapping as Textual wants it. Problem naming file, key and the nearest action id otherwise."""
    for name, keys in keymap.items():
        if name not in KEYS:
            near = get_close_matches(name, KEYS, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else "; `q1lab config list` names all actions"
            raise Problem(f"{where}: keymap has no action {name!r}{hint}")
        if not isinstance(keys, str) or not keys.strip():
            raise Problem(f'{where}: keymap.{name!r} needs a key in quotes, such as "x" or "ctrl+r"')
    return {name: ",".join(part.strip() for part in keys.split(",")) for name, keys in keymap.items()}
