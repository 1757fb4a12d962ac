"""From the gpt.py of Karpathy's video to a model.py for q1lab.

Make five changes, in about 20 minutes. After each of them, `q1lab
check model.py --for baseline` says what is still missing.

1  Globals become fields of GPTConfig, below. Code that read a global
   now reads config.NAME: block_size, vocab_size, n_layer, n_head,
   n_embd, dropout, bias. Take `device` out: q1lab moves the model.
2  n Heads and the layer that joins them become one attention, below.
   One product makes q, k and v of all heads: faster, and the place
   where RoPE and GQA change a line. Divide the scores by
   head_size**0.5. The lecture first typed C**-0.5, a slip;
   correcting it changes your numbers.
3  The feed-forward layer takes the config, too. nanoGPT has GELU where
   the video has ReLU (`q1lab check` takes either), and calls the class
   MLP, its two layers c_fc and c_proj.
4  The model is called GPT and takes a GPTConfig. forward(idx, targets)
   returns (logits, loss); with targets the logits are (B, T, V), not
   flattened; without targets the loss is None.
5  Positions are torch.arange(T, device=idx.device). Take out the
   training loop, the data and generate() at the file's end: an import
   of the file must not train anything.

`python from_the_video.py` shows that change 2 changes no number if
the heads were scaled by head_size**-0.5.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.0
    bias: bool = False


class OneHead(nn.Module):
    """Before: a head with three layers of its own and a mask."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        size = config.n_embd // config.n_head
        self.key = nn.Linear(config.n_embd, size, bias=False)
        self.query = nn.Linear(config.n_embd, size, bias=False)
        self.value = nn.Linear(config.n_embd, size, bias=False)

    def forward(
        self, x: Tensor
    ) -> Tensor:  # (B, T, C) -> (B, T, head_dim)
        T = x.size(1)
        scores = self.query(x) @ self.key(x).transpose(-2, -1)
        scores = scores * self.key.weight.size(0) ** -0.5
        later = torch.ones(T, T, device=x.device).triu(1).bool()
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        return weights @ self.value(x)


class CausalSelfAttention(nn.Module):
    """After: all heads at once, with nanoGPT's names."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.dropout = config.n_head, config.dropout
        C = config.n_embd
        self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)
        self.c_proj = nn.Linear(C, C, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=-1)
        q, k, v = (
            t.view(B, T, self.n_head, -1).transpose(1, 2)
            for t in (q, k, v)
        )  # each (B, H, T, head_dim)
        drop = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(
            q, k, v, dropout_p=drop, is_causal=True
        )
        y = y.transpose(1, 2).reshape(B, T, C)
        return self.resid_dropout(self.c_proj(y))


def fuse(heads: list[OneHead]) -> Tensor:
    """c_attn's weight from the heads' own: all q, all k, all v."""
    return torch.cat(
        [head.query.weight for head in heads]
        + [head.key.weight for head in heads]
        + [head.value.weight for head in heads]
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    config = GPTConfig(n_head=4, n_embd=32, dropout=0.0)
    heads = [OneHead(config) for _ in range(config.n_head)]
    joined, x = CausalSelfAttention(config), torch.randn(2, 9, 32)
    with torch.no_grad():
        joined.c_attn.weight.copy_(fuse(heads))
        before = joined.c_proj(torch.cat([h(x) for h in heads], -1))
        apart = float((before - joined(x)).abs().max())
    print(f"largest difference: {apart:.0e}")
