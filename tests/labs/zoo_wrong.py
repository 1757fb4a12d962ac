"""Wrong model files: slips that still train, each of which some check must catch."""

from __future__ import annotations

from dataclasses import replace

from tests.labs.zoo import MANUAL, RMS, ROPE, SECTIONS, Case


def names(words: str, case: Case) -> Case:
    """Its first message names the mistake, in these words."""
    return replace(case, says=words)


def symptom(words: str, case: Case) -> Case:
    """Its first message tells in these words what comes of the mistake."""
    return replace(case, says=words, symptom=True)


X1 = "x = x + self.attn(self.norm1(x))"
X2 = "x = x + self.ffn(self.norm2(x))"
Edit = tuple[str, str, str]


def only_last(right: str, wrong: str) -> str:
    """A block whose last layer differs."""
    return f"{wrong} if self.layer == 2 else {right}"


def block(name: str, *edits: tuple[str, str], variant: str = "baseline") -> Case:
    return Case(name, variant, edits=tuple(("block", old, new) for old, new in edits))


ROT = "q, k = rotate(q, cos, sin), rotate(k, cos, sin)"
PER = "self.n_head // self.n_kv"
FFN = "self.down(F.silu(self.gate(x)) * self.up(x))"
RMSLINE = "x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight"


def rope(name: str, *edits: Edit, **sections: str) -> Case:
    return Case(name, "rope", sections, edits)


def rms(name: str, line: str, *edits: Edit) -> Case:
    return Case(name, "rmsnorm", edits=(("norm", RMSLINE, line), *edits))


def glu(name: str, line: str, *edits: Edit) -> Case:
    return Case(name, "swiglu", edits=(("mlp", FFN, line), *edits))


def gqa(name: str, *edits: Edit, **sections: str) -> Case:
    return Case(name, "gqa", sections, edits)


STREAM = [
    names("output is not added", block("no residual around the feed-forward layer", (X2, "x = self.ffn(self.norm2(x))"))),
    names("output is not added", block("no residual around attention", (X1, "x = self.attn(self.norm1(x))"))),
    names("output is not added", block("no residual in the last layer", (X2, f"x = {only_last('x + self.ffn(self.norm2(x))', 'self.ffn(self.norm2(x))')}"))),
    names("adds to 2 times the stream", block("the stream doubled", (X1, "x = x + x + self.attn(self.norm1(x))"))),
    names("is added 2 times", block("the output doubled", (X2, "y = self.ffn(self.norm2(x))\n        x = x + y + y"))),
    names("adds to its normalized input", block("added to the normalized input", (X1, "x = self.norm1(x)\n        x = x + self.attn(x)"))),
    names("adds to its normalized input", block("added to the normalized input, feed-forward", (X2, "x = self.norm2(x)\n        x = x + self.ffn(x)"))),
    names("adds to its normalized input", block("norms after the addition", (X1, "x = self.norm1(x + self.attn(x))"), (X2, "x = self.norm2(x + self.ffn(x))"))),
    names("is normalized before it is added", block("norms of the outputs", (X1, "x = x + self.norm1(self.attn(x))"), (X2, "x = x + self.norm2(self.ffn(x))"))),
    names("is then gone", block("the residual is of the block's input", (X1, "old = x\n        " + X1), (X2, "x = old + self.ffn(self.norm2(x))"))),
    names("its output is never added", block("a feed-forward layer that is dropped", (X2, "self.ffn(self.norm2(x))"))),
    names("without a norm", block("a norm left out", (X2, "x = x + self.ffn(x)"))),
    names("a norm of a norm", block("a norm twice", (X2, "x = x + self.ffn(self.norm2(self.norm2(x)))"))),
    names("add to the stream 9 times", block("attention called twice", (X1, X1 + "\n        " + X1))),
    names("adds to 0.5 times the stream", block("an average for a sum", (X1, "x = (x + self.attn(self.norm1(x))) / 2"))),
    names("is added -1 times", block("subtracted", (X2, "x = x - self.ffn(self.norm2(x))"))),
    names("something is detached", block("a detached residual", (X1, "x = x.detach() + self.attn(self.norm1(x))"))),
    names("it is added again", Case("the embedding added again in each layer", "baseline", {"run": """
        e = x
        for block in self.blocks:
            x = block(x) + e
"""})),
    names("the output layer reads the stream without a norm", Case("no last norm", "baseline", {"last": "\n"})),
    names("does not depend on the first: is it used?", Case("one block for all layers", "baseline", {"run": """
        for _ in self.blocks:
            x = self.blocks[0](x)
"""})),
    names("something of an earlier call is kept", Case("a cache that keeps the graph", "baseline", {
        "attn_init": SECTIONS["attn_init"] + """        self.register_buffer("kept", torch.zeros(64, config.n_head, config.block_size, self.head_dim), persistent=False)
""",
        "rotate": """
        self.kept[:B, :, :T] = k
        k = self.kept[:B, :, :T]
"""})),
    names("inplace operation", Case("the residual in place, before the norm's gradient", "baseline", {"block": """
        x += self.attn(self.norm1(x))
        x += self.ffn(self.norm2(x))
        return x
"""})),
    names("output is not added", Case("no residual around the feed-forward layer", "rmsnorm", edits=(("block", X2, "x = self.ffn(self.norm2(x))"),))),
    names("output is not added", Case("no residual around attention", "rope", edits=(("block", X1, "x = self.attn(self.norm1(x))"),))),
    names("adds to its normalized input", Case("added to the normalized input", "swiglu", edits=(("block", X2, "x = self.norm2(x)\n        x = x + self.ffn(x)"),))),
    names("is added 2 times", Case("the output doubled", "gqa", edits=(("block", X1, "y = self.attn(self.norm1(x))\n        x = x + 2 * y"),))),
]  # fmt: skip

