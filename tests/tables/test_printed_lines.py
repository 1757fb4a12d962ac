"""What training libraries print, line by line as their current versions do: `q1lab run` and
`q1lab judge` take the same number for the metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from labs import loop, printed
from q1lab.judgment.metric_names import likely_metrics
from tests.kit.commands import q1lab

LIBRARIES = {
    "lightgbm": (
        "[LightGBM] [Info] Total Bins 2550\n[LightGBM] [Info] Start training from score 152.133\n"
        "Training until validation scores don't improve for 50 rounds\n"
        "[10]\tvalid_0's l2: {a}\n[20]\tvalid_0's l2: {b}\n",
        "valid_0's l2",
    ),
    "xgboost": ("[0]\ttrain-rmse:9.1\teval-rmse:{a}\n[1]\ttrain-rmse:8.2\teval-rmse:{b}\n", "eval-rmse"),
    "keras": (
        "Epoch 1/2\n25/25 - 1s - 20ms/step - accuracy: 0.5 - loss: 0.9 - val_loss: {a}\n"
        "Epoch 2/2\n25/25 - 0s - 9ms/step - accuracy: 0.6 - loss: 0.8 - val_loss: {b}\n",
        "val_loss",
    ),
    "transformers": (
        "{{'loss': 2.1, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 1.0}}\n"
        "{{'eval_loss': {a}, 'eval_runtime': 3.2, 'epoch': 1.0}}\n"
        "{{'eval_loss': {b}, 'eval_runtime': 3.1, 'epoch': 2.0}}\n",
        "eval_loss",
    ),
    "makemore": ("step 500 train loss: 2.1 test loss: {a}\nstep 1000 train loss: 2.0 test loss: {b}\n", "test loss"),
    "modded-nanogpt": (
        "step:125/1390 val_loss:{a} train_time:90000ms step_avg:720.00ms\n"
        "step:1390/1390 val_loss:{b} train_time:99000ms step_avg:71.22ms\n",
        "val_loss",
    ),
    "a warning": (
        "lib/tyro/_parsers.py:347: UserWarning: The field wandb_entity is annotated\n"
        "global_step=4096, episodic_return=[{a}]\nSPS: 1022\nglobal_step=8192, episodic_return=[{b}]\n",
        "episodic_return",
    ),
}  # fmt: skip


def output(library: str, last: float) -> str:
    return LIBRARIES[library][0].format(a=last + 1, b=last)


@pytest.mark.parametrize("library", LIBRARIES)
def test_run_guesses_the_metric_that_the_library_prints(library: str, tmp_path: Path) -> None:
    heard = loop.Heard(tmp_path / "heard.jsonl")
    for line in output(library, 2.5).splitlines():
        heard.line(line)
    heard.end()
    counts = {name: count for name, (count, _) in heard.names.items()}
    assert likely_metrics(counts) == [LIBRARIES[library][1]], counts
    assert float(heard.names[LIBRARIES[library][1]][1]) == 2.5


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "a warning"])
def test_judge_reads_the_logs_of_the_library_and_its_steps(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arm, worse in (("base", 0.0), ("new", 0.5)):
        Path(arm).mkdir()
        for seed in range(3):
            text = "import torch\n" * (seed * 7 * (arm == "new")) + output(
                library, 2 + worse + seed**2 / 90
            )
            Path(arm, f"run{seed}.log").write_text(text)
    words = [
        "judge",
        ".",
        "--baseline",
        "base",
        "--metric",
        LIBRARIES[library][1],
        "--better",
        "lower",
    ]
    told = q1lab(*words).stdout
    assert "base (3 runs), new (3 runs)" in told
    assert "HURTS" in told
    assert "ended before" not in told, "lines of code above a log are no steps"
    assert "differ in last step" not in told
    words[-4:] = ["--metric-pattern", r"val_loss:(?P<value>\S+)"]
    if library == "modded-nanogpt":
        assert "differ in last step" not in q1lab(*words).stdout


@pytest.mark.parametrize("gap", [" ", "   ", " | ", "\t"])
def test_a_printed_table_is_read_by_its_header(gap: str) -> None:
    table = printed.Printed()
    assert table.numbers(gap.join(["epoch", "val_loss", "acc"])) == []
    row = table.numbers(gap.join(["3", "1.25", "0.5"]))
    assert [(one.name, one.value) for one in row] == [
        ("epoch", "3"),
        ("val_loss", "1.25"),
        ("acc", "0.5"),
    ]
