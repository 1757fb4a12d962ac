"""Running the checks in a process of its own: what a person gets for files that are right, wrong or
hostile."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from labs.checks import subject
from q1lab.commands.check import check
from q1lab.ground.errors import Problem
from q1lab.ground.files import sha256_file
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.study import variants
from q1lab.study.own_model import origin_line
from q1lab.study.own_model.run_checks import CheckLimits, CheckReport, CheckResult, run_checks
from q1lab.train import own_loop_draft
from tests.kit.places import MODELS

pytestmark = pytest.mark.sample

QUICK = CheckLimits(seconds=60, step_seconds=3, memory_mb=1024, printed=2**20, kept_bytes=2000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))


def write(tmp_path: Path, text: str, name: str = "mine.py") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def baseline() -> str:
    return (MODELS / "baseline.py").read_text(encoding="utf-8")


def said(report: CheckReport, *words: str) -> None:
    assert report.unusable is not None, report
    for word in words:
        assert word in report.unusable
    assert "\n" not in report.unusable
    assert not report.passed
    assert report.code == 2


def test_a_right_file_passes_and_results_come_one_by_one() -> None:
    came: list[CheckResult] = []
    report = run_checks(MODELS / "rope.py", "rope", on_result=came.append)
    assert report.unusable is None
    assert report.passed
    assert report.code == 0
    assert report.checks == tuple(came)
    assert came[0].name == "syntax"
    assert all(c.expected and c.seen and c.why and c.seconds >= 0 for c in came)
    assert len(came) > 12


@pytest.mark.cold
def test_the_command_reports_json_and_exit_codes(tmp_path: Path) -> None:
    path = write(tmp_path, baseline().replace("is_causal=True", "is_causal=False"))
    run = CliRunner().invoke(
        check, [str(path), "--for", "baseline", "--json"], standalone_mode=False
    )
    record = json.loads(run.output)
    assert run.return_value == 1
    assert set(record) == {"file", "for", "passed", "checks"}
    assert record["file"] == str(path)
    assert record["for"] == "baseline"
    assert record["passed"] is False
    failed, *more = (c for c in record["checks"] if not c["passed"])
    assert failed["name"] == "causality"
    assert {c["follows"] for c in more} <= {"causality"}
    assert set(failed) == {f.name for f in dataclasses.fields(CheckResult)}
    assert "changing token 1" in failed["seen"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"file": "rmsnorm.py"}, 0),
        ({"file": "baseline.py", "for": "gqa"}, 1),
        ({"file": "no.py"}, 2),
    ],
)
def test_the_checks_run_without_q1lab_too(request_: dict[str, str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labs.checks", json.dumps(request_ | {"file": str(MODELS / request_["file"])})],
        cwd=MODELS.parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [e["name"] for e in events if e["event"] == "check" and not e["passed"]]
    assert (failed[:1] == ["gqa: groups share keys and values"]) == (code == 1)
    assert ("no such file" in done.stdout) == (code == 2)


def test_green_ends_with_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MODELS)
    run = CliRunner().invoke(check, ["rmsnorm.py", "--for", "rmsnorm"], standalone_mode=False)
    ending = "checks passed.\nNext: q1lab run ./rmsnorm.py"
    assert run.output.rstrip().endswith(ending)
    run = CliRunner().invoke(
        check, ["../models/baseline.py", "--for", "baseline"], standalone_mode=False
    )
    last = run.output.rstrip().splitlines()[-1]  # to name one would be to choose it
    several = ", ".join(variants.modifications())
    assert last == f"Next: choose a modification ({several}), then q1lab new NAME"
    with Store() as store:
        learner_tables.choose_variant(store, "M03-W04", "gqa")
    run = CliRunner().invoke(
        check, ["../models/baseline.py", "--for", "baseline"], standalone_mode=False
    )
    assert run.output.rstrip().endswith("Next: q1lab new gqa")
    monkeypatch.chdir(tmp_path)
    for name in ("model.py", "mine.py"):  # a change of one's own, which no week knows
        (tmp_path / name).write_text(baseline())
    run = CliRunner().invoke(check, ["mine.py", "--for", "baseline"], standalone_mode=False)
    assert run.output.rstrip().endswith("Next: q1lab run ./mine.py --baseline model.py")


def test_without_a_first_line_that_names_a_modification_for_is_asked_for(tmp_path: Path) -> None:
    """The file's name names none either, nor its behavior."""
    path = write(tmp_path, (MODELS / "rope.py").read_text(), "rope.py")
    run = CliRunner().invoke(check, [str(path)], standalone_mode=False)
    assert isinstance(run.exception, Problem)
    assert "--for" in str(run.exception)
    assert run.output == ""
    for named, checked_for in (("rope", "rope"), ("relu_squared", "baseline")):
        marker = origin_line.marker_line(origin_line.Marker(named, "model.py", "0" * 64))
        report = run_checks(write(tmp_path, f"{marker}\n{baseline()}"))
        assert report.for_ == checked_for
        assert report.passed == (checked_for == "baseline")


