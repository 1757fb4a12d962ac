"""Every key of the app by action id, in one table: the footer, the help screen and the remapping
read it.

A learner moves a key in config.toml: ``[keymap]`` then ``"study.tick" = "x"``. The part before the
dot says where the key works; a screen takes all of its own with ``bindings("study")``.

Space and Enter act on the row under the cursor. Every other letter or sign means one thing in the
whole app, dialogs included (tests/app/test_keys.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding
from textual.keys import format_key

from q1lab.ground.errors import Problem, nearest


@dataclass(frozen=True)
class Key:
    """One action that a key starts."""

    keys: str
    """Textual's key names, comma separated."""
    action: str
    words: str
    """The action in a word or two, for the footer. A letter or sign has the same words on every
    screen."""
    more: str = ""
    """The action as a sentence, for help and palette."""
    footer: bool = False
    shown: str | None = None
    """The key as the footer writes it, if not by its name."""


CORE_KEYS: dict[str, Key] = {
    # everywhere
    "app.study": Key("1", "app.go('study')", "study", "Go to the study screen"),
    "app.lab": Key("2", "app.go('lab')", "lab", "Go to the lab: studies and their training"),
    "app.results": Key("3", "app.go('results')", "results", "Go to the results of past studies"),
    "app.progress": Key("4", "app.go('progress')", "progress", "Go to KPIs, papers and artifacts"),
    "app.timer": Key("T", "app.timer", "timer", "Start or pause the timer of the part"),
    "app.help": Key("question_mark,f1", "app.help", "help", "All keys of this screen", True),
    "app.quit": Key("q", "app.leave", "leave", "Close what is open; on a page, leave q1lab"),
    # study
    "study.enter": Key(
        "enter", "enter", "do it", "Do the row under the cursor; from a finished one, go on", True
    ),
    "study.tick": Key("space", "tick", "tick", "Tick the step, or untick it", True),
    "study.down": Key("j", "move(1)", "step", "Go to the next step or row", True, "j/k"),
    "study.up": Key("k", "move(-1)", "step back", "Go to the previous step or row"),
    "study.zen": Key(
        "z", "zen", "reading mode", "Give the whole screen to the text, and back", True
    ),
    "study.week": Key("t", "week", "week", "Show or hide the week's pages", True),
    "study.write": Key("e", "edit_step", "edit", "Write the step's answer; open its form"),
    "study.editor": Key("E", "editor", "in $EDITOR", "Write the answer in your own editor"),
    "study.act": Key("r", "act", "run", "Run the row: a study, a check …"),
    "study.hint": Key("h", "hint", "hints", "Choose a hint for the modification"),
    "study.link": Key("l", "link", "link", "Open a link of the text, such as the paper"),
    "study.unfold": Key("f", "unfold", "unfold", "Open or fold all answers of the page"),
    "study.next": Key("n,right_square_bracket", "next(1)", "next", "Go to the next page"),
    "study.back": Key("p,left_square_bracket", "next(-1)", "previous", "Go to the previous page"),
    "study.open": Key("u", "first_unfinished", "unfinished", "Go to the first unfinished step"),
    "study.filter": Key("slash", "find", "find", "Find a part or step by its words"),
    "study.glossary": Key("w", "glossary", "words", "Explain a word of the step or the page"),
    "study.copy": Key("c", "copy", "copy", "Copy the row's command, or the step's answer"),
    "study.leave": Key("escape", "leave", "back", "Leave reading mode, or the week's pages", True),
    # lab
    "lab.log": Key("enter", "log", "log", "Open the log of the run under the cursor", True),
    "lab.run": Key("r", "run", "run", "Plan a new study and start it", True),
    "lab.stop": Key("s", "stop", "stop", "Stop the study, so that it can go on later", True),
    "lab.go_on": Key(
        "g", "go_on", "go on", "Train the missing runs: stopped, crashed or failed ones", True
    ),
    "lab.again": Key("R", "again", "run again", "Train the run under the cursor, and no other"),
    "lab.verdict": Key("v", "verdict", "verdict", "The whole comparison in words and bars", True),
    "lab.export": Key("o", "export", "export", "Write the numbers or the study into files"),
    "lab.wandb": Key("W", "wandb", "W&B", "The study at Weights & Biases; upload it"),
    "lab.filter": Key(
        "slash", "filter", "find", "List the studies, and find one by its words", True
    ),
    "lab.next": Key("n,right_square_bracket", "next(1)", "next", "Go to the next older study"),
    "lab.back": Key("p,left_square_bracket", "next(-1)", "previous", "Go to the next newer study"),
    "lab.metric": Key("m", "metric", "next number", "Chart the next number that the runs report"),
    # results
    "results.open": Key("enter", "open_in_lab", "open", "Open the study in the lab", True),
    "results.verdict": Key(
        "v", "verdict", "verdict", "The whole comparison in words and bars", True
    ),
    "results.export": Key("o", "export", "export", "Write results or a study into files", True),
    "results.filter": Key("slash", "filter", "find", "Show only studies with these words"),
    "results.all": Key("escape", "all", "back", "Clear the filter", True),
    "results.delete": Key("delete", "delete", "remove", "Delete the study, once you confirm it"),
    # progress
    "progress.edit": Key("e", "edit", "edit", "Change the value under the cursor", True),
    "progress.add": Key("a", "add", "add", "Add a paper, an artifact, or the post's address", True),
    "progress.tick": Key("space", "mark", "tick", "Tick the statement, or untick it", True),
    "progress.remove": Key("delete", "remove", "remove", "Remove the artifact under the cursor"),
    # the comparison
    "verdict.export": Key(
        "o", "export", "export", "Write the numbers or the study into files", True
    ),
    "verdict.more": Key("a", "more", "add", "Add the seeds that the verdict names", True),
    "verdict.copy": Key("c", "copy", "copy", "Copy the comparison as text", True),
    "verdict.back": Key("escape", "back", "back", "Go back", True),
    # a run's log
    "log.top": Key("home", "top", "top", "Go to the log's beginning", True),
    "log.bottom": Key("end", "bottom", "follow", "Go to the log's end, and follow it", True),
    "log.copy": Key("c", "copy", "copy", "Copy the log's path", True),
    "log.back": Key("escape", "back", "back", "Go back", True),
}
NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "f1": "F1",
    "delete": "Del",
}


