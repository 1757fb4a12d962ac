"""`q1lab post`: the retrospective post, from the draft to the channels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import force_option, print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.ground import text_formats
from q1lab.ground.argument_checks import SuggestedText
from q1lab.ground.command_table import ActReport
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.index.store import Store
from q1lab.week.lists import posts
from q1lab.week.syllabus import Week


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  q1lab post
  q1lab post new
  q1lab post words
  q1lab post lint
  q1lab post preview
  q1lab post export
  q1lab post publish https://example.org/q1
  q1lab post share hn https://news.ycombinator.com/item?id=1""",
)
@shared.json_option
@click.pass_context
def post(ctx: click.Context, as_json: bool) -> int:
    """The retrospective post: draft, word budgets, claims, preview, publishing.

    Without a command it shows where the post is published: its canonical address and the channels.
    """
    if ctx.invoked_subcommand is not None:
        return OK
    from q1lab.documents import post as documents

    label = shared.current_week().label
    with open_store() as store:
        documents.count_empty_sections(store, label)
        recorded_post = posts.post_of_week(store, label)
    if as_json:
        print_json({"post": recorded_post, "enough_channels": posts.ENOUGH_CHANNELS})
    elif recorded_post is None:
        click.echo("No post yet. Make the draft: q1lab post new")
    else:
        print_text("\n".join(_post_summary(recorded_post)))
    return OK


file_option = click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The draft. Default: the one that `q1lab post new` made.",
)


@post.command(
    "new",
    epilog="""\b
Examples:
  q1lab post new
  q1lab post new --title "What twelve weeks taught me" --dry-run""",
)
@click.option("--title", metavar="TEXT", help="The post's title.")
@shared.writing_options
@shared.json_option
def new_command(title: str | None, write_options: shared.WriteOptions, as_json: bool) -> int:
    """Make the draft, with the week's sections, table, chart and diff.

    It has a budget of words for each section, and the paragraph for your verdict. Before the study
    is done, it holds the paragraph for a null result.
    """
    return _write_draft(write_options, title=title, new=True, as_json=as_json)


@post.command("refresh", epilog="Example: q1lab post refresh")
@shared.writing_options
@shared.overwrite_option
@shared.json_option
def refresh_command(write_options: shared.WriteOptions, overwrite: bool, as_json: bool) -> int:
    """Renew what comes from your runs.

    The rest of the draft stays byte for byte.
    """
    return _write_draft(write_options, new=False, overwrite=overwrite, as_json=as_json)


def _write_draft(
    write_options: shared.WriteOptions,
    *,
    new: bool,
    as_json: bool,
    title: str | None = None,
    overwrite: bool = False,
) -> int:
    from q1lab.documents import document_changes

    week = shared.current_week()
    with open_store() as store:
        root, repo = shared.open_repository(write_options)
        change = document_changes.post_change(
            store, week, root, repo, new=new, title=title, overwrite=overwrite
        )
        return shared.write_document(change, store, write_options, as_json=as_json)


def _read_draft(file: Path | None) -> tuple[Path, bytes]:
    """The path and bytes of the draft: ``file``, else the path where `post new` puts it, else the
    recorded path. Problem if there is no draft."""
    from q1lab.documents import post as documents
    from q1lab.documents.change import read_document

    if file is None:
        repo = shared.repository_if_any(None)
        root = repo.root if repo else shared.repository_folder(None)
        with open_store() as store:
            week = shared.current_week()
            # the learner may have filled it by now
            documents.count_empty_sections(store, week.label)
            file = documents.draft_path(store, week, root)
            recorded_post = posts.post_of_week(store, week.label)
            if (
                not file.exists()
                and recorded_post
                and recorded_post["path"]
                and Path(recorded_post["path"]).exists()
            ):
                file = Path(recorded_post["path"])
    data = read_document(file)
    if data is None:
        raise Problem(
            f"there is no draft {file}: ",
            next="`q1lab post new` makes one, --file names another",
            file=file,
        )
    return file, data