def test_counts_are_compared_with_what_the_file_was_made_from(tmp_path: Path) -> None:
    model = write(tmp_path, baseline().replace("bias=config.bias", "bias=True"), "model.py")
    origin = origin_line.marker_line(origin_line.Marker("rope", "model.py", sha256_file(model)))
    seen = {}
    for name, text in (("mine.py", baseline()), ("rope.py", f"{origin}\n{baseline()}")):
        report = run_checks(write(tmp_path, text, name), "baseline")
        assert report.passed
        seen[name] = next(check.seen for check in report.checks if check.name == "parameters")
    assert "q1lab's baseline has 7,079,424 (+0.0%)" in seen["mine.py"]
    assert "made from has 7,086,336 (−0.1%)" in seen["rope.py"]


def test_a_file_is_compared_with_the_baseline_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, baseline(), "model.py")
    marker = origin_line.marker_line(origin_line.Marker("swiglu", "gone.py", "0" * 64))
    write(tmp_path, f"{marker}\n{(MODELS / 'swiglu.py').read_text()}", "swiglu.py")
    arguments = ["swiglu.py", "--baseline", "model.py"]
    run = CliRunner().invoke(check, arguments, standalone_mode=False)
    assert run.return_value == 0
    assert "model.py has 7,079,424" in " ".join(run.output.split())
    assert run.output.split("Next: ")[1].split() == [
        "q1lab",
        "run",
        "./swiglu.py",
        "--baseline",
        "model.py",
    ]
    run = CliRunner().invoke(check, ["swiglu.py", "--baseline", "no.py"], standalone_mode=False)
    assert isinstance(run.exception, Problem)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("idx: Tensor, targets: Tensor | None = None)", "idx: Tensor)"),
        ("    def __init__(self, config: GPTConfig) -> None:\n        super().__init__()\n        self.config", "    def __init__(self, config: GPTConfig, vocab: int) -> None:\n        super().__init__()\n        self.config"),
        ("    bias: bool = True", '    more: object = __import__("dataclasses").field(default_factory={})\n    bias: bool = True'),
    ],
    ids=["no targets", "another argument", "a config that raises"],
)  # fmt: skip
def test_a_file_that_cannot_be_called_is_no_success_anywhere(
    old: str, new: str, tmp_path: Path
) -> None:
    assert old in baseline()
    path = write(tmp_path, baseline().replace(old, new), "swiglu.py")
    run = CliRunner().invoke(check, [str(path), "--for", "swiglu"], standalone_mode=False)
    assert run.return_value == 1, run.output
    assert "Next: " not in run.output
    with Store() as store:  # no step is ticked
        assert learner_tables.evidence_rows(store, "M03-W04") == []
    with pytest.raises(Problem, match="interface"):
        own_loop_draft.check_model_file(variants.find_variant(str(path)))


