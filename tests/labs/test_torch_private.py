"""Names of PyTorch without a promise: what one does without them is the same, and `q1lab doctor`
says so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from q1lab.commands.cli import cli
from q1lab.study import child_processes
from tests.kit.places import MODELS, ROOT
from tests.kit.tiny_study import final, make_study, model_file, run_trainer
from tests.kit.warm_server import exit_status, start_module

pytestmark = pytest.mark.slow

PRIVATE = ["TorchDispatchMode", "_linear_pointwise"]

ODD = '''

_init = GPT.__init__


def __init__(self, config):
    """Draws in other ways than the reference files: by rejection, in parts, through others."""
    _init(self, config)
    with torch.no_grad():
        nn.init.trunc_normal_(self.lm_head.weight, std=0.1, a=-0.1, b=0.1)
        nn.init.orthogonal_(self.transformer.h[0].attn.c_proj.weight)
        nn.init.xavier_uniform_(self.transformer.h[1].attn.c_proj.weight)
        self.transformer.h[0].mlp.c_fc.weight[:5].uniform_(-0.1, 0.1)
        self.transformer.h[1].mlp.c_fc.weight.copy_(0.1 * torch.randn(64, 16))
        self.transformer.h[1].mlp.c_proj.weight.data = torch.rand(16, 64) - 0.5


GPT.__init__ = __init__
'''


def labs_without(name: str | None, folder: Path) -> Path:
    """A copy of labs as for a PyTorch that lacks ``name``, on a processor where oneDNN is chosen."""
    shutil.copytree(ROOT / "labs", folder / "labs", ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in (
        ("torch_private.py", f'"{name}"', f'"{name}_that_went"'),
        (
            "linear.py",
            '"AuthenticAMD" in info and " avx512f" in info and has_linear()',
            "has_linear()",
        ),
    ):
        text = (folder / "labs" / file).read_text()
        assert old in text or name is None
        (folder / "labs" / file).write_text(text.replace(old, new))
    return folder


def checked(at: Path) -> list[dict[str, Any]]:
    # long steps: a loaded machine
    request = {"file": str(MODELS / "rope.py"), "for": "rope", "step_seconds": 120}
    log = at / "checks.log"
    assert exit_status(start_module(at, "labs.checks", json.dumps(request), log=log)) == 0, (
        log.read_text()
    )
    return [{**json.loads(line), "seconds": 0} for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is trained and checked with every name there."""
    at = labs_without(None, tmp_path_factory.mktemp("whole"))
    return {"losses": trained(at), "checks": checked(at)}


def trained(at: Path) -> dict[str, float]:
    study = make_study(at, "s", [0], source=model_file("baseline").read_text() + ODD)
    assert run_trainer(study, at=at) == 0
    return {run: final(study, run) for run in ("baseline-seed0", "modified-seed0")}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PRIVATE)
def test_without_a_name_the_numbers_are_the_same(
    name: str, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = labs_without(name, tmp_path)
    assert trained(at) == pytest.approx(whole["losses"], abs=1e-6)
    assert checked(at) == whole["checks"]
    probe = at / "probe.py"
    probe.write_text(
        f"import sys; sys.path.insert(0, {str(at)!r})\nfrom labs import probe; probe.main()"
    )
    monkeypatch.setenv("Q1LAB_PROBE", f"{sys.executable} {probe}")
    output = CliRunner().invoke(cli, ["doctor"]).output
    assert re.search(rf"(?m)^torch lacks +\S*{name} ", output), output


def test_with_every_name_there_doctor_says_nothing_of_it(whole: dict[str, Any]) -> None:
    assert (
        child_processes.ask_child(child_processes.probe_command(), {"threads": 1})["torch_lacks"]
        == []
    )


def test_no_other_file_uses_such_a_name() -> None:
    private = re.compile(r"\btorch(\.\w+)*\._[a-z]|\._(schema|cdata|C)\b|import _")
    for file in (ROOT / "labs").rglob("*.py"):
        use = private.search(file.read_text())
        assert use is None or file.name == "torch_private.py", f"{file}: {use}"


def test_a_training_starts_without_the_compiler_and_steps_as_pytorch_does(tmp_path: Path) -> None:
    study = make_study(tmp_path, "s", [0])
    code = (
        "import sys, torch, labs.train\n"
        "from labs.torch_private import AdamW\n"
        f"assert labs.train.main([{str(study)!r}, '--alone']) == 0\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "one, other = (torch.nn.Parameter(torch.arange(4.0)) for _ in range(2))\n"
        "ours, theirs = AdamW([one], fused=True), torch.optim.AdamW([other], fused=True)\n"
        "theirs.load_state_dict(ours.state_dict())\n"
        "for _ in range(3):\n"
        "    for values, adamw in ((one, ours), (other, theirs)):\n"
        "        values.grad = values.detach() / 3 + 1\n"
        "        adamw.step()\n"
        "assert torch.equal(one, other) and one[3] != 3\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
