"""nanoGPT's names for a model that has others: put this at its file's end.

q1lab calls GPT(GPTConfig(...)) and forward(idx, targets). Your file's
classes stay as they are: give them to `Config` and `Model`, and their
own words for nanoGPT's sizes in the two places marked 1 and 2. Your
model may return its logits alone or beside a loss, and may take
targets. A file's own GPT gets another name first: `Model = GPT`.
`q1lab check FILE` is the judge. What trains, reads data or generates
has to go: importing the file must not do it. A size that your file
fixes by itself (a hidden layer of 11008) is to follow n_embd, since
studies train small models.

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
Config, Model = ModelArgs, Transformer  # 1  your file's own classes


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
        own = Config(  # 2  on the left: your file's words for a size
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
