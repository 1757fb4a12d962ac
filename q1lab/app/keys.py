"""Every key of the app's screens by action id, in one table: screens, footer, help and remapping
read it. Dialogs bind the few keys of their own.

A learner moves a key in config.toml: ``[keymap]`` then ``"study.tick" = "x"``. The part before the
dot says where the key works; a screen takes all of its own with ``bindings("study")``.

Space and Enter act on the row under the cursor. Every other letter or sign means one thing in the
whole app, dialogs included (tests/app/test_keys.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from textual.binding import Binding

from q1lab.ground.errors import Problem, nearest

_foot = Binding
"""A key that the footer shows: at most six at a time, ? and the palette among them."""
_key = partial(Binding, show=False)

_BINDINGS = (
    # everywhere
    _key("1", "app.go('study')", "study", id="app.study"),
    _key("2", "app.go('lab')", "lab: studies and their training", id="app.lab"),
    _key("3", "app.go('results')", "results of past studies", id="app.results"),
    _key("4", "app.go('progress')", "progress: KPIs, papers, artifacts", id="app.progress"),
    _key("T", "app.timer", "start or pause the part's timer", id="app.timer"),
    _foot("question_mark,f1", "app.help", "help", id="app.help"),
    _key("q", "app.leave", "leave", id="app.quit"),
    # study
    _foot("enter", "enter", "do it", id="study.enter"),
    _foot("space", "tick", "tick", id="study.tick"),
    _foot("j", "move(1)", "step", id="study.down", key_display="j/k"),
    _key("k", "move(-1)", "step back", id="study.up"),
    _foot("n,right_square_bracket", "next(1)", "next", id="study.next"),
    _key("p,left_square_bracket", "next(-1)", "previous", id="study.back"),
    _key("f", "unfold", "unfold or fold all answers of the page", id="study.unfold"),
    _key("h", "hint", "hints", id="study.hint"),
    _key("e", "edit_step", "edit", id="study.write"),
    _key("E", "editor", "write the answer in $EDITOR", id="study.editor"),
    _key("r", "act", "run", id="study.act"),
    _key("l", "link", "open a link of the text", id="study.link"),
    _key("c", "copy", "copy", id="study.copy"),
    _key("w", "glossary", "explain the words of the page", id="study.glossary"),
    _key("u", "first_unfinished", "go to the first unfinished step", id="study.open"),
    _key("slash", "find", "find", id="study.filter"),
    _key("t", "week", "show or hide the week's pages", id="study.week"),
    _key("z", "zen", "give the whole screen to the text", id="study.zen"),
    _foot("escape", "leave", "back", id="study.leave"),
    # lab
    _foot("enter", "log", "log", id="lab.log"),
    _foot("r", "run", "run", id="lab.run"),
    _foot("s", "stop", "stop", id="lab.stop"),
    _foot("g", "go_on", "go on", id="lab.go_on"),
    _foot("v", "verdict", "verdict", id="lab.verdict"),
    _key("R", "again", "run again: the run under the cursor", id="lab.again"),
    _key("slash", "filter", "find", id="lab.filter"),
    _key("n,right_square_bracket", "next(1)", "next", id="lab.next"),
    _key("p,left_square_bracket", "next(-1)", "previous", id="lab.back"),
    _key("m", "metric", "chart the next number that the runs report", id="lab.metric"),
    _key("o", "export", "export", id="lab.export"),
    _key("W", "wandb", "the study at Weights & Biases", id="lab.wandb"),
    # results
    _foot("enter", "open_in_lab", "open", id="results.open"),
    _foot("v", "verdict", "verdict", id="results.verdict"),
    _foot("slash", "filter", "find", id="results.filter"),
    _foot("escape", "all", "back", id="results.all"),
    _key("o", "export", "export", id="results.export"),
    _key("delete", "delete", "delete", id="results.delete"),
    # progress
    _foot("e", "edit", "edit", id="progress.edit"),
    _foot("a", "add", "add", id="progress.add"),
    _foot("space", "mark", "tick", id="progress.tick"),
    _key("delete", "remove", "remove the artifact", id="progress.remove"),
    # the comparison
    _foot("o", "export", "export", id="verdict.export"),
    _foot("a", "more", "add", id="verdict.more"),
    _foot("c", "copy", "copy", id="verdict.copy"),
    _foot("escape", "back", "back", id="verdict.back"),
    # a run's log
    _foot("home", "top", "top", id="log.top"),
    _foot("end", "bottom", "follow", id="log.bottom"),
    _foot("c", "copy", "copy", id="log.copy"),
    _foot("escape", "back", "back", id="log.back"),
)
KEYS: Mapping[str, Binding] = {str(binding.id): binding for binding in _BINDINGS}


def bindings(where: str) -> list[Binding]:
    """The bindings of one screen (``study``), in the table's order."""
    return [binding for name, binding in KEYS.items() if name.split(".")[0] == where]


def check_keymap(keymap: Mapping[str, str], where: str) -> None:
    """Problem, naming file, key and the nearest action id, if the remapping is not valid."""
    for name, keys in keymap.items():
        if name not in KEYS:
            hint = nearest(name, KEYS, "`q1lab config --keys` names all actions")
            raise Problem(f"{where}: keymap has no action {name!r}", next=hint)
        if not isinstance(keys, str) or not keys.strip():
            raise Problem(
                f'{where}: keymap.{name!r} needs a key in quotes, such as "x" or "ctrl+r"'
            )
