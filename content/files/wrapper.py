"""Give nanoGPT's names to a model with others: put this at its end.

q1lab calls GPT(GPTConfig(...)) and forward(idx, targets). The classes
of your file stay as they are. At 1, name them; at 2, pass each size
under the name that your file has for it. Your model may return its
logits alone or beside a loss, and may take targets. If its class is
called GPT, write `Model = GPT` at 1. Take out what trains, reads data
or generates: an import of the file must do none of it. A size that
your file fixes (a hidden layer of 11008) has to follow n_embd, since
studies train small models. `q1lab check FILE` says what is missing.

`python wrapper.py` runs it with a stand-in.
"""

from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor, nn
from torch.nn import functional as F


# ── in place of this stand-in: your file
@dataclass
class ModelArgs:
    dim: int
    vocab_size: int


class Transformer(nn.Module):
    def __init__(self, args: ModelArgs) -> None:
        super().__init__()
        self.tok = nn.Embedding(args.vocab_size, args.dim)
        self.out = nn.Linear(args.dim, args.vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T, V)
        return self.out(self.tok(tokens))


# ── from here on: the wrapper
Config, Model = ModelArgs, Transformer  # 1  your file's classes


@dataclass
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.0


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        own = Config(  # 2  on the left: your file's name for a size
            dim=config.n_embd,
            vocab_size=config.vocab_size,
        )
        self.model = Model(own)
        names = [*signature(self.model.forward).parameters]
        self.takes_targets = names[1:2] in (["targets"], ["labels"])

    def forward(
        self, idx: Tensor, targets: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        more = [targets] if self.takes_targets else []
        out = self.model(idx, *more)
        if not torch.is_tensor(out):  # a pair, in either order
            parts = [part for part in out if torch.is_tensor(part)]
            out = next(part for part in parts if part.dim() > 1)
        logits = out.reshape(len(idx), -1, out.size(-1))
        if targets is None:
            return logits[:, [-1]], None
        loss = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=-1
        )
        return logits, loss


if __name__ == "__main__":
    tokens = torch.randint(65, (2, 8))
    logits, loss = GPT(GPTConfig())(tokens, tokens)
    assert loss is not None
    print(f"logits {tuple(logits.shape)}, loss {loss.item():.2f}")
