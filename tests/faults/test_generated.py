"""Made by a generator: whatever is handed to `judge` and `restore`, and whatever lies where a study
should be. One line each, the exit status that is promised, and nothing half taken in."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from q1lab.ground import paths
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit.commands import q1lab
from tests.kit.faults import figures

DEEP = "[" * 20_000

HOSTILE = [
    None, True, False, "", " ", "x" * 5000, "\x1b[31mred\x07", "\ud800", "a\nb", "../../etc/passwd",
    "/dev/zero", 0, -1, 1 << 53, 1 << 63, -(1 << 63) - 1, 10**400, 9e200, -9e200, 1e308, 1e-320,
    float("nan"), float("inf"), [], {}, [None], [[]], {"a": {"b": {"c": [1]}}}, [[0, 0]], ["x"],
    [[[[[[[[[[1]]]]]]]]]],
]  # fmt: skip
"""Values that fields have held, or may hold, where they should not."""

values = some.one_of(
    some.sampled_from(HOSTILE),
    some.integers(),
    some.floats(),
    some.text(max_size=20),
)

PLAN: dict[str, Any] = {
    "v": 2,
    "id": "rope-1",
    "created": "2026-03-07T09:30:00+00:00",
    "arms": {
        arm: {
            "variant": variant, "title": variant, "source": f"source/{arm}.py", "sha256": "0" * 64,
            "origin": variant, "n_params": 800_000, "flops_per_token": 1_600_000,
        }
        for arm, variant in (("baseline", "baseline"), ("modified", "rope"))
    },
    "looks": [[0, 1]],
    "kind": "own",
    "preset": "cpu",
    "config": {
        "max_iters": 20, "batch_size": 12, "block_size": 64, "learning_rate": 1e-3, "dropout": 0.0,
    },
    "data": {
        "name": "shakespeare", "sha256": "86c4e6aa" * 8, "file": f"data/{'86c4e6aa' * 8}.txt",
        "characters": 1_115_394, "vocab_size": 65, "train_tokens": 1_003_854, "val_tokens": 111_540,
    },
    "device": "cpu", "dtype": "bf16", "jobs": 2, "threads": 1,
    "versions": {"torch": "2.9"},
    "prediction": {"direction": "lower", "size": 0.01, "matters": 0.005, "confidence": 0.7},
    "repo": {"commit": "abc", "dirty": False}, "unchecked": False, "wandb": "disabled",
    "asked": {"data": "shakespeare", "baseline": None},
}  # fmt: skip


def _places(part: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    places = [at] if at else []
    if isinstance(part, dict):
        for key, item in part.items():
            places += _places(item, (*at, key))
    elif isinstance(part, list):
        for index, item in enumerate(part):
            places += _places(item, (*at, index))
    return places


@some.composite
def plans(draw: some.DrawFn) -> dict[str, Any]:
    """A plan with up to three of its values replaced or taken away."""
    plan = copy.deepcopy(PLAN)
    for _ in range(draw(some.integers(0, 3))):
        *path, last = draw(some.sampled_from(_places(plan)))
        part = plan
        for key in path:
            part = part[key]
        if isinstance(part, dict) and draw(some.booleans()) and draw(some.booleans()):
            del part[last]
        else:
            part[last] = copy.deepcopy(draw(values))
    return plan


def sound_events(arm: str, seed: int) -> list[dict[str, Any]]:
    shift = -0.01 if arm == "modified" else 0.0
    loss = 1.9 + 0.01 * seed + shift
    return [
        {"type": "start", "v": 1, "arm": arm, "seed": seed, "attempt": 1, "config": {"lr": 0.1}},
        {"type": "iter", "iter": 10, "train_loss": 2.5, "tok_per_s": 9000.0, "t": 1.0},
        {"type": "eval", "iter": 10, "val_loss": 2.4, "t": 1.1},
        {"type": "eval", "iter": 20, "val_loss": loss, "final": True},
        {"type": "exit", "state": "finished", "iter": 20, "val_loss": loss, "t": 2.0},
    ]


@some.composite
def event_files(draw: some.DrawFn, arm: str, seed: int) -> bytes:
    """A run's events, some of their values hostile, some lines no events at all."""
    lines: list[bytes] = []
    for event in sound_events(arm, seed):
        if draw(some.integers(0, 5)) == 0:
            event[draw(some.sampled_from([*event, "surprise", "message"]))] = draw(values)
        lines.append(json.dumps(event).encode())
    junk = [
        b"\xff\xfe{{",
        b"[1]",
        b"{}",
        DEEP.encode(),
        b'{"type": 7}',
        b"",
        b"null",
        b'{"type":"to',
    ]
    for _ in range(draw(some.integers(0, 2))):
        lines.insert(draw(some.integers(0, len(lines))), draw(some.sampled_from(junk)))
    return b"\n".join(lines) + draw(some.sampled_from([b"\n", b""]))