PLAIN = [
    names("in training mode, changing token 5", Case("no mask while training", "baseline", edits=(("attend", "is_causal=True", "is_causal=not self.training"),))),
    names("see all later ones", Case("no mask in the last layer", "baseline", edits=(("attend", "is_causal=True", "is_causal=self.layer != 2"),))),
    names("see all later ones", Case("no mask in one head", "baseline", {"attend": MANUAL.replace('float("-inf"))\n', 'float("-inf"))\n        att = torch.cat([(q[:, :1] @ k[:, :1].transpose(-2, -1)) / math.sqrt(k.size(-1)), att[:, 1:]], dim=1)\n', 1)})),
    names("the scale of q kᵀ", Case("scores scaled by the width", "baseline", {"attend": MANUAL.replace("math.sqrt(k.size(-1))", "math.sqrt(C)")})),
    names("the scale of q kᵀ", Case("scores not scaled", "baseline", {"attend": MANUAL.replace("(1.0 / math.sqrt(k.size(-1)))", "1.0")})),
    names("head 3: the scale of q kᵀ", Case("one head scaled otherwise", "baseline", {"attend": MANUAL.replace("        att = att.masked", "        att = torch.cat([att[:, :3], att[:, 3:] * 2], dim=1)\n        att = att.masked", 1)})),
    names("is the softmax over the keys", Case("softmax over the queries", "baseline", {"attend": MANUAL.replace("F.softmax(att, dim=-1)", "F.softmax(att, dim=-2)")})),
    names("tokens mix, in Attention.forward", Case("heads not put side by side", "baseline", edits=(("back", "y.transpose(1, 2).contiguous()", "y.contiguous()"),))),
    names("head 1: its output, its weights times its values, is not among", Case("a head that is left out", "baseline", edits=(("back", "y = y.tr", "y = torch.cat([y[:, :1], y[:, :1], y[:, 2:]], dim=1)\n        y = y.tr"),))),
    names("tokens mix, in Attention.forward", Case("the heads split along time", "baseline", edits=(("heads", "t.view(B, T, self.n_head, self.head_dim).transpose(1, 2)", "t.reshape(B, self.n_head, T, self.head_dim)"),))),
    names("position 1 gives position 1 no weight", Case("the token itself hidden", "baseline", {"attend": MANUAL.replace(".tril() == 0", ".tril(-1).index_fill(1, torch.tensor([0]), True).tril() == 0")})),
    names("no position is used", Case("no positions", "baseline", {"embed": "\n        x = self.drop(self.tok(idx))\n", "gpt_init": ROPE["gpt_init"]})),
    names("a row's place in the batch?", Case("positions by row", "baseline", {"embed": "\n        x = self.drop(self.tok(idx) + self.pos(torch.arange(B, device=idx.device))[:, None])\n"})),
    names("is dropout_p given while not training?", Case("dropout in evaluation", "baseline", edits=(("attend", "self.dropout if self.training else 0.0", "self.dropout"),))),
    names("between model.eval() and model.train()", Case("another function while training", "baseline", edits=(("mlp", "F.gelu(self.up(x))", "(F.relu(self.up(x)) if self.training else F.gelu(self.up(x)))"),))),
    names("nn.ModuleList", Case("layers in a list", "baseline", edits=(("blocks", "nn.ModuleList(Block(config, i) for i in range(config.n_layer))", "[Block(config, i) for i in range(config.n_layer)]"),))),
    names("has none in row 32", Case("keys without a gradient", "baseline", edits=(("attend", "y = F", "k = k.detach()\n        y = F"),))),
    names("has none in row 0", Case("a unit of ReLU cut off", "baseline", edits=(("mlp", "F.gelu(self.up(x))", "F.relu(self.up(x)) * (torch.arange(4 * x.size(-1)) > 0)"),))),
    names("has none in row 0 and 31 more", Case("a fourth of ReLU's units detached", "baseline", edits=(("mlp", "F.gelu(self.up(x))", "torch.cat([u.detach() if n == 0 else u for n, u in enumerate(F.relu(self.up(x)).chunk(4, -1))], -1)"),))),
    names("has none in row 0 and 7 more", Case("one head's queries without a gradient", "baseline", edits=(("attend", "y = F", "q = torch.cat([q[:, :1].detach(), q[:, 1:]], dim=1)\n        y = F"),))),
    names("changing row 1 moved the logits of row 0", Case("statistics of the batch", "baseline", edits=(("norm", "return F.layer_norm(x,", "return F.layer_norm(x - x.mean(0, keepdim=True),"),))),
    names("targets are shifted there", Case("targets shifted once more", "baseline", edits=(("last", "x = self.norm(x)", "x = self.norm(x)\n        targets = None if targets is None else targets.roll(-1, 1)"),))),
    names("don't count, at positions 10", Case("the last target left out", "baseline", edits=(("loss", "targets.reshape(-1)", "targets.index_fill(1, torch.tensor([T - 1]), -1).reshape(-1)"),))),
    names("each target counts 11 times", Case("a loss summed over time", "baseline", edits=(("loss", "ignore_index=-1)", "ignore_index=-1) * T"),))),
    names("logits at position 0 are not finite", Case("a mask that hides the token itself", "baseline", {"attend": MANUAL.replace(".tril() == 0", ".tril(-1) == 0")})),
    names("position 0 gives position 0 no weight", Case("the same of PyTorch's attention", "baseline", {"attend": "\n        y = F.scaled_dot_product_attention(q, k, v, torch.full((T, T), -torch.inf).triu())\n"})),
    names("rows of the batch mix", Case("heads swapped between rows", "baseline", edits=(("heads", "t.view(B, T, self.n_head, self.head_dim).transpose(1, 2)", "t.reshape(T, B, self.n_head, self.head_dim).permute(1, 2, 0, 3)"),))),
]  # fmt: skip

