"""Templates are content: Jinja2 files of the week (``templates/*.j2``), else the ones that ship.

Rendering is a pure function of its record. In a ``.md.j2`` template everything that is printed is
escaped as a phrase of Markdown, unless a filter made it Markdown (``answer``, ``fenced``, ``code``,
``link``, ``table``). So a template that forgets a filter is ugly at worst, never wrong. ``.txt.j2``
templates print plain text.

``{% call region("name") %} … {% endcall %}`` makes a managed region (see ``regions``). Templates
run in Jinja's sandbox: a week's content can compute, but not reach into the program.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.documents import markdown_escape
from q1lab.documents.code_fences import Fence
from q1lab.documents.managed_regions import region_block
from q1lab.documents.markdown_escape import Md
from q1lab.ground import paths, text_formats
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable


@dataclass(frozen=True)
class Rendered:
    """A whole document, and its regions by name, in order."""

    text: str
    regions: Mapping[str, str]

    @property
    def head(self) -> bytes:
        """What stands above the first region."""
        return self.text.partition("<!-- q1lab:begin")[0].encode()


def render_template(name: str, record: Any, root: Path | None = None) -> Rendered:
    """Render the template ``name`` with the fields of a frozen record as variables.

    ``root`` is the week's folder; a template that it lacks is taken from the week that ships.
    Problem with file and line for a template that is missing, broken, or asks for something that
    the record has not.
    """
    import jinja2

    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    else:
        values = dict(record)
    folders = tuple(
        folder / "templates" for folder in (root, paths.content_dir()) if folder is not None
    )
    regions: dict[str, str] = {}
    environment = _environment(folders, _as_text if name.endswith(".txt.j2") else _as_markdown)
    try:
        text = environment.get_template(name).render(values, region=_region(regions))
    except jinja2.TemplateNotFound as error:
        raise Problem(f"there is no template {error.name} in {folders[0]}", FAILED) from None
    except jinja2.TemplateSyntaxError as error:
        raise Problem(
            f"{error.filename or name}:{error.lineno}: {error.message}",
            FAILED,
            file=error.filename or name,
            line=error.lineno,
        ) from None
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise Problem(f"{_place(error, folders, name)}: {error}", FAILED) from error
    return Rendered(_tidy(text), {key: _tidy(body) for key, body in regions.items()})


@functools.cache
def _environment(folders: tuple[Path, ...], finalize: Callable[[Any], str]) -> Any:
    """Jinja as templates of these folders need it; it compiles each of them once."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Markdown is not HTML, so Jinja's own autoescape would be wrong; ``finalize`` is the escape
    # here.
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
    )
    environment.filters.update(
        answer=markdown_escape.answer,
        cell=markdown_escape.cell,
        code=markdown_escape.code_span,
        fenced=markdown_escape.fenced,
        image=markdown_escape.image,
        inline=markdown_escape.inline,
        link=markdown_escape.link,
        listed=markdown_escape.listed,
        signed=text_formats.signed,
        loss=text_formats.loss,
        percent=text_formats.percent,
        quoted=lambda text: json.dumps(text, ensure_ascii=False),
        numbered=markdown_escape.numbered,
        sentence=markdown_escape.sentence,
        shorten=text_formats.cut_at_word,
        sketched=markdown_escape.sketched,
        count=text_formats.grouped_number,
        minutes=text_formats.hours_minutes,
        day=text_formats.day,
    )
    environment.globals["table"] = markdown_escape.table
    return environment


def _as_markdown(value: Any) -> str:
    return "" if value is None else markdown_escape.inline(value)


def _as_text(value: Any) -> str:
    return "" if value is None else printable(str(value))


def _region(regions: dict[str, str]) -> Callable[..., Md]:
    def region(name: str, caller: Callable[[], str]) -> Md:
        body = _tidy(caller())
        regions[name] = body
        return Md(region_block(name, body))

    return region


def _tidy(text: str) -> str:
    """No blanks at line ends, no two blank lines in a row (code blocks keep theirs), one newline at
    the end."""
    out: list[str] = []
    fence = Fence()
    for line in text.split("\n"):
        if fence.takes(line.lstrip()):  # in a list, a fence is indented by as much as it likes
            out.append(line)
            continue
        line = line.rstrip()
        if line or (out and out[-1]):
            out.append(line)
    return "\n".join(out).strip("\n") + "\n"


def _place(error: BaseException, folders: tuple[Path, ...], name: str) -> str:
    """``file:line`` in the template, from the traceback that Jinja rewrote."""
    place, trace = name, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if any(file.startswith(str(folder)) for folder in folders):
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
