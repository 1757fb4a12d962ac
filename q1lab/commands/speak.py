"""`q1lab speak`: a pretrained model writes, with the learner's part in it, or with one broken."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import termios
import textwrap
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from q1lab.commands._ask import ask_user, is_at_terminal
from q1lab.commands._output import remark
from q1lab.commands._store import open_store
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE, Problem
from q1lab.ground.files import absolute_path, kind_of_non_file, printable
from q1lab.journal import predictions
from q1lab.study import child_processes, corpora, speaking_weights
from q1lab.study.own_model.run_checks import made_for, run_checks

MODIFICATIONS = ("rmsnorm", "rope", "swiglu", "gqa")
BREAKS = {
    "mask": "every token sees those after it, too",
    "shift": "1,000 is added to the positions of queries and keys",
    "unrotated": "no position is rotated in",
    "frequency": "all pairs of features rotate at one speed",
    "theta": "theta is 10,000, not 100,000",
    "mean": "the mean is subtracted in all 61 norms",
    "eps": "eps is 1e-2, not 1e-5",
    "gain": "the norms have no gain",
    "branch": "SiLU is on the other branch",
    "gelu": "GELU stands for SiLU",
    "relu": "ReLU stands for SiLU",
    "tiled": "head j reads key/value head j mod 3, not j // 3",
    "single": "all nine heads read key/value head 0",
}
"""The ways to break a part of the model, and what each does; labs/speak.py does it."""
RUBBISH = frozenset({"mask", "frequency", "gain", "branch", "relu", "tiled", "single"})
"""The breaks after which the model writes no English any more, as judged by a reader."""
LIBRARIES = ("gguf", "tokenizers")
PROMPT, TOKENS = "Once upon a time, there was", 40
DATA_BYTES = 1 << 16  # of a text for the loss, which takes 512 tokens
STEP_SECONDS = 600.0  # of processor time, for finding the part or writing with it
RIGHT_LOSS = 3.81  # of the model alone, on Tiny Shakespeare
LOSS = click.FloatRange(0)
SAYS = click.Choice(predictions.BROKEN_TEXTS)
FORMS = {"says": "|".join(predictions.BROKEN_TEXTS), "sure": "PERCENT", "loss": "NATS"}
QUESTIONS = {
    "says": ("What will it write: the same text, worse, or rubbish?", SAYS),
    "sure": ("How sure are you of that, in percent?", click.STRING),
    "loss": ("And its loss?", LOSS),
}
WHO = {"model": "the model alone", "yours": "with your part in all 30 blocks", "broken": "broken"}


@click.command(
    epilog="""\b
Examples:
  q1lab speak
  q1lab speak rope.py
  q1lab speak rope.py --prompt "The capital of France is" --data notes.txt
  q1lab speak --break mask --says worse --loss 4.5 --sure 60%

