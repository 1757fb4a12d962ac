"""What judging loads: three rooms of q1lab, and no library but those of a small environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import lab_home

SMALL = ("numpy", "scipy", "click", "rich", "platformdirs", "pygments", "markdown_it", "mdurl")
"""Libraries of the small environment that README names, with what rich brings."""

JUDGE = "import q1lab; print(q1lab.judge([1.49, 1.5, 1.47], [1.46, 1.46, 1.45]))"
COMMAND = "from q1lab.commands.cli import run_command_line; assert run_command_line({}) == 0"

ONLY_SMALL = f"""
import sys

class Small:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in {(*SMALL, "q1lab")!r} or top.startswith("_"):
            return None
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Small())
sys.meta_path[1:] = [one for one in sys.meta_path[1:] if "editable" not in repr(one).lower()]
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
"""

LOADED = """
import sys
parts = [name.split(".") for name in sys.modules]
rooms = {part[1] for part in parts if part[0] == "q1lab" and len(part) > 1}
print(json.dumps([sorted(rooms), sorted({part[0] for part in parts})]))
"""
HEAVY = {"torch", "textual", "wandb", "git", "sqlite_utils", "jinja2"}


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> tuple[set[str], set[str]]:
    """The rooms of q1lab that code loads, and the libraries."""
    rooms, libraries = json.loads(run(f"import json\n{code}\n{LOADED}").splitlines()[-1])
    return set(rooms), set(libraries)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    rows = ["base,0,1.91", "base,1,1.90", "base,2,1.92", "new,0,1.79", "new,1,1.80", "new,2,1.85"]
    path.write_text("cfg,seed,val_loss\n" + "\n".join(rows) + "\n")
    return path


def test_judging_loads_little(table: Path) -> None:
    rooms, libraries = loaded_by(JUDGE)
    assert rooms <= {"ground", "judgment"}, "import q1lab starts slowly in a notebook"
    assert not libraries & (HEAVY | {"sqlite3"}), "import q1lab starts slowly in a notebook"
    rooms, libraries = loaded_by(COMMAND.format(["judge", str(table), "--baseline", "base"]))
    assert rooms <= {"commands", "ground", "judgment"}, "q1lab judge starts slowly"
    assert not libraries & (HEAVY | {"sqlite3"}), "q1lab judge starts slowly"


def test_comparing_a_study_loads_no_screen() -> None:
    study = lab_home.make_study()
    lab_home.finish(study)
    command = COMMAND.format(["compare", study.id])
    loaded_by(command)  # the home is made once
    rooms, libraries = loaded_by(command)
    assert "app" not in rooms, "q1lab compare starts slowly"
    assert not libraries & HEAVY, "q1lab compare starts slowly"


def test_a_small_environment_judges_draws_and_writes_a_page(table: Path) -> None:
    told = run(ONLY_SMALL + COMMAND.format(["judge", str(table), "--baseline", "base", "--full"]))
    assert "HELPS" in told
    records = Path(__file__).parents[1] / "tables" / "records"
    for form, key in (("offline", "optimizer.name"), ("lightning", "optimizer")):
        words = ["judge", str(records / form), "--arm-key", key, "--baseline", "base"]
        assert "HELPS" in run(ONLY_SMALL + COMMAND.format([*words, "--expect", "helps"]))
    page = run(f"{ONLY_SMALL}\nimport q1lab\nprint(q1lab.judge([1, 2, 3], [2, 3, 5]).html())")
    assert page.count("<svg") == 1
    assert "</html>" in page
    code = f"{ONLY_SMALL}\nfrom q1lab.commands.cli import run_command_line\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(run_command_line(['status']))"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not installed here, and of q1lab only judge needs nothing of it" in done.stderr