NORMS = [
    names("the mean is still taken out", rms("centered first", "(lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight)(x - x.mean(-1, keepdim=True))")),
    names("the mean is taken out of x / RMS", rms("centered afterwards", "(lambda y: (y - y.mean(-1, keepdim=True)) * self.weight)(x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))")),
    names("x is divided by its length", rms("the sum for the mean", RMSLINE.replace(".mean(", ".sum("))),
    names("x / RMS · gain is multiplied by 32", rms("a start that is too high", RMSLINE + " * x.size(-1)")),
    names("the root is missing", rms("no root", RMSLINE.replace("torch.rsqrt(", "1 / ("))),
    names("is multiplied by its root mean square, not divided", rms("multiplied, not divided", RMSLINE.replace("torch.rsqrt(", "torch.sqrt("))),
    names("tokens mix, in ", rms("over time", RMSLINE.replace(".mean(-1,", ".mean(-2,"))),
    names("tokens mix, in ", rms("over time and features", RMSLINE.replace(".mean(-1,", ".mean((-2, -1),"))),
    names("changing row 1 moved the logits of row 0", rms("over the batch", RMSLINE.replace(".mean(-1,", ".mean(0,"))),
    names("by the mean of |x|", rms("the mean of absolute values", "x / (x.abs().mean(-1, keepdim=True) + self.eps) * self.weight")),
    names("by the largest |x|", rms("the largest value", "x / (x.abs().amax(-1, keepdim=True) + self.eps) * self.weight")),
    names("the gain is inside the root mean square", rms("the gain before the norm", "(lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps))(x * self.weight)")),
    names("the gain is added", rms("the gain added", RMSLINE.replace("* self.weight", "+ self.weight - 1"))),
    names("the gain is inside the root mean square", rms("the gain on the root's inside only", "x * torch.rsqrt((x * self.weight).pow(2).mean(-1, keepdim=True) + self.eps) * self.weight")),
    names("of half of the features", rms("half of the features", "x * torch.rsqrt(x[..., : x.size(-1) // 2].pow(2).mean(-1, keepdim=True) + self.eps) * self.weight")),
    names("4 groups of 8 features", rms("over groups of features", "x * torch.rsqrt(x.pow(2).unflatten(-1, (-1, 8)).mean(-1, keepdim=True) + self.eps).expand(*x.shape[:-1], -1, 8).flatten(-2) * self.weight")),
    names("standard deviation", rms("the variance for the mean square", "x * torch.rsqrt(x.var(-1, keepdim=True) + self.eps) * self.weight")),
    names("something is detached", rms("the statistics detached", RMSLINE.replace("x.pow(2)", "x.detach().pow(2)"))),
    names("between model.eval() and model.train()", rms("LayerNorm while training", f"F.layer_norm(x, x.shape[-1:], self.weight) if self.training else {RMSLINE}")),
    names("eps is 0.1", Case("a large eps", "rmsnorm", edits=(("norm", "eps=1e-5", "eps=0.1"),))),
    names("norm: the mean is still taken out", Case("LayerNorm at the end", "rmsnorm", edits=(("blocks", "self.norm = Norm(config.n_embd, config.bias)", "self.norm = nn.LayerNorm(config.n_embd, bias=False)"),))),
    names("blocks.2.norm2: the mean is still taken out", Case("LayerNorm in the last block", "rmsnorm", edits=(("block_init", "self.norm2 = Norm(config.n_embd, config.bias)", "self.norm2 = Norm(config.n_embd) if layer < 2 else nn.LayerNorm(config.n_embd, bias=False)"),))),
    names("the mean is still taken out", Case("a function that is centered, no module", "rmsnorm", {"block_init": SECTIONS["block_init"], "norm": RMS.replace(
        "        return x", "        x = x - x.mean(-1, keepdim=True)\n        return x")})),
    names("the mean is still taken out", Case("nothing changed", "rmsnorm", {"norm": SECTIONS["norm"]})),
    names("x is divided by its length", Case("plain functions, by the length", "rmsnorm", {"norm": "\ndef rms(x):\n    return x / (x.norm(dim=-1, keepdim=True) + 1e-6)\n",
        "block_init": "\n        self.attn = Attention(config)\n        self.ffn = FeedForward(config)\n",
        "block": "\n        x = x + self.attn(rms(x))\n        return x + self.ffn(rms(x))\n",
        "blocks": "\n        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))\n", "last": "\n        x = rms(x)\n"})),
    names("tokens mix, in ", Case("plain functions, over time", "rmsnorm", {"norm": "\ndef rms(x):\n    return x / (x.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()\n",
        "block_init": "\n        self.attn = Attention(config)\n        self.ffn = FeedForward(config)\n",
        "block": "\n        x = x + self.attn(rms(x))\n        return x + self.ffn(rms(x))\n",
        "blocks": "\n        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))\n", "last": "\n        x = rms(x)\n"})),
]  # fmt: skip

