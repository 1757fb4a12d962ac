"""Let two trained models continue the same text: ``python -m labs.sample < request > answer``.

The request: ``{"files": {arm: path}, "weights": {arm: path}, "configs": {arm: {…}}, "text": path,
"sha256": …, "prompt": text or null, "tokens": n, "passage": n, "threads": n}``. The answer:
``{"prompt": text, "passages": {arm: text}}``, or ``{"error": …}``. The passage's number fixes its
random numbers and, without a prompt, the place in the validation text that it goes on from.

Both models get the same random numbers: one per character of the vocabulary at each position of a
passage. The next character is the one with the highest logit − ln(number), which draws it with the
model's own probability (the Gumbel-max trick). So two models that agree write the same, and what
differs is the models' doing and not luck's.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from labs.torch_import import torch

# isort: split
from torch import Tensor, nn

from labs import data, devices, loading
from labs.probe import answer_stdin

PROMPT_LENGTH = 60
"""Characters of the validation text that a passage goes on from."""
GOLDEN_RATIO = (5**0.5 - 1) / 2


def main() -> int:
    return answer_stdin(sample)


def sample(request: dict[str, Any]) -> dict[str, Any]:
    """The prompt and each arm's passage, for a request as described above. ModelError where a
    model fails, DataError where the text or the prompt can't be used."""
    torch.set_num_threads(int(request["threads"]))
    corpus = data.load(Path(request["text"]), request["sha256"])
    number = int(request["passage"])
    if request["prompt"] is None:
        start = prompt_from_text(corpus, number)
    else:
        start = encode(request["prompt"], corpus.characters)
    device = torch.device(devices.choose("auto"))
    passages = {}
    for arm, file in request["files"].items():
        model = load_model(
            Path(file), Path(request["weights"][arm]), request["configs"][arm], corpus.vocab_size
        )
        draw = torch.Generator().manual_seed(data.key("sample", number))
        try:
            block_size = int(request["configs"][arm]["block_size"])
            tokens = write_on(model.to(device), start, int(request["tokens"]), block_size, draw)
        except loading.ModelError:
            raise
        except Exception as error:
            raise loading.ModelError(loading.describe(error, Path(file))) from error
        passages[arm] = decode(tokens, corpus.characters)
    return {"prompt": decode(start, corpus.characters), "passages": passages}


def load_model(file: Path, weights: Path, config: dict[str, Any], vocab_size: int) -> nn.Module:
    """The model of a file with trained weights. ModelError where they don't fit together."""
    module = loading.load(file)
    try:
        torch.manual_seed(data.key("sample"))  # for what a model draws beside its parameters
        model = loading.build(module, config, vocab_size)
    except Exception as error:
        raise loading.ModelError(loading.describe(error, file)) from error
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (RuntimeError, ValueError, EOFError, TypeError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise loading.ModelError(
            f"{weights} doesn't hold the weights of {file.name}: {reason}"[:500]
        ) from error
    return model.eval()


@torch.no_grad()
def write_on(
    model: nn.Module, start: Tensor, count: int, block_size: int, draw: torch.Generator
) -> Tensor:
    """``count`` tokens after ``start`` (T), each from the last ``block_size`` tokens, by the random
    numbers of ``draw``."""
    device = next(model.parameters()).device
    tokens = start.to(device)
    for _ in range(count):
        window = tokens[None, -block_size:].contiguous()
        # with targets, as in training: without them a model file may do something else
        logits = model(window, window)[0]
        # (1, T, V), or (T, V)
        logits = logits.reshape(-1, logits.shape[-1])[-1].double().cpu()  # (V,)
        if not logits.isfinite().all():
            raise ValueError("a logit is not finite")
        noise = torch.empty(len(logits), dtype=torch.double).exponential_(generator=draw)
        tokens = torch.cat([tokens, (logits - noise.log()).argmax(-1, True).to(device)])
    return tokens[len(start) :].cpu()


def prompt_from_text(corpus: data.Corpus, number: int) -> Tensor:
    """A stretch of the validation text, from the beginning of a line where there are lines;
    neighboring numbers lie apart in it. DataError where the text is too short."""
    length = min(PROMPT_LENGTH, corpus.val.numel() // 2)
    if length < 1:
        raise data.DataError("the validation text is too short to go on from; give a --prompt")
    last = corpus.val.numel() - length
    newline = corpus.characters.find("\n")
    lines = (corpus.val[:last] == newline).nonzero().flatten() + 1
    # multiples of the golden ratio lie apart, however many are taken
    start = int(number * GOLDEN_RATIO % 1 * last)
    if len(lines):
        start = int(lines[torch.searchsorted(lines, start).clamp(max=len(lines) - 1)])
    return corpus.val[start : start + length].long()


def encode(prompt: str, characters: str) -> Tensor:
    """The prompt's tokens, (T). DataError, naming the characters that the vocabulary lacks."""
    index = {character: k for k, character in enumerate(characters)}
    missing = list(dict.fromkeys(c for c in prompt if c not in index))
    if missing:
        raise data.DataError(
            f"the models know no {', '.join(map(repr, missing[:10]))}"
            + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
            + f"; the text that they trained on has {len(characters)} characters, and not these"
        )
    return torch.tensor([index[c] for c in prompt])


def decode(tokens: Tensor, characters: str) -> str:
    return "".join(characters[token] for token in tokens.tolist())


if __name__ == "__main__":
    sys.exit(main())
