"""Runs as other libraries write them down: each form is read as it is, or refused with the cure."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.commands.cli import cli
from q1lab.judgment.tables import sources
from q1lab.judgment.tables.readers import tfevents, wandb_run
from q1lab.judgment.tables.readers.metrics_csv import SETTING
from q1lab.judgment.tables.run_log import RunLog
from tests.kit.commands import q1lab
from tests.tables import outside_records
from tests.tables.outside_records import FINAL

RECORDS = Path(__file__).parent / "records"
MEAN = sum(FINAL["new"]) / 3 - sum(FINAL["base"]) / 3


@pytest.fixture(autouse=True)
def where_one_stands(working_folder: None, tmp_path: Path) -> None:
    os.chdir(tmp_path)


def judged(*words: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(q1lab("judge", *words, "--json").stdout)
    return record


def refused(*words: str) -> str:
    (line,) = q1lab("judge", *words, code=2).stderr.splitlines()
    return line


def check_difference(record: dict[str, Any], headline: str = "paired") -> None:
    assert record["difference"]["mean"] == pytest.approx(MEAN, abs=1e-6)
    assert record["difference"]["headline"] == headline
    assert (record["baseline"], record["variant"]) == ("base", "new")


# ── the forms


@pytest.mark.parametrize("form", outside_records.WRITERS)
def test_every_form_gives_the_same_difference(form: str) -> None:
    words = [str(RECORDS / form), "--baseline", "base"]
    check_difference(judged(*words))
    told = q1lab("judge", *words).stdout
    arms, metric, runs = told.splitlines()[:3]
    assert arms.startswith("Arms: base (3 runs), new (3 runs), from ")
    assert metric.startswith("Metric: ")
    assert runs.startswith("Runs: pairs by seed, from ")


@pytest.mark.slow
@pytest.mark.parametrize("form", outside_records.WRITERS)
def test_the_installed_library_writes_what_is_read(form: str, tmp_path: Path) -> None:
    library, write = outside_records.WRITERS[form]
    try:
        importlib.import_module(library)
    except ModuleNotFoundError:
        pytest.skip(f"{library} is not installed")
    write(tmp_path / "runs")
    check_difference(judged("runs", "--baseline", "base"))


def test_wandb_s_records_are_those_of_its_own_messages() -> None:
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    for file in sorted((RECORDS / "offline").rglob("*.wandb")):
        rows, finals = [], {}
        for data in wandb_run._records(file):
            record = messages.Record.FromString(data)
            if record.HasField("history"):
                items = record.history.item
                rows.append({item.nested_key[0]: json.loads(item.value_json) for item in items})
            for item in record.summary.update:
                finals[(item.nested_key or [item.key])[0]] = json.loads(item.value_json)
        log = RunLog()
        wandb_run.read([file], log)
        assert log.points("val/loss") == {row["iter"]: row["val/loss"] for row in rows}
        assert log.finals["val/loss"] == finals["val/loss"]


@pytest.mark.slow
def test_a_run_of_wandb_that_crashed_or_failed_leaves_no_verdict(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    shutil.copytree(RECORDS / "offline", tmp_path / "runs")
    outside_records.wandb_run(tmp_path / "runs", "new", 4, 1.8, "fail")
    cut(tmp_path / "runs", "new-2")
    words = ["runs", "--arm-key", "optimizer.name", "--baseline", "base"]
    record = judged(*words)
    assert (record["verdict"], record["reason"]) == ("no verdict", "incomplete")
    told = " ".join(q1lab("judge", *words, "--full").stdout.split())
    assert "2 of 7 runs have no result" in told
    assert "new, seed 2 (no end on record: it crashed, or runs)" in told
    assert "new, seed 4 (ended with status 1)" in told


@pytest.mark.slow
def test_a_run_of_wandb_that_was_killed_at_once_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    outside_records.wandb_run(tmp_path / "runs", "new", 3, 1.8, "kill")
    line = refused("runs")
    assert "its run was killed before the client wrote anything" in line
    assert ".wandb" in line


def cut(folder: Path, name: str) -> Path:
    """Leave what a crash leaves of a run: the beginning of its file."""
    (whole,) = (one for one in folder.rglob("*.wandb") if name.encode() in one.read_bytes())
    whole.write_bytes(whole.read_bytes()[:900])
    return whole


def test_a_second_try_takes_the_place_of_a_run_that_crashed(tmp_path: Path) -> None:
    shutil.copytree(RECORDS / "offline", tmp_path / "runs")
    shutil.copytree(RECORDS / "offline", tmp_path / "runs" / "before")
    crashed = cut(tmp_path / "runs" / "before", "new-2")
    for run in (tmp_path / "runs" / "before").iterdir():
        if run != crashed.parent:
            shutil.rmtree(run)
    words = ["judge", "runs", "--arm-key", "optimizer.name", "--baseline", "base"]
    told = " ".join(q1lab(*words).stdout.split())
    assert "new, seed 2, appears twice: one is not used (no end on record" in told
    check_difference(judged(*words[1:]))


def test_checkpoints_are_parts_of_their_run_and_one_that_stopped_is_told(tmp_path: Path) -> None:
    shutil.copytree(RECORDS / "trainer", tmp_path / "runs")
    for name in ("trainer_state.json", "checkpoint-30/trainer_state.json"):
        (tmp_path / "runs" / "new-seed2" / name).unlink()
    record = judged("runs", "--baseline", "base")
    assert record["reason"] == "incomplete"
    assert "new, seed 2 (stopped at step 20 of 30)" in json.dumps(record["facts"])
    state = tmp_path / "runs" / "new-seed2" / "checkpoint-20" / "trainer_state.json"
    told = json.loads(state.read_text())
    told["stateful_callbacks"] = {"TrainerControl": {"args": {"should_training_stop": True}}}
    state.write_text(json.dumps(told))
    short = json.dumps(judged("runs", "--baseline", "base")["facts"])
    assert "last step (20 in new, seed 2, 30 in" in short


def test_what_hparams_yaml_says_in_nested_lines_is_left_out() -> None:
    lines = {
        "optimizer: adam": ("optimizer", "adam"),
        "seed: 3": ("seed", "3"),
        "name: 'a b'": ("name", "a b"),
        "layers: [1, 2]": None,
        "model: !!python/object:os.system": None,
        "  nested: 1": None,
        "text: |": None,
    }
    for line, expected in lines.items():
        found = SETTING.fullmatch(line)
        assert (found and found.groups()) == expected, line


# ── damage


def event_file(tmp_path: Path) -> Path:
    (file,) = (RECORDS / "tensorboard" / "base_seed0").iterdir()
    return Path(shutil.copy(file, tmp_path / file.name))


def test_an_event_file_of_a_killed_writer_is_read_to_its_last_whole_event(tmp_path: Path) -> None:
    file = event_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-7])
    log = RunLog()
    tfevents.read([file], log)
    assert len(log.points("loss/val")) == 2


@pytest.mark.parametrize("at", [3, 9, 40, -20])
def test_a_damaged_event_file_is_refused_with_its_place(at: int, tmp_path: Path) -> None:
    file = event_file(tmp_path)
    data = bytearray(file.read_bytes())
    data[at] ^= 0x41
    file.write_bytes(data)
    line = refused(str(file))
    assert file.name in line
    assert "damaged" in line


def test_pictures_and_histograms_in_an_event_file_are_passed_over(tmp_path: Path) -> None:
    file = event_file(tmp_path)
    size = struct.pack("<Q", tfevents.LARGEST + 1)
    picture = size + struct.pack("<I", tfevents._masked(size)) + bytes(tfevents.LARGEST + 5)
    file.write_bytes(picture + file.read_bytes() + picture)
    log = RunLog()
    tfevents.read([file], log)
    assert len(log.points("loss/val")) == 3


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_message_of_a_stranger_breaks_a_reader(message: bytes) -> None:
    log = RunLog()
    for take in (
        lambda: tfevents._take(message, 1, log),
        lambda: tfevents._tell_settings(b"\x0a\x0b\x0a\x07hparams" + message, log),
        lambda: wandb_run._tell_run(message, log),
        lambda: log.row(dict(wandb_run._items(message)), 0),
    ):
        with contextlib.suppress(ValueError):
            take()


@pytest.mark.parametrize("at", [1, 9, 60, 500])
def test_a_damaged_run_of_wandb_is_refused_with_its_place(at: int, tmp_path: Path) -> None:
    file = Path(shutil.copy(next((RECORDS / "offline").rglob("*.wandb")), tmp_path))
    data = bytearray(file.read_bytes())
    data[at] ^= 0x41
    file.write_bytes(data)
    line = refused(str(file))
    assert file.name in line
    assert "damaged" in line or "no file of W&B" in line


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("trainer_state.json", '{"log_history": 3}', "has no log_history"),
        ("trainer_state.json", "[" * 10_000, "trainer_state.json"),
        ("metrics.csv", 'step,val_loss\n1,"2', "metrics.csv"),
        (
            "runs.jsonl",
            '{"step": 1, "val_loss": 2}\n{"step": 2, "val_loss": 1}\n{"st',
            ":3: not JSON",
        ),
        ("log.txt", "val_loss=1e12\n", "too large to be a metric"),
        ("log.txt", "val_loss=1.9\n", "there is one arm"),
        ("a.json", "[1, 2]", "neither rows nor arms"),
        ("model.safetensors", "\x00\x01\x02\x80", "is not UTF-8 text"),
    ],
)
def test_a_file_that_can_t_be_used_gets_one_line(
    name: str, text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    done = q1lab("judge", name, code=None)
    assert words in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_pipes_folders_and_absent_files_get_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run-1.wandb")
    assert "a named pipe" in refused("run-1.wandb")
    assert "doesn't exist" in refused("nothing")
    assert "--baseline 1.9,1.8 --modified …" in refused("base=1.9,1.8")
    assert "no file fits 'nothing*'" in refused("nothing*")
    (tmp_path / "empty").mkdir()
    assert "TensorBoard events" in refused("empty")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "events.jsonl").touch()
    assert "own holds runs of q1lab" in refused("own")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = event_file(tmp_path)
    file.chmod(0)
    line = refused(str(file))
    assert line == f"q1lab: cannot read {file}: permission denied"


def test_a_folder_of_thousands_of_files_is_searched_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from q1lab.judgment.tables import sources

    for number in range(50):
        (tmp_path / f"{number}.pt").touch()
    monkeypatch.setattr(sources, "MOST_ENTRIES", 49)
    assert "more than 49 files" in refused(".")


# ── arms and seeds


def write_logs(tmp_path: Path, name: str = "{arm}_{seed}.txt", line: str = "") -> None:
    line = line or "step:{step}/200 val_loss:{value:.4f} train_time:{step}ms\n"
    for arm, finals in FINAL.items():
        for seed, final in enumerate(finals):
            file = tmp_path / name.format(arm=arm, seed=seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            points = [(step, final + 0.2 - step / 1000) for step in (0, 100, 200)]
            file.write_text(
                "".join(
                    line.format(step=step, value=value, arm=arm, seed=seed)
                    for step, value in points
                )
            )


GLOBS = ["--arm", "base=base*", "--arm", "new=new*"]
PATTERN = "--metric-pattern", r"val_loss:(?P<value>\S+)"


def test_arms_are_patterns_of_files_and_the_first_is_the_baseline(tmp_path: Path) -> None:
    write_logs(tmp_path)
    for reading in ([], ["--metric", "val_loss"], PATTERN):
        check_difference(judged(*GLOBS, *reading), "welch")
    swapped = judged("--arm", "new=new*", "--arm", "base=base*")
    assert swapped["baseline"] == "new"
    assert judged("--arm", "new=new*", "--arm", "Baseline=base*")["baseline"] == "Baseline"
    told = q1lab("judge", *GLOBS).stdout
    assert "no seed is known" in told
    assert "(lower is better; 3 runs per arm)" in told


def test_the_words_of_names_tell_the_arms_and_the_numbers_the_runs(tmp_path: Path) -> None:
    write_logs(tmp_path)
    check_difference(judged("*.txt", "--baseline", "base"), "welch")
    write_logs(tmp_path, "runs/{arm}/seed_{seed}/out.log")
    check_difference(judged("runs/*/*/*.log", "--baseline", "base"))


def test_runs_whose_names_tell_no_arm_are_of_the_one_setting_that_differs(tmp_path: Path) -> None:
    assert refused(str(RECORDS / "offline")).endswith("the arms base, new; say --baseline NAME")
    for at, name in enumerate(("ba", "dc", "fe", "hg")):
        words = {"opt": {"name": "ab"[at % 2]}, "norm": "xy"[at // 2]}
        write_lines(tmp_path / f"{name}.jsonl", *steps(2.0, **words))
    line = refused("*.jsonl")
    assert "which of these 4 runs belong together is not clear" in line
    assert line.endswith("these differ: norm, opt.name")


def test_a_key_that_no_run_has_is_refused_with_those_that_differ() -> None:
    line = refused(str(RECORDS / "lightning"), "--arm-key", "optimiser")
    assert "has no optimiser" in line
    assert "these differ: optimizer" in line


def test_json_lines_and_json_objects_are_runs_with_their_settings(tmp_path: Path) -> None:
    for arm, finals in FINAL.items():
        for seed, final in enumerate(finals):
            config = {"config": {"optimizer": {"name": arm}, "seed": seed, "lr": 0.1}}
            rows = [config, *({"step": n, "val": {"loss": final + 1 - n / 9}} for n in (0, 9))]
            run = tmp_path / f"{arm}{seed}"
            run.mkdir()
            (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (run / "final.json").write_text(
                json.dumps({"val_loss": final, "seed": seed, "arm": arm})
            )
    named = ["--arm-key", "config.optimizer.name", "--metric", "val.loss", "--baseline", "base"]
    check_difference(judged("*/log.jsonl", *named))
    check_difference(judged("*/final.json", "--baseline", "base"))


def write_lines(file: Path, *rows: dict[str, Any]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def steps(final: float, **settings: Any) -> list[dict[str, Any]]:
    return [{"step": at, "val_loss": final + 1 - at / 9, **settings} for at in (0, 9)]


def test_nested_settings_name_the_arm_and_the_seed_as_flat_ones_do(tmp_path: Path) -> None:
    records = []
    for arm, finals in FINAL.items():
        for seed, final in enumerate(finals):
            config = {"config": {"model": arm, "seed": seed}}
            name = f"{arm[0]}{seed}x.jsonl"  # tells nothing
            write_lines(tmp_path / name, *steps(final, **config))
            write_lines(tmp_path / f"head_{name}", config, *steps(final))
            records.append({**config, "val_loss": final})
    write_lines(tmp_path / "table.jsonl", *records)
    (tmp_path / "table.json").write_text(json.dumps(records))
    for source in ("?[0-9]x.jsonl", "head_*", "table.jsonl", "table.json"):
        check_difference(judged(source, "--baseline", "base"))
    assert "from column config.model" in q1lab("judge", "table.json", "--baseline", "base").stdout


def test_a_nested_setting_that_all_runs_share_is_no_arm(tmp_path: Path) -> None:
    for arm, finals in FINAL.items():
        rows = [
            {"config": {"model": "gpt"}, "seed": seed, "val_loss": final}
            for seed, final in enumerate(finals)
        ]
        (tmp_path / f"{arm}.json").write_text(json.dumps(rows))
        for row in rows:
            row["optimizer"] = arm
        (tmp_path / f"of_{arm}.json").write_text(json.dumps(rows))
    check_difference(judged("base.json", "new.json", "--baseline", "base"))
    check_difference(judged("of_*.json", "--baseline", "base"))


@pytest.mark.parametrize("name", ["run_{arm}_s{seed}", "{seed}{arm}x"])
@pytest.mark.parametrize("has_steps", [True, False])
def test_files_of_one_run_each_are_no_arm_each(name: str, has_steps: bool, tmp_path: Path) -> None:
    for arm, finals in FINAL.items():
        for seed, final in enumerate(finals):
            rows = steps(final, opt={"name": arm})
            for row in rows if not has_steps else ():
                del row["step"]
            file = name.format(arm=arm[0], seed=seed) + ".jsonl"
            write_lines(tmp_path / file, *rows)
    if name.startswith("run"):
        line = refused("*.jsonl")
        assert line.endswith("there are the arms run_b, run_n; say --baseline NAME")
        named = ["--baseline", "run_b"]
    else:
        assert refused("*.jsonl").endswith("the arms base, new; say --baseline NAME")
        named = ["--baseline", "base"]
    record = judged("*.jsonl", *named)
    assert record["difference"]["mean"] == pytest.approx(MEAN, abs=1e-6)
    if name.startswith("run"):
        check_difference(judged("--arm", "base=*_b_*", "--arm", "new=*_n_*"), "welch")


def test_tables_are_arms_by_their_files(tmp_path: Path) -> None:
    for arm, finals in FINAL.items():
        rows = "".join(f"{seed},{final}\n" for seed, final in enumerate(finals))
        (tmp_path / f"{arm}.csv").write_text(f"seed,val_loss\n{rows}")
        by_seed = {
            str(seed): {"val_loss": final, "val_bpb": 1} for seed, final in enumerate(finals)
        }
        record = {"author": "somebody", "seed_results": by_seed}
        (tmp_path / f"{arm}.json").write_text(json.dumps(record))
        lines = "".join(f"{final}\n" for final in finals)
        (tmp_path / f"{arm}.txt").write_text(f"val_loss\n{lines}")
    check_difference(judged("--arm", "base=base.csv", "--arm", "new=new.csv"))
    check_difference(judged("base.csv", "new.csv", "--baseline", "base"))
    check_difference(
        judged("--arm", "base=base.json", "--arm", "new=new.json", "--metric", "val_loss")
    )
    check_difference(judged("--arm", "base=base.txt", "--arm", "new=new.txt"), "welch")
    assert "name the files of each arm with --arm" in refused("base.json")
    assert "one has seeds, and the other has none" in refused(
        "base.csv", "new.txt", "--baseline", "base"
    )


LISTS = {"base": ("1.9", "1.8", "1.7"), "new": ("1.96", "1.86", "1.76")}


@pytest.mark.parametrize("ends", [("_0", "_1"), ("x", "y")])
def test_several_files_of_an_arm_are_one_run_each_and_that_is_said(
    ends: tuple[str, str], tmp_path: Path
) -> None:
    for arm, numbers in LISTS.items():
        for more, end in enumerate(ends):
            rows = "".join(f"{number}{more}\n" for number in numbers)
            (tmp_path / f"{arm}{end}.csv").write_text(f"val_loss\n{rows}")
    words = ["--arm", "base=base*", "--arm", "new=new*"]
    record = judged(*words)
    assert record["arms"]["baseline"]["values"] == {"0": 1.7, "1": 1.71}
    assert "the last row of each file" in record["read"][2]
    told = " ".join(q1lab("judge", *words).stdout.split())
    assert "note: rows say neither step nor seed, so each file is one run; where each row" in told
    one = judged("--arm", f"base=base{ends[0]}.csv", "--arm", "new=new*")
    assert one["arms"]["baseline"]["values"] == {"0": 1.7}


def test_one_file_an_arm_has_a_run_a_row(tmp_path: Path) -> None:
    for arm, numbers in LISTS.items():
        (tmp_path / f"{arm}.csv").write_text("\n".join(["val_loss", *numbers]))
    record = judged("--arm", "base=base.csv", "--arm", "new=new.csv")
    assert record["arms"]["baseline"]["values"] == {"0": 1.9, "1": 1.8, "2": 1.7}
    assert "last row" not in " ".join(record["read"])


def test_numbers_of_names_are_dropped_only_where_each_arm_has_the_same(tmp_path: Path) -> None:
    write_logs(tmp_path, "{arm}{seed}/log.txt")
    check_difference(judged("*/log.txt", "--baseline", "base"), "welch")
    shutil.copytree("base0", "base7")
    assert "is not clear" in refused("*/log.txt", "--baseline", "base")
    for time in ("12-00-01", "12-00-02", "13-00-01", "13-00-02"):
        shutil.copytree("base0", f"runs/{time}")
    assert "is not clear" in refused("runs/*/log.txt")


def test_a_second_form_in_a_folder_may_be_of_the_same_runs_and_is_told(tmp_path: Path) -> None:
    for form in ("tensorboard", "lightning"):
        shutil.copytree(RECORDS / form, tmp_path / "runs" / form)
    told = " ".join(q1lab("judge", "runs", "--baseline", "base").stdout.split())
    assert "note: runs: 6 files with a metrics.csv not read" in told


def test_files_of_one_run_are_one_run_however_they_are_named(tmp_path: Path) -> None:
    shutil.copytree(RECORDS / "trainer", tmp_path / "runs")
    files = sorted(str(file) for file in (tmp_path / "runs").rglob("trainer_state.json"))
    check_difference(judged(*files, "--baseline", "base"))


def test_a_file_is_used_once_however_often_it_is_named(tmp_path: Path) -> None:
    write_logs(tmp_path)
    (tmp_path / "base_latest.txt").symlink_to("base_2.txt")
    told = q1lab("judge", *GLOBS).stdout
    assert "base_latest.txt is base_2.txt once more, and is used once" in " ".join(told.split())
    check_difference(judged(*GLOBS), "welch")
    assert "is named for a and for b; leave one out" in refused(
        "--arm", "a=base*", "--arm", "b=base_0.txt"
    )
    both = refused("base_0.txt", "--arm", "base=base*", "--arm", "new=new*")
    assert "base_0.txt is named for no arm and for base; leave one out" in both
    shutil.copy("base_0.txt", "base_seed0.txt")
    shutil.copy("base_0.txt", "base_seed0_again.txt")
    line = refused("base_seed0*", "new_0.txt", "--baseline", "base", "--arm-key", "x")
    assert "has no x" in line


def test_two_runs_of_one_seed_are_refused(tmp_path: Path) -> None:
    write_logs(tmp_path, "{arm}_seed{seed}.txt")
    shutil.copy("base_seed0.txt", "base_seed0b.txt")
    assert "base has seed 0 twice, also in base_seed0.txt" in refused(*GLOBS)


def test_more_logs_than_are_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_FILES", 5)
    for arm in ("base", "new"):
        (tmp_path / arm).mkdir()
        for run in range(3):
            (tmp_path / arm / f"{run}.log").write_text(f"val_loss {run}.5\n")
    assert "holds more than 5 logs" in refused(".", "--baseline", "base"), "runs are left out"


def test_a_source_without_a_number_gets_one_line() -> None:
    for text in ("arm,val_loss,x\n,,1\n", "arm,val_loss,x\n,,1\n,,2\n"):
        done = CliRunner().invoke(cli, ["judge", "-"], input=text)
        assert str(done.exception) == (
            "standard input: there is one arm, without numbers; name the files of each arm with --arm NAME=PATTERN"
        )


@pytest.mark.parametrize("written", ["71.{0}%", "71,{0}", "71.{0} ± 0.5", "**71.{0}**", "7{0} ms"])
@pytest.mark.parametrize(
    ("metric", "other"), [("accuracy", "minutes"), ("val_acc", "n"), ("Genauigkeit", "epochs")]
)
def test_a_metric_in_another_writing_is_read_and_no_other_column_is_judged(
    written: str, metric: str, other: str, tmp_path: Path
) -> None:
    rows = [f"method;seed;{metric};{other}"]
    rows += [f"{arm};{seed};{written.format(seed)};{9 + seed}" for arm in "ab" for seed in range(3)]
    (tmp_path / "results.csv").write_text("\n".join(rows))
    words = ["results.csv", "--baseline", "a", "--better", "higher"]
    assert judged(*words)["metric"]["name"] == metric
    assert judged(*words, "--metric", other)["metric"]["name"] == other


@pytest.mark.parametrize("written", ["71.{0}/100", "about 7{0}", "7{0}x"])
def test_a_metric_that_can_t_be_read_is_named_and_no_other_column_is_judged(
    written: str, tmp_path: Path
) -> None:
    rows = ["method;seed;accuracy;minutes"]
    rows += [
        f"{arm};{s};{written.format(s) if s else 'n/a'};{9 + s}" for arm in "ab" for s in (1, 2)
    ]
    rows[1:1] = ["a;0;x 7;3"] if "x" in written else []
    (tmp_path / "results.csv").write_text("\n".join(rows))
    line = refused("results.csv", "--baseline", "a")
    assert "results.csv:2: " in line
    assert "is not a number" in line


@pytest.mark.parametrize("written", ["71,{0}", "1,712.{0}"])
def test_a_metric_of_a_log_that_can_t_be_read_is_named(written: str, tmp_path: Path) -> None:
    for arm in ("base", "new"):
        for seed in range(3):
            text = f"step 9 | acc {written.format(seed)} | mem 3{seed}.5\n"
            (tmp_path / f"{arm}-{seed}.log").write_text(text)
            row = {"step": 9, "acc": written.format(seed), "mem": 3.5 + seed}
            (tmp_path / f"{arm}-{seed}.jsonl").write_text(json.dumps(row))
    for ending in ("log", "jsonl"):
        arms = ("--arm", f"base=base-*.{ending}", "--arm", f"new=new-*.{ending}")
        assert f"acc '{written.format(0)}'" in refused(*arms)


def test_links_inside_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(RECORDS / "tensorboard" / "new_seed2", outside)
    shutil.copytree(RECORDS / "tensorboard", tmp_path / "runs")
    (tmp_path / "runs" / "new_seed3").symlink_to(outside)
    check_difference(judged("runs", "--baseline", "base"))


def test_numbers_that_are_not_finite_and_runs_without_the_metric_leave_no_verdict(
    tmp_path: Path,
) -> None:
    write_logs(tmp_path)
    (tmp_path / "new_2.txt").write_text("step:100/200 val_loss:1.9\nstep:200/200 val_loss:nan\n")
    assert judged(*GLOBS)["reason"] == "diverged"
    (tmp_path / "new_2.txt").write_text("step:100/200 loss:1.9\nTraceback: killed\n")
    record = judged(*GLOBS)
    assert record["reason"] == "incomplete"
    assert "no val_loss" in json.dumps(record["facts"])
    mixed = ["--arm", "base=base*", "--arm", f"new={RECORDS / 'trainer'}/new*"]
    assert "no number is in all arms" in refused(*mixed)


def test_logs_of_a_training_loss_alone_say_that_it_can_be_named(tmp_path: Path) -> None:
    write_logs(tmp_path, line="step:{step}/200 train_loss:{value:.4f}\n")
    told = refused(*GLOBS)
    assert "no number that all arms report is known as a metric (train_loss)" in told
    check_difference(judged(*GLOBS, "--metric", "train_loss"), "welch")


def test_runs_of_other_lengths_and_settings_are_told(tmp_path: Path) -> None:
    write_logs(tmp_path)
    text = (tmp_path / "new_2.txt").read_text()
    (tmp_path / "new_2.txt").write_text("".join(text.splitlines(keepends=True)[:2]))
    short = json.dumps(judged(*GLOBS)["facts"])
    assert "last step (100 in new, run 3, 200 in" in short
    for name, lr in (
        ("base_0", 1),
        ("base_1", 1),
        ("base_2", 1),
        ("new_0", 2),
        ("new_1", 2),
        ("new_2", 2),
    ):
        with (tmp_path / f"{name}.txt").open("a") as file:
            file.write(f"lr = {lr}\n")
    assert "The runs differ in lr" in q1lab("judge", *GLOBS, "--full").stdout


def test_rows_out_of_order_count_by_their_steps(tmp_path: Path) -> None:
    write_logs(tmp_path)
    for file in tmp_path.glob("*.txt"):
        file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    check_difference(judged(*GLOBS), "welch")


def test_several_arms_share_one_level(tmp_path: Path) -> None:
    write_logs(tmp_path)
    write_logs(tmp_path, "third_{seed}.{arm}")
    words = [*GLOBS, "--arm", "other=third_*.new"]
    record = judged(*words)
    assert record["correction"]["each"] == pytest.approx(0.025)
    assert {member["name"] for member in record["members"]} == {"new", "other"}
    assert "2 modifications against base" in q1lab("judge", *words).stdout


def test_a_printed_log_is_read_by_its_names_or_by_a_pattern(tmp_path: Path) -> None:
    lines = {
        "step {step}: train loss 1.0, val loss {value:.4f} (best val loss 1.5)\n": [],
        "iter {step} | val/loss={value:.6f} | lr=1e-3\n": [],
        "{{'epoch': {step}, 'eval_loss': {value:.4f}}}\n": ["--metric", "eval_loss"],
        "Step {step} | Validation bpb: {value:.4f}\n": ["--metric-pattern", "nanochat"],
        "Epoch {step}: {value:.4f} is the loss\n": [
            *("--metric-pattern", r"Epoch (?P<step>\d+): (?P<value>\S+) is the loss"),
            *("--metric", "loss"),
        ],
    }
    for line, words in lines.items():
        write_logs(tmp_path, line=line)
        check_difference(judged(*GLOBS, *words), "welch")
    assert "no group for the number" in refused(*GLOBS, "--metric-pattern", "loss")
    assert "matches everything" in refused(*GLOBS, "--metric-pattern", "(a*)")
    assert "say --metric NAME" in refused(*GLOBS, "--metric-pattern", r"(?P<value>\d+\.\d+)")


def test_the_patterns_by_name_are_those_of_run() -> None:
    from labs.loop import PATTERNS
    from q1lab.judgment.tables.readers import printed_log

    assert printed_log.PATTERNS == PATTERNS


@pytest.mark.parametrize("item", ["base", "=x", "base="])
def test_an_arm_without_a_name_or_files_is_refused(item: str) -> None:
    assert "NAME=PATTERN" in refused("--arm", item)


# ── kept, and expected


def test_the_exit_status_says_whether_the_verdict_is_the_expected_one(tmp_path: Path) -> None:
    write_logs(tmp_path)
    q1lab("judge", *GLOBS, "--expect", "helps")
    q1lab("judge", *GLOBS, "--expect", "hurts", "--expect", "helps")
    other = q1lab("judge", *GLOBS, "--expect", "hurts", code=1)
    assert other.stderr == "q1lab: expected hurts, but got HELPS\n"
    assert "HELPS   new − base" in other.stdout
    q1lab("judge", *GLOBS, "--json", "--expect", "cannot-tell", code=1)
    two = ["--better", "lower", "--baseline", "1,2", "--modified", "3,4"]
    assert "NO VERDICT" in q1lab("judge", *two, "--expect", "helps", code=3).stderr
