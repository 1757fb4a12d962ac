"""fp32 linear layers by oneDNN: the same numbers as PyTorch's own, forward and backward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from labs import linear, torch_private  # noqa: E402

needed = pytest.mark.skipif(
    not torch_private.has_linear(),
    reason="this PyTorch has no oneDNN",
)


def tensors(shape: tuple[int, ...], out: int, *, bias: bool) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    made_tensors = [torch.randn(shape, generator=g), torch.randn((out, shape[-1]), generator=g)]
    if bias:
        made_tensors.append(torch.randn(out, generator=g))
    return [t.requires_grad_() for t in made_tensors]


@needed
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 8), (2, 3, 4, 6), (1, 1)])
def test_values_and_gradients_are_those_of_pytorch(shape: tuple[int, ...], bias: bool) -> None:
    with_onednn, plain = tensors(shape, 9, bias=bias), tensors(shape, 9, bias=bias)
    with linear.OneDnnLinear():
        y = F.linear(*with_onednn)
    assert y.grad_fn is not None
    assert "_Linear" in y.grad_fn.name(), "oneDNN was not used"
    z = F.linear(*plain)
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(y, z)
    (y * weights).sum().backward()
    (z * weights).sum().backward()
    for a, b in zip(with_onednn, plain, strict=True):
        assert a.grad is not None
        torch.testing.assert_close(a.grad, b.grad)


@needed
def test_a_gradients_gradient_works() -> None:
    x, w = (t.detach().double().float().requires_grad_() for t in tensors((4, 5), 3, bias=False))
    with linear.OneDnnLinear():
        y = F.linear(x, w).pow(3).sum()
    (first,) = torch.autograd.grad(y, w, create_graph=True)
    (second,) = torch.autograd.grad(first.pow(2).sum(), w)
    (plain_first,) = torch.autograd.grad(F.linear(x, w).pow(3).sum(), w, create_graph=True)
    (expected,) = torch.autograd.grad(plain_first.pow(2).sum(), w)
    torch.testing.assert_close(second, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "w"),
    [
        (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)),
        (torch.zeros(3), torch.zeros(4, 3)),
        (torch.zeros(0, 3), torch.zeros(4, 3)),
        (torch.zeros(2, 3, dtype=torch.bfloat16), torch.zeros(4, 3, dtype=torch.bfloat16)),
    ],
)
def test_what_does_not_fit_goes_to_pytorch(x: torch.Tensor, w: torch.Tensor) -> None:
    w.requires_grad_()
    with linear.OneDnnLinear():
        y = F.linear(x, w)
    assert y.grad_fn is None or "_Linear" not in y.grad_fn.name()
    assert y.shape == (*x.shape[:-1], 4)


@needed
def test_autocast_and_the_compiler_keep_their_own_ways() -> None:
    x, w = tensors((2, 3), 4, bias=False)
    graphs: list[str] = []
    compiled = torch.compile(F.linear, backend=lambda graph, _: graphs.append(graph.code) or graph)
    with linear.OneDnnLinear():
        compiled(x, w)
        with torch.autocast("cpu", torch.bfloat16):
            assert F.linear(x, w).dtype == torch.bfloat16
    assert "_C._nn.linear(" in graphs[0]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n", False),
        ("vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512f\n", False),
        ("", False),
    ],
)
def test_the_processor_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory, info: str, expected: bool
) -> None:
    real = Path.read_text

    def read(file: Path, *args: Any, **kwargs: Any) -> str:
        return info if str(file) == "/proc/cpuinfo" else real(file, *args, **kwargs)

    has_private_name = torch_private.has_linear()
    monkeypatch.setattr(Path, "read_text", read)
    assert linear.pays.__wrapped__() is (expected and has_private_name)
