"""Plans of every kind, pinned to the byte, with what follows from them: identity, what repeats, the
declaration, levels, seeds, ids at W&B.

``tests/golden/pins`` holds a home as the program made it: each study's plan, the journal, how every
run began and ended, and the values that were read off. One test types the commands again, and must get the same bytes. The other
reads that home and nothing else. ``UPDATE_GOLDEN=1 pytest`` writes the home anew; no difference in
it is a matter of course.

What depends on the machine or its time is fixed where the home is made: the clock, drawn numbers,
versions, cores, the model files (tiny ones), levels (to nine digits: SciPy's last ones differ), the
hash of a syntax tree (Python's releases differ), and the learner's folder, which every hash and
every file has as ``/home/learner``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from q1lab.doors.weights_and_biases.history_rows import run_config
from q1lab.ground import files, paths
from q1lab.ground.files import sha256_json, sha256_text
from q1lab.index import ingest_events, journal
from q1lab.index.store import Store
from q1lab.judgment import interim_analyses
from q1lab.planning import command_draft, own_loop_draft
from q1lab.record import home_history, traveling_lines
from q1lab.record.declarations import declaration_of
from q1lab.runner import early_stopping, finished_runs, launch, series_members
from q1lab.study import command_line, identity, kept_folder, studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.events import closing_exit, first_start, has_ended
from q1lab.study.studies import ARMS, Run, Study
from tests.kit.commands import q1lab
from tests.kit.places import GOLDEN
from tests.kit.repos import begun, git, of_its_own

pytestmark = pytest.mark.needs_plugin("gate", "notebook", "slurm")

PINS = GOLDEN / "pins"
UPDATE = "UPDATE_GOLDEN" in os.environ
PLACE = "/home/learner"
"""The learner's folder in the pinned home."""

MODEL = '"""{title}: a stand-in."""\n\n\nclass GPTConfig:\n    {field}\n\n\nclass GPT:\n    pass\n'
MODELS = {
    name: MODEL.format(title=name.title(), field=f"{field}: int = 0")
    for name, field in {
        **dict.fromkeys(("baseline", "rope", "swiglu", "rmsnorm", "model", "mine"), "n_layer"),
        "wide": "n_hidden",
    }.items()
}
OWN_LOOP = "#!/bin/sh\nfor step in 1 2; do echo METRIC step=$step val/loss=$step.$1$#; done\n"
STUDY_TOML = """[command]
run = "./train.sh {seed} {args}"
resume = "--resume"
inputs = ["text.txt"]
metric = "accuracy"
better = "higher"
take = "best"
pattern = 'accuracy (?P<value>\\S+)'

[arm.baseline]
[arm.deep]
args = "--layers=8"
"""
RUNS_CSV = "cfg,seed,lr,dataset,val_loss\n" + "".join(
    f"{cfg},{seed},0.001,shakespeare,{1.5 - 0.01 * seed - 0.1 * (cfg == 'tuned')}\n"
    for cfg in ("baseline", "tuned")
    for seed in range(3)
)

OWN = "--device cpu --preset quick --data text.txt --detach"
SHORT = f"{OWN} --max-iters 20"
ARM = "--command './train.sh {seed} {args}' --metric val/loss --arm baseline="
WEEK = f"""
predict rope --direction lower --size 0.02 --matters 0.01 --sure 80 --why so
run rope --seeds 3 --wandb offline {SHORT}
run swiglu --seeds 3..6 {SHORT}
run rmsnorm --headline welch --set dropout=0.1 --jobs 2 --dtype bf16 {SHORT}
run rope --seeds 5 --wandb offline {SHORT}
run rope --seeds 4,7,11 {SHORT}
run rmsnorm rope swiglu --seeds 3..5 {SHORT}
run rope --over max_iters=20,40 --seeds 3 {OWN}
run rope --tune learning_rate --seeds 3 --set n_layer=2 {SHORT.replace("--detach", "")}
run rope --seeds fresh:4 {SHORT}
run baseline --seeds 3 {SHORT}
run ./wide.py --baseline baseline --match params --unchecked {SHORT}
run ./mine.py --baseline ./model.py --unchecked {SHORT}
run swiglu --engine notebook --seeds 3 --preset quick --data text.txt --detach
run rmsnorm --engine slurm --engine-option partition=gpu --seeds 3 --data text.txt --detach
run {ARM} --arm fast=--lr=2 --smoke --quick --headline welch --seeds 3 --detach
run study.toml --seeds 3 --detach
run {ARM} --arm one=--one --arm two=--two --headline paired --seeds 3..4 --detach
gate {ARM} --arm same=--same
gate {ARM} --arm better=--better
import runs.csv
import events
import elsewhere
keep rope-1 --yes
run studies/rope-1 --fresh --unchecked --detach
"""
EFFECT = {"swiglu": -300, "better": -300}
"""Thousandths by which a variant's losses are lower than its seeds' alone would be."""


