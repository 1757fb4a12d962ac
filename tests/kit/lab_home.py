"""Studies on disk for the lab's tests: a real plan, real model files, and events written as a
trainer writes them.

Everything is fixed (curves, times, names), so that a snapshot of a screen is the same on every
machine.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from q1lab.app.app import Q1Lab
from q1lab.app.app_setup import AppSetup
from q1lab.app.screens.lab import LabScreen
from q1lab.app.screens.results import ResultsScreen
from q1lab.app.snapshot_taker import SnapshotReader
from q1lab.app.widgets.results_table import ResultsTable
from q1lab.commands.cli import load_command
from q1lab.compare.comparison import Comparison
from q1lab.ground.config import Config
from q1lab.ground.paths import content_dir
from q1lab.journal.store import Store
from q1lab.study import studies, variants
from q1lab.study.studies import ARMS, Arm, Data, Study
from q1lab.week import progress
from q1lab.week.content import load_week
from tests.kit import tui_home
from tests.kit.plans import of_keys
from tests.kit.tui_home import words as words

SHA = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
CONFIG = {
    "max_iters": 2000,
    "batch_size": 12,
    "block_size": 64,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "learning_rate": 1e-3,
    "dropout": 0.0,
    "eval_interval": 200,
    "log_interval": 50,
}
PAST = {"swiglu": -0.03, "gqa": -0.002, "rmsnorm": 0.02, "llama": -0.05}


def make_study(
    name: str = "rope-1",
    variant: str = "rope",
    seeds: tuple[int, ...] = (0, 1, 2),
    *,
    data: str = "shakespeare",
    sha256: str = SHA,
    preset: str = "cpu",
    created: str = "2026-03-07T09:30:00+00:00",
    prediction: dict[str, Any] | None = None,
    **changes: Any,
) -> Study:
    """A planned study with its folder, nothing trained."""
    arms = {}
    for arm, variant_name in zip(ARMS, ("baseline", variant), strict=True):
        file = variants.find_variant(variant_name)
        arms[arm] = Arm(
            file.name,
            file.title,
            f"source/{arm}/{file.name}.py",
            file.sha256,
            variant_name,
            800_000,
            1_600_000,
        )
    study = of_keys(
        id=name,
        created=created,
        kind="own",
        arms=arms,
        looks=(seeds,),
        preset=preset,
        config=CONFIG,
        data=Data(data, sha256, f"data/{sha256}.txt", 1_115_394, 65, 1_003_854, 111_540),
        device="cpu",
        dtype="bf16",
        jobs=2,
        threads=1,
        versions={"q1lab": "0.1.0", "python": "3.11", "torch": "2.9"},
        prediction=prediction,
        **changes,
    )
    for arm, variant_name in zip(ARMS, ("baseline", variant), strict=True):
        copy = study.files.root / study.arms[arm].source
        copy.parent.mkdir(parents=True)
        copy.write_bytes(variants.find_variant(variant_name).path.read_bytes())
    studies.save(study)
    return study


def curve(arm: str, seed: int, iter_: int) -> float:
    tau = 300 if arm == "baseline" else 250
    return 1.88 + 0.008 * seed + 2.4 * math.exp(-iter_ / tau) + 0.01 * math.sin(iter_ / 40 + seed)


def train(
    study: Study,
    arm: str,
    seed: int,
    to: int = 2000,
    *,
    state: str | None = "finished",
    val: float | None = None,
    message: str | None = None,
) -> Path:
    """Write the events of one run up to iter ``to``; ``state`` None leaves it without an exit."""
    files = study.files.run(f"{arm}-seed{seed}")
    files.root.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = [
        {"type": "start", "attempt": 1, "time": "2026-03-07T09:31:00+00:00"}
    ]
    for iter_ in range(0, to + 1, 50):
        if iter_:
            speed = 22_000 if arm == "baseline" else 20_800
            lines.append(
                {
                    "type": "iter",
                    "iter": iter_,
                    "train_loss": curve(arm, seed, iter_),
                    "tok_per_s": speed,
                    "t": iter_ * 768 / speed,
                }
            )
        if iter_ % 200 == 0:
            lines.append(
                {
                    "type": "eval",
                    "iter": iter_,
                    "val_loss": curve(arm, seed, iter_) + 0.02,
                    "t": iter_ / 28,
                }
            )
    if state is not None:
        end: dict[str, Any] = {
            "type": "exit",
            "state": state,
            "iter": to,
            "time": "2026-03-07T09:33:00+00:00",
        }
        end |= (
            {"val_loss": val if val is not None else round(curve(arm, seed, to) + 0.02, 4)}
            if state == "finished"
            else {}
        )
        end |= {"message": message} if message else {}
        lines.append(end)
    files.events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return files.events


def finish(study: Study, effect: float = -0.012, noise: float = 0.01) -> None:
    """Finish every run: pair differences spread around ``effect`` by ``noise``."""
    for run in study.runs:
        base = 1.9050 + 0.004 * (run.seed % 3)
        swing = noise * math.sin(2.1 * run.seed + 0.7)
        train(
            study,
            run.arm,
            run.seed,
            val=round(base + (effect + swing if run.arm == "modified" else 0), 4),
        )


def compared(study: Study) -> Comparison:
    """Ingest a study and compute its comparison, as a viewer does; returns it."""
    from q1lab.compare.comparison_cache import compare

    with Store() as store:
        return compare(store, study)


def leave_weights(study: Study) -> None:
    """Put a checkpoint of 1,000 bytes and weights of 2,000 into each run."""
    for run in study.runs:
        files = study.files.run(run.name)
        files.checkpoints.mkdir(exist_ok=True)
        (files.checkpoints / "iter-0000010-abc.pt").write_bytes(b"c" * 1000)
        files.model.write_bytes(b"m" * 2000)


def hold(path: Path) -> int:
    """Hold a lock as a living process does; close the descriptor to let it go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def training(study: Study) -> list[int]:
    """Half a study, as while it trains: one pair done, one pair and a half under way. Returns held
    locks."""
    train(study, "baseline", 0, val=1.9090)
    train(study, "modified", 0, val=1.8804)
    train(study, "baseline", 1, val=1.9055)
    train(study, "modified", 1, 1250, state=None)
    train(study, "baseline", 2, 250, state=None)
    locks = [hold(study.files.lock)]
    return [
        *locks,
        *(hold(study.files.run(name).lock) for name in ("modified-seed1", "baseline-seed2")),
    ]


