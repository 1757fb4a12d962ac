"""Whole model files in styles that share no section with a plain one, all of them right."""

from __future__ import annotations

STACKED = '''
import math
import torch
from torch import nn
from torch.nn import functional as F


class GPTConfig:
    def __init__(self, block_size=64, vocab_size=65, n_layer=4, n_head=4, n_embd=128, n_kv_heads=None):
        self.block_size, self.vocab_size, self.n_layer = block_size, vocab_size, n_layer
        self.n_head, self.n_embd = n_head, n_embd
        self.n_kv_heads = n_kv_heads or max(1, n_head // 2)


def rms(x, g):
    return x / (x * x).mean(-1, keepdim=True).add(1e-5).sqrt() * g


class GPT(nn.Module):
    """All layers' weights in one tensor each; no other module."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        d, L = c.n_embd // c.n_head, c.n_layer
        if c.n_head % c.n_kv_heads:
            raise ValueError("n_head must be a multiple of n_kv_heads")
        h = round(c.n_embd * 8 / 3)
        self.wte = nn.Parameter(torch.randn(c.vocab_size, c.n_embd) * 0.02)
        self.gains = nn.Parameter(torch.ones(2 * L + 1, c.n_embd))
        self.wq = nn.Parameter(torch.randn(L, c.n_head, c.n_embd, d) * 0.02)
        self.wkv = nn.Parameter(torch.randn(L, 2, c.n_kv_heads, c.n_embd, d) * 0.02)
        self.wo = nn.Parameter(torch.randn(L, c.n_head, d, c.n_embd) * 0.02)
        self.w13 = nn.Parameter(torch.randn(L, 2, c.n_embd, h) * 0.02)
        self.w2 = nn.Parameter(torch.randn(L, h, c.n_embd) * 0.02)
        self.register_buffer("inv", 10000.0 ** (-torch.arange(0, d, 2).float() / d))

    def forward(self, idx, targets=None):
        B, T = idx.shape
        angle = torch.arange(T, device=idx.device)[:, None] * self.inv
        turn = torch.polar(torch.ones_like(angle), angle)

        def spin(x):
            pairs = torch.view_as_complex(torch.stack(x.float().chunk(2, -1), -1))
            return torch.cat(torch.view_as_real(pairs * turn).unbind(-1), -1).to(x.dtype)

        x = self.wte[idx]
        for l in range(self.c.n_layer):
            y = rms(x, self.gains[2 * l])
            q = spin(torch.einsum("btc,hcd->bhtd", y, self.wq[l]))
            k, v = torch.einsum("btc,nhcd->nbhtd", y, self.wkv[l])
            q = q.unflatten(1, (self.c.n_kv_heads, -1))
            s = torch.einsum("bgrtd,bgsd->bgrts", q, spin(k)) / math.sqrt(q.shape[-1])
            s = s.masked_fill(torch.ones(T, T, device=x.device).triu(1) > 0, -torch.inf)
            o = torch.einsum("bgrts,bgsd->bgrtd", s.softmax(-1), v).flatten(1, 2)
            x = x + torch.einsum("bhtd,hdc->btc", o, self.wo[l])
            y = rms(x, self.gains[2 * l + 1])
            gate, up = torch.einsum("btc,nch->nbth", y, self.w13[l])
            x = x + (F.silu(gate) * up) @ self.w2[l]
        logits = rms(x, self.gains[-1]) @ self.wte.T
        if targets is None:
            return logits[:, -1:], None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
'''

ENCODER = '''
import torch
from dataclasses import dataclass
from torch import nn
from torch.nn import functional as F


@dataclass
class GPTConfig:
    block_size: int = 64
    vocab_size: int = 65
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = True


class GPT(nn.Module):
    """PyTorch's own layers, used as a decoder."""

    def __init__(self, config):
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.register_buffer("waves", self.sines(config.block_size, config.n_embd))
        layer = nn.TransformerEncoderLayer(
            config.n_embd, config.n_head, 4 * config.n_embd, config.dropout, "gelu",
            batch_first=True, norm_first=True, bias=config.bias,
        )
        self.layers = nn.ModuleList(type(layer)(
            config.n_embd, config.n_head, 4 * config.n_embd, config.dropout, "gelu",
            batch_first=True, norm_first=True, bias=config.bias) for _ in range(config.n_layer))
        self.final = nn.LayerNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0.0, 0.02)

    @staticmethod
    def sines(length, width):
        at = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
        return 0.1 * torch.stack((at.sin(), at.cos()), -1).flatten(1)

    def forward(self, idx, targets=None):
        T = idx.shape[1]
        x = self.tokens(idx) + self.waves[:T]
        mask = nn.Transformer.generate_square_subsequent_mask(T, device=idx.device)
        for layer in self.layers:
            x = layer(x, src_mask=mask, is_causal=True)
        logits = self.head(self.final(x))
        if targets is None:
            return logits[:, -1:], None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
'''