SWITCHED = (
    baseline()
    .replace("    bias: bool = True", "    bias: bool = True\n    relu: bool = False\n    late: bool = False")
    .replace("self.c_fc =", "self.relu = config.relu\n        self.c_fc =")
    .replace("x = F.gelu(self.c_fc(x))", "x = (F.relu if self.relu else F.gelu)(self.c_fc(x))")
    .replace("is_causal=True", "is_causal=not self.config.late")
    .replace("self.n_head = config.n_head", "self.config, self.n_head = config, config.n_head")
)  # fmt: skip
"""The baseline with ReLU, and attention without a mask, behind switches that are off."""


def test_set_turns_on_a_switch_that_is_off(tmp_path: Path) -> None:
    path = write(tmp_path, SWITCHED)

    def checked(*arguments: str) -> tuple[int, str]:
        run = CliRunner().invoke(
            check, [str(path), "--for", "baseline", *arguments], standalone_mode=False
        )
        return run.return_value, run.output

    assert checked()[0] == 0
    assert checked("--set", "relu=true")[0] == 0
    assert checked("--set", "late=true")[0] == 1
    report = run_checks(path, settings={"early": True})
    said(report, "GPTConfig has no field early of its own; there is relu, late")
    plain = run_checks(write(tmp_path, baseline()), settings={"early": True})
    said(plain, "GPTConfig has no field early of its own; there is none")
    for key, words in (("n_embd", "their own sizes"), ("relu", "KEY=VALUE")):
        setting = key if key == "relu" else f"{key}=8"
        run = CliRunner().invoke(
            check, [str(path), "--for", "baseline", "--set", setting], standalone_mode=False
        )
        assert isinstance(run.exception, Problem)
        assert words in str(run.exception)


def test_a_study_trains_only_what_was_checked_at_its_values(tmp_path: Path) -> None:
    file = variants.find_variant(str(write(tmp_path, SWITCHED)))
    assert own_loop_draft.check_model_file(file, (("relu", True),)).passed
    with pytest.raises(Problem, match=r"causality.*--for baseline --set late=true"):
        own_loop_draft.check_model_file(file, (("late", True),))


def test_a_failed_check_shows_expected_seen_and_why(tmp_path: Path) -> None:
    broken = baseline().replace(
        "        x = F.gelu(self.c_fc(x))", "        x = F.gelu(self.c_fc(x.t()))"
    )
    path = write(tmp_path, "import sys\nprint('hello \\x1b[31mred')\n" + broken)
    run = CliRunner().invoke(check, [str(path), "--for", "baseline"], standalone_mode=False)
    assert run.return_value == 1
    for label in ("✗ interface", "expected:", "seen:", "why:", "1 of 2 checks failed"):
        assert label in run.output
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "x.t()" in text)
    assert f"mine.py:{line}" in run.output
    assert "hello red" in run.output
    assert "\x1b" not in run.output


def test_one_mistake_is_one_report_and_one_line_about_the_rest(tmp_path: Path) -> None:
    old = "y.transpose(1, 2).reshape(B, T, C)"
    assert old in baseline()
    path = write(tmp_path, baseline().replace(old, "y.reshape(B, T, C)"))
    run = CliRunner().invoke(check, [str(path), "--for", "baseline"], standalone_mode=False)
    assert run.return_value == 1
    red = [line for line in run.output.splitlines() if line.startswith("✗")]
    assert len(red) == 2
    assert red[0] == "✗ causality"
    assert red[1].startswith("✗ 2 more checks fail, usually for the same reason: attention, con")
    assert "1 of 12 checks failed, and 2 more for the same reason" in run.output
    with pytest.raises(Problem, match=r"fails 1 of 12 checks \(causality\)"):
        own_loop_draft.check_model_file(variants.find_variant(str(path)))


def test_two_modifications_that_are_wrong_are_two_reports(tmp_path: Path) -> None:
    text = (MODELS / "llama.py").read_text().replace("theta ** (-", "theta ** (")
    report = run_checks(write(tmp_path, text.replace("F.silu", "F.gelu")), "llama")
    assert [result.name for result in report.failed] == ["rope: angles", "swiglu: gate and value"]