# ── what is read off a home


def values_of(store: Store, root: str) -> dict[str, Any]:
    """The values that follow from the plans of a home, by study, oldest first."""
    every = studies.load_readable()
    for study in every:
        ingest_events.ingest_study(store, study)
    return {
        study.id: {
            "identity": sha256_text(studies.identity_key(study)),
            "equal_bits": sha256_json([identity.run_fingerprint(study, run) for run in study.runs]),
            "declares": declaration_of(study),
            "drawn_with": [study.trainer.drawn_seed(run) for run in study.runs],
            **_on_record(store, study),
            "going_on": command_line.resume_command(study).replace(root, PLACE),
            "wandb": {run: relay.id for run, relay in wandb_state.read_relayed_runs(study).items()},
            "told_wandb": sha256_json([[run.name, run_config(study, run)] for run in study.runs]),
            "bundle": _bundle(study, Path(root)),
        }
        for study in every
    }


def _on_record(store: Store, study: Study) -> dict[str, Any]:
    asked = home_history.study_history(store, study)
    history = asked.history
    levels = {
        "level": history.level,
        "total": history.total,
        "of_arm": history.of_arm.total,
        "of_home": history.of_home.total,
    }
    return {
        **{key: round(value, 6) for key, value in levels.items()},
        "looks": [[look.study, look.pairs, look.verdict] for look in asked.looks],
        "left_out": [list(one) for one in asked.left_out],
        "lines": len(traveling_lines.lines_until(store, study)),
    }


def _bundle(study: Study, root: Path) -> str:
    """The hash of the list of the study's bundle, as it is kept."""
    (listed,) = (
        content
        for file, content in kept_folder.files_to_keep(study, root).items()
        if file.name == "bundle.json"
    )
    names = json.loads(listed)["files"]
    return sha256_json({name: sha for name, sha in names.items() if not name.startswith("runs/")})


def runs_of(study: Study) -> dict[str, list[Any]]:
    """The begin and end of each run: its time, the run it copies, its loss (None: not begun)."""
    runs = {}
    for run in study.runs:
        events = study.files.run(run.name).events
        if (start := first_start(events)) is not None:
            end = closing_exit(events)
            assert end is not None
            runs[run.name] = [start.get("time"), start.get("reused_from"), end["val_loss"]]
    return runs


def write_events(study: Study, run: Run, began: str, copied: str | None, loss: float) -> None:
    """A finished run, as trainers and copies leave it."""
    start = {"type": "start", "v": 1, "arm": run.arm, "seed": run.seed, "attempt": 1, "time": began}
    first = [
        {
            "type": "iter",
            "iter": at,
            "train_loss": 4 + loss / at - study.trainer.drawn_seed(run) % 7 / 100,
        }
        for at in (1, 2, 3)
    ]
    end = {"type": "exit", "state": "finished", "iter": study.max_iters or 2, "val_loss": loss}
    lines = [start | ({"reused_from": copied} if copied else {}), *first, {**end, "time": began}]
    target = study.files.run(run.name).events
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(json.dumps(line) + "\n" for line in lines))


def assert_pinned(values: Mapping[str, Any]) -> None:
    """Compare with the pinned values study by study, so that a failure names one."""
    pinned = json.loads((PINS / "values.json").read_text())
    assert list(values) == list(pinned)
    for name, value in values.items():
        assert json.loads(json.dumps(value)) == pinned[name], name


# ── the program makes it


