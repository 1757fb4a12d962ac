"""Right model files in many styles: each does what its modification says, and must pass."""

from __future__ import annotations

from tests.labs.zoo import GQA, MANUAL, RMS, ROPE, SECTIONS, TABLES, Case
from tests.labs.zoo_wrong import ALIBI, NO_TABLE, QK_GAINS, QK_NORM

A = SECTIONS["attn_init"]
FULL = """
def full_tables(dim, length, base=10000.0):
    inv = base ** (-torch.arange(0, dim, 2).float() / dim)
    angle = torch.outer(torch.arange(length).float(), inv)
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate_half(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([-b, a], dim=-1)
"""
FULL_INIT = (
    A
    + """        cos, sin = full_tables(self.head_dim, config.block_size)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
"""
)
BARE_FFN = """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = int(8 * config.n_embd / 3)
        self.w = nn.Parameter(torch.empty(2, config.n_embd, hidden))
        self.down = nn.Parameter(torch.empty(hidden, config.n_embd))

    def forward(self, x):
        gate, value = torch.einsum("btc,nch->nbth", x, self.w)
        return (F.silu(gate) * value) @ self.down
"""

STRETCHED = TABLES.replace(
    "    angle =",
    """    wavelength = 2 * math.pi / inv
    smooth = ((256 / wavelength - 1.0) / 3.0).clamp(0, 1)
    inv = (1 - smooth) * inv / 8.0 + smooth * inv
    angle =""",
)
IN_BLOCKS = """
        outs = []
        for n in range(0, T, 16):
            rows = q[:, :, n : n + 16] / math.sqrt(self.head_dim)
            top = torch.full((*rows.shape[:-1], 1), float("-inf"), device=x.device)
            total, y = torch.zeros_like(top), torch.zeros_like(rows)
            for m in range(0, n + 16, 16):
                s = rows @ k[:, :, m : m + 16].transpose(-2, -1)
                late = torch.arange(m, m + s.size(-1)) > torch.arange(n, n + s.size(-2))[:, None]
                s = s.masked_fill(late, float("-inf"))
                new = torch.maximum(top, s.amax(-1, keepdim=True))
                p = (s - new).exp()
                total = total * (top - new).exp() + p.sum(-1, keepdim=True)
                y = y * (top - new).exp() + p @ v[:, :, m : m + 16]
                top = new
            outs.append(y / total)
        y = torch.cat(outs, dim=2)
"""
PARTLY = "q, k = (torch.cat([rotate(t[..., :4], cos[:, :2], sin[:, :2]), t[..., 4:]], -1) for t in (q, k))"
QUARTER = """n = max(1, self.head_dim // 8)
        q, k = (torch.cat([rotate(t[..., :2 * n], *rope_tables(2 * n, T)), t[..., 2 * n :]], -1) for t in (q, k))"""
