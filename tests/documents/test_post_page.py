"""The preview page: one file, nothing in it runs, and a browser agrees."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from q1lab.documents import post, post_page
from tests.kit import document_records as records

EVIL = """# Evil <script>document.title='ran'</script>

<script>document.title='ran'</script>

<!-- a comment --> <img src=x onerror="document.title='ran'">

<!-- <script>document.title='ran'</script> -->

text <b onclick="document.title='ran'">bold</b> [click](javascript:document.title='ran') {{ 7 * 7 }}

![run](evil.svg) ![remote](https://example.org/x.png) ![up](../secret.png) ![none](none.png) ![txt](notes.txt)

<style>body { display: none }</style>

| a | b |
|--:|---|
| <script>1</script> | `<b>` |

```diff
-<script>
+</script>
 same
```

```<script>
fence
```

<!-- never closed
<script>document.title='ran'</script>
"""


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evil.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="document.title=1">'
        "<script>top.document.title='ran'</script></svg>"
    )
    (tmp_path.parent / "secret.png").write_bytes(b"secret")
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def test_a_fold_stays_a_fold_and_other_html_in_it_is_text(folder: Path) -> None:
    text = (
        "<details>\n<summary>How & why</summary>\n\n| a |\n|---|\n| 1 |\n\n<b>x</b>\n\n</details>\n"
    )
    page = post_page.html_page(text, folder)
    assert "<details>\n<summary>How &amp; why</summary>" in page
    assert page.index("<table>") < page.index("</details>")
    assert "<b>" not in page
    assert "<details>" not in post_page.html_page("<details open onclick=x>\n", folder)


def test_nothing_of_the_learner_is_html(folder: Path) -> None:
    page = post_page.html_page(EVIL, folder, "<i>note</i>")
    tags = Tags()
    tags.feed(page)
    names = [name for name, _ in tags.found]
    assert "script" not in names
    assert "b" not in names
    assert names.count("style") == 1
    assert not any(key.startswith("on") for _, attributes in tags.found for key in attributes)
    assert all((a.get("href") or "").startswith("http") for name, a in tags.found if name == "a")
    assert [name for name in names if name == "img"] == ["img"]
    assert "&lt;script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "never closed" not in page
    assert "a comment" not in page
    assert "&lt;i&gt;note" in page
    for why in ("is elsewhere", "outside the post", "no such file", "not a picture"):
        assert why in page
    assert base64.b64encode(b"secret").decode() not in page


def test_the_page_loads_nothing() -> None:
    page = post_page.html_page(
        post.post_document(records.post_record("helps")).text, Path(__file__).parent
    )
    tags = Tags()
    tags.feed(page)
    assert not any(
        name in ("link", "iframe", "object", "embed", "base", "form") for name, _ in tags.found
    )
    assert "default-src 'none'" in page
    assert "script-src 'none'" in page
    # The policy names the very style that is in the page.
    import hashlib

    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"sha256-{digest}" in page


def test_marks_and_budgets_do_not_show() -> None:
    page = post_page.html_page(
        post.post_document(records.post_record("cannot tell")).text, Path(__file__).parent
    )
    assert "q1lab:" not in page
    assert "One scene, no history" not in page
    assert "Your outline" not in page


def test_title_bom_and_crlf(tmp_path: Path) -> None:
    page = post_page.html_page("\ufeff# A *title* \\& more\r\n\r\ntext\r\n", tmp_path)
    assert "<title>A *title* &amp; more</title>" in page
    assert "<h1>" in page


# ── a real browser


FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return [found, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]
    pytest.skip("needs chromium (on Debian: apt-get install chromium)")


def dumped(browser: list[str], page: Path) -> str:
    """The page's DOM after the browser has opened it."""
    return subprocess.run(
        [*browser, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stdout


def test_a_browser_runs_nothing_of_it(browser: list[str], folder: Path) -> None:
    """A planted script would change the title; the same browser runs one where nothing forbids
    it."""
    page = folder / "page.html"
    page.write_text(post_page.html_page(EVIL, folder), encoding="utf-8")
    dom = dumped(browser, page)
    assert "<title>Evil" in dom
    assert "<title>ran" not in dom
    # Second net: even a script that got into the page is stopped by the policy.
    planted = page.read_text(encoding="utf-8").replace(
        "</main>", "<script>document.title='ran'</script></main>"
    )
    page.write_text(planted, encoding="utf-8")
    dom = dumped(browser, page)
    assert "<title>ran" not in dom
    open_page = re.sub(r"<meta http-equiv[^>]*>", "", planted)
    page.write_text(open_page, encoding="utf-8")
    dom = dumped(browser, page)
    assert "<title>ran" in dom


def png_rows(file: Path) -> bytes:
    """The rows of a PNG: for each how it is packed, and its pixels."""
    content, at, packed = file.read_bytes(), 8, b""
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"IDAT":
            packed += content[at + 8 : at + 8 + size]
        at += size + 12
    return zlib.decompress(packed)


def test_a_browser_draws_it_light_dark_and_narrow(browser: list[str], tmp_path: Path) -> None:
    text = post.post_document(records.post_record("cannot tell")).text
    page = tmp_path / "page.html"
    page.write_text(post_page.html_page(text, tmp_path), encoding="utf-8")
    corner = {}
    for name, options in (
        ("light", []),
        ("dark", ["--force-dark-mode"]),
        ("phone", ["--window-size=500,900"]),
    ):
        shot = tmp_path / f"{name}.png"
        subprocess.run(
            [
                *browser,
                "--hide-scrollbars",
                "--window-size=1000,900",
                *options,
                f"--screenshot={shot}",
                page.as_uri(),
            ],
            capture_output=True,
            timeout=90,
            check=True,
        )
        rows = png_rows(shot)
        corner[name] = sum(rows[1:4])  # the first pixel is as it is, however rows are packed
        assert len(set(rows)) > 20, "something is drawn"
    assert corner["light"] > 700
    assert corner["dark"] < 150
    assert corner["phone"] > 700