class Machine:
    """The things that differ from machine to machine, fixed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = str(folder)
        self.names = {self.here: PLACE}
        self.now = datetime(2026, 3, 7, 9, tzinfo=UTC)
        self.drawn = 1
        put = monkeypatch.setattr
        put(files, "datetime", SimpleNamespace(now=lambda _: self.now))
        put(secrets, "randbelow", self.draw)
        put(secrets, "choice", lambda letters: letters[self.draw(len(letters))])
        put(secrets, "token_hex", lambda size: "5a" * size)
        put(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
        for name, value in {"python_version": "3", "system": "Unix", "machine": "any"}.items():
            put(platform, name, lambda value=value: value)
        for module in (command_draft, own_loop_draft):
            put(module, "__version__", "0")
        put(journal, "current_actor", lambda: "person")
        put(paths, "models_dir", lambda: folder / "labs" / "models")
        level, limits = interim_analyses.level_per_look, interim_analyses.t_limits
        put(interim_analyses, "level_per_look", lambda *plan: round(level(*plan), 9))
        put(
            interim_analyses,
            "t_limits",
            lambda *plan: tuple(round(limit, 9) for limit in limits(*plan)),
        )
        put(identity, "code_hash", lambda text: sha256_text(f"code {text}"))
        put(own_loop_draft, "code_of", str)  # the stand-ins differ in their docstrings alone
        put(launch, "start_runner", self.train)
        put(hashlib, "sha256", partial(Hash, hashlib.sha256, self.placeless))

    def placeless(self, data: bytes) -> bytes:
        for local_name, pinned in self.names.items():
            data = data.replace(local_name.encode(), pinned.encode())
        return data

    def draw(self, below: int) -> int:
        """The next of some numbers that look drawn."""
        self.drawn = self.drawn * 6364136223846793005 % (1 << 64) + 1442695040888963407
        return (self.drawn >> 24) % below

    def train(self, study: Study, *_: Any, **__: Any) -> int:
        """Train what the study lacks as its runner does, pair by pair, and go on with its series.
        A loss is what variant, learning rate and drawn seed make it."""
        end = None
        for seed in study.seeds:
            if end is None:
                for run in [run for run in study.runs if run.seed == seed]:
                    if not has_ended(study.files.run(run.name).events):
                        began = files.utc_now()
                        write_events(study, run, began, None, self.loss(study, run))
                end = early_stopping.EarlyStopping(study).over_before_plan()
        series_members.start_next(study if end is None else early_stopping.cut_study(study, end))
        return 1

    def loss(self, study: Study, run: Run) -> float:
        rate = {**study.trainer.hyperparameters, **study.trainer.arm_overrides(run.arm)}.get(
            "learning_rate", 1
        )
        seed = study.trainer.drawn_seed(run)
        mark = int(sha256_text(f"{study.arms[run.arm].sha256} {seed} {rate}")[:8], 16)
        # whole thousandths, so that every machine has the same digits
        return (1900 + seed * 37 % 41 + mark % 29 + EFFECT.get(run.variant, 0)) / 1000


class Hash:
    """A SHA-256 of bytes in which everything has its pinned name."""

    def __init__(self, real: Any, placeless: Any, data: bytes = b"", **how: Any) -> None:
        self.placeless, self.hash = placeless, real(placeless(data), **how)

    def update(self, data: bytes) -> None:
        self.hash.update(self.placeless(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hash, name)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The learner's folder, a repository, on a machine where everything is fixed."""
    folder = tmp_path.resolve() / "learner"
    of_its_own(tmp_path, monkeypatch)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_DATE", "2026-03-01T00:00:00+00:00")
    models = {"model.py": MODELS["model"], "mine.py": MODELS["mine"], "wide.py": MODELS["wide"]}
    begun(folder, {**models, ".gitignore": "bin\nlabs\n"})
    for name in ("baseline", "rope", "swiglu", "rmsnorm"):
        put(folder / "labs" / "models" / f"{name}.py", MODELS[name])
    for trainer in ("train.py", "loop.py"):
        put(folder / "labs" / trainer, "# the trainer\n")
    put(folder / "text.txt", "".join(f"{at} is a line.\n" for at in range(1000)))
    put(folder / "study.toml", STUDY_TOML)
    put(folder / "runs.csv", RUNS_CSV)
    for program, text in {"train.sh": OWN_LOOP, "bin/sbatch": "#!/bin/sh\n"}.items():
        put(folder / program, text)
        (folder / program).chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    finished_runs.trainer_version.cache_clear()
    yield Machine(folder, monkeypatch)
    finished_runs.trainer_version.cache_clear()


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_program_makes_this_home(
    home: Path, machine: Machine, fake_trainer: Callable[..., None]
) -> None:
    from q1lab.plugins.gate import DISCARD

    folder = Path(machine.here)
    for line in WEEK.strip().splitlines():
        if line.startswith("import events"):
            _somebodys_runs(home / "studies" / "rope-1", folder)
        words = shlex.split(line)
        q1lab(*words, code=DISCARD if "same=--same" in words else 0)
        if words[0] == "keep":  # a verdict's last digits are in what was committed
            machine.names[git(folder, "rev-parse", "HEAD").strip()] = "0" * 40
        machine.now += timedelta(minutes=1)
    with Store() as store:
        values = values_of(store, machine.here)
    every = [studies.load(name) for name in values]
    contents: Mapping[str, bytes] = {
        **{f"{study.id}.json": study.files.plan.read_bytes() for study in every},
        "journal.jsonl": paths.journal_file().read_bytes(),
        "runs.json": _text({study.id: runs_of(study) for study in every}),
        "values.json": _text(values),
    }
    contents = {name: machine.placeless(content) for name, content in contents.items()}
    if UPDATE:
        for file in PINS.glob("*"):
            file.unlink()
        for name, content in contents.items():
            put(PINS / name, content.decode())
    assert sorted(contents) == sorted(file.name for file in PINS.iterdir())
    assert_pinned(values)
    for name, content in contents.items():
        assert content.decode() == (PINS / name).read_text(), name


