"""Write text with a key/value cache, and time it.

`python generate.py` takes gqa.py from this folder (untrained, which
is enough to measure speed). It checks that the scores with a cache
equal those of the whole window, then writes 200 tokens with 4, 2 and
1 K/V heads. step() uses nanoGPT's names; where yours differ, write
yours there and in NAMES.
"""

import sys
import time
from operator import attrgetter

import torch
from small_model import made
from torch.nn import functional as F

TOKENS = 200
NAMES = (
    "config",
    "lm_head",
    "transformer.wte",
    "transformer.wpe",
    "transformer.h.0.ln_1",
    "transformer.h.0.attn.c_attn",
    "transformer.h.0.attn.c_proj",
    "transformer.h.0.ln_2",
    "transformer.h.0.mlp",
    "transformer.ln_f",
)


@torch.no_grad()
def step(model, token, cache):
    """Scores for the token after `token` (B, 1); `cache` holds one
    [k, v] per layer, each (B, G, T so far, head_dim), and grows by
    one."""
    t = model.transformer
    H, G = model.config.n_head, model.config.n_kv_head
    B, C = token.size(0), model.config.n_embd
    head_dim = C // H
    kv = G * head_dim
    at = 0 if cache[0] is None else cache[0][0].size(2)
    x = t.wte(token) + t.wpe(torch.tensor([at]))
    for i, block in enumerate(t.h):
        q, k, v = block.attn.c_attn(block.ln_1(x)).split(
            [C, kv, kv], dim=-1
        )
        q = q.view(B, 1, H, head_dim).transpose(1, 2)
        k, v = (
            z.view(B, 1, G, head_dim).transpose(1, 2) for z in (k, v)
        )
        if cache[i] is not None:
            k = torch.cat([cache[i][0], k], dim=2)
            v = torch.cat([cache[i][1], v], dim=2)
        cache[i] = (k, v)  # all that it keeps of the past
        k, v = (z.repeat_interleave(H // G, dim=1) for z in (k, v))
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + block.attn.c_proj(y.transpose(1, 2).reshape(B, 1, C))
        x = x + block.mlp(block.ln_2(x))
    return model.lm_head(t.ln_f(x))[:, -1]


def grouped(kv_heads: int):
    """The model of gqa.py with that many key and value heads, if step()
    can use it."""
    model = made("gqa.py", 65, 256, n_kv_head=kv_heads).eval()
    for name in NAMES:
        try:
            attrgetter(name)(model)
        except AttributeError:
            sys.exit(
                f"the model of gqa.py has no {name}, which step() uses:"
                " write your name there and in NAMES"
            )
    c_attn = model.transformer.h[0].attn.c_attn
    features = c_attn.weight.size(0)
    if features != 128 + 2 * 32 * kv_heads:
        sys.exit(
            f"c_attn of gqa.py makes {features} features with"
            f" {kv_heads} key and value heads, and"
            " C + 2 · G · head_dim is"
            f" {128 + 2 * 32 * kv_heads}"
        )
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)  # a step is too small to be shared
    for kv_heads in (4, 2, 1):
        model, token = grouped(kv_heads), torch.zeros(1, 1).long()
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
            f"{per_second:5.0f} tokens/s, scores within {apart:.0e}",
            "of the whole window's",
        )