TURNS = [
    names("are the keys rotated at all?", rope("keys not rotated", ("rotate", ROT, "q = rotate(q, cos, sin)"))),
    names("are the queries rotated at all?", rope("queries not rotated", ("rotate", ROT, "k = rotate(k, cos, sin)"))),
    names("do the keys rotate the other way?", rope("keys rotated the other way", ("rotate", "rotate(k, cos, sin)", "rotate(k, cos, -sin)"))),
    names("are they rotated, too?", rope("values rotated too", ("rotate", ROT, ROT + "\n        v = rotate(v, cos, sin)"))),
    names("does something outside attention mix it with the token before it?", rope("each token mixed with the one before", ("embed", "self.tok(idx)", "self.tok(idx) + F.pad(self.tok(idx)[:, :-1], (0, 0, 1, 0)) / 2"))),
    names("rotated twice?", rope("rotated twice", ("rotate", ROT, ROT + "\n        " + ROT))),
    names("have the same sign", rope("a sign in the rotation", ("helpers", "a * cos - b * sin", "a * cos + b * sin"))),
    names("have the same sign", rope("both signs minus", ("helpers", "a * sin + b * cos", "a * sin - b * cos"))),
    names("have the same sign", rope("both sines minus", ("helpers", "a * sin + b * cos", "b * cos - a * sin"))),
    names("sin is missing", rope("cosine only", ("helpers", "a * cos - b * sin, a * sin + b * cos", "a * cos, b * cos"))),
    names("cosines and sines added", rope("positions added to queries and keys", ("helpers", "a * cos - b * sin, a * sin + b * cos", "a + cos, b + sin"))),
    names("the exponent divides by n_embd", rope("the exponent by the width", ("attn_init", "rope_tables(self.head_dim, config.block_size)", "rope_tables(self.head_dim, config.block_size, 10000.0 ** (self.head_dim / config.n_embd))"))),
    names("is missing its factor 2", rope("the exponent without its 2", ("helpers", "torch.arange(0, dim, 2, dtype=torch.float32) / dim", "torch.arange(0, dim // 2, dtype=torch.float32) / dim"))),
    names("only pair 0 turns", rope("the exponent without a division", ("helpers", " / dim)\n", ")\n"))),
    names("needs brackets", rope("a division behind the power", ("helpers", "inv = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)", "inv = 1.0 / (base ** torch.arange(0, dim, 2, dtype=torch.float32) / dim)"))),
    names("pairs count from −1", rope("the exponent of i − 1", ("helpers", "torch.arange(0, dim, 2, dtype=torch.float32) / dim", "torch.arange(-2, dim - 2, 2, dtype=torch.float32) / dim"))),
    names("those of half a head, each twice", rope("half of the frequencies, twice", ("helpers", "torch.arange(0, dim, 2, dtype=torch.float32) / dim", "torch.arange(0, dim // 2, 2, dtype=torch.float32).repeat(2) / (dim // 2)"))),
    names("is missing its minus", rope("the exponent's sign", ("helpers", "1.0 / base **", "base **"))),
    names("one angle for all pairs", rope("one frequency", ("helpers", "torch.arange(0, dim, 2, dtype=torch.float32) / dim", "torch.zeros(dim // 2)"))),
    names("head 2: its scores don't depend on positions", rope("some heads only", ("rotate", ROT, "q, k = (torch.cat([rotate(t[:, :2], cos, sin), t[:, 2:]], 1) for t in (q, k))"))),
    names("layer 1: its scores don't depend on positions", rope("the first layer only", ("rotate", ROT, f"if self.layer == 0:\n            {ROT}"))),
    names("layer 2: its scores don't depend on positions", rope("not in the last layer", ("rotate", ROT, f"if self.layer < 2:\n            {ROT}"))),
    names("head 3: scores depend on the query's position alone", rope("one head's keys not rotated", ("rotate", ROT, "q, k = rotate(q, cos, sin), torch.cat([rotate(k[:, :3], cos, sin), k[:, 3:]], 1)"))),
    names("rotates along another axis", rope("along the heads", ("rotate", "cos, sin = self.cos[:T], self.sin[:T]", "cos, sin = self.cos[: self.n_head, None], self.sin[: self.n_head, None]"))),
    names("pos.weight still has one row per position", rope("the learned table stays", ("embed", "self.tok(idx)", "self.tok(idx) + self.pos(torch.arange(T, device=idx.device))"), ("gpt_init", "self.tok =", "self.pos = nn.Embedding(config.block_size, config.n_embd)\n        self.tok ="))),
    names("with tables laid out for neighbors", rope("halves rotated by tables of neighbors", ("helpers", "return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)",
        "c, s = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)\n    h = x.chunk(2, dim=-1)\n    return x * c + torch.cat([-h[1], h[0]], -1) * s"))),
    symptom("depends on how long the row is", rope("keys one position late", ("rotate", ROT, "q, k = rotate(q, cos, sin), rotate(k, self.cos[:T].roll(1, 0), self.sin[:T].roll(1, 0))"))),
    names("are the positions 0, 1, 2, …", rope("positions by their square root", ("helpers", "torch.arange(length, dtype=torch.float32)[:, None]", "torch.arange(length, dtype=torch.float32)[:, None].sqrt()"))),
    names("are positions over the length?", rope("positions over the length", ("helpers", "torch.arange(length, dtype=torch.float32)[:, None]", "torch.arange(length, dtype=torch.float32)[:, None] / length"))),
    names("between model.eval() and model.train()", rope("another length while training", ("rotate", ROT, "if self.training:\n            cos = cos.flip(0)\n        " + ROT))),
    names("kept in a low precision?", rope("angles in bf16", ("helpers", "torch.arange(length, dtype=torch.float32)[:, None] * inv[None, :]", "(torch.arange(length, dtype=torch.bfloat16)[:, None] * inv[None, :].bfloat16()).float()"))),
    names("are the angles computed under autocast?", rope("angles under autocast", ("rotate", "cos, sin = self.cos[:T], self.sin[:T]", "inv = 10000.0 ** (-torch.arange(0, self.head_dim, 2, device=x.device).float() / self.head_dim)\n"
        "        angle = torch.arange(T, device=x.device).float()[:, None] @ inv[None]\n        cos, sin = angle.cos(), angle.sin()"))),
    names("has none in row 0 and 63 more", rope("under no_grad", ("rotate", ROT, f"with torch.no_grad():\n            {ROT}"))),
    names("something is kept from the calls before", rope("a cache of the first length", ("rotate", "cos, sin = self.cos[:T], self.sin[:T]", "if not hasattr(self, 'seen'):\n            self.seen = T\n        cos, sin = self.cos[self.seen - T :][:T] if T < self.seen else self.cos[:T], self.sin[:T]"))),
    names("before the split into heads", rope("rotated before the heads are split", ("attn_init", "rope_tables(self.head_dim, config.block_size)", "rope_tables(config.n_embd, config.block_size)"),
        ("rotate", ROT, "q, k = (rotate(t.transpose(1, 2).reshape(B, T, C), cos, sin).view(B, T, self.n_head, -1).transpose(1, 2) for t in (q, k))"))),
    names("rotated in front of the projection", rope("the stream rotated, not the queries", ("rotate", ROT, "pass"), ("embed", "self.tok(idx)", "rotate(self.tok(idx), *(t.to(idx.device) for t in rope_tables(self.config.n_embd, T)))"))),
    names("nothing rotates", rope("nothing changed", ("rotate", ROT, "pass"))),
    names("attn.cos still has one row per position", rope("learned angles per position", ("attn_init", 'self.register_buffer("cos", cos, persistent=False)', "self.cos = nn.Parameter(cos)"))),
]  # fmt: skip