def test_a_file_that_is_called_otherwise_gets_the_advice_of_its_source(tmp_path: Path) -> None:
    text = baseline().replace("config.n_head", "config.heads")
    (_, interface) = run_checks(write(tmp_path, text), "baseline").checks
    assert interface.failed
    assert "has no attribute 'heads'" in interface.seen
    assert "GPT reads heads of its config" in interface.seen
    assert "q1lab take wrapper.py" in interface.seen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n    pass\n", ["mine.py:1", "SyntaxError"]),
        ("x = 1\n" * 200_000, ["larger than 1 MB"]),
        ("(" * 5000 + ")" * 5000, ["mine.py"]),
    ],
    ids=["syntax", "size", "depth"],
)
def test_what_is_no_python_is_refused_at_once(tmp_path: Path, text: str, words: list[str]) -> None:
    said(run_checks(write(tmp_path, text), limits=QUICK), *words)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    said(run_checks(tmp_path / "nothing.py", limits=QUICK), "nothing.py", "no such file")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    said(run_checks(tmp_path / "bytes.py", limits=QUICK), "not UTF-8")
    said(run_checks(tmp_path, limits=QUICK), str(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import torch\nimport surely_not_installed\n", ["mine.py:2", "surely_not_installed", "complete in itself", "Line 2 imports"]),
        ("import sys\nsys.exit(3)\n", ["mine.py:2", "exit"]),
        ("import os\nos._exit(3)\n", ["status 3", "loading the file"]),
        ("import torch\n\nraise ValueError('three\\nlines')\n", ["mine.py:3", "ValueError: three"]),
        ("class GPT:\n    pass\n", ["GPTConfig"]),
        ("class GPTConfig:\n    pass\n", ["no class GPT"]),
        ("from torch import nn\ntext = open('input.txt').read()\nclass GPTLanguageModel(nn.Module):\n    def forward(self, idx):\n        pass\n", ["mine.py:2", "input.txt", "five steps"]),
        ("class GPTConfig:\n    pass\ntext = open('input.txt').read()\n", ["mine.py:3", "should read no data"]),
        ("assert 4 % 6 == 0\n", ["mine.py:1", "AssertionError: assert 4 % 6 == 0"]),
        ("x = 0\nwhile True:\n    x += 1\n", ["mine.py:", "took over 3 s of processor time", "loading", "Take out lines 2 to 3"]),
        ("while True:\n    try:\n        pass\n    except Exception:\n        pass\n", ["took over 3 s of processor time"]),
        ("line = 'x' * 1000\nwhile True:\n    print(line)\n", ["mine.py: it printed more than 1 MB"]),
        ("x = bytearray(3 << 30)\n", ["mine.py:1: MemoryError: out of memory; it asks for more than there is"]),
        ("import torch\nx = torch.ones(25 * 10**9)\n", ["mine.py:2", "100000000000 bytes", "do its sizes follow GPTConfig?"]),
        ("import torch\nx = torch.ones(3).cuda()\n", ["mine.py:2", "there is no GPU here: leave out .cuda()"]),
        ("import torch\nx = torch.ones(3, device='cuda')\n", ["mine.py:2", "there is no GPU here: leave out .cuda()"]),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", ["SIGSEGV"]),
    ],
    ids=["import", "exit", "_exit", "raise", "GPT only", "config only", "video", "half of it", "assert", "loop", "loop that catches",
         "print", "memory", "memory of torch", "cuda", "device", "crash"],
)  # fmt: skip
def test_a_file_that_misbehaves_gets_one_clear_line(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    said(run_checks(write(tmp_path, text), limits=QUICK), *words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("raise SystemExit", "mine.py:{}: it calls exit, while checking interface: take that out"),
        ("bytearray(3 << 30)", "mine.py:{}: out of memory, while checking interface"),
        ("torch.ones(25 * 10**9)", "do its sizes follow GPTConfig?"),
        ("torch.ones(3).cuda()", "there is no GPU here: leave out .cuda()"),
    ],
)
@pytest.mark.parametrize("place", ["        super().__init__()\n        self.config", "        x = self.transformer.ln_f"])  # fmt: skip
def test_a_model_that_misbehaves_when_it_is_made_or_called_is_told_where(
    line: str, words: str, place: str, tmp_path: Path
) -> None:
    text = baseline()
    assert text.count(place) == 1
    text = text.replace(place, f"        {line}\n{place}")
    (_, interface) = run_checks(write(tmp_path, text), "baseline", limits=QUICK).checks
    at = next(n for n, row in enumerate(text.splitlines(), 1) if line in row)
    assert words.format(at) in interface.seen
    assert f"mine.py:{at}" in interface.seen