def sound_archive() -> dict[str, bytes]:
    """The files of an archive of the sound study, by name; its list of them is made at the end."""
    files = {"study.json": json.dumps(PLAN).encode()}
    for seed in (0, 1):
        for arm in ("baseline", "modified"):
            lines = [json.dumps(event).encode() for event in sound_events(arm, seed)]
            files[f"runs/{arm}-seed{seed}/events.jsonl"] = b"\n".join(lines) + b"\n"
    files["source/baseline.py"] = files["source/modified.py"] = b"x = 1\n"
    return files


NAMES = ["../x", "/etc/passwd", "source/\udcff.py", "runs/a/../../b", "study.json/x", "x" * 300, ""]


@some.composite
def archives(draw: some.DrawFn) -> bytes:
    """An archive with something hostile in its list, its names, its kinds of member or its
    bytes."""
    files = sound_archive()
    listed: Any = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest: Any = {
        "v": 1,
        "study": "rope-1",
        "q1lab": "0.1.0",
        "made": "2026-03-07T09:30:00+00:00",
    }
    manifest |= {"source_mtime_ns": 1_700_000_000 * 10**9, "files": listed}
    for _ in range(draw(some.integers(0, 2))):
        part = draw(some.sampled_from([manifest, listed]))
        part[draw(some.sampled_from([*part, "more"]))] = copy.deepcopy(draw(values))
    if draw(some.integers(0, 3)) == 0:
        manifest = draw(values)
    if draw(some.integers(0, 2)) == 0:
        files["study.json"] = json.dumps(draw(plans())).encode()
        listed["study.json"] = hashlib.sha256(files["study.json"]).hexdigest()
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one name twice is hostile, and meant
        for name, data in [("bundle.json", json.dumps(manifest).encode()), *files.items()]:
            hostile = draw(some.integers(0, 15)) == 0
            info = zipfile.ZipInfo(draw(some.sampled_from(NAMES[:2])) if hostile else name)
            info.external_attr = draw(some.sampled_from([0o644, 0o644, 0o120777])) << 16
            packed.writestr(info, data)
    return damaged(draw, raw.getvalue())


def damaged(draw: some.DrawFn, whole: bytes) -> bytes:
    """Bytes as they are, or with a few flipped, or cut off."""
    text = bytearray(whole)
    for _ in range(draw(some.sampled_from([0, 0, 1, 3]))):
        text[draw(some.integers(0, len(text) - 1))] ^= 1 << draw(some.integers(0, 7))
    return bytes(text[: draw(some.sampled_from([len(text), len(text), len(text), 200]))])


CELLS = [
    "9e200", "-9e200", str(1 << 63), "-1", "nan", "inf", "-inf", "", " ", "1e400", "x", "\x1b[31m",
    DEEP[:3000], '{"a": 1}', "[1, 2]", "true", "1.5", "0x10", "１", "\x00", "'", '"', "1_000",
    "baseline", "9" * 400,
]  # fmt: skip


@some.composite
def csv_files(draw: some.DrawFn) -> bytes:
    """A CSV in one of the three forms, some of its cells and names hostile."""
    form = draw(some.sampled_from(["long", "short", "wide"]))
    runs = [(cfg, seed) for cfg in ("baseline", "modified") for seed in (0, 1)]
    rows: list[list[str]]
    if form == "wide":
        rows = [["Step", *(f"{cfg}-seed{seed} - val_loss" for cfg, seed in runs)]]
        rows += [[str(n), *(f"{2 - n / 100 + seed / 50}" for _, seed in runs)] for n in (0, 10)]
    elif form == "short":
        rows = [["cfg", "seed", "val_loss", "learning_rate"]]
        rows += [[cfg, str(seed), f"{1.9 + seed / 50}", "0.001"] for cfg, seed in runs]
    else:
        rows = [["cfg", "seed", "iter", "train_loss", "val_loss", "batch_size"]]
        rows += [
            [cfg, str(seed), str(n), f"{2 - n / 100}", f"{2 - n / 100 + seed / 50}", "12"]
            for cfg, seed in runs
            for n in (0, 10)
        ]
    for _ in range(draw(some.integers(0, 3))):
        row = rows[draw(some.integers(0, len(rows) - 1))]
        cell = draw(some.one_of(some.sampled_from(CELLS), some.text(max_size=12)))
        row[draw(some.integers(0, len(row) - 1))] = cell
    text = "\n".join(",".join(row) for row in rows) + "\n"
    data = text.encode("utf-8", "surrogatepass")
    return draw(some.sampled_from([data, data, data, data[:-7], b"\xef\xbb\xbf" + data, data * 2]))


