"""SmolLM2-135M-Instruct, a small Llama that writes English: python smol.py WEIGHTS.gguf "Once upon"

The week's four changes are the four marked functions: put yours in their place, or break them.
`gguf` reads the weights and `tokenizers` makes tokens of text (pip install gguf tokenizers).

Shapes: B batch, T tokens, C = 576 features, H = 9 query heads on G = 3 key and value heads of
D = 64 features, 1,536 hidden features of the feed-forward layer, V = 49,152 tokens, 30 blocks.
"""

import sys

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional as F


def rms_norm(x: Tensor, gain: Tensor, eps: float) -> Tensor:  # 1. RMSNorm: (B, T, C) -> same
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * gain


def rotate(x: Tensor, positions: Tensor, theta: float) -> Tensor:  # 2. RoPE: (B, T, heads, D)
    freqs = theta ** (-torch.arange(0, x.size(-1), 2) / x.size(-1))  # (D/2,), radians per position
    angles = torch.outer(positions.float(), freqs)[:, None]  # (T, 1, D/2)
    a, b = x[..., 0::2], x[..., 1::2]  # neighbors are a pair: the file's rows are in this order
    turned = [a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()]
    return torch.stack(turned, dim=-1).flatten(-2)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:  # 3. SwiGLU: (B, T, hidden) twice -> the same
    return F.silu(gate) * up


def share(kv: Tensor, n_head: int) -> Tensor:  # 4. GQA: (B, T, G, D) -> (B, T, H, D)
    return kv.repeat_interleave(n_head // kv.size(2), dim=2)


class Block:
    def __init__(self, weights: dict[str, Tensor], head: dict) -> None:
        self.w, self.head, self.causal = weights, head, True
        self.n_head, self.n_kv_head = head["attention.head_count"], head["attention.head_count_kv"]

    def norm(self, x: Tensor, gain: Tensor) -> Tensor:
        return rms_norm(x, gain, self.head["attention.layer_norm_rms_epsilon"])

    def attn(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        at = past[0].size(1) if past else 0  # tokens whose keys and values are kept in past
        positions, theta = torch.arange(at, at + x.size(1)), self.head["rope.freq_base"]
        heads = {"q": self.n_head, "k": self.n_kv_head, "v": self.n_kv_head}
        q, k, v = (F.linear(x, self.w[f"attn_{a}"]).unflatten(-1, (heads[a], -1)) for a in heads)
        q, k = rotate(q, positions, theta), rotate(k, positions, theta)
        if past is not None:
            past[:] = k, v = torch.cat([*past[:1], k], 1), torch.cat([*past[1:], v], 1)
        k, v = share(k, self.n_head), share(v, self.n_head)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))  # (B, H, T, D)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal and at == 0)
        return F.linear(y.transpose(1, 2).flatten(-2), self.w["attn_output"])

    def ffn(self, x: Tensor) -> Tensor:
        gate, up = F.linear(x, self.w["ffn_gate"]), F.linear(x, self.w["ffn_up"])
        return F.linear(swiglu(gate, up), self.w["ffn_down"])

    def __call__(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        x = x + self.attn(self.norm(x, self.w["attn_norm"]), past)
        return x + self.ffn(self.norm(x, self.w["ffn_norm"]))


class Smol:
    def __init__(self, file: str) -> None:
        reader = gguf.GGUFReader(file)
        head = {name: f.contents() for name, f in reader.fields.items() if "token_type" not in name}
        self.names = head["tokenizer.ggml.tokens"]
        pairs = [tuple(pair.split(" ")) for pair in head["tokenizer.ggml.merges"]]
        self.tokenizer = Tokenizer(models.BPE({n: i for i, n in enumerate(self.names)}, pairs))
        cut = [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        self.tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cut)
        self.tokenizer.decoder = decoders.ByteLevel()
        sizes = {n.removeprefix("llama."): v for n, v in head.items() if n.startswith("llama.")}
        reader.fields.clear()  # 200 MB
        self.w, self.blocks = {}, [Block({}, sizes) for _ in range(sizes["block_count"])]
        for t in reader.tensors:  # four bits a weight in the file, float32 here
            kind, _, rest = t.name.removesuffix(".weight").partition(".")
            i, _, name = rest.partition(".")
            weights = self.blocks[int(i)].w if kind == "blk" else self.w
            weights[name or kind] = torch.tensor(gguf.quants.dequantize(t.data, t.tensor_type))

    def __call__(self, idx: Tensor, past: list[list[Tensor]] | None = None) -> Tensor:
        x = self.w["token_embd"][idx]  # (B, T) -> (B, T, C)
        for i, block in enumerate(self.blocks):
            x = block(x, past[i]) if past else block(x)
        x = self.blocks[-1].norm(x, self.w["output_norm"])
        return F.linear(x, self.w["token_embd"])  # (B, T, V)


@torch.no_grad()
def write(model: Smol, prompt: str, n: int, cached: bool = True):
    """Yield each of the n likeliest next tokens after the prompt, until the model ends its text."""
    ids = model.tokenizer.encode(prompt).ids or [1]
    past, seen = [[] for _ in model.blocks] if cached else None, 0  # seen: tokens kept in past
    for _ in range(n):
        new = model(torch.tensor([ids[seen:]]), past)[0, -1].argmax().item()
        seen = len(ids) if cached else 0
        if model.names[new] in ("<|im_end|>", "<|endoftext|>"):
            break
        ids.append(new)
        yield new


@torch.no_grad()
def loss(model: Smol, ids: list[int], T: int = 256) -> float:  # in nats, in windows of T
    starts = range(0, max(1, (len(ids) - 1) // T * T), T)
    windows = [torch.tensor(ids[i : i + T + 1]) for i in starts]
    return sum(F.cross_entropy(model(w[None, :-1])[0], w[1:]).item() for w in windows) / len(starts)


if __name__ == "__main__":
    smol = Smol(sys.argv[1])
    for token in write(smol, " ".join(sys.argv[2:]) or "Once upon a time, there was", 60):
        print(smol.tokenizer.decode([token]), end="", flush=True)