GATES = [
    names("no gate was found", glu("no gate", "self.down(F.silu(self.gate(x)))", ("mlp", "        self.up = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", ""))),
    names("through GELU", glu("GELU", FFN.replace("F.silu", "F.gelu"))),
    names("through ReLU", glu("ReLU", FFN.replace("F.silu", "F.relu"))),
    names("through sigmoid", glu("a sigmoid", FFN.replace("F.silu", "torch.sigmoid"))),
    names("through nothing", glu("no activation", "self.down(self.gate(x) * self.up(x))")),
    names("through z · sigmoid(1.702 z)", glu("the quick GELU", "self.down(self.gate(x) * torch.sigmoid(1.702 * self.gate(x)) * self.up(x))")),
    names("through hard swish", glu("hard swish", FFN.replace("F.silu", "F.hardswish"))),
    names("added, not multiplied", glu("a sum", "self.down(F.silu(self.gate(x)) + self.up(x))")),
    names("the activation is of the product", glu("SiLU of the product", "self.down(F.silu(self.gate(x) * self.up(x)))")),
    names("both go through SiLU", glu("SiLU of both", "self.down(F.silu(self.gate(x)) * F.silu(self.up(x)))")),
    names("not a product of two projections", glu("the gate is its own value", "self.down(F.silu(self.gate(x)) * self.gate(x))", ("mlp", "        self.up = nn.Linear(config.n_embd, hidden, bias=config.bias)\n", ""))),
    names("no gate was found", glu("the output gated, not the hidden layer", "self.down(self.up(x)) * F.silu(self.gate(x))", ("mlp", "self.gate = nn.Linear(config.n_embd, hidden", "self.gate = nn.Linear(config.n_embd, config.n_embd"))),
    names("no gate was found", glu("the input gated", "self.down(self.up(F.silu(self.gate(x)) * x))", ("mlp", "self.gate = nn.Linear(config.n_embd, hidden", "self.gate = nn.Linear(config.n_embd, config.n_embd"))),
    names("512 (⅔ · 4C = 341.3)", glu("no cut", FFN, ("mlp", "int(8 * config.n_embd / 3)", "4 * config.n_embd"))),
    names("256 (⅔ · 4C = 341.3)", glu("cut too far", FFN, ("mlp", "int(8 * config.n_embd / 3)", "2 * config.n_embd"))),
    names("a norm is between the product", glu("a norm in between", "self.down(F.layer_norm(F.silu(self.gate(x)) * self.up(x), (self.gate.out_features,)))")),
    names("only 40 of 85 hidden units", glu("half of the units gated", "self.down((lambda g, u: torch.cat([g[..., :40] * u[..., :40], g[..., 40:]], -1))(F.silu(self.gate(x)), self.up(x)))")),
    names("ffn.gate.weight has none", glu("the gate detached", "self.down(F.silu(self.gate(x)).detach() * self.up(x))")),
    names("between model.eval() and model.train()", glu("GELU while training", "self.down((F.gelu if self.training else F.silu)(self.gate(x)) * self.up(x))")),
    names("layer 1: only GELU of one projection", Case("in the first layer only", "swiglu", {"mlp": Case("", "swiglu").text().split("class FeedForward")[1].split("class Block")[0].join(["class FeedForward", ""])
        + SECTIONS["mlp"].replace("class FeedForward", "class Plain"), "block_init": SECTIONS["block_init"].replace("self.ffn = FeedForward(config)", "self.ffn = FeedForward(config) if layer == 0 else Plain(config)")})),
    names("only GELU of one projection", Case("nothing changed", "swiglu", {"mlp": SECTIONS["mlp"]})),
    names("a feed-forward layer each make 6", Case("no feed-forward layer at all", "swiglu", {"mlp": "", "block_init": "\n        self.norm1 = Norm(config.n_embd, config.bias)\n        self.attn = Attention(config)\n", "block": f"\n        {X1}\n        return x\n"})),
    names("reads two different inputs", Case("the value reads the stream, not its norm", "swiglu", edits=(("mlp", "def forward(self, x)", "def forward(self, x, y)"), ("mlp", "self.up(x)", "self.up(y)"), ("block", "self.ffn(self.norm2(x))", "self.ffn(self.norm2(x), x)")))),
]  # fmt: skip

