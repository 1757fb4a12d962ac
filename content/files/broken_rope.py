"""Four wrong rotations. Which of your tests catches which?

Read a to d, and write down which tests fail for each. Then run
`python broken_rope.py`: it puts each one in place of
apply_rotary_emb, in a copy of this folder, and runs your
tests/test_rope.py there.
"""

import torch
from judge_tests import judge
from torch import Tensor

PAIRS = "neighbors"  # or "halves"


def precompute_freqs_cis(
    dim: int, end: int, theta: float = 10000.0
) -> Tensor:
    speeds = theta ** (-torch.arange(0, dim, 2).float() / dim)
    angles = torch.outer(torch.arange(end).float(), speeds)
    return torch.polar(torch.ones_like(angles), angles)


def turn(x: Tensor, table: Tensor) -> Tensor:
    """x (B, T, n_head, head_dim), table (…, head_dim/2) broadcast."""
    if PAIRS == "halves":
        turned = torch.complex(*x.float().chunk(2, dim=-1)) * table
        turned = torch.cat([turned.real, turned.imag], dim=-1)
    else:
        pairs = torch.view_as_complex(
            x.float().unflatten(-1, (-1, 2))
        )
        turned = torch.view_as_real(pairs * table).flatten(-2)
    return turned.type_as(x)


def a(xq: Tensor, xk: Tensor, freqs_cis: Tensor):
    table = freqs_cis[: xq.size(1), None, :1]
    return turn(xq, table), turn(xk, table)


def b(xq: Tensor, xk: Tensor, freqs_cis: Tensor):
    table = freqs_cis[: xq.size(1), None]
    return turn(xq, table), turn(xk, table.conj())


def c(xq: Tensor, xk: Tensor, freqs_cis: Tensor):
    table = freqs_cis[: xq.size(2)]
    return turn(xq, table), turn(xk, table)


def d(xq: Tensor, xk: Tensor, freqs_cis: Tensor):
    table = freqs_cis[: xq.size(1), None]
    return turn(xq, table.real), turn(xk, table.real)


def right(xq: Tensor, xk: Tensor, freqs_cis: Tensor):
    table = freqs_cis[: xq.size(1), None]
    return turn(xq, table), turn(xk, table)


if __name__ == "__main__":
    judge(
        "rope",
        "apply_rotary_emb",
        right,
        [a, b, c, d],
        helpers=["precompute_freqs_cis"],
        styles=["", 'broken_rope.PAIRS = "halves"'],
    )
