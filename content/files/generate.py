"""Write text with a key/value cache, and time it.

`python generate.py` takes gqa.py from this folder (untrained: speed
needs no training). It checks that the cached scores are those of the
whole window, then writes 200 tokens with 4, 2 and 1 K/V heads.
step() uses nanoGPT's names; where yours differ, write yours there.
"""

import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path.cwd()))
from gqa import GPT, GPTConfig

TOKENS = 200


@torch.no_grad()
def step(model, token, cache):
    """Scores for the token after `token` (B, 1); `cache` holds one
    [k, v] per layer, each (B, G, T so far, D), and grows by one."""
    t = model.transformer
    H, G = model.config.n_head, model.config.n_kv_head
    B, C = token.size(0), model.config.n_embd
    D = C // H
    at = 0 if cache[0] is None else cache[0][0].size(2)
    x = t.wte(token) + t.wpe(torch.tensor([at]))
    for i, block in enumerate(t.h):
        q, k, v = block.attn.c_attn(block.ln_1(x)).split(
            [C, G * D, G * D], dim=-1
        )
        q = q.view(B, 1, H, D).transpose(1, 2)
        k, v = (z.view(B, 1, G, D).transpose(1, 2) for z in (k, v))
        if cache[i] is not None:
            k = torch.cat([cache[i][0], k], dim=2)
            v = torch.cat([cache[i][1], v], dim=2)
        cache[i] = (k, v)  # this is all that is kept of the past
        k, v = (z.repeat_interleave(H // G, dim=1) for z in (k, v))
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + block.attn.c_proj(y.transpose(1, 2).reshape(B, 1, C))
        x = x + block.mlp(block.ln_2(x))
    return model.lm_head(t.ln_f(x))[:, -1]


def made(kv_heads: int):
    torch.manual_seed(0)
    config = GPTConfig(block_size=256, vocab_size=65, n_layer=4)
    config.n_head, config.n_embd, config.bias = 4, 128, False
    config.n_kv_head = kv_heads
    return GPT(config).eval()


if __name__ == "__main__":
    for kv_heads in (4, 2, 1):
        model, token = made(kv_heads), torch.zeros(1, 1).long()
        text, cache, apart = token, [None] * 4, 0.0
        for _ in range(20):
            scores = step(model, token, cache)
            with torch.no_grad():
                whole = model(text)[0][:, -1]
            apart = max(apart, float((scores - whole).abs().max()))
            token = scores.argmax(-1, keepdim=True)
            text = torch.cat([text, token], dim=1)
        assert apart < 1e-4, f"the cache changes scores by {apart}"
        token, cache = text[:, :1], [None] * 4
        begun = time.perf_counter()
        for _ in range(TOKENS):
            token = step(model, token, cache).argmax(-1, keepdim=True)
        per_second = TOKENS / (time.perf_counter() - begun)
        kept = sum(z.numel() for layer in cache for z in layer) * 4
        print(
            f"{kv_heads} K/V heads: {kept:7,} bytes kept,",
            f"{per_second:5.0f} tokens/s, off the whole window",
            f"by {apart:.0e}",
        )