@post.command("words", epilog="Example: q1lab post words --json")
@file_option
@shared.json_option
def words_command(file: Path | None, as_json: bool) -> int:
    """Count the words of each section against its budget.

    Each comes with the time that it takes to read aloud.
    """
    from q1lab.documents import word_count

    path, data = _read_draft(file)
    sections = word_count.draft_sections(data.decode("utf-8-sig", errors="replace"))
    total, budget = sum(item.words for item in sections), sum(item.budget or 0 for item in sections)
    minutes = total / word_count.WORDS_PER_MINUTE
    if as_json:
        rows = [{**asdict(item), "state": item.state} for item in sections]
        print_json(
            {
                "file": str(path),
                "sections": rows,
                "words": total,
                "budget": budget,
                "minutes": round(minutes, 1),
            }
        )
        return OK
    columns = shutil.get_terminal_size().columns
    room = max(16, columns - len("  12345 of 1234  short"))
    width = min(room, max((len(item.title) for item in sections), default=10))
    for item in sections:
        title = text_formats.cut(item.title, width)
        against = f"of {item.budget:>4}  {item.state}" if item.budget else ""
        print_text(f"{title.ljust(width)}  {item.words:>5} {against}".rstrip())
    total_row = f"{'together'.ljust(width)}  {total:>5} of {budget:>4}"
    aloud = f"{minutes:.0f} min read aloud"
    fits = len(total_row) + 2 + len(aloud) <= columns
    print_text(f"{total_row}  {aloud}" if fits else f"{total_row}\n{aloud}")
    shared.note_viewed("post words", path.absolute())
    return OK


@post.command(
    "lint",
    epilog="""\b
Examples:
  q1lab post lint
  q1lab post lint --file draft.md

Exit status: 0 nothing found, 1 something found, 2 no draft.""",
)
@file_option
@shared.json_option
def lint_command(file: Path | None, as_json: bool) -> int:
    """Flag claims that your data do not support, as FILE:LINE: what.

    Words such as "improves" unless the verdict is HELPS, numbers that are neither of your runs nor
    in MODIFICATION.md, a bootstrap CI without its seeds. To keep a marked line, put <!--
    q1lab:allow REASON --> on it, or on a line of its own above its paragraph.
    """
    from q1lab.documents import draft_claims

    path, _ = _read_draft(file)
    with open_store() as store:
        findings = draft_claims.draft_findings(store, shared.current_week(), path)
    if as_json:
        print_json({"file": str(path), "findings": [asdict(item) for item in findings]})
    else:
        for item in findings:
            print_text(f"{_relative_path(path)}:{item.line}: {item.message}")
        if not findings:
            remark("no claim beyond the data")
        else:
            remark("\nTo keep a marked line, put <!-- q1lab:allow REASON --> on it")
        shared.note_viewed("post lint", path.absolute())
    return FAILED if findings else OK


def _relative_path(path: Path) -> str:
    """``path`` relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@post.command(
    "preview",
    epilog="""\b
Examples:
  q1lab post preview
  q1lab post preview --output post.html""",
)
@file_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the page here.",
)
@force_option
@click.option(
    "--open/--no-open",
    "opening",
    default=None,
    help="Open it in the browser (default: on a terminal).",
)
def preview_command(
    file: Path | None,
    output: Path | None,
    force: bool,
    opening: bool | None,
) -> int:
    """Render the draft as one self-contained HTML page. Nothing in it runs, HTML in the draft is
    shown as text."""
    from q1lab.documents import post_page, word_count
    from q1lab.documents.change import public_mode
    from q1lab.ground import paths
    from q1lab.ground.files import write_atomic
    from q1lab.ground.write_intents import write_output

    path, data = _read_draft(file)
    text = data.decode("utf-8-sig", errors="replace")
    total = sum(item.words for item in word_count.draft_sections(text))
    minutes = max(1, round(total / word_count.WORDS_PER_MINUTE))
    note = f"A preview. {total:,} words, {minutes} min read aloud."
    page = post_page.html_page(text, path.parent, note)
    opens = sys.stdin.isatty() and sys.stderr.isatty() if opening is None else opening
    target = output or paths.home() / "preview" / f"{path.stem}.html"
    if output is not None:
        write_output(target, page, mode=public_mode(), force=force)
    else:
        write_atomic(target, page)
    print_text(str(target))
    shared.note_viewed("post preview", path.absolute())
    if opens:
        click.launch(str(target))
    else:
        remark("a page for your browser; --open opens it")
    return OK


@post.command(
    "export",
    epilog="""\b
