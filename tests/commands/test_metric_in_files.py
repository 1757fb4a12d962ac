"""`q1lab run` of programs that print no metric, and write their numbers into `{out}`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from q1lab.judgment.tables.run_folder import numbers_by_step
from q1lab.study import studies
from tests.kit.commands import q1lab

PROGRAM = """
import json, random, sys
from pathlib import Path
seed, lr, form, out = sys.argv[1:]
noise = random.Random(f"{seed} {lr}")
values = [round(1 / (step + 1) + noise.gauss(0, 0.01) - float(lr), 6) for step in range(4)]
rows = [{"step": 10 * step, "train_loss": 0.1, "val_loss": value} for step, value in enumerate(values)]
if form == "csv":
    lines = [",".join(map(str, row.values())) for row in rows]
    text = "\\n".join([",".join(rows[0]), *lines])
elif form == "jsonl":
    text = "\\n".join(map(json.dumps, rows))
elif form == "json":
    text = json.dumps({"val_loss": values, "loss": [0.1] * 4})
else:
    text = "\\n".join(f"step {row['step']}: val loss {row['val_loss']}" for row in rows)
Path(out, f"log.{form}").write_text(text)
Path(out, "config.json").write_text(json.dumps({"n_layer": 3, "lr": float(lr)}))
print("epoch 3 of 4 done in 1.2s")
"""


@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "txt"])
def test_a_metric_that_only_a_file_has_is_judged(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    Path("t.py").write_text(PROGRAM)
    command = f"{shlex.quote(sys.executable)} t.py {{seed}} LR {form} {{out}}"
    words = [command.replace("LR", lr) for lr in ("0.1", "0.5")]
    done = q1lab("run", *words, "--seeds", "3")
    assert "HELPS" in done.stdout, "the numbers in the file give the verdict that printed ones give"
    (study,) = studies.load_readable()
    assert study.metric.name.replace("_", " ") == "val loss"
    ends = {}
    for run in study.runs:
        lines = study.files.run(run.name).events.read_text().splitlines()
        ends[run.name] = json.loads(lines[-1])["val_loss"]
        (file,) = study.files.run(run.name).root.glob("out/log.*")
        assert str(ends[run.name]) in file.read_text().splitlines()[-1], (
            f"{run.name} counts by the last number in its file, also the run that was heard first"
        )
    assert len(set(ends.values())) == 6


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for part, loss in (("train", 0.1), ("test", 0.3)):
        (tmp_path / f"{part}.csv").write_text(f"epoch,loss\n0,1.0\n1,{loss}\n")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "model.bin").write_bytes(b"\0\1")
    assert numbers_by_step(tmp_path)[1] == {"train/loss": 0.1, "test/loss": 0.3}