def past() -> None:
    """Four finished studies, one of them on other data, and one that trains."""
    for number, (variant, effect) in enumerate(PAST.items()):
        other = variant == "gqa"
        study = make_study(
            f"{variant}-1",
            variant,
            created=f"2026-03-0{number + 1}T09:30:00+00:00",
            data="stdlib" if other else "shakespeare",
            sha256="ab" * 32 if other else SHA,
        )
        finish(study, effect=effect, noise=0.006)
        compared(study)
    training(make_study("rope-1", "rope"))


def app(**settings: Any) -> Q1Lab:
    """The app on this home, with its first look taken: files first."""
    week = load_week(content_dir())
    with Store() as store:
        progress.save_week_setting(store, week.label, "welcomed", True)
        first = SnapshotReader(week.label, week).read_snapshot(store)
    return Q1Lab(
        AppSetup(week, load_command, settings.pop("config", Config()), first=first, **settings)
    )


async def until(pilot: Pilot[Any], holds: Callable[[], Any], message: str = "") -> None:
    """Wait for the app to get there, once it has done what is under way."""
    await pilot.pause()
    await tui_home.until(pilot, holds, message)


async def open_lab(pilot: Pilot[Any]) -> LabScreen:
    """Go to the lab and wait for its first picture."""
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen), "the lab did not open")
    screen = pilot.app.screen
    assert isinstance(screen, LabScreen)
    return screen


async def open_results(pilot: Pilot[Any]) -> ResultsScreen:
    """Go to the results and wait for their first line."""
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, ResultsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ResultsScreen)
    await until(pilot, lambda: screen.query_one(ResultsTable).studies, "no results came")
    return screen


def notices(app_: Q1Lab) -> str:
    """All notifications that are up."""
    return "\n".join(notification.message for notification in app_._notifications)