def _somebodys_runs(study: Path, folder: Path) -> None:
    """Events alone, and a whole study that was planned on another day."""
    for run in sorted((study / "runs").iterdir()):
        text = (run / "events.jsonl").read_text()
        put(folder / "events" / run.name / "events.jsonl", text)
        put(folder / "elsewhere" / "runs" / run.name / "events.jsonl", text)
    plan = (study / "study.json").read_text().replace("2026-03-07", "2026-02-01")
    put(folder / "elsewhere" / "study.json", plan)
    for arm in ARMS:
        for file in (study / "source" / arm).glob("*.py"):
            put(folder / "elsewhere" / "source" / arm / file.name, file.read_text())


def _text(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


# ── the home as it was made


def test_a_home_of_plans_of_every_kind_is_read_as_it_was(home: Path) -> None:
    pinned = json.loads((PINS / "values.json").read_text())
    runs = json.loads((PINS / "runs.json").read_text())
    sources = {sha256_text(text): text for text in MODELS.values()}
    (home / "journal.jsonl").write_bytes((PINS / "journal.jsonl").read_bytes())
    for at, name in enumerate(pinned):
        plan = home / "studies" / name / "study.json"
        (plan.parent / "source").mkdir(parents=True)
        plan.write_bytes((PINS / f"{name}.json").read_bytes())
        study = studies.load(name)
        assert studies.encode_plan(study).encode() == plan.read_bytes(), name
        for arm in study.arms.values():
            if arm.source:
                (plan.parent / arm.source).parent.mkdir(parents=True, exist_ok=True)
                (plan.parent / arm.source).write_text(sources[arm.sha256])
        for run in study.runs:
            if run.name in runs[name]:
                write_events(study, run, *runs[name][run.name])
        if ids := pinned[name]["wandb"]:
            relays = {run: asdict(wandb_state.RelayedRun(run_id)) for run, run_id in ids.items()}
            wandb_state.relayed_runs_file(study).parent.mkdir()
            wandb_state.relayed_runs_file(study).write_text(json.dumps({"runs": relays}))
        os.utime(plan.parent / "source", ns=(at + 1, at + 1))
    with Store() as store:
        values = values_of(store, PLACE)
    assert_pinned(values)
