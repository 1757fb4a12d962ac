"""`q1lab post`: the retrospective post, from the draft to the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from q1lab.commands._documents import folder_to_read, open_repository, write_document
from q1lab.commands._lists import list_command
from q1lab.commands._noted import note_viewed
from q1lab.commands._options import (
    WriteOptions,
    force_option,
    json_option,
    overwrite_option,
    writing_options,
)
from q1lab.commands._output import print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.commands._values import SuggestedText, typed_fields
from q1lab.commands._week import current_week
from q1lab.documents import channel_posts, document_changes, draft_claims, post_export, word_count
from q1lab.documents import post as documents
from q1lab.documents.change import read_document
from q1lab.documents.managed_regions import utf8_text
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import utc_now
from q1lab.ground.write_intents import write_output
from q1lab.journal.store import Store
from q1lab.week.lists import posts
from q1lab.week.lists.change import ListChange
from q1lab.week.syllabus import Week


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  q1lab post
  q1lab post --title "What twelve weeks taught me" --dry-run
  q1lab post lint
  q1lab post export
  q1lab post publish https://example.org/q1
  q1lab post share hn https://news.ycombinator.com/item?id=1""",
)
@click.option("--title", metavar="TEXT", help="The title of a new draft.")
@writing_options
@overwrite_option
@json_option
@click.pass_context
def post(
    ctx: click.Context,
    title: str | None,
    write_options: WriteOptions,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Write the draft of the retrospective post, or bring it up to date, and commit it.

    A new draft has the week's sections with a budget of words for each, the table, chart and diff,
    and the paragraph for your verdict; before the study is done, that for a null result. Later
    q1lab renews what comes from your runs, and every other byte of the draft stays.
    """
    if ctx.invoked_subcommand is not None:
        if typed_fields(ctx):
            raise Problem(
                f"the options before {ctx.invoked_subcommand!r} belong to `q1lab post` alone",
                next=f"`q1lab post {ctx.invoked_subcommand} --help` lists its own",
            )
        return OK

    week = current_week()
    with open_store() as store:
        root, repo = open_repository(write_options)
        change = document_changes.post_change(
            store, week, root, repo, title=title, overwrite=overwrite
        )
        status = write_document(change, store, write_options, as_json=as_json)
        if not (write_options.dry_run or as_json):
            _print_published(store, week)
    return status


def _print_published(store: Store, week: Week) -> None:
    """Print where the post is, once it has an address."""
    documents.count_empty_sections(store, week.label)
    recorded_post = posts.post_of_week(store, week.label)
    if recorded_post and recorded_post["url"]:
        print_text("\n".join(_post_summary(recorded_post)))


file_option = click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The draft. Default: the one that `q1lab post` made.",
)


def _read_draft(file: Path | None) -> tuple[Path, bytes]:
    """The path and bytes of the draft: ``file``, else the path where `q1lab post` puts it, else the
    recorded path. Problem if there is no draft."""
    if file is None:
        with open_store() as store:
            week = current_week()
            # the learner may have filled it by now
            documents.count_empty_sections(store, week.label)
            file = documents.draft_path(store, week, folder_to_read(None))
            recorded = (posts.post_of_week(store, week.label) or {}).get("path")
            if recorded and not file.exists() and Path(recorded).exists():
                file = Path(recorded)
    data = read_document(file)
    if data is None:
        raise Problem(
            f"there is no draft {file}: ",
            next="`q1lab post` makes one, --file names another",
            file=file,
        )
    return file, data


@post.command(
    "lint",
    epilog="""\b
Examples:
  q1lab post lint
  q1lab post lint --file draft.md

Exit status: 0 nothing found, 1 something found, 2 no draft.""",
)
@file_option
@json_option
def lint_command(file: Path | None, as_json: bool) -> int:
    """Count words, and flag claims that your data do not support.

    Each section's words stand against its budget. A claim is shown as FILE:LINE: what. It is a word
    such as "improves" unless the verdict is HELPS, or a number that is neither of your runs nor in
    MODIFICATION.md. It reminds you, and stops nothing.
    """
    path, data = _read_draft(file)
    sections = word_count.draft_sections(utf8_text(data, path.name))
    with open_store() as store:
        findings = draft_claims.draft_findings(store, current_week(), path)
    if as_json:
        print_json(
            {
                "file": str(path),
                "sections": [{**asdict(item), "state": item.state} for item in sections],
                "words": sum(item.words for item in sections),
                "budget": sum(item.budget or 0 for item in sections),
                "findings": [asdict(item) for item in findings],
            }
        )
        return FAILED if findings else OK
    for line in word_count.section_lines(sections):
        print_text(line)
    for item in findings:
        print_text(f"{_relative_path(path)}:{item.line}: {item.message}")
    if not findings:
        remark("no claim beyond the data")
    note_viewed("post lint", path.absolute())
    return FAILED if findings else OK


def _relative_path(path: Path) -> str:
    """``path`` relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@post.command(
    "export",
    epilog="""\b
Examples:
  q1lab post export
  q1lab post export --output _posts/""",
)
@file_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file, or a folder: then the file is named after the title. Default: print it.",
)
@force_option
@json_option
def export_command(
    file: Path | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """The draft as a publishing platform takes it.

    It is without q1lab's markers, and has front matter.
    """
    path, data = _read_draft(file)
    week = current_week()
    with open_store() as store:
        recorded_post = posts.post_of_week(store, week.label)
    exported = post_export.export_post(
        utf8_text(data, path.name),
        date=(recorded_post and recorded_post["published"]) or utc_now(),
        url=recorded_post["url"] if recorded_post else None,
        root=week.root,
    )
    target = None
    if output is not None:
        target = output / exported.name if output.is_dir() or str(output).endswith("/") else output
        if target.resolve() == path.resolve():
            raise Problem(
                f"{path} is the draft itself", next="give another file with --output", file=path
            )
        write_output(target, exported.text, force=force)
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
@json_option
@partial(list_command, prefill=_recorded_address)
def publish_command(store: Store, week: Week, url: str) -> ListChange:
    """Record the canonical address of the post.

    It is the one that every channel links to.
    """
    empty = documents.count_empty_sections(store, week.label)
    recorded_post = posts.post_of_week(store, week.label)
    findings = draft_claims.post_findings(store, week, recorded_post) if recorded_post else []
    published = posts.publish_post(store, week.label, url)
    return ListChange(
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
@json_option
@list_command
def share_command(
    store: Store,
    week: Week,
    channel: str,
    url: str | None,
    replace: bool = False,
    other: bool = False,
) -> ListChange:
    """Record the post's URL on CHANNEL, or print a text for it.

    CHANNEL is hn, r-machinelearning, r-localllama, x or linkedin. The text that is printed without
    a URL keeps within the channel's limit.
    """
    if url is None:
        return _channel_text(store, week, channel)
    shared_post = posts.share_post(store, week.label, channel, url, replace=replace, other=other)
    return ListChange(
        f"Recorded: {posts.shared_words(shared_post)}.",
        _post_summary(shared_post),
        {"post": shared_post},
    )


def _channel_text(store: Store, week: Week, channel: str) -> ListChange:
    url = posts.published_post(store, week.label)["url"]
    record = documents.gather_post(store, week)
    text = channel_posts.channel_text(posts.channel_name(channel), record, url, week.root)
    size = f"{text.length} of {text.limit} characters ({text.counted})"
    return ListChange(size, [text.text], asdict(text), [size])


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