\b
Breaks:
  """
    + "\n  ".join(f"{name:10} {about}" for name, about in BREAKS.items())
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--for", "for_", type=click.Choice(MODIFICATIONS), help="The change FILE makes.")
@click.option("--prompt", default=PROMPT, metavar="TEXT", help="The text that the model continues.")
@click.option("--data", metavar="FILE", help="The text for the loss. Default: Tiny Shakespeare.")
@click.option("--weights", metavar="FILE", help="A copy of the weights that you have.")
@click.option("--break", "broken", type=click.Choice([*BREAKS]), help="Break a part of the model.")
@click.option(
    "--says",
    type=SAYS,
    help="Your prediction: what the broken model writes.",
)
@click.option("--loss", type=LOSS, help="Your prediction: its loss.")
@click.option("--sure", metavar="PERCENT", help="How sure you are of --says: 60 or 60%.")
@click.option("--yes", is_flag=True, help="Download the weights without asking.")
def speak(
    file: Path | None,
    for_: str | None,
    prompt: str,
    data: str | None,
    weights: str | None,
    broken: str | None,
    yes: bool,
    **predicted: Any,
) -> int:
    """Let SmolLM2, a small Llama, write, with the part of your model FILE in all its blocks.

    FILE is one that passes its checks. Needs 93 MB of network once, 1 GB of memory, and
    `pip install gguf tokenizers`. A key or Ctrl-C stops it. --break shows what one mistake does,
    behind a prediction of it. `q1lab take smol.py` copies the model to read and edit.
    """
    if file is not None and broken is not None:
        raise Problem("--break breaks the model's own part, so it takes no FILE: ", next="drop one")
    if broken is not None:
        if prompt != PROMPT or data is not None:
            raise Problem(
                "--break has a text and a prompt of its own: ", next="drop --prompt, --data"
            )
        _lock(broken, predicted)
    if lacking := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        words = " ".join(lacking)
        raise Problem(f"needs {words}, which q1lab's Python lacks", next=f"`pip install {words}`")
    text = _loss_text(data)
    change = _checked(file, for_) if file is not None else ""
    request = {
        "weights": str(_weights(weights, yes)),
        "prompt": prompt,
        "tokens": TOKENS,
        "data": text,
        "file": str(file.absolute()) if file else "",
        "for": change,
        "break": broken or "",
        "threads": os.cpu_count() or 1,
        "step_seconds": STEP_SECONDS,
    }
    click.echo(f"{printable(textwrap.shorten(prompt, 70, placeholder=' …'))} …\n")
    heard, key_pressed = _run(request)
    if key_pressed:
        return INTERRUPTED
    if heard.unusable:
        way = (
            " (`q1lab take smol.py` has four marked functions to put it in)" if heard.losses else ""
        )
        sys.stderr.write(f"q1lab: {printable(heard.unusable)}{way if file else ''}\n")
        return USAGE
    if broken is not None:
        _score(broken, heard)
    elif file is not None:
        same = "the same text" if heard.texts["yours"] == heard.texts["model"] else "another text"
        click.echo(f"Your file, no edit: loss {heard.losses['yours']:.3f}, {same}.")
    return OK


def _loss_text(data: str | None) -> str:
    if data is None:
        try:
            return corpora.read_shakespeare()[:DATA_BYTES].decode()
        except Problem as problem:
            raise Problem(
                problem.what, problem.code, next="--data FILE takes the loss on a text of yours"
            ) from None
    path = absolute_path(data)
    with contextlib.suppress(UnicodeDecodeError):
        text = corpora.read_corpus_file(path).decode()
        if text.strip() and "\x00" not in text:
            return text[:DATA_BYTES]
    raise Problem(f"{path}: not a UTF-8 text, or empty", file=path)


def _checked(file: Path, for_: str | None) -> str:
    """The modification that a file makes. Problem where it does not pass its checks."""
    change = for_ or made_for(file)
    if change not in MODIFICATIONS and not kind_of_non_file(file):
        raise Problem(
            f"{file}: its first line does not say which modification it holds",
            next=f"add --for with one of {', '.join(MODIFICATIONS)}",
        )
    remark(f"Checking {file} …")
    report = run_checks(file, change)
    if report.unusable is not None:
        raise Problem(report.unusable)
    if not report.passed:
        raise Problem(f"{file}: {report.summary}", next=f"`q1lab check {file} --for {change}`")
    return str(change)


def _weights(named: str | None, yes: bool) -> Path:
    file = speaking_weights.find_weights(named)
    if file is None:
        refused = Problem(
            "nothing was downloaded: ", next="--yes downloads, --weights FILE needs not"
        )
        if not yes and ask_user(f"{speaking_weights.OFFER}. Download it?", refused) != "yes":
            raise refused
        file = speaking_weights.download(lambda line: click.echo(f"\r{line}", nl=False, err=True))
    return file


def _lock(name: str, predicted: dict[str, Any]) -> None:
    """Record the prediction of a break for good; what it lacks is asked for on a terminal. Problem
    where there is none yet."""
    with open_store() as store:
        if predictions.broken_prediction(store, name) is not None:
            if any(value is not None for value in predicted.values()):
                raise Problem(f"your prediction for {name} is locked", next="leave it out")
            return
        missing = [option for option in QUESTIONS if predicted[option] is None]
        if missing and not is_at_terminal():
            raise Problem(
                f"--break {name}: {BREAKS[name]}. Predict first: ",
                next=" ".join(f"--{option} {FORMS[option]}" for option in missing),
            )
        if missing:
            click.echo(f"{BREAKS[name].capitalize()}. The loss is {RIGHT_LOSS} without that.")
        for option in missing:
            question, kind = QUESTIONS[option]
            predicted[option] = click.prompt(question, type=kind)
        predictions.record_broken(store, name, **predicted)


def _score(name: str, heard: _Heard) -> None:
    same = heard.texts["broken"] == heard.texts["model"]
    text = "same" if same else "rubbish" if name in RUBBISH else "worse"
    with open_store() as store:
        first = predictions.score_broken(store, name, text, heard.losses["broken"])
    click.echo(
        f"{BREAKS[name].capitalize()}: {text}, loss {heard.losses['broken']:.3f}. You predicted "
        f"{first['says']} ({first['sure']:.0%} sure) and {first['loss']:g}: "
        f"{'right' if first['says'] == text else 'wrong'}, and {first['off']:.3f} off."
    )


@dataclass
class _Heard:
    """What the process said so far."""

    texts: dict[str, str] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    unusable: str | None = None
    step: str = "reading the weights"
    who: str = ""
    ended: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """Show a message and keep it."""
        kind = message["event"]
        if kind == "begin":
            self.who = str(message["who"])
            self.step = f"writing, {WHO[self.who]}"
            self.texts[self.who] = ""
            click.echo(f"{WHO[self.who]}:", nl=False)
        elif kind == "text":
            self.texts[self.who] += str(message["text"])
            click.echo(printable(str(message["text"])), nl=False)
        elif kind == "loss":
            self.losses[self.who] = float(message["loss"])
            click.echo(f"\nloss {float(message['loss']):.3f} on {int(message['tokens'])} tokens\n")
        elif kind == "fits":
            click.echo(f"your {printable(str(message['how']))}")
        elif kind == "unusable":
            self.unusable = str(message["message"])
        self.ended = self.ended or kind == "end"


def _run(request: dict[str, Any]) -> tuple[_Heard, bool]:
    """Run the process and show what it says; True if a pressed key stopped it."""
    heard, limits = _Heard(), child_processes.OutputLimits()
    threads, pipe = int(request["threads"]), subprocess.PIPE
    with (
        child_processes.running_child(
            child_processes.python_module("labs.speak"),
            seconds=limits.seconds_in_all,
            threads=threads,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        ) as child,
        _keys() as keys,
    ):
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError), child.stdin:
            child.stdin.write(json.dumps(request).encode())
        output = child_processes.follow(child, heard, limits, keys)
    heard.unusable = heard.unusable or output.stopped
    if not (heard.ended or heard.unusable or output.key_pressed):
        raise Problem(output.death(child.returncode), FAILED)
    return heard, output.key_pressed


@contextlib.contextmanager
def _keys() -> Iterator[int | None]:
    """The descriptor that a pressed key can be read from at once; None without a terminal."""
    if not is_at_terminal():
        yield None
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
