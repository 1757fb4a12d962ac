"""Labels of many studies, read again only where they changed."""

from __future__ import annotations

import pytest

from q1lab import paths
from q1lab.study import labels


def test_a_file_is_read_again_only_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a-1", "b-1", "c-1"):
        paths.study_dir(name).mkdir(parents=True)
    labels.write("a-1", labels.Labels("one", ("x",)))
    labels.write("b-1", labels.Labels())
    read: list[str] = []
    real = labels.read
    monkeypatch.setattr(labels, "read", lambda name: read.append(name) or real(name))
    known = labels.Known()
    names = ["a-1", "b-1", "c-1"]
    assert known(names) == {"a-1": labels.Labels("one", ("x",))}
    assert known(names) == {"a-1": labels.Labels("one", ("x",))}
    assert read == ["a-1", "b-1"]
    labels.write("b-1", labels.Labels("two"))
    (paths.study_dir("a-1") / "labels.json").unlink()
    assert known(names) == {"b-1": labels.Labels("two")}
    assert read == ["a-1", "b-1", "b-1"]