GROUPS = [
    names("its values with head 3", gqa("keys in one order, values in another", ("repeat", "v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)", "v = v.repeat(1, self.n_head // self.n_kv, 1, 1)"))),
    names("keys are shared, values are not", gqa("keys only", ("attn_init", "self.wv = nn.Linear(config.n_embd, self.n_kv * self.head_dim", "self.wv = nn.Linear(config.n_embd, config.n_embd"),
        ("heads", "v = self.wv(x).view(B, T, self.n_kv,", "v = self.wv(x).view(B, T, self.n_head,"), ("repeat", "        v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)\n", ""))),
    names("values are shared, keys are not", gqa("values only", ("attn_init", "self.wk = nn.Linear(config.n_embd, self.n_kv * self.head_dim", "self.wk = nn.Linear(config.n_embd, config.n_embd"),
        ("heads", "k = self.wk(x).view(B, T, self.n_kv,", "k = self.wk(x).view(B, T, self.n_head,"), ("repeat", "        k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)\n", ""))),
    names("nothing was saved", gqa("full projections, the first heads kept", ("attn_init", "self.n_kv * self.head_dim", "config.n_embd"),
        ("heads", "self.n_kv, self.head_dim).transpose(1, 2)\n        v", "self.n_head, self.head_dim)[:, :, : self.n_kv].transpose(1, 2)\n        v"),
        ("heads", "v = self.wv(x).view(B, T, self.n_kv, self.head_dim)", "v = self.wv(x).view(B, T, self.n_head, self.head_dim)[:, :, : self.n_kv]"))),
    names("nothing was saved", gqa("full projections, averaged", ("attn_init", "self.n_kv * self.head_dim", "config.n_embd"),
        ("heads", "k = self.wk(x).view(B, T, self.n_kv, self.head_dim)", f"k = self.wk(x).view(B, T, self.n_kv, {PER}, self.head_dim).mean(3)"),
        ("heads", "v = self.wv(x).view(B, T, self.n_kv, self.head_dim)", f"v = self.wv(x).view(B, T, self.n_kv, {PER}, self.head_dim).mean(3)"))),
    names("do they share their queries, too?", gqa("queries grouped, not keys", ("repeat", "k = k.repeat_interleave", "q = q[:, :: self.n_head // self.n_kv].repeat_interleave(self.n_head // self.n_kv, dim=1)\n        k = k.repeat_interleave"))),
    names("groups of different sizes", gqa("groups of different sizes", ("repeat", "k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)", "k = k[:, torch.tensor([0, 0, 0, 1])] if self.n_kv == 2 else k.repeat_interleave(self.n_head // self.n_kv, dim=1)"),
        ("repeat", "v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)", "v = v[:, torch.tensor([0, 0, 0, 1])] if self.n_kv == 2 else v.repeat_interleave(self.n_head // self.n_kv, dim=1)"))),
    names("head 2 shares its keys with head 0", gqa("one key head for all", ("repeat", "k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)", "k = k[:, :1].expand(-1, self.n_head, -1, -1)"))),
    names("n_kv_head=4 gives 1 different value heads", gqa("one group for all, always", ("repeat", "k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)", "k = k[:, :1].repeat(1, self.n_head, 1, 1)"), ("repeat", "v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)", "v = v[:, :1].repeat(1, self.n_head, 1, 1)"))),
    symptom("tokens mix", gqa("repeated along time", ("repeat", "dim=1", "dim=2"), ("repeat", "k = k.rep", "k, v = (t.transpose(1, 2).reshape(B, self.n_kv, T, -1) for t in (k, v))\n        k = k.rep"), attend="""
        k, v = (t.reshape(B, self.n_head, T, -1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
""")),
    names("its values with head 0", gqa("the last head reads another group's values", ("repeat", "dim=1)\n        v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)", "dim=1)\n        v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)\n        v = torch.cat([v[:, :-1], v[:, :1]], dim=1)"))),
    names("the scale of q kᵀ", gqa("scaled by the width", attend=MANUAL.replace("math.sqrt(k.size(-1))", "math.sqrt(C)"))),
    names("the scale of q kᵀ", gqa("scaled by the number of groups", attend=MANUAL.replace("math.sqrt(k.size(-1))", "math.sqrt(k.size(-1) * self.n_kv)"))),
    names("do they share their queries, too?", gqa("the mean over a group's queries", ("heads", "q = self.wq(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)",
        "q = self.wq(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)\n        q = q.unflatten(1, (self.n_kv, -1)).mean(2, keepdim=True).expand(-1, -1, self.n_head // self.n_kv, -1, -1).flatten(1, 2)"))),
    names("attn.wv.weight has none", gqa("keys for values", ("heads", "v = self.wv(x)", "v = self.wk(x)"))),
    names("n_kv_head=1 and n_kv_head=4 give the same model", gqa("half of the heads, whatever the field says", ("attn_init", "self.n_kv = config.n_kv_head", "self.n_kv = config.n_head // 2"))),
    names("n_kv_head is None by default, so there are no groups", gqa("no number of groups", ("config", "int = 2", "int | None = None"), ("attn_init", "config.n_kv_head\n", "config.n_kv_head or config.n_head\n"))),
    names("nothing is shared", gqa("the field is not used", ("attn_init", "self.n_kv = config.n_kv_head", "self.n_kv = config.n_head"))),
    names("tokens mix, in Attention.forward", gqa("the heads mixed up with time", ("back", "y.transpose(1, 2).contiguous()", "y.contiguous()"))),
    names("layer 1: 4 query heads", gqa("shared in the first layer only", ("attn_init", "self.n_kv = config.n_kv_head", "self.n_kv = config.n_kv_head if layer == 0 else config.n_head"), block_init=SECTIONS["block_init"].replace("Attention(config)", "Attention(config, layer)"))),
    names("changing row 1 moved the logits of row 0", gqa("key heads shared across rows", ("repeat", "k = k.rep", "k = k.roll(1, 0)\n        k = k.rep"))),
    names("nothing is shared", Case("nothing changed", "gqa", {"config": "", "attn_init": SECTIONS["attn_init"], "heads": SECTIONS["heads"], "repeat": ""})),
    symptom("does not depend on the first: is it used?", Case("attention that is an average", "gqa", {"repeat": "", "attend": "\n        y = v.cumsum(2).repeat_interleave(self.n_head // self.n_kv, dim=1)\n"})),
    names("nothing is shared", Case("tied only at the start", "gqa", {"config": "", "attn_init": SECTIONS["attn_init"] + "        with torch.no_grad():\n            w = self.qkv.weight.view(3, config.n_head, self.head_dim, -1)\n            w[1:, 1::2] = w[1:, 0::2]\n",
        "heads": SECTIONS["heads"], "repeat": ""})),
]  # fmt: skip