def test_a_file_that_wants_float32_alone_trains_and_passes(tmp_path: Path) -> None:
    last = "        x = self.transformer.ln_f(x)"
    wants = "        assert x.dtype == torch.float32, 'float32 alone'\n"
    report = run_checks(write(tmp_path, baseline().replace(last, wants + last)), "baseline")
    assert not report.failed


def test_what_a_file_imports_may_start_a_process(tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text("import subprocess\nsubprocess.run(['true'])\n")
    text = f"import sys\nsys.path.append({str(tmp_path)!r})\nimport drawing\n{baseline()}"
    assert run_checks(write(tmp_path, text), "baseline").passed


def test_numbers_that_clash_are_named(tmp_path: Path) -> None:
    text = baseline().replace(
        "    bias: bool = True", "    bias: bool = True\n    group_size: int = 3"
    )
    text = text.replace("self.n_head = config.n_head", "assert config.n_head % config.group_size == 0\n        self.n_head = config.n_head")  # fmt: skip
    (_, interface) = run_checks(write(tmp_path, text), "baseline").checks
    assert interface.seen.endswith("== 0, with n_head=4, group_size=3")


def test_a_check_that_runs_out_of_time_is_not_judged(tmp_path: Path) -> None:
    text = baseline().replace(
        "        x = self.transformer.ln_f(x)", "        while idx.size(1) == 32:\n            pass\n        x = self.transformer.ln_f(x)"
    )  # fmt: skip
    path = write(tmp_path, text)
    report = run_checks(path, "baseline", limits=CheckLimits(step_seconds=4))
    unjudged = {c.name: c.seen for c in report.checks if not c.judged}
    assert report.code == 0
    assert set(unjudged) == {"loss at the start"}
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "while idx" in row)
    assert any(
        f"mine.py:{n}: took over 4 s of processor time" in unjudged["loss at the start"]
        for n in (line, line + 1)
    )
    assert report.checks[-1].name == "parameters"  # the checks after it ran
    assert "1 could not judge this file" in report.summary


def test_a_file_that_waits_comes_to_an_end(tmp_path: Path) -> None:
    path = write(tmp_path, "import time\ntime.sleep(1000)\n")
    said(run_checks(path, limits=CheckLimits(seconds=5)), "mine.py: it did not end within 5 s")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import time\ntime.sleep(1000)\n", 2),
        ("import socket\ns = socket.create_server(('127.0.0.1', 0))\ns.accept()\n", 3),
        ("while True:\n    try:\n        open('pipe').read() if 0 else __import__('time').sleep(99)\n    except Exception:\n        pass\n", 3),
    ],
)  # fmt: skip
def test_a_file_that_waits_is_told_its_line(tmp_path: Path, text: str, line: int) -> None:
    report = run_checks(write(tmp_path, text), limits=CheckLimits(waiting_seconds=1.0))
    said(report, f"mine.py:{line}: it waits, and has computed nothing for 1 s, while loading")


