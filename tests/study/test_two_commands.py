"""Two commands: the arms that they make, their names, and what is refused."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from q1lab.ground.errors import Problem
from q1lab.study import two_commands
from q1lab.study.command_arms import CommandSpec, arm_words, read_study_toml
from tests.kit.commands import study_toml

PY = shlex.quote(sys.executable)


def parsed(*typed: str) -> CommandSpec:
    return two_commands.parse_two_commands([text.replace("PY", PY) for text in typed])


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ("PY t.py --seed={seed}", "PY t.py --seed={seed} --lr=2e-3", ("baseline", "lr=2e-3")),
        ("PY t.py --seed={seed} --lr 1", "PY t.py --seed={seed} --lr 2", ("lr=1", "lr=2")),
        (
            "PY t.py --lr=1 --s={seed}",
            "PY t.py --lr=2 --wd 0.1 --s={seed}",
            ("lr=1", "lr=2+wd=0.1"),
        ),
        ("PY t.py seed={seed}", "PY t.py seed={seed} +opt.lr=2e-3", ("baseline", "opt.lr=2e-3")),
        ("PY old.py {seed}", "PY lib/new.py {seed}", ("old", "new")),
        ("PY t.py {seed} 3", "PY t.py {seed} 6", ("t-3", "t-6")),
        ("env -i /bin/true {seed} 3", "env -i /bin/true {seed} 6", ("true-3", "true-6")),
        ("PY t.py {seed} --bias", "PY t.py {seed}", ("baseline", "no-bias")),
        ("PY t.py {seed} --bias", "PY t.py {seed} --no-bias", ("bias", "no-bias")),
        ("PY t.py {seed} -f=a/x.yml", "PY t.py {seed} -f=b/y.yml", ("f=x", "f=y")),
        ("PY t.py {seed} a/m.yml", "PY t.py {seed} b/m.yml", ("a_m.yml", "b_m.yml")),
        ("bash -c 'cd a; PY t.py {seed}'", "bash -c 'cd a; PY t.py {seed} --b=2'", None),
        ("PY new.py {seed}", "PY baseline.py {seed}", ("baseline", "modified")),
    ],
)
def test_arms_are_named_by_their_difference(
    one: str, other: str, names: tuple[str, str] | None
) -> None:
    loop = parsed(one, other)
    assert tuple(loop.args) == (names or ("baseline", "b=2"))
    assert loop.arms[0] == next(iter(loop.args))
    for text, name in zip((one, other), loop.args, strict=True):
        assert arm_words(loop, name) == shlex.split(text.replace("PY", PY))


def test_it_is_a_study_toml_in_other_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    study_toml(f"{PY} t.py --seed={{seed}} {{args}}", metric="", baseline="", b="--b")
    both = parsed("PY t.py --seed={seed}", "PY t.py --seed={seed} --b")
    assert both == read_study_toml(Path("study.toml"))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["PY t.py {seed}"], "nothing to be compared with"),
        (["PY t.py {seed}"] * 3, "3 commands: two are compared"),
        (["PY t.py {seed}"] * 2, "both commands are the same: change"),
        (["PY t.py", "PY t.py --lr=1"], "no {seed} in .*: put {seed} where the seed goes"),
        (["PY t.py --seed=1", "PY t.py --seed=2"], r"differ only in their seed: .*\(--seed={seed}"),
        (["PY t.py --seed 1 -a", "PY t.py --seed 1"], r"\(--seed {seed} in place of --seed 1\)"),
        (["PY t.py {seed}", "PY t.py 3"], "no {seed} in"),
        (["PY t.py {seed}", "no_such_program {seed}"], "no_such_program: no such command"),
        (["PY t.py {seed}", "PY t.py {seed} '"], "no closing quotation; close the quotes"),
        (["PY t.py {seed}", " "], "a command is empty"),
        (["A=1 PY t.py {seed}", "PY t.py {seed}"], "write `env A=1 …`"),
        (["cd a && PY t.py {seed}", "PY t.py {seed}"], "write bash -c 'cd a &&"),
    ],
)
def test_what_can_not_be_compared_is_refused_with_its_cure(typed: list[str], says: str) -> None:
    with pytest.raises(Problem, match=says):
        parsed(*typed)


@pytest.mark.parametrize(
    "launcher",
    [
        "srun",
        "/usr/bin/srun -p gpu -n 4 --exclusive",
        "torchrun --nproc_per_node=2",
        "accelerate launch --num_processes 2",
        "uv run",
        "poetry run",
        "env CUDA_VISIBLE_DEVICES=0",
        "env -i",
        "time -p",
        "nice -n 5",
        "taskset -c 0-3",
        "timeout 90m",
        "srun -n 1 env A=1 nice",
    ],
)
@pytest.mark.parametrize("program", ["prog", "python lib/prog.py", "./prog", "bash -c 'prog.py'"])
def test_an_arm_is_not_called_after_its_launcher(launcher: str, program: str) -> None:
    words = shlex.split(f"{launcher} {program}")
    named = two_commands.arm_names([*words, "{seed}"], [*words, "{seed}", "0.1"])
    assert named == ("baseline", "prog-0.1")
    assert two_commands.arm_names([*words, "--lr=1"], [*words, "--lr=2"]) == ("lr=1", "lr=2")
    one, other = (shlex.split(f"{launcher} -n {many} {program}") for many in (2, 3))
    assert two_commands.arm_names(one, other) == ("n=2", "n=3"), "the launcher is what differs"


@pytest.mark.parametrize(
    ("typed", "are"),
    [
        (["rope", "swiglu"], False),
        (["my model.py"], False),
        (["python t.py"], True),
        (["./t{seed}", "./u{seed}"], True),
    ],
)
def test_commands_are_told_from_variants_and_files(
    typed: list[str], are: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model.py").touch()
    assert two_commands.are_commands(typed) is are


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("PY t.py {seed}", "PY t.py {seed} --lr=2", "t_lr=2"),
        ("PY -m my.train {seed}", "PY -m my.train {seed} --lr=2", "train_lr=2"),
        ("bash -c 'PY t.py {seed}'", "bash -c 'PY t.py {seed} --lr=2'", "t_lr=2"),
        ("PY old.py {seed}", "PY new.py {seed}", "new"),
    ],
)
def test_a_study_is_called_by_program_and_difference(one: str, other: str, name: str) -> None:
    loop = parsed(one, other)
    assert two_commands.study_name(loop, loop.arms[1][0]) == name
