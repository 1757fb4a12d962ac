"""Four attentions. Which of your tests catches which?

Read A to D, and write down which tests fail for each. Then run
`python broken_gqa.py`: it puts each one in place of
CausalSelfAttention, in a copy of this folder, and runs your
tests/test_gqa.py there.
"""

from judge_tests import judge
from torch import Tensor, nn
from torch.nn import functional as F


class Right(nn.Module):
    causal = True

    def __init__(self, config) -> None:
        super().__init__()
        H, C = config.n_head, config.n_embd
        G = getattr(config, "n_kv_head", None) or H // 2
        self.H, self.G, self.head_dim = H, G, C // H
        self.refuse()
        out = C + 2 * G * self.head_dim
        self.c_attn = nn.Linear(C, out, bias=config.bias)
        self.c_proj = nn.Linear(C, C, bias=config.bias)

    def refuse(self) -> None:
        if self.H % self.G != 0:
            raise ValueError(f"{self.H} heads over {self.G}")

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        kv = self.G * self.head_dim
        q, k, v = self.c_attn(x).split([C, kv, kv], dim=-1)
        q, k, v = (
            t.view(B, T, -1, self.head_dim).transpose(1, 2)
            for t in (q, k, v)
        )  # (B, H, T, head_dim), and (B, G, T, head_dim) twice
        k, v = self.share(k, v)  # (B, H, T, head_dim)
        y = F.scaled_dot_product_attention(
            q, k, v, is_causal=self.causal
        )
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))

    def share(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        times = self.H // self.G
        return (
            k.repeat_interleave(times, dim=1),
            v.repeat_interleave(times, dim=1),
        )


class A(Right):
    def refuse(self) -> None:
        pass

    def share(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        group = [j * self.G // self.H for j in range(self.H)]
        return k[:, group], v[:, group]


class B(Right):
    def share(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        times = self.H // self.G
        return (
            k.repeat_interleave(times, dim=1),
            v.repeat(1, times, 1, 1),
        )


class C(Right):
    def share(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        times = self.H // self.G
        return k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1)


class D(Right):
    causal = False


if __name__ == "__main__":
    judge("gqa", "CausalSelfAttention", Right, [A, B, C, D])