def test_a_model_that_waits_ends_the_checks(tmp_path: Path) -> None:
    last = "        x = self.transformer.ln_f(x)"
    wait = "        __import__('time').sleep(1000)\n"
    path = write(tmp_path, baseline().replace(last, wait + last))
    report = run_checks(path, "baseline", limits=CheckLimits(waiting_seconds=1.0))
    said(report, "it waits, and has computed nothing for 1 s, while checking interface")


ENDLESS = "        while True:\n            pass\n"


def test_a_file_that_is_slow_everywhere_fails_nothing_and_comes_to_an_end(tmp_path: Path) -> None:
    """After three checks it is enough."""
    init = "        super().__init__()\n        self.config = config\n"
    assert init in baseline()
    path = write(tmp_path, baseline().replace(init, init + ENDLESS))
    report = run_checks(path, "rope", limits=CheckLimits(step_seconds=1))
    assert report.unusable is None
    assert [c.name for c in report.checks if c.judged] == ["syntax"]
    assert not report.failed
    late = [c.seen for c in report.checks if "took over 1 s of processor time" in c.seen]
    assert len(late) == 3
    assert "not run, since 3 checks before it ran out of time" in report.checks[-1].seen


def test_a_check_may_wait_longer_than_it_may_work(tmp_path: Path) -> None:
    """Its limit is of processor time: on a busy machine, right code waits."""
    last = "        x = self.transformer.ln_f(x)"
    assert last in baseline()
    wait = "        if idx.size(1) == 32:\n            __import__('time').sleep(2.2)\n"
    path = write(tmp_path, baseline().replace(last, wait + last))
    report = run_checks(path, "baseline", limits=CheckLimits(step_seconds=2))
    start = next(c for c in report.checks if c.name == "loss at the start")
    assert start.seconds > 2
    assert start.passed


@pytest.mark.cold
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A file that gets round the guard still loses its child: the whole group is killed."""
    mark = tmp_path / "pid"
    text = (
        "import ctypes, time\n"
        "libc = ctypes.CDLL(None)\n"
        "if libc.fork() == 0:\n"
        f"    open({str(mark)!r}, 'w').write(str(libc.getpid()))\n"
        "    time.sleep(600)\n"
        "    libc._exit(0)\n"
        "time.sleep(0.3)\n"
    )
    report = run_checks(write(tmp_path, text), limits=QUICK)
    said(report, "GPTConfig")
    pid = int(mark.read_text())
    for _ in range(200):
        if not lives(pid):
            return
        threading.Event().wait(0.02)
    pytest.fail(f"process {pid} is still there")


def lives(pid: int) -> bool:
    try:
        # Z: dead, only not collected yet
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_usage_mistakes(tmp_path: Path) -> None:
    for arguments in (["x.py", "--for", "rpoe"], ["x.py", "--watch", "--json"]):
        run = CliRunner().invoke(check, arguments, standalone_mode=False)
        assert isinstance(run.exception, Problem)
        assert run.exception.code == 2


def test_watching_checks_again_when_the_file_is_saved(tmp_path: Path) -> None:
    """The real command in a process of its own: red, an editor that replaces the file, green,
    Ctrl-C."""
    path = write(tmp_path, "class GPT:\n    pass\n")
    child = subprocess.Popen(
        [sys.executable, "-m", "q1lab", "check", str(path), "--for", "baseline", "--watch"],
        cwd=MODELS.parent.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert any("no class GPTConfig" in child.stdout.readline() for _ in range(3))
        write(tmp_path, baseline(), "new.py").replace(path)
        lines = []
        for line in child.stdout:
            lines.append(line)
            if line.startswith("Next: ") or "can't" in line:
                break
        assert "mine.py was saved." in "".join(lines)
        assert "✓ causality" in "".join(lines)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    finally:
        child.kill()
        child.communicate()


def test_counts_have_marked_thousands_and_figures_three_digits() -> None:
    assert [subject.number(n) for n in (1234567, 0.123456, 12.0)] == ["1,234,567", "0.123", "12"]
