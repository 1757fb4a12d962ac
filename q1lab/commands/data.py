"""`q1lab data`: choose what the week's runs train on."""

from __future__ import annotations

import math

import click

from q1lab.commands import _documents as shared
from q1lab.commands._opening import opened
from q1lab.files import expanded
from q1lab.study import corpora
from q1lab.study.command import DEFAULT_DATA
from q1lab.week import progress

BLOCK_SIZE = 64
"""The text has to be long enough for one window of the small model."""


@click.command(epilog="Example: q1lab data shakespeare")
@click.argument("corpus", required=False)
@shared.json_option
def data(corpus: str | None, as_json: bool) -> int:
    """Choose CORPUS for the week, or show what is chosen.

    CORPUS is shakespeare (downloaded once), stdlib (Python's own source text, already here) or a
    UTF-8 text file. The numbers in the week's text, such as the loss before training, are then for
    it, and runs train on it unless --data says otherwise.

    \b
    Exit codes: 0 done, 1 the download failed, 2 no such text, or too short a text.
    """
    week = shared.week()
    with opened() as store:
        if corpus is not None:
            found = corpora.prepare(corpus, BLOCK_SIZE)
            word = corpus if corpus in corpora.BUILT_IN else str(expanded(corpus).absolute())
            progress.choose_data(store, word, corpora.in_words(found.name), found.vocab_size)
            progress.tick_those(store, week, "data")
        chosen = progress.read(store, week.label).data
    if as_json:
        names = ("words", "characters", "corpus")
        shared.emit(dict(zip(names, chosen or (None, None, None), strict=True)))
    elif chosen is None:
        click.echo(
            f"no data is chosen; runs train on {DEFAULT_DATA}. Choose: q1lab data shakespeare"
        )
    else:
        words, vocab, word = chosen
        click.echo(
            f"{words}: {vocab} different characters. A uniform guess costs ln {vocab} = "
            f"{math.log(vocab):.4f} nats per character."
        )
        click.echo("Runs train on it, unless --data says otherwise.")
    return 0