TOGETHER = """
import torch
from dataclasses import dataclass
from torch import nn
from torch.nn import functional as F


@dataclass
class GPTConfig:
    block_size: int = 64
    vocab_size: int = 65
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = False
    num_kv_groups: int = 2


def rotate_half(x):
    return torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), dim=-1)


class RotaryEmbedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim)), persistent=False)

    @torch.no_grad()
    def forward(self, x, position_ids):
        freqs = position_ids[:, :, None].float() * self.inv_freq[None, None, :].float()
        emb = torch.cat((freqs, freqs), dim=-1)
        return emb.cos().to(x.dtype), emb.sin().to(x.dtype)


class RMSNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.variance_epsilon = eps

    def forward(self, hidden_states):
        dtype = hidden_states.dtype
        hidden_states = hidden_states.to(torch.float32)
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        hidden_states = hidden_states * torch.rsqrt(variance + self.variance_epsilon)
        return self.weight * hidden_states.to(dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, self.d = c, c.n_embd // c.n_head
        if c.n_head % c.num_kv_groups:
            raise ValueError(f"{c.n_head} heads and {c.num_kv_groups} groups")
        self.q_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)
        self.k_proj = nn.Linear(c.n_embd, c.num_kv_groups * self.d, bias=False)
        self.v_proj = nn.Linear(c.n_embd, c.num_kv_groups * self.d, bias=False)
        self.o_proj = nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        q, k, v = (f(x).view(B, T, -1, self.d).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        k, v = (t.repeat_interleave(self.c.n_head // self.c.num_kv_groups, dim=1) for t in (k, v))
        w = torch.matmul(q, k.transpose(2, 3)) * self.d ** -0.5
        w = w + torch.full((T, T), torch.finfo(w.dtype).min, device=x.device, dtype=w.dtype).triu(1)
        w = F.softmax(w, dim=-1, dtype=torch.float32).to(q.dtype)
        w = F.dropout(w, p=self.c.dropout, training=self.training)
        y = torch.matmul(w, v).transpose(1, 2).reshape(B, T, -1)
        return self.o_proj(y)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = 8 * ((int(2 * 4 * c.n_embd / 3) + 7) // 8)
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c.n_embd), RMSNorm(c.n_embd)
        self.self_attn = Attention(c)
        self.gate_up = nn.Linear(c.n_embd, 2 * h, bias=False)
        self.down = nn.Linear(h, c.n_embd, bias=False)

    def forward(self, hidden, cos, sin):
        residual = hidden
        hidden = self.self_attn(self.input_layernorm(hidden), cos, sin)
        hidden = residual + hidden
        residual = hidden
        gate, up = self.gate_up(self.post_attention_layernorm(hidden)).chunk(2, dim=-1)
        return residual + self.down(up * F.silu(gate))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.norm = RMSNorm(config.n_embd)
        self.rotary = RotaryEmbedding(config.n_embd // config.n_head)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            m.weight.data.normal_(mean=0.0, std=0.02)

    def forward(self, idx, targets=None):
        h = self.embed_tokens(idx)
        cos, sin = self.rotary(h, torch.arange(idx.shape[1], device=idx.device)[None].expand(idx.shape[0], -1))
        for layer in self.layers:
            h = layer(h, cos, sin)
        logits = self.lm_head(self.norm(h)).float()
        if targets is None:
            return logits[:, -1:, :], None
        return logits, F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))
"""

WHOLE = {
    "llama: every layer in one tensor": ("llama", STACKED),
    "baseline: PyTorch's own encoder layers": ("baseline", ENCODER),
    "llama: in the style of a model hub": ("llama", TOGETHER),
}
