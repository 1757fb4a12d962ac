"""Runs as the libraries that people train with write them down: six runs of two arms with the same
numbers in every form. tests/tables/records holds what they wrote, and says by which versions:

    python -m tests.tables.outside_records tests/tables/records
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

FINAL = {"base": (1.91, 1.90, 1.92), "new": (1.79, 1.80, 1.85)}
"""The last val loss of each arm's seeds 0, 1, 2."""
STEPS = (10, 20, 30)
OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}


def points(final: float) -> Iterator[tuple[int, float, float]]:
    """Steps with the train loss and the val loss."""
    for step in STEPS:
        ahead = (STEPS[-1] - step) / 100
        yield step, final + ahead - 0.05, final + ahead


def runs() -> Iterator[tuple[str, int, float]]:
    for arm, finals in FINAL.items():
        for seed, final in enumerate(finals):
            yield arm, seed, final


def wandb_run(folder: Path, arm: str, seed: int, final: float, end: str = "finish") -> None:
    """One offline run, in a process of its own: ``end`` is ``finish``, ``fail`` or ``kill``."""
    words = [str(folder), arm, str(seed), str(final), end]
    done = subprocess.run(
        [sys.executable, "-m", "tests.tables.outside_records", "--wandb", *words],
        env={**os.environ, **OFFLINE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0), done.stderr


def _wandb_run(folder: str, arm: str, seed: str, final: str, end: str) -> None:
    import wandb

    quiet = {"x_disable_meta": True, "x_disable_stats": True, "x_save_requirements": False}
    settings = wandb.Settings(
        console="off", disable_git=True, disable_code=True, host="", program="train.py", **quiet
    )
    run = wandb.init(
        project="demo",
        name=f"{arm}-{seed}",
        dir=folder,
        settings=settings,
        config={"seed": int(seed), "optimizer": {"name": arm, "lr": 0.001}, "dataset": "tiny"},
    )
    for step, train, val in points(float(final)):
        run.log({"iter": step, "train/loss": train, "val/loss": val, "note": "hello"})
    if end == "kill":
        run.log({"iter": 40})
        os.kill(os.getpid(), signal.SIGKILL)
    run.finish(exit_code=1 if end == "fail" else 0)


def write_wandb(folder: Path) -> None:
    for arm, seed, final in runs():
        wandb_run(folder, arm, seed, final)
    for run in (folder / "wandb").glob("offline-run-*"):
        shutil.rmtree(run / "logs")  # which name the machine
        run.rename(folder / run.name)
    shutil.rmtree(folder / "wandb")


def write_tensorboard(folder: Path) -> None:
    """By torch's writer, which is tensorboard's."""
    from torch.utils.tensorboard import SummaryWriter

    for arm, seed, final in runs():
        with SummaryWriter(str(folder / f"{arm}_seed{seed}")) as writer:
            for step, train, val in points(final):
                writer.add_scalar("loss/train", train, step)
                writer.add_scalar("loss/val", val, step, new_style=arm == "new")


def write_tensorboard_x(folder: Path) -> None:
    from tensorboardX import SummaryWriter

    for arm, seed, final in runs():
        with SummaryWriter(str(folder / arm / f"seed{seed}")) as writer:
            for step, train, val in points(final):
                writer.add_scalar("loss/train", train, step)
                writer.add_scalar("loss/val", val, step)


def write_trainer_state(folder: Path) -> None:
    from transformers import TrainerState

    for arm, seed, final in runs():
        history: list[dict[str, float]] = []
        for step, train, val in points(final):
            history.append({"epoch": step / 30, "loss": train, "learning_rate": 1e-3, "step": step})
            history.append(
                {"epoch": step / 30, "eval_loss": val, "eval_runtime": 0.1, "step": step}
            )
        for at, name in ((20, "checkpoint-20"), (30, "checkpoint-30"), (30, ".")):
            run = folder / f"{arm}-seed{seed}" / name
            run.mkdir(parents=True, exist_ok=True)
            state = TrainerState(
                global_step=at,
                max_steps=30,
                log_history=[row for row in history if row["step"] <= at],
            )
            state.save_to_json(str(run / "trainer_state.json"))


def write_lightning(folder: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    for arm, seed, final in runs():
        logger = CSVLogger(str(folder), name="lightning_logs")
        logger.log_hyperparams({"optimizer": arm, "seed": seed, "lr": 0.001})
        for step, train, val in points(final):
            logger.log_metrics({"train_loss": train, "epoch": step // 10}, step=step - 1)
            logger.log_metrics({"val_loss": val, "epoch": step // 10}, step=step - 1)
        logger.finalize("success")


WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "offline": ("wandb", write_wandb),
    "tensorboard": ("tensorboard", write_tensorboard),
    "tensorboardX": ("tensorboardX", write_tensorboard_x),
    "trainer": ("transformers", write_trainer_state),
    "lightning": ("lightning", write_lightning),
}
"""Form → the library that writes it, and how."""


def main(folder: Path) -> None:
    for form, (library, write) in WRITERS.items():
        try:
            module = importlib.import_module(library)
        except ModuleNotFoundError:
            print(f"{form}: {library} is not installed")
            continue
        write(folder / form)
        print(f"{form}: {library} {module.__version__}")


if __name__ == "__main__":
    if sys.argv[1] == "--wandb":
        _wandb_run(*sys.argv[2:])
    else:
        main(Path(sys.argv[1]))
