"""The Python interface in a notebook, executed by a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.lab_home import finish, make_study

nbclient = pytest.importorskip("nbclient", reason="`pip install nbclient ipykernel` runs notebooks")
nbformat = pytest.importorskip("nbformat")

CELLS = (
    "import q1lab",
    "q1lab.judge({0: 1.91, 1: 1.90, 2: 1.92}, {0: 1.79, 1: 1.80, 2: 1.85})",
    "q1lab.read_study('rope-1')",
    "print(q1lab.judge([1.91, 1.90], [1.79, 1.80]).verdict)",
    "q1lab.judge([], [1.0])",
)


def test_a_notebook_shows_verdict_and_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))  # the person's home may be read-only
    finish(make_study("rope-1", "rope"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    _, judged, study, printed, refused = (cell.outputs for cell in notebook.cells)
    for (shown,), word in ((judged, "HELPS"), (study, "CANNOT TELL")):
        assert shown.data["text/plain"].startswith(word)
        assert shown.data["text/html"].startswith(f"<pre>{word}")
        assert "<svg" in shown.data["text/html"]
    assert printed[0].text == "no verdict\n"
    assert refused[0].evalue == "an arm has no numbers"
