"""`q1lab status --json` and the files on disk say the same in the same words."""

from __future__ import annotations

import json

from q1lab.judgment.run_states import RunState
from q1lab.study.studies import ARMS
from tests.kit import lab_home
from tests.kit.commands import q1lab


def test_the_record_says_what_the_files_say_under_the_same_names() -> None:
    study = lab_home.make_study()
    for seed, (to, state) in enumerate([(2000, "finished"), (700, "stopped"), (450, "diverged")]):
        for arm in ARMS:
            lab_home.train(study, arm, seed, to, state=state)
    (told,) = json.loads(q1lab("status", "rope-1", "--json").stdout)["studies"]
    plan = json.loads(study.files.plan.read_text())
    shared = [key for key in told if key in plan and not isinstance(told[key], dict)]
    assert shared == ["id", "preset", "dtype", "created", "device"], (
        "fields of study.json by their names"
    )
    assert {key: told[key] for key in shared} == {key: plan[key] for key in shared}
    assert told["data"].items() <= plan["data"].items()
    assert [run["run"] for run in told["runs"]] == [run.name for run in study.runs]
    for run in told["runs"]:
        lines = study.files.run(run["run"]).events.read_text().splitlines()
        events = [json.loads(line) for line in lines]
        last = {key: value for event in events for key, value in event.items()}
        evals = [event["val_loss"] for event in events if event["type"] == "eval"]
        for key in ("iter", "train_loss", "tok_per_s", "state", "attempt"):
            assert run[key] == last[key], f"{run['run']}: {key} is not what its events say"
        assert run["state"] in set(RunState)
        assert run["val_loss"] == (last["val_loss"] if run["state"] == "finished" else None)
        assert run["eval_loss"] == evals[-1]
