"""Corpora: the built-in one, the pinned download (from a loopback server), and files by path."""

from __future__ import annotations

import gc
import http.server
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import absolute_path
from q1lab.study import corpora
from q1lab.study.corpus_titles import STDLIB_CHARACTERS

served: dict[str, bytes] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = served.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("Q1LAB_DATA", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{httpd.server_port}/input.txt"
        monkeypatch.setenv("Q1LAB_SHAKESPEARE_URL", url)
        yield url
        httpd.shutdown()
        thread.join()


def test_the_default_corpus_is_on_every_machine() -> None:
    first, second = corpora.prepare_corpus("stdlib", 64), corpora.prepare_corpus("stdlib", 64)
    assert first == second
    assert first.name == "stdlib"
    assert 0.25 * STDLIB_CHARACTERS < first.characters <= STDLIB_CHARACTERS
    assert first.train_tokens + first.val_tokens == first.characters
    assert "def " in (paths.home() / first.file).read_text()


def test_shakespeare_is_fetched_once_and_pinned(server: str, shakespeare: Path) -> None:
    served["/input.txt"] = shakespeare.read_bytes()
    data = corpora.prepare_corpus("shakespeare", 64)
    assert (data.sha256, data.vocab_size, data.val_tokens) == (
        corpora.SHAKESPEARE_SHA256,
        65,
        111_540,
    )
    served.clear()
    assert corpora.prepare_corpus("shakespeare", 64) == data, "the copy serves from then on"


def test_another_file_under_that_address_is_refused(server: str) -> None:
    served["/input.txt"] = b"To be, or to be not" * 1000
    with pytest.raises(Problem, match="is not Tiny Shakespeare"):
        corpora.prepare_corpus("shakespeare", 64)
    assert not list(paths.data_dir().glob("*")) if paths.data_dir().exists() else True


def test_a_download_that_fails_says_what_to_do(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.clear()
    with pytest.raises(
        Problem, match=r"without a network: `q1lab data stdlib` takes .* `q1lab data FILE`"
    ) as raised:
        corpora.prepare_corpus("shakespeare", 64)
    assert raised.value.code == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/input.txt", "Connection refused"),
        ("http://nowhere.invalid/input.txt", "Name or service not known"),
        ("nowhere", "unknown url type: 'nowhere'"),
    ],
)
def test_no_network_is_one_line_with_its_place_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.delenv("Q1LAB_DATA", raising=False)
    monkeypatch.setenv("Q1LAB_SHAKESPEARE_URL", url)
    with pytest.raises(Problem) as raised:
        corpora.prepare_corpus("shakespeare", 64)
    assert str(raised.value).startswith(f"cannot download {url} ({why}); without")
    assert "Q1LAB_DATA names a copy that you have" in str(raised.value)


def test_a_refused_download_leaves_no_connection_open(server: str) -> None:
    served.clear()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            corpora.download_shakespeare(server)
        except Problem as problem:
            cycle: list[object] = [problem]
            cycle.append(cycle)  # as a kept traceback does: only the collector frees it
            del cycle
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_q1lab_data_may_be_a_folder(
    shakespeare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("Q1LAB_DATA", str(tmp_path))
    with pytest.raises(Problem, match="no file at"):
        corpora.prepare_corpus("shakespeare", 64)
    (tmp_path / "tinyshakespeare.txt").write_bytes(shakespeare.read_bytes())
    assert corpora.prepare_corpus("shakespeare", 64).sha256 == corpora.SHAKESPEARE_SHA256


def test_a_file_is_kept_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "märchen.txt"
    file.write_text("Es war einmal ein König. " * 100)
    data = corpora.prepare_corpus(str(file), 16)
    assert data.name == "märchen.txt"
    stored = paths.home() / data.file
    assert stored.name == f"{data.sha256}.txt"
    file.write_text("ganz anders " * 100)
    assert corpora.prepare_corpus(str(file), 16).sha256 != data.sha256
    assert stored.read_text().startswith("Es war")


def test_too_short_says_how_much_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_text("x" * 639)
    with pytest.raises(Problem, match="at least 650"):
        corpora.prepare_corpus(str(file), 64)
    file.write_text("x" * 650)
    assert corpora.prepare_corpus(str(file), 64).val_tokens == 65


def test_a_way_that_is_shown_has_no_detour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that was printed said `--data .../nanogpt/../own.txt`."""
    (tmp_path / "nanogpt").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "nanogpt")
    monkeypatch.chdir(tmp_path / "nanogpt")
    for typed in ("../own.txt", str(tmp_path / "linked" / ".." / "own.txt")):
        assert str(absolute_path(typed)) == str(tmp_path.resolve() / "own.txt")
    assert absolute_path("own.txt") == Path.cwd() / "own.txt"
    assert absolute_path(tmp_path / "linked") == tmp_path / "linked"