Examples:
  q1lab post export
  q1lab post export --output _posts/
  q1lab post export --tag python --output post.md""",
)
@file_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file, or a folder: then the file is named after the title. Default: print it.",
)
@force_option
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Instead of the usual tags.")
@shared.json_option
def export_command(
    file: Path | None,
    output: Path | None,
    force: bool,
    tags: tuple[str, ...],
    as_json: bool,
) -> int:
    """The draft as a publishing platform takes it.

    It is without q1lab's markers, and has front matter.
    """
    from q1lab.documents import post_export
    from q1lab.documents.change import public_mode
    from q1lab.ground.files import utc_now
    from q1lab.ground.write_intents import write_output

    path, data = _read_draft(file)
    week = shared.current_week()
    with open_store() as store:
        recorded_post = posts.post_of_week(store, week.label)
    exported = post_export.export_post(
        data.decode("utf-8-sig", errors="replace"),
        date=(recorded_post and recorded_post["published"]) or utc_now(),
        url=recorded_post["url"] if recorded_post else None,
        tags=tags or post_export.TAGS,
        root=week.root,
    )
    target = None
    if output is not None:
        target = output / exported.name if output.is_dir() or str(output).endswith("/") else output
        if target.resolve() == path.resolve():
            raise Problem(
                f"{path} is the draft itself", next="give another file with --output", file=path
            )
        write_output(target, exported.text, mode=public_mode(), force=force)
    if as_json:
        print_json({**asdict(exported), "file": str(target) if target else None})
        return OK
    print_text(str(target) if target else exported.text)
    for note in exported.notes:
        remark(f"note: {note}")
    return OK


def _recorded_address(store: Store, week: Week) -> Mapping[str, str]:
    recorded_post = posts.post_of_week(store, week.label)
    return {"url": (recorded_post and recorded_post["url"]) or ""}


@post.command("publish", epilog="Example: q1lab post publish https://example.org/q1")
@click.argument("url")
@shared.json_option
@partial(shared.list_command, prefill=_recorded_address)
def publish_command(store: Store, week: Week, url: str) -> ActReport:
    """Record the canonical address of the post.

    It is the one that every channel links to.
    """
    from q1lab.documents import draft_claims
    from q1lab.documents import post as documents

    empty = documents.count_empty_sections(store, week.label)
    published = posts.publish_post(store, week.label, url)
    findings = draft_claims.post_findings(store, week, published)
    return ActReport(
        "Recorded. Cross-posts link to this address.",
        _post_summary(published),
        {"post": published, "findings": [asdict(item) for item in findings]},
        draft_claims.publish_notes(published, findings, empty),
    )


@post.command(
    "share",
    epilog="""\b
Examples:
  q1lab post share hn
  q1lab post share hn https://news.ycombinator.com/item?id=1""",
)
@click.argument("channel", type=SuggestedText(posts.CHANNELS))
@click.argument("url", required=False)
@click.option("--replace", is_flag=True, help="Put this address in the place of the recorded one.")
@click.option("--other", is_flag=True, help="CHANNEL is one that q1lab has no text for.")
@shared.json_option
@shared.list_command
def share_command(
    store: Store,
    week: Week,
    channel: str,
    url: str | None,
    replace: bool = False,
    other: bool = False,
) -> ActReport:
    """Record that the post is on CHANNEL at URL, or print a text for it.

    CHANNEL is hn, r-machinelearning, r-localllama, x or linkedin. The text that is printed without
    a URL keeps within the channel's limit.
    """
    if url is None:
        return _channel_text(store, week, channel)
    shared_post = posts.share_post(store, week.label, channel, url, replace=replace, other=other)
    return ActReport(
        f"Recorded: {posts.shared_words(shared_post)}.",
        _post_summary(shared_post),
        {"post": shared_post},
    )


def _channel_text(store: Store, week: Week, channel: str) -> ActReport:
    from q1lab.documents import channel_posts
    from q1lab.documents import post as documents

    url = posts.published_post(store, week.label)["url"]
    record = documents.gather_post(store, week)
    text = channel_posts.channel_text(posts.channel_name(channel), record, url, week.root)
    size = f"{text.length} of {text.limit} characters ({text.counted})"
    return ActReport(size, [text.text], asdict(text), [size])


def _post_summary(recorded_post: dict[str, Any]) -> list[str]:
    out = [
        str(recorded_post["title"]),
        f"  live at {recorded_post['url']}"
        if recorded_post["url"]
        else "  not published: q1lab post publish URL",
        *(
            [f"  {posts.empty_words(recorded_post['empty'])}"]
            if recorded_post["url"] and recorded_post["empty"]
            else []
        ),
    ]
    width = max(len(name) for name in posts.CHANNELS.values())
    shared_on = {item["channel"]: item for item in recorded_post["shares"]}
    for channel in dict.fromkeys([*posts.CHANNELS, *shared_on]):
        name = posts.channel_title(channel)
        item = shared_on.get(channel)
        where = (
            f"✓ {item['url']} ({item['shared'][:10]})" if item else f"· q1lab post share {channel}"
        )
        out.append(f"  {name.ljust(width)}  {where}")
    return [*out, f"  {posts.shared_words(recorded_post)}"]
