"""Your model, small, and a text whose last tenth is held out.

gates.py, stream.py and generate.py import this. The text is
the source of Python's own library. Like q1lab's trainer they train on
its first 90% and measure on the rest.
"""

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

CHARACTERS = 1_115_394  # as many as Tiny Shakespeare has
BLOCK, BATCH = 64, 12  # as in preset quick


def source_text() -> str:
    """The modules of Python's library, in the order of their names."""
    text = ""
    folder = Path(sysconfig.get_path("stdlib"))
    for file in sorted(folder.glob("[!_]*.py")):
        try:
            text += file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if len(text) >= CHARACTERS:
            break
    return text[:CHARACTERS]


def tokens() -> tuple[Tensor, Tensor, int]:
    """The training part, the held-out part, and the number of
    different characters."""
    text = source_text()
    number = {letter: i for i, letter in enumerate(sorted(set(text)))}
    whole = torch.tensor([number[letter] for letter in text])
    cut = int(0.9 * len(text))
    return whole[:cut], whole[cut:], len(number)


def windows(
    data: Tensor, length: int, count: int
) -> tuple[Tensor, Tensor]:
    """What goes in and what comes next, both (count, length)."""
    starts = torch.randint(len(data) - length, (count, 1))
    rows = data[starts + torch.arange(length + 1)]
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def made(file: str, vocab_size: int, block_size: int, **more):
    """The model of the class GPT in `file`, in the small size; `more`
    are fields of its config."""
    name = file.removesuffix(".py")
    sys.path.insert(0, str(Path.cwd()))
    if not Path(file).is_file():
        sys.exit(
            f"there is no {file} here: run this in the folder of yours"
        )
    try:
        module = importlib.import_module(name)
        config = module.GPTConfig(
            block_size=block_size,
            vocab_size=vocab_size,
            n_layer=4,
            n_head=4,
            n_embd=128,
            dropout=0.0,
            bias=False,
        )
        for field, value in more.items():
            setattr(config, field, value)
        torch.manual_seed(0)
        model = module.GPT(config)
        few = torch.zeros(1, 2).long()
        _, _ = model(few, few)
    except Exception as error:
        says = str(error).partition("\n")[0]
        sys.exit(
            f"{file} makes no model here: {type(error).__name__}: {says}"
        )
    return model


def train(model, data: Tensor, iters: int) -> Iterator[int]:
    """Train, and stop before each update for the caller to look."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for it in range(iters):
        yield it
        _, loss = model(*windows(data, BLOCK, BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