QK_NORM = """
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (t.view(B, T, self.n_head, self.head_dim).transpose(1, 2) for t in (q, k, v))
        q, k = (F.rms_norm(t, (self.head_dim,)) * g for t, g in ((q, self.gain_q), (k, self.gain_k)))
"""
QK_GAINS = (
    ROPE["attn_init"]
    + "        self.gain_q, self.gain_k = (nn.Parameter(torch.ones(self.head_dim)) for _ in range(2))\n"
)
BY_WIDTH = MANUAL.replace("math.sqrt(k.size(-1))", "math.sqrt(C)")
ALIBI = """
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        at = torch.arange(T, device=x.device)
        slopes = 2.0 ** (-8.0 * torch.arange(1, self.n_head + 1, device=x.device) / self.n_head)
        att = att - slopes[:, None, None] * (at[:, None] - at[None, :])
        att = att.masked_fill(at[:, None] < at[None, :], float("-inf"))
        y = F.softmax(att, dim=-1) @ v
"""
NO_TABLE = {"embed": ROPE["embed"], "gpt_init": ROPE["gpt_init"]}
FUNCTION = {"norm": "\ndef rms(x, g):\n    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-3) * g\n",
    "block_init": "\n        self.g1, self.g2 = (nn.Parameter(torch.ones(config.n_embd)) for _ in range(2))\n        self.attn = Attention(config)\n        self.ffn = FeedForward(config)\n",
    "block": "\n        x = x + self.attn(rms(x, self.g1))\n        return x + self.ffn(rms(x, self.g2))\n",
    "blocks": "\n        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))\n        self.g = nn.Parameter(torch.ones(config.n_embd))\n", "last": "\n        x = rms(x, self.g)\n"}  # fmt: skip
