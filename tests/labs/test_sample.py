"""The sampler draws with the model's own probabilities, and two models get the same luck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from labs import data, keyed, loading, sample
from tests.kit.tiny_study import CONFIG, TEXT, model_file

CORPUS = data.tokenize(TEXT.replace("; ", "\n"))


START = torch.zeros(1, dtype=torch.long)


def draw(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


class Constant(nn.Module):
    """The same scores after any text; it has no ``generate``, and flattens its logits."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))
        self.longest = 0

    def forward(self, idx: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        self.longest = max(self.longest, idx.shape[1])
        return self.logits.expand(idx.numel(), -1), self.logits.sum()


def test_characters_come_as_often_as_the_model_says() -> None:
    model = Constant([0.0, 1.0, 2.0])
    tokens = sample.write_on(model, START, 16_000, 5, draw(0))
    shares = torch.bincount(tokens) / len(tokens)
    assert torch.allclose(shares, model.logits.softmax(0), atol=0.01)
    assert model.longest == 5, "never more than block_size"


def test_two_models_part_only_where_they_differ() -> None:
    """The share of equal characters is at least (1 − d) / (1 + d), where d is the distance of the
    models' probabilities (total variation)."""
    first, twin, other = (Constant([0.0, 1.0, last]) for last in (2.0, 2.0, 2.5))
    one, same, near = (
        sample.write_on(model, START, 4000, 8, draw(1)) for model in (first, twin, other)
    )
    assert torch.equal(one, same)
    distance = (first.logits.softmax(0) - other.logits.softmax(0)).abs().sum().item() / 2
    share = (one == near).double().mean().item()
    assert (1 - distance) / (1 + distance) - 0.02 < share < 1


def test_a_passage_is_fixed_by_its_number_and_starts_at_a_line() -> None:
    several = [
        sample.decode(sample.prompt_from_text(CORPUS, number), CORPUS.characters)
        for number in range(1, 21)
    ]
    assert len(set(several)) == 20
    text = sample.decode(CORPUS.val, CORPUS.characters)
    assert all(f"\n{prompt}" in text for prompt in several)


def test_characters_that_the_vocabulary_lacks_are_named() -> None:
    with pytest.raises(data.DataError, match="'é', '→';"):
        sample.encode("is é → é", CORPUS.characters)


def request(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    files = {
        arm: model_file(name) for arm, name in (("baseline", "baseline"), ("modified", "rope"))
    }
    for arm, file in files.items():
        module, characters = loading.load(file), data.load(text).characters
        weights = keyed.build(lambda: loading.build(module, CONFIG, len(characters)), 0)  # noqa: B023
        torch.save(weights.state_dict(), tmp_path / f"{arm}.pt")
    return {
        "files": {arm: str(file) for arm, file in files.items()},
        "weights": {arm: str(tmp_path / f"{arm}.pt") for arm in files},
        "configs": dict.fromkeys(files, CONFIG),
        **{"text": str(text), "sha256": None, "prompt": "is not", "tokens": 40},
        **{"passage": 1, "threads": 1, **changes},
    }


def test_both_models_write_by_their_saved_weights(tmp_path: Path) -> None:
    answer = sample.sample(request(tmp_path))
    assert answer["prompt"] == "is not"
    assert answer == sample.sample(request(tmp_path)), "the same request, the same passages"
    assert [len(text) for text in answer["passages"].values()] == [40, 40]
    swapped = request(tmp_path)
    swapped["weights"]["modified"] = swapped["weights"]["baseline"]
    with pytest.raises(loading.ModelError, match=r"baseline\.pt doesn't hold the weights of rope"):
        sample.sample(swapped)
    half = tmp_path / "half.pt"
    half.write_bytes((tmp_path / "modified.pt").read_bytes()[:1000])
    with pytest.raises(loading.ModelError, match=r"half\.pt doesn't hold the weights"):
        sample.load_model(model_file("rope"), half, CONFIG, 20)