OTHER_KINDS = {
    "a bias by distance": Case("ALiBi", "baseline", {"attend": ALIBI, **NO_TABLE}),
    "go through a norm before they meet": Case("a norm of queries and keys", "rope", {"heads": QK_NORM, "attn_init": QK_GAINS}),
    "their product is 1.44 / √8": Case("a norm of queries and keys, sharpened", "rope", {"heads": QK_NORM + "        q, k = 1.2 * q, 1.2 * k\n", "attn_init": QK_GAINS}),
    "reaches 4 tokens": Case("a window", "rope", {"attend": MANUAL.replace(".tril() == 0", ".tril().triu(-3) == 0")}),
    "layer 2 reaches 5 tokens": Case("a window in the last layer", "baseline", {"attend": MANUAL.replace(".tril() == 0", ".tril().triu(-4 if self.layer == 2 else -T) == 0")}),
    "reaches 200 tokens": Case("a wide window", "baseline", {"attend": MANUAL.replace(".tril() == 0", ".tril().triu(-199) == 0")}),
    "the slow pairs turn slower": Case("angles stretched as in Llama 3.1", "rope", {"helpers": STRETCHED}),
    "only a part of each head's features rotates": Case("a quarter of each head", "rope", edits=(("rotate", ROPE["rotate"].splitlines()[2].strip(), QUARTER),)),
    "only a part of each head's features": Case("half of each head", "rope", edits=(("rotate", ROPE["rotate"].splitlines()[2].strip(), PARTLY),)),
    "Swish with β": Case("a learned β", "swiglu", edits=(
        ("mlp", "        self.drop =", "        self.beta = nn.Parameter(torch.ones(hidden))\n        self.drop ="),
        ("mlp", "F.silu(self.gate(x))", "(lambda z: z * torch.sigmoid(self.beta * z))(self.gate(x))"))),
    "with biases although the config says bias=False": Case("a bias in the gate", "swiglu", edits=(("mlp", "self.gate = nn.Linear(config.n_embd, hidden, bias=config.bias)", "self.gate = nn.Linear(config.n_embd, hidden)"),)),
    "first weights are larger than GPT-2's": Case("logits of unit variance", "baseline", edits=(("first_weights", "0.02", "0.088"),)),
    "1024 hidden units at every width": Case("a fixed hidden size", "swiglu", edits=(("mlp", "int(8 * config.n_embd / 3)", "1024"),)),
}  # fmt: skip
"""Right files of another kind than the paper's, by what is said of them."""

DRAWN = "nn.init.normal_(p, std=0.02)"
FIRST_WEIGHTS = {
    "cut off": "nn.init.trunc_normal_(p, std=0.02, a=-0.06, b=0.06)",
    "drawn until they fit": "nn.init.normal_(p, std=0.02)\n                while not 0.01 < p.std() < 0.04:\n                    nn.init.normal_(p, std=0.02)",
}
GAINS = """
        for p in self.parameters():
            if p.dim() >= 2:
                nn.init.normal_(p, std=0.02)
            else:
                nn.init.trunc_normal_(p, mean=1.0, std=0.02, a=0.94, b=1.06)
"""