def all_keys() -> Mapping[str, Key]:
    """The table."""
    return CORE_KEYS


def key_name(key: str) -> str:
    """One of Textual's key names as people write it: ``Ctrl+R``, ``?``."""
    *mods, last = key.strip().split("+")
    last = NAMES.get(last) or (last.upper() if mods and len(last) == 1 else format_key(last))
    return "+".join([mod.capitalize() for mod in mods] + [last])


def key_names(keys: str) -> str:
    """Several comma-separated key names as people write them: ``N or ]``."""
    return " or ".join(dict.fromkeys(map(key_name, keys.split(","))))


def bindings(where: str) -> list[Binding]:
    """The bindings of one screen (``study``), in the table's order."""
    return [
        Binding(
            key.keys,
            key.action,
            key.words,
            show=key.footer,
            id=name,
            key_display=key.shown,
            tooltip=key.more or key.words,
            system=False,
        )
        for name, key in all_keys().items()
        if name.split(".")[0] == where
    ]


def check_keymap(keymap: Mapping[str, str], where: str) -> dict[str, str]:
    """The remapping in Textual's form. Problem, naming file, key and the nearest action id, if it
    is not valid."""
    for name, keys in keymap.items():
        if name not in all_keys():
            hint = nearest(name, all_keys(), "`q1lab config --keys` names all actions")
            raise Problem(f"{where}: keymap has no action {name!r}", next=hint)
        if not isinstance(keys, str) or not keys.strip():
            raise Problem(
                f'{where}: keymap.{name!r} needs a key in quotes, such as "x" or "ctrl+r"'
            )
    return {
        name: ",".join(part.strip() for part in keys.split(",")) for name, keys in keymap.items()
    }
