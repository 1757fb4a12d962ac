"""A model with LayerNorm, turned into one with RMSNorm: same outputs.

`python centered.py` fills the baseline with random weights, converts
it, and compares the two on random tokens, in float64.
"""

import copy

import torch
from torch import nn

from labs.models.baseline import GPT, GPTConfig


class RMSNorm(nn.Module):
    """A LayerNorm's gain and offset, without its centering."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x):
        rms = (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return x / rms * self.weight + self.bias


def converted(model: GPT) -> GPT:
    """The same function, with an RMSNorm for every LayerNorm."""
    new = copy.deepcopy(model)
    body = new.transformer
    # the head reads the stream: it keeps the table as it is
    new.lm_head.weight = nn.Parameter(body.wte.weight.clone())
    writers = [body.wte, body.wpe]
    for block in body.h:
        block.ln_1 = RMSNorm(block.ln_1)
        block.ln_2 = RMSNorm(block.ln_2)
        writers += [block.attn.c_proj, block.mlp.c_proj]
    body.ln_f = RMSNorm(body.ln_f)
    with torch.no_grad():
        for writer in writers:  # whatever it adds then has mean 0
            if isinstance(writer, nn.Linear):  # weight: (out, in)
                writer.weight -= writer.weight.mean(0, keepdim=True)
                writer.bias -= writer.bias.mean()
            else:  # an embedding: a row for each token or position
                writer.weight -= writer.weight.mean(1, keepdim=True)
    return new


torch.manual_seed(0)
config = GPTConfig(
    vocab_size=65, n_layer=4, n_head=4, n_embd=128, block_size=64
)
model = GPT(config).double()
with torch.no_grad():
    for p in model.parameters():
        p.normal_(mean=0.1, std=0.2)
tokens = torch.randint(65, (8, 64))
with torch.no_grad():
    before, _ = model(tokens, tokens)
    after, _ = converted(model)(tokens, tokens)
difference = (before - after).abs().max().item()
print(f"logits up to {before.abs().max():.2f}")
print(f"largest difference after the conversion: {difference:.0e}")
assert difference < 1e-9