RIGHT = [
    *OTHER_KINDS.values(),
    *(
        Case(f"first weights: {kind}", "baseline", edits=(("first_weights", DRAWN, drawn),))
        for kind, drawn in FIRST_WEIGHTS.items()
    ),
    Case("first weights: gains cut off around 1", "baseline", {"first_weights": GAINS}),
    Case("attention in blocks", "baseline", {"attend": IN_BLOCKS}),
    Case("tokens looked up by a product", "swiglu", edits=(("embed", "self.tok(idx)", "F.one_hot(idx, len(self.tok.weight)).to(self.tok.weight.dtype) @ self.tok.weight"),)),
    Case("gains of three axes", "rmsnorm", edits=(("norm", "torch.ones(dim)", "torch.ones(1, 1, dim)"), ("first_weights", ">= 2", "== 2"))),
    Case("attention in blocks", "gqa", {"attend": IN_BLOCKS}),
    # ── frozen is not learned
    Case("frequencies as a frozen parameter", "rope", {"attn_init": A + """        inv = 10000.0 ** (-torch.arange(0, self.head_dim, 2).float() / self.head_dim)
        self.inv = nn.Parameter(inv, requires_grad=False)
""", "rotate": """
        angle = torch.arange(T, device=x.device).float()[:, None] * self.inv
        q, k = rotate(q, angle.cos(), angle.sin()), rotate(k, angle.cos(), angle.sin())
"""}),
    Case("angles in a frozen embedding", "rope", {"attn_init": A + """        tables = torch.cat(rope_tables(self.head_dim, config.block_size), dim=-1)
        self.angles = nn.Embedding.from_pretrained(tables, freeze=True)
""", "rotate": """
        cos, sin = self.angles(torch.arange(T, device=x.device)).chunk(2, dim=-1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
""", "first_weights": """
        for p in self.parameters():
            if p.dim() >= 2 and p.requires_grad:
                nn.init.normal_(p, std=0.02)
"""}),
    Case("reentrant checkpoints", "baseline", edits=(("run", "x = block(x)", "x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=True)"),)),
    Case("checkpoints", "rope", edits=(("run", "x = block(x)", "x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)"),)),
    # ── the plain decoder
    Case("ReLU", "baseline", edits=(("mlp", "F.gelu(self.up(x))", "F.relu(self.up(x))"),)),
    Case("ReLU squared", "baseline", edits=(("mlp", "F.gelu(self.up(x))", "F.relu(self.up(x)).square()"),)),
    Case("ReLU behind biases, as in the video", "baseline", edits=(("mlp", "F.gelu", "F.relu"), ("mlp", "bias=config.bias", "bias=True"))),
    Case("attention by hand", "baseline", {"attend": MANUAL}),
    Case("einsum over heads, bare projections", "baseline", {
        "attn_init": """
        d = config.n_embd
        self.wqkv = nn.Parameter(torch.empty(3, self.n_head, d, self.head_dim))
        self.wo = nn.Parameter(torch.empty(self.n_head, self.head_dim, d))
""",
        "heads": """
        q, k, v = torch.einsum("btc,nhcd->nbhtd", x, self.wqkv)
""",
        "back": """
        return self.drop(torch.einsum("bhtd,hdc->btc", y, self.wo))
"""}),
    Case("one head after the other", "baseline", {
        "attend": """
        outs = []
        mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
        for h in range(self.n_head):
            s = q[:, h] @ k[:, h].transpose(1, 2) / math.sqrt(self.head_dim)
            p = s.masked_fill(~mask, float("-inf")).softmax(-1)
            outs.append(p @ v[:, h])
        y = torch.cat(outs, dim=-1)
""", "back": """
        return self.drop(self.proj(y))
"""}),
    Case("heads summed, each with its own way back", "baseline", {
        "attn_init": """
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.outs = nn.ModuleList(nn.Linear(self.head_dim, config.n_embd, bias=False) for _ in range(config.n_head))
""", "back": """
        return self.drop(sum(out(y[:, h]) for h, out in enumerate(self.outs)))
"""}),
    Case("rows and heads in one axis, baddbmm", "baseline", {"attend": """
        q, k, v = (t.reshape(B * self.n_head, T, self.head_dim) for t in (q, k, v))
        mask = torch.full((T, T), float("-inf"), device=x.device).triu(1)
        att = torch.baddbmm(mask.expand(B * self.n_head, T, T), q, k.transpose(1, 2), alpha=self.head_dim ** -0.5)
        y = torch.bmm(att.softmax(-1), v).view(B, self.n_head, T, self.head_dim)
"""}),
    Case("softmax by hand, stable", "baseline", {"attend": """
        att = torch.einsum("bhid,bhjd->bhij", q / self.head_dim ** 0.5, k)
        att = att + torch.full((T, T), -1e30, device=x.device).triu(1)
        att = (att - att.amax(-1, keepdim=True)).exp()
        y = (att @ v) / att.sum(-1, keepdim=True)
"""}),
    Case("the residual added in place", "baseline", {"block": """
        y = self.attn(self.norm1(x))
        y += x
        z = self.ffn(self.norm2(y))
        return z.add_(y)
"""}),
    Case("the residual by torch.add and a sum of a stack", "baseline", {"block": """
        x = torch.add(x, self.attn(self.norm1(x)))
        return torch.stack([x, self.ffn(self.norm2(x))]).sum(0)
"""}),
    Case("1 × 1 convolutions in the feed-forward layer", "baseline", {"mlp": """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Conv1d(config.n_embd, 4 * config.n_embd, 1, bias=config.bias)
        self.down = nn.Conv1d(4 * config.n_embd, config.n_embd, 1, bias=config.bias)

    def forward(self, x):
        return self.down(F.gelu(self.up(x.transpose(1, 2)))).transpose(1, 2)
"""}),
    Case("biases everywhere, whatever the config says", "baseline", edits=(
        ("attn_init", "bias=config.bias", "bias=True"), ("mlp", "bias=config.bias", "bias=True"))),
    Case("time before rows", "baseline", {
        "embed": """
        x = self.drop(self.tok(idx) + self.pos(torch.arange(T, device=idx.device))).transpose(0, 1)
""", "last": """
        x = self.norm(x).transpose(0, 1)
""", "heads": """
        T, B = B, T
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (t.reshape(T, B * self.n_head, self.head_dim).transpose(0, 1) for t in (q, k, v))
""", "back": """
        return self.drop(self.proj(y.transpose(0, 1).reshape(T, B, C)))
"""}),
    # ── RMSNorm
    Case("in float32, by norm", "rmsnorm", {"norm": """
class Norm(nn.Module):
    def __init__(self, dim, bias=False):
        super().__init__()
        self.g = nn.Parameter(torch.ones(dim))
        self.root = dim ** 0.5

    def forward(self, x):
        y = x.float()
        return (y / y.norm(2, dim=-1, keepdim=True).clamp(min=1e-8) * self.root * self.g).to(x.dtype)
"""}),
    Case("a function and bare gains", "rmsnorm", {
        "norm": """
def rms(x, gain):
    return gain * x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
""", "block_init": """
        self.gains = nn.Parameter(torch.ones(2 * config.n_embd))
        self.attn = Attention(config)
        self.ffn = FeedForward(config)
""", "block": """
        one, two = self.gains.chunk(2)
        x = x + self.attn(rms(x, one))
        return x + self.ffn(rms(x, two))
""", "blocks": """
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))
        self.gain = nn.Parameter(torch.ones(config.n_embd))
""", "last": """
        x = rms(x, self.gain)
"""}),
    Case("one call adds and norms", "rmsnorm", {
        "norm": RMS + """

class AddNorm(Norm):
    def forward(self, x, more=None):
        if more is not None:
            x = x + more
        return super().forward(x), x
""", "block_init": """
        self.norm1 = AddNorm(config.n_embd)
        self.attn = Attention(config)
        self.norm2 = AddNorm(config.n_embd)
        self.ffn = FeedForward(config)
""", "block": """
        y, x = self.norm1(x)
        y, x = self.norm2(x, self.attn(y))
        return x + self.ffn(y)
"""}),
    Case("PyTorch's RMSNorm, attention by hand", "rmsnorm", {"norm": """
class Norm(nn.RMSNorm):
    def __init__(self, dim, bias=False):
        super().__init__(dim, eps=1e-5)
""", "attend": MANUAL}),
    Case("PyTorch's attention module", "rmsnorm", {
        "attn_init": """
        self.mha = nn.MultiheadAttention(config.n_embd, config.n_head, bias=False, batch_first=True)
""", "heads": "", "attend": """
        mask = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
""", "back": """
        return self.mha(x, x, x, attn_mask=mask, need_weights=False)[0]
"""}),
    # ── RoPE
    Case("halves, full tables", "rope", {"helpers": FULL, "attn_init": FULL_INIT, "rotate": """
        cos, sin = self.cos[:T], self.sin[:T]
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
"""}),
    Case("complex numbers, before the transposition", "rope", {"helpers": """
def freqs(dim, length):
    inv = 1.0 / 10000.0 ** (torch.arange(0, dim, 2)[: dim // 2].float() / dim)
    return torch.polar(torch.ones(length, dim // 2), torch.outer(torch.arange(length).float(), inv))


def spin(x, f):
    x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(x_ * f[None, :, None]).flatten(3).type_as(x)
""", "attn_init": A + """        self.register_buffer("f", freqs(self.head_dim, config.block_size), persistent=False)
""", "heads": """
        q, k, v = (t.view(B, T, self.n_head, self.head_dim) for t in self.qkv(x).chunk(3, dim=-1))
        q, k = spin(q, self.f[:T]), spin(k, self.f[:T])
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
""", "rotate": ""}),
    Case("a rotation matrix per position", "rope", {"helpers": """
def matrices(dim, length):
    inv = 10000.0 ** (-torch.arange(0, dim, 2).float() / dim)
    angle = torch.arange(length).float()[:, None] * inv
    m = torch.zeros(length, dim, dim)
    even, odd = torch.arange(0, dim, 2), torch.arange(1, dim, 2)
    m[:, even, even] = angle.cos()
    m[:, odd, odd] = angle.cos()
    m[:, even, odd] = angle.sin()
    m[:, odd, even] = -angle.sin()
    return m
""", "attn_init": A + """        self.register_buffer("m", matrices(self.head_dim, config.block_size), persistent=False)
""", "rotate": """
        q, k = (torch.einsum("bhtd,tde->bhte", t, self.m[:T]) for t in (q, k))
"""}),
    Case("angles in forward, filled in by slices", "rope", {"helpers": "", "attn_init": A, "rotate": """
        half = self.head_dim // 2
        inv = torch.exp(-math.log(10000.0) * torch.arange(half, device=x.device).float() / half)
        angle = torch.arange(T, device=x.device).float()[:, None] * inv
        cos, sin = angle.cos(), angle.sin()

        def turned(t):
            out = torch.empty_like(t)
            out[..., 0::2] = t[..., 0::2] * cos - t[..., 1::2] * sin
            out[..., 1::2] = t[..., 0::2] * sin + t[..., 1::2] * cos
            return out

        q, k = turned(q), turned(k)
"""}),
    Case("a module of its own, another base, scores by einsum", "rope", {"helpers": FULL + """

class Rotary(nn.Module):
    def __init__(self, dim, length):
        super().__init__()
        cos, sin = full_tables(dim, length, 50000.0)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def forward(self, t):
        n = t.shape[-2]
        return t * self.cos[:n] + rotate_half(t) * self.sin[:n]
""", "attn_init": A + "        self.rotary = Rotary(self.head_dim, config.block_size)\n", "rotate": """
        q, k = self.rotary(q), self.rotary(k)
""", "attend": MANUAL.replace("(q @ k.transpose(-2, -1))", 'torch.einsum("bhid,bhjd->bhij", q, k)')}),
    # ── SwiGLU
    Case("bare parameters, both in one einsum", "swiglu", {"mlp": BARE_FFN}),
    Case("in chunks of tokens", "swiglu", edits=(
        ("mlp", "return self.drop(self.down(F.silu(self.gate(x)) * self.up(x)))", "return torch.cat([self.drop(self.down(F.silu(self.gate(p)) * self.up(p))) for p in x.split(4, 1)], 1)"),
    )),
    Case("two shards, summed", "swiglu", edits=(
        ("mlp", "return self.drop(self.down(F.silu(self.gate(x)) * self.up(x)))", """h = self.up.out_features // 2
        rows = slice(None, h), slice(h, None)
        return self.drop(sum(F.linear(F.silu(x @ self.gate.weight[r].T) * (x @ self.up.weight[r].T), self.down.weight[:, r]) for r in rows))"""),
    )),
    Case("weights in bf16", "gqa", edits=(
        ("first_weights", "std=0.02)\n", "std=0.02)\n        self.to(torch.bfloat16)\n"),
    )),
    Case("fused, value first", "swiglu", edits=(
        ("mlp", "self.gate = nn.Linear(config.n_embd, hidden", "self.both = nn.Linear(config.n_embd, 2 * hidden"),
        ("mlp", "        self.up = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", ""),
        ("mlp", "return self.drop(self.down(F.silu(self.gate(x)) * self.up(x)))",
         "value, gate = self.both(x).chunk(2, dim=-1)\n        return self.drop(self.down(value * gate * gate.sigmoid()))"))),
    Case("gate and value side by side in blocks", "swiglu", {"mlp": """
class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.hidden = 8 * ((8 * config.n_embd // 3 + 7) // 8)
        self.both = nn.Linear(config.n_embd, 2 * self.hidden, bias=False)
        self.down = nn.Linear(self.hidden, config.n_embd, bias=False)

    def forward(self, x):
        h = self.both(x).unflatten(-1, (-1, 2, 4))
        return self.down((F.silu(h[..., 0, :]) * h[..., 1, :]).flatten(-2))
"""}),
    Case("hidden in multiples of 32, no module for the layer", "swiglu", {
        "mlp": "", "block_init": """
        hidden = 32 * round(8 * config.n_embd / 3 / 32)
        self.norm1 = Norm(config.n_embd, config.bias)
        self.attn = Attention(config)
        self.norm2 = Norm(config.n_embd, config.bias)
        self.w1 = nn.Parameter(torch.empty(hidden, config.n_embd))
        self.w2 = nn.Parameter(torch.empty(config.n_embd, hidden))
        self.w3 = nn.Parameter(torch.empty(hidden, config.n_embd))
""", "block": """
        x = x + self.attn(self.norm1(x))
        y = self.norm2(x)
        return x + F.linear(F.silu(F.linear(y, self.w1)) * F.linear(y, self.w3), self.w2)
"""}),
    # ── GQA
    Case("PyTorch's grouped call", "gqa", {"repeat": "", "attend": """
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
"""}),
    Case("fused, group by group", "gqa", {
        "attn_init": """
        self.n_kv = config.n_kv_head
        assert config.n_head % self.n_kv == 0
        self.per = config.n_head // self.n_kv
        self.qkv = nn.Linear(config.n_embd, self.n_kv * (self.per + 2) * self.head_dim, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
""", "heads": """
        qkv = self.qkv(x).view(B, T, self.n_kv, self.per + 2, self.head_dim)
        q = qkv[:, :, :, :-2].reshape(B, T, self.n_head, self.head_dim).transpose(1, 2)
        k, v = (qkv[:, :, :, i].transpose(1, 2) for i in (-2, -1))
"""}),
    Case("einsum over groups, by hand", "gqa", {"heads": """
        q = self.wq(x).view(B, T, self.n_kv, -1, self.head_dim)
        k, v = (f(x).view(B, T, self.n_kv, self.head_dim) for f in (self.wk, self.wv))
""", "repeat": "", "attend": """
        att = torch.einsum("btgrd,bsgd->bgrts", q, k) / math.sqrt(self.head_dim)
        att = att.masked_fill(torch.ones(T, T, device=x.device).triu(1).bool(), float("-inf")).softmax(-1)
        y = torch.einsum("bgrts,bsgd->btgrd", att, v)
""", "back": """
        return self.drop(self.proj(y.reshape(B, T, C)))
"""}),
    Case("values in another order than keys", "gqa", edits=(("repeat", "v = v.repeat", "v = v.flip(1)\n        v = v.repeat"),)),
    Case("the config counts queries per group", "gqa", {"config": "    queries_per_group: int = 2\n"},
         (("attn_init", "self.n_kv = config.n_kv_head\n        assert config.n_head % self.n_kv == 0",
           "assert config.n_head % config.queries_per_group == 0\n        self.n_kv = config.n_head // config.queries_per_group"),)),
    Case("no field, half of the heads", "gqa", {"config": ""},
         (("attn_init", "config.n_kv_head", "max(1, config.n_head // 2)"),)),
    Case("rows of queries of a group in one product", "gqa", {"repeat": "", "attend": """
        per = self.n_head // self.n_kv
        rows = q.reshape(B, self.n_kv, per * T, self.head_dim)
        s = rows @ k.transpose(-2, -1) * self.head_dim ** -0.5
        mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril().repeat(per, 1)
        y = (s.masked_fill(~mask, float("-inf")).softmax(-1) @ v).reshape(B, self.n_head, T, self.head_dim)
"""}),
    Case("with RoPE's rotation applied too", "gqa", {
        "helpers": TABLES, "attn_init": GQA["attn_init"] + """        cos, sin = rope_tables(self.head_dim, config.block_size)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
""", "rotate": ROPE["rotate"]}),
]  # fmt: skip