RAW_INIT = """
        self.q = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.kv = nn.Linear(config.n_embd, 2 * config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=False)
"""
RAW_HEADS = """
        q, (k, v) = self.q(x), self.kv(self.raw).chunk(2, dim=-1)
        q, k, v = (t.view(B, T, self.n_head, self.head_dim).transpose(1, 2) for t in (q, k, v))
"""
MET = [
    names("its gains start between", rms("gains that are drawn", RMSLINE, ("norm", "torch.ones(dim)", "torch.randn(dim)"))),
    names("its gains start at 0.5", rms("gains of a half", RMSLINE, ("norm", "torch.ones(dim)", "torch.full((dim,), 0.5)"))),
    names("the gain is 1 + g, and g starts at 1", rms("1 + g, from ones", RMSLINE.replace("self.weight", "(1 + self.weight)"))),
    names("of queries, keys and values, some are made of the stream without a norm", Case("keys and values of the raw stream", "baseline",
        {"attn_init": RAW_INIT, "heads": RAW_HEADS, "block": SECTIONS["block"].replace("x = x + self.attn", "self.attn.raw = x\n        x = x + self.attn", 1)})),
    names("divided by √n_embd", Case("ALiBi, scaled by the width", "baseline", {**NO_TABLE, "attend": ALIBI.replace("k.size(-1))", "C)")})),
    names("divided by √n_embd", rope("a norm of queries and keys, scaled by the width", heads=QK_NORM, attn_init=QK_GAINS, attend=BY_WIDTH)),
    names("eps is 0.001", Case("eps 1e-3", "rmsnorm", edits=(("norm", "eps=1e-5", "eps=1e-3"),))),
    names("eps is 0.001", Case("eps 1e-3, as a function", "rmsnorm", FUNCTION)),
    names("with an offset", Case("an offset in spite of bias=False", "rmsnorm", {"norm": RMS.replace("    def forward", "        self.bias = nn.Parameter(torch.zeros(dim))\n\n    def forward").replace("self.weight\n", "self.weight + self.bias\n")})),
    names("is a tensor of 32 numbers and no parameter", Case("a gain that is no parameter", "rmsnorm", edits=(("norm", "nn.Parameter(torch.ones(dim))", "torch.ones(dim)"),))),
    names("have both the same base", rope("keys of another base", ("attn_init", "        cos, sin", "        self.other = rope_tables(self.head_dim, config.block_size, 500000.0)\n        cos, sin"), ("rotate", "rotate(k, cos, sin)", "rotate(k, *(t[:T] for t in self.other))"))),
    names("start again after 100 positions", rope("positions that wrap", ("rotate", "self.cos[:T], self.sin[:T]", "(t[torch.arange(T) % 100] for t in (self.cos, self.sin))"))),
    names("it is rotated there", rope("rotated in front of the projection", heads="\n        x = rotate(x, *rope_tables(C, T))\n" + SECTIONS["heads"][1:], rotate="\n")),
    names("nothing rotates", rope("x times cos + sin", ("helpers", "a * cos - b * sin, a * sin + b * cos", "a * (cos + sin), b * (cos + sin)"))),
    names("each by itself", glu("both branches through the last projection", "self.down(F.silu(self.gate(x))) * self.down(self.up(x))")),
    names("the cut by ⅔ is made twice", glu("cut twice", FFN, ("mlp", "int(8 * config.n_embd / 3)", "int(16 * config.n_embd / 9)"))),
    names("are whole heads repeated", gqa("features repeated", ("repeat", "k = k.repeat_interleave(self.n_head // self.n_kv, dim=1)\n        v = v.repeat_interleave(self.n_head // self.n_kv, dim=1)",
        f"k, v = (t.repeat_interleave({PER}, dim=3).unflatten(3, (-1, self.head_dim)).transpose(2, 3).reshape(B, self.n_head, T, -1) for t in (k, v))"))),
    names("build a new block for each layer", Case("one block many times", "baseline", edits=(("blocks", "nn.ModuleList(Block(config, i) for i in range(config.n_layer))", "nn.ModuleList([Block(config)] * config.n_layer)"),))),
    names("the pairs turn by 1, 0.01", rope("two pairs turn alike", ("helpers", "    angle =", "    inv[1:2], inv[-1:] = inv[:1], inv[-1:] / 1000\n    angle ="))),
    names("does a dropout not take its share", Case("a dropout as a number", "baseline", edits=(("mlp", "nn.Dropout(config.dropout)", "nn.Dropout(0.1)"),))),
]  # fmt: skip

LOSS = [
    names(
        "token 0 are left out",
        Case(
            "targets of token 0 are ignored",
            "baseline",
            edits=(("loss", "ignore_index=-1", "ignore_index=0"),),
        ),
    ),
    names(
        "label_smoothing=0.1",
        Case(
            "labels are smoothed",
            "baseline",
            edits=(("loss", "ignore_index=-1", "label_smoothing=0.1"),),
        ),
    ),
    names(
        "cross-entropy of its own logits",
        Case(
            "the loss alone is of capped logits",
            "baseline",
            edits=(
                (
                    "loss",
                    "logits.view(-1, logits.size(-1))",
                    "(2 * (logits / 2).tanh()).view(-1, logits.size(-1))",
                ),
            ),
        ),
    ),
]
FROZEN = [
    names(
        "is frozen",
        Case(
            "the embedding is frozen",
            "baseline",
            edits=(
                ("gpt_init", "self.pos =", "self.tok.requires_grad_(False)\n        self.pos ="),
            ),
        ),
    ),
    names(
        "is frozen",
        Case(
            "the gains are frozen",
            "rmsnorm",
            edits=(("norm", "torch.ones(dim))", "torch.ones(dim), requires_grad=False)"),),
        ),
    ),
    names(
        "is frozen",
        Case(
            "the first layer is frozen",
            "baseline",
            edits=(
                (
                    "first_weights",
                    "nn.init.normal_(p, std=0.02)",
                    "nn.init.normal_(p, std=0.02)\n        self.blocks[0].requires_grad_(False)",
                ),
            ),
        ),
    ),
]
WRONG = [*LOSS, *FROZEN, *STREAM, *PLAIN, *NORMS, *TURNS, *GATES, *GROUPS, *MET]
