"""Squared ReLU: the feed-forward layer squares what ReLU lets through, in GELU's place.

So et al. 2021, "Primer: Searching for Efficient Transformers for Language Modeling", arXiv
2109.08668: relu(x)^2. Nothing is added: parameters, shapes and initial weights are the baseline's.

Shapes: B batch, T tokens, C = n_embd features, H = n_head heads of D = C / H features, V tokens
in the vocabulary. idx (B, T) -> logits (B, T, V) and loss () when targets (B, T) are given, else
logits (B, 1, V) and None.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class GPTConfig:
    block_size: int = 1024  # the longest T
    vocab_size: int = 50304  # GPT-2's 50257, rounded up to a multiple of 64
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True  # in the linear layers and the norms


class LayerNorm(nn.Module):
    """Center and scale each token's features, then apply a gain and (with bias) an offset."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-5)


class CausalSelfAttention(nn.Module):
    """Each token looks at itself and at what came before, with H heads side by side."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        if config.n_embd % config.n_head != 0:
            raise ValueError(f"n_embd {config.n_embd} is not a multiple of n_head {config.n_head}")
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)  # q, k, v
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=-1)  # each (B, T, C)
        q = q.view(B, T, self.n_head, -1)  # (B, T, H, D)
        k = k.view(B, T, self.n_head, -1)  # (B, T, H, D)
        v = v.view(B, T, self.n_head, -1)  # (B, T, H, D)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # each (B, H, T, D)
        drop = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)  # (B, H, T, D)
        y = y.transpose(1, 2).reshape(B, T, C)  # the heads side by side again
        return self.resid_dropout(self.c_proj(y))


class MLP(nn.Module):
    """The feed-forward layer: widen four times, squared ReLU, back to C."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        hidden = 4 * config.n_embd
        self.c_fc = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.c_proj = nn.Linear(hidden, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        x = F.relu(self.c_fc(x)).square()  # (B, T, hidden)
        return self.dropout(self.c_proj(x))


class Block(nn.Module):
    """Attention, then the feed-forward layer, each normalized first and added to the stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(config.n_embd, config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = LayerNorm(config.n_embd, config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """The whole model: embed, n_layer blocks, a last norm, scores over the vocabulary."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),  # what the token is
                "wpe": nn.Embedding(config.block_size, config.n_embd),  # where it is
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": LayerNorm(config.n_embd, config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        # one table reads tokens and writes scores
        self.transformer.wte.weight = self.lm_head.weight
        for name, p in self.named_parameters():
            if p.dim() == 2:  # embeddings and products; gains stay at 1
                # each layer adds to the stream twice: smaller at the start, so that the sum is not
                residual = name.endswith("c_proj.weight")
                std = 0.02 / math.sqrt(2 * config.n_layer) if residual else 0.02
                nn.init.normal_(p, mean=0.0, std=std)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if idx.size(1) > self.config.block_size:
            raise ValueError(f"{idx.size(1)} tokens exceed block_size {self.config.block_size}")
        pos = torch.arange(idx.size(1), device=idx.device)  # (T,)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)  # (B, T, C) + (T, C)
        x = self.transformer.drop(x)  # (B, T, C)
        for block in self.transformer.h:
            x = block(x)  # (B, T, C)
        x = self.transformer.ln_f(x)  # (B, T, C)
        if targets is None:
            # the next token needs the last position only: (B, 1, V)
            return self.lm_head(x[:, -1:]), None
        logits = self.lm_head(x)  # (B, T, V)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)

    @torch.no_grad()
    def generate(self, idx: Tensor, n_tokens: int, temperature: float = 1.0) -> Tensor:
        """Append n_tokens sampled tokens to idx (B, T), each from the last block_size of them."""
        for _ in range(n_tokens):
            logits, _ = self(idx[:, -self.config.block_size :])  # (B, 1, V)
            probs = F.softmax(logits[:, -1] / temperature, dim=-1)  # (B, V)
            idx = torch.cat([idx, torch.multinomial(probs, num_samples=1)], dim=1)
        return idx
