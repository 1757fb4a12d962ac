"""`q1lab data`: choose the text that the week's runs train on."""

from __future__ import annotations

import math

import click

from q1lab.commands._lists import list_command
from q1lab.commands._options import json_option
from q1lab.ground.files import absolute_path
from q1lab.journal.store import Store
from q1lab.study import corpora
from q1lab.study.corpus_titles import DEFAULT_DATA, describe_corpus
from q1lab.week import progress
from q1lab.week.lists.change import ListChange
from q1lab.week.syllabus import Week

BLOCK_SIZE = 64
"""Context length of the small model, in characters: the text must be at least as long."""


@click.command(epilog="Example: q1lab data shakespeare")
@click.argument("corpus", required=False)
@json_option
@list_command
def data(store: Store, week: Week, corpus: str | None) -> ListChange:
    """Choose CORPUS for the week, or show the present choice.

    CORPUS is shakespeare (downloaded once), stdlib (Python's own source text, already here) or a
    UTF-8 text file. The numbers in the week's text, such as the loss before training, are then for
    it, and runs train on it unless --data says otherwise.

    Exit status: 0 done, 1 the download failed, 2 no such text, or too short a text.
    """
    size = ""
    if corpus is not None:
        prepared = corpora.prepare_corpus(corpus, BLOCK_SIZE)
        size = f", {prepared.characters:,} in all"
        word = corpus if corpus in corpora.BUILT_IN else str(absolute_path(corpus))
        progress.choose_data(store, word, describe_corpus(prepared.name), prepared.vocab_size)
        progress.tick_steps_of_command(store, week, "data")
    chosen = progress.recorded_progress(store, week.label).data
    record = dict(zip(("words", "characters", "corpus"), chosen or (None,) * 3, strict=True))
    if chosen is None:
        line = f"no data is chosen; runs train on {DEFAULT_DATA}. Choose: q1lab data shakespeare"
        return ListChange(line, [line], record)
    label, vocab, _ = chosen
    line = f"{label}: {vocab} different characters{size}."
    uniform = f"A uniform guess costs ln {vocab} = {math.log(vocab):.4f} nats per character."
    return ListChange(
        line,
        [f"{line} {uniform}", "Runs train on it, unless --data says otherwise."],
        record,
    )