SHORT, LONG = 40, 3000
"""Examples of each kind with the other tests, and by `make faults`."""


def run_q1lab(*args: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a command."""
    done = q1lab(*args, code=None)
    return done.returncode, done.stdout, done.stderr


def empty_home() -> None:
    shutil.rmtree(paths.home(), ignore_errors=True)


def check_csv(data: bytes) -> None:
    """A table that is judged, or refused in one line; nothing is kept."""
    empty_home()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs.csv"
        file.write_bytes(data)
        code, out, err = run_q1lab("judge", str(file))
        assert file.read_bytes() == data, "judge changed the table"
    assert code in (0, 1, 2)
    for text in (out, err):
        text.encode()
        assert "\x1b[31m" not in text, "a sequence of the table reaches the terminal"
    assert not code or len(err.strip().splitlines()) == 1, err
    assert not code or len(err) < 2000, "what is echoed is not cut"
    assert studies.ids() == []


def run_folder(folder: Path, files: list[bytes]) -> Path:
    names = [f"{arm}-seed{seed}" for seed in (0, 1) for arm in ("baseline", "modified")]
    for name, data in zip(names, files, strict=True):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "events.jsonl").write_bytes(data)
    return folder


some_runs = some.tuples(
    *(event_files(arm, seed) for seed in (0, 1) for arm in ("baseline", "modified"))
).map(list)


def check_in_place(plan: dict[str, Any], files: list[bytes]) -> None:
    """The same study lying among the others, as a bad disk leaves it."""
    empty_home()
    good, bad = paths.study_dir("good-1"), paths.study_dir("rope-1")
    for folder in (good, bad):
        (folder / "source").mkdir(parents=True)
    (good / "study.json").write_text(json.dumps({**PLAN, "id": "good-1"}))
    (bad / "study.json").write_text(json.dumps(plan))
    run_folder(bad, files)
    code, out, err = run_q1lab("status")
    assert code == 0, err
    assert any(line.startswith("good-1") for line in out.splitlines())
    assert any("rope-1" in line.split(":")[0] for line in out.splitlines()), out
    code, out, err = run_q1lab("compare", "rope-1", "--json")
    assert code in (0, 1), err
    assert code == 0 or len(err.strip().splitlines()) == 1
    with Store() as store:
        lines = study_view.read_study_rows(store, unreadable=ingest_events.ingest_all(store))
    assert len(lines) == 2


def check_archive(data: bytes) -> None:
    """Restored whole, or one line and nothing left behind; and looked at by a stranger."""
    empty_home()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rope-1.zip"
        file.write_bytes(data)
        code, _, err = run_q1lab("verify", str(file), "--cells", "0")
        assert code in (1, 2, 20, 21), err
        assert code >= 20 or len(err.strip().splitlines()) == 1, err
        assert not list(paths.home().glob(".*"))
        code, _, err = run_q1lab("restore", str(file))
        assert [path.name for path in Path(folder).iterdir()] == [file.name]
    assert code in (0, 1, 2)
    assert not list(paths.studies_dir().glob(".*"))
    if code:
        assert len(err.strip().splitlines()) == 1, err
        assert studies.ids() == []
        return
    (name,) = studies.ids()
    for args in (("status",), ("compare", name, "--json")):
        assert run_q1lab(*args)[0] in (0, 1), args


KINDS: dict[str, tuple[Callable[..., None], tuple[some.SearchStrategy[Any], ...]]] = {
    "CSVs to judge": (check_csv, (csv_files(),)),
    "studies among the others": (check_in_place, (plans(), some_runs)),
    "archives to restore": (check_archive, (archives(),)),
}


@pytest.mark.parametrize(
    "examples",
    [SHORT, pytest.param(LONG, marks=(pytest.mark.long, pytest.mark.timeout(1800)))],
)
@pytest.mark.parametrize("kind", KINDS)
def test_any(kind: str, examples: int) -> None:
    check, files = KINDS[kind]
    examples_run = 0

    def counted(given_files: tuple[Any, ...]) -> None:
        nonlocal examples_run
        examples_run += 1
        check(*given_files)

    # the same examples for every commit in CI; `make faults` looks for new ones
    how = settings(
        deadline=None,
        max_examples=examples,
        derandomize=examples < 100,
        suppress_health_check=list(HealthCheck),
    )
    how(given(some.tuples(*files))(counted))()
    figures(
        f"{kind}, made by a generator",
        "refused in one line, or read completely; no traceback, no hang",
        f"{examples_run:,} made, 0 tracebacks",
    )
