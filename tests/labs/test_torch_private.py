"""PyTorch still has the names without a promise that the trainers and the checks use."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from labs import torch_private


class Heard(torch_private.TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.heard.append((torch_private.name_of(func), torch_private.writes(func)))
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_hears_operations_by_name() -> None:
    x = torch.ones(2, 3)
    with Heard() as mode:
        x @ x.t()
        x.zero_()
    assert mode.heard == [("aten::t", False), ("aten::mm", False), ("aten::zero_", True)]


def test_views_share_a_storage_and_others_do_not() -> None:
    x = torch.ones(2, 3)
    assert torch_private.storage_of(x) == torch_private.storage_of(x.t()[1:])
    assert torch_private.storage_of(x) != torch_private.storage_of(x.clone())


def test_leaves_of_nested_arguments() -> None:
    x, y = torch.ones(1), torch.ones(2)
    assert torch_private.tree_leaves(((x, [y]), {"dim": 1}))[2] == 1


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN in this PyTorch")
def test_linear_layers_by_onednn() -> None:
    assert torch_private.has_linear()
    a, b, bias = torch.randn(5, 3), torch.randn(4, 3), torch.randn(4)
    torch.testing.assert_close(torch_private.linear(a, b, bias), a @ b.t() + bias)
