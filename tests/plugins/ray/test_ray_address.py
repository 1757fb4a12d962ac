"""What Ray's engine asks of its address and options, and of the Python that runs its jobs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from q1lab.ground.errors import Problem
from q1lab.plugins.ray.ray_engine import Ray
from q1lab.runner.engine import load_engine
from q1lab.study.engine_choice import EngineChoice
from tests.kit.places import ROOT


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("ftp://x", {}, "give the dashboard"),
        ("http://10.0.0.7:8265", {}, "nor guarded by a token"),
        ("http://127.0.0.1:8265", {"partition": "gpu"}, "Ray takes cpus"),
        ("http://127.0.0.1:8265", {"gpus": "many"}, "give a number"),
        ("http://127.0.0.1:8265", {"gpus": "-1"}, "give a number"),
        ("http://127.0.0.1:8265", {"retries": "often"}, "give a number"),
        ("http://127.0.0.1:8265", {"storage": "shared"}, "with its full path"),
    ],
)
def test_a_ray_address_is_looked_at_first(
    address: str, options: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/nonexistent")
    with pytest.raises(Problem, match=message):
        load_engine(EngineChoice("ray", "ray", address, options))


def test_a_token_lets_another_machine_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert isinstance(load_engine(EngineChoice("ray", "ray", "http://10.0.0.7:8265")), Ray)


def test_a_python_without_ray_is_named_with_its_path() -> None:
    job = ROOT / "labs" / "engines" / "ray_job.py"
    done = subprocess.run([sys.executable, "-S", job], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{sys.executable} runs this job and has no module ray")
