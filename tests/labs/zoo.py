"""Model files as learners write them, right and wrong: a plain nanoGPT-style decoder in named
sections, and cases that put others in their place.

The text is its own, not that of `labs/models`, so that what the checks accept there is not all that
they are tried on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD = """\
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from dataclasses import dataclass


@dataclass
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.0
    bias: bool = False
"""

SECTIONS = {
    "config": "",
    "helpers": "",
    "norm": """
class Norm(nn.Module):
    def __init__(self, dim, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)
""",
    "attn_init": """
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
""",
    "heads": """
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (t.view(B, T, self.n_head, self.head_dim).transpose(1, 2) for t in (q, k, v))
""",
    "rotate": "",
    "repeat": "",
    "attend": """
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=True)
""",
    "back": """
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.drop(self.proj(y))
""",
    "mlp": """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.down = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.drop(self.down(F.gelu(self.up(x))))
""",
    "block_init": """
        self.norm1 = Norm(config.n_embd, config.bias)
        self.attn = Attention(config)
        self.norm2 = Norm(config.n_embd, config.bias)
        self.ffn = FeedForward(config)
""",
    "block": """
        x = x + self.attn(self.norm1(x))
        x = x + self.ffn(self.norm2(x))
        return x
""",
    "gpt_init": """
        self.tok = nn.Embedding(config.vocab_size, config.n_embd)
        self.pos = nn.Embedding(config.block_size, config.n_embd)
""",
    "blocks": """
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))
        self.norm = Norm(config.n_embd, config.bias)
""",
    "embed": """
        x = self.drop(self.tok(idx) + self.pos(torch.arange(T, device=idx.device)))
""",
    "run": """
        for block in self.blocks:
            x = block(x)
""",
    "last": """
        x = self.norm(x)
""",
    "loss": """
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1), ignore_index=-1)
""",
    "first_weights": """
        for p in self.parameters():
            if p.dim() >= 2:
                nn.init.normal_(p, std=0.02)
""",
}

SHAPE = (
    HEAD
    + """{config}
{helpers}
{norm}

class Attention(nn.Module):
    def __init__(self, config, layer=0):
        super().__init__()
        assert config.n_embd % config.n_head == 0
        self.n_head, self.layer = config.n_head, layer
        self.head_dim = config.n_embd // config.n_head
        self.dropout = config.dropout
        self.drop = nn.Dropout(config.dropout){attn_init}
    def forward(self, x):
        B, T, C = x.shape{heads}{rotate}{repeat}{attend}{back}
{mlp}

class Block(nn.Module):
    def __init__(self, config, layer=0):
        super().__init__()
        self.layer = layer{block_init}        self.attn.layer = layer

    def forward(self, x):{block}

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.drop = nn.Dropout(config.dropout){gpt_init}{blocks}        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.head.weight = self.tok.weight{first_weights}
    def forward(self, idx, targets=None):
        B, T = idx.shape
        assert T <= self.config.block_size{embed}{run}{last}
        if targets is None:
            return self.head(x[:, [-1], :]), None
        logits = self.head(x){loss}"""
)

# ── what the four modifications put in place of a section

RMS = """
class Norm(nn.Module):
    def __init__(self, dim, bias=False, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight
"""
TABLES = """
def rope_tables(dim, length, base=10000.0):
    inv = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = torch.arange(length, dtype=torch.float32)[:, None] * inv[None, :]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
"""
ROPE = {
    "helpers": TABLES,
    "attn_init": SECTIONS["attn_init"]
    + """        cos, sin = rope_tables(self.head_dim, config.block_size)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
""",
    "rotate": """
        cos, sin = self.cos[:T], self.sin[:T]
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
""",
    "gpt_init": """
        self.tok = nn.Embedding(config.vocab_size, config.n_embd)
""",
    "embed": """
        x = self.drop(self.tok(idx))
""",
}
SWIGLU = {
    "mlp": """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = int(8 * config.n_embd / 3)
        self.gate = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.up = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.down = nn.Linear(hidden, config.n_embd, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.drop(self.down(F.silu(self.gate(x)) * self.up(x)))
"""
}
GQA = {
    "config": "    n_kv_head: int = 2\n",
    "attn_init": """
        self.n_kv = config.n_kv_head
        assert config.n_head % self.n_kv == 0
        self.wq = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.wk = nn.Linear(config.n_embd, self.n_kv * self.head_dim, bias=config.bias)
        self.wv = nn.Linear(config.n_embd, self.n_kv * self.head_dim, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
""",
    "heads": """
        q = self.wq(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)
        k = self.wk(x).view(B, T, self.n_kv, self.head_dim).transpose(1, 2)
        v = self.wv(x).view(B, T, self.n_kv, self.head_dim).transpose(1, 2)
""",
    "repeat": """
        k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)
        v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)
""",
}
VARIANTS: dict[str, dict[str, str]] = {
    "baseline": {},
    "rmsnorm": {"norm": RMS},
    "rope": ROPE,
    "swiglu": SWIGLU,
    "gqa": GQA,
}
MANUAL = """
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(torch.ones(T, T, dtype=torch.bool, device=x.device).tril() == 0, float("-inf"))
        att = F.dropout(F.softmax(att, dim=-1), self.dropout, self.training)
        y = att @ v
"""


@dataclass(frozen=True)
class Case:
    """A file: a variant's sections, some of them replaced, some edited (old, new)."""

    name: str
    variant: str
    sections: dict[str, str] = field(default_factory=dict)
    edits: tuple[tuple[str, str, str], ...] = ()  # (section, old, new)
    says: str = ""  # of a wrong file: what the first message about it must hold
    symptom: bool = False  # whether that is what comes of the mistake, not the mistake

    def text(self) -> str:
        parts = {**SECTIONS, **VARIANTS[self.variant], **self.sections}
        for section, old, new in self.edits:
            assert old in parts[section], f"{self.name}: {section} holds no {old!r}"
            parts[section] = parts[section].replace(old, new)
        text = SHAPE
        for section, part in parts.items():
            text = text.replace("{" + section + "}", part)
        return text
