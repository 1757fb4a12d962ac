"""Replay a whole week, from an empty repository to Q1_RETRO.md, with the commands a learner would
type.

    python tools/docs/showcase/replay_week.py OUT [--max-iters N] [--show]

The learner's words and minutes are scripted (``script.toml`` beside this file); every run, number,
commit and verdict is real. The change is a squared ReLU, so that nobody reads the result of one of
the four that the week asks them to predict; it has no guide. OUT gets ``content`` (the week, with
this change as a fifth), ``home`` (q1lab's files) and ``transformer-from-scratch`` (the learner's
repository). ``--show`` copies MODIFICATION.md and Q1_RETRO.md into ``docs/showcase/week``. Without
``--max-iters`` the six runs take some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from q1lab.journal.store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SHOWN = ROOT / "docs" / "showcase" / "week"
CHANGE = "relu_squared"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-iters", type=int)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    out = options.out.resolve()
    repo = out / "transformer-from-scratch"
    out.mkdir(parents=True, exist_ok=True)
    script = tomllib.loads((HERE / "script.toml").read_text(encoding="utf-8"))

    content = shutil.copytree(ROOT / "content", out / "content")
    with (content / "week.toml").open("a", encoding="utf-8") as week:
        week.write(script["variant"])
    os.environ["Q1LAB_CONTENT"] = str(content)
    os.environ["Q1LAB_HOME"] = str(out / "home")
    os.environ["Q1LAB_ASK_BEFORE_COMMIT"] = "false"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    git(repo, "config", "user.name", "A learner")
    git(repo, "config", "user.email", "learner@example.org")
    (repo / "AI_EXPERT_ROADMAP.md").write_text(script["roadmap"], encoding="utf-8")
    (repo / "README.md").write_text("# transformer-from-scratch\n", encoding="utf-8")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "begin")

    # Session A: choose, read, sketch, predict.
    q1lab(repo, "config", "course", "true")
    work(script, "a")
    q1lab(repo, "modification")
    q1lab(repo, "paper", "add", "Primer", "--link", "https://arxiv.org/abs/2109.08668", "--done")
    for title in script["papers"]:
        q1lab(repo, "paper", "add", title, "--done")
    said_before = [(f"--{name}", words) for name, words in script["prediction"].items()]
    q1lab(repo, "predict", CHANGE, *itertools.chain.from_iterable(said_before))
    q1lab(repo, "modification")

    # Session B: implement, train and compare.
    q1lab(repo, "new", "--baseline")
    git(repo, "add", "model.py")
    git(repo, "commit", "-q", "-m", "feat: add the transformer")
    q1lab(repo, "new", CHANGE)
    file = f"{CHANGE}.py"
    implement(repo / file)
    q1lab(repo, "check", file)
    git(repo, "add", file)
    git(repo, "commit", "-q", "-m", "feat: add the squared ReLU")
    budget = ("--max-iters", str(options.max_iters)) if options.max_iters else ()
    q1lab(repo, "run", f"./{file}", "--seeds", "3", "--preset", "quick", *budget)
    work(script, "b")
    q1lab(repo, "modification")
    q1lab(repo, "merge", file)

    # Session C: write, publish, look back.
    work(script, "c")
    q1lab(repo, "post")
    draft = next((repo / "posts").glob("*.md"))
    draft.write_text(filled(draft.read_text(encoding="utf-8"), script["post"]), encoding="utf-8")
    git(repo, "add", str(draft))
    git(repo, "commit", "-q", "-m", "docs: write the retrospective post")
    q1lab(repo, "post", "lint")
    q1lab(repo, "post", "publish", "https://example.org/q1-deep-dive")
    for channel, address in script["shares"].items():
        q1lab(repo, "post", "share", channel, address)
    for artifact in script["artifacts"]:
        place = ("--at", artifact["at"]) if "at" in artifact else ()
        q1lab(repo, "course", "artifact", "add", artifact["kind"], artifact["title"], *place)
    q1lab(repo, "retro")
    q1lab(repo, "course", "roadmap", "--tick", "15", "--tick", "16", "--tick", "17")
    git(repo, "log", "--format=%s")
    if options.show:
        show(repo)


def implement(file: Path) -> None:
    """The hours in which the learner writes the change, in one act: below the line that says what
    the file was made from stands a right implementation."""
    first = file.read_text(encoding="utf-8").split("\n", 1)[0]
    right = (ROOT / "labs" / "models" / file.name).read_text(encoding="utf-8")
    file.write_text(f"{first}\n{right}", encoding="utf-8")


def q1lab(repo: Path, *arguments: str) -> None:
    """Run a q1lab command in the learner's repository, as typed; the lines of a run's progress are
    passed over."""
    from q1lab.commands.cli import run_command_line

    say("\n$ " + shlex.join(["q1lab", *arguments]))
    out = io.StringIO()
    with contextlib.chdir(repo), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = run_command_line(list(arguments))
    for line in out.getvalue().splitlines():
        if ": running " not in line:
            say(line)
    if status:
        sys.exit(f"{arguments}: status {status}")


def git(repo: Path, *arguments: str) -> None:
    if arguments[0] in ("log", "commit"):
        say("\n$ " + shlex.join(["git", *arguments]))
    words = ["git", *arguments]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True, check=True)
    for line in (done.stdout + done.stderr).splitlines():
        say(line)


def say(line: str) -> None:
    print(line, flush=True)


def show(repo: Path) -> None:
    """Put the two documents where the docs show them."""
    shutil.rmtree(SHOWN, ignore_errors=True)
    shutil.copytree(repo / "figures", SHOWN / "figures")
    for name in ("MODIFICATION.md", "Q1_RETRO.md"):
        shutil.copy(repo / name, SHOWN)


def work(script: dict, session: str) -> None:  # type: ignore[type-arg]
    """What the learner does in the app: ticks, answers, minutes."""
    from q1lab.journal import learner_tables
    from q1lab.journal.store import Store
    from q1lab.week import content, progress

    week = content.week_for(content.load_week(Path(os.environ["Q1LAB_CONTENT"])), CHANGE)
    with Store() as store:
        answers_of_session = script[session]
        if session == "a":
            progress.choose_modification(store, week, CHANGE)
        read_off = {} if session == "a" else numbers_of_the_study(store)
        for step, text in answers_of_session.get("answers", {}).items():
            assert week.find_part(step), f"the week has no step {step}"
            for name, number in read_off.items():
                text = text.replace(f"{{{name}}}", number)
            progress.save_answer(store, week.label, step, text)
        for part, minutes in answers_of_session.get("minutes", {}).items():
            learner_tables.credit_seconds(store, week.label, {part: 60.0 * minutes})
        skipped, also = (set(answers_of_session.get(key, [])) for key in ("skipped", "also"))
        for part in week.session(session).parts:
            for step in part.steps:
                is_done = step.id in also if step.optional else step.id not in skipped
                if is_done and step.kind not in ("write", "choose"):
                    progress.tick_step(store, week.label, step.id, True)


def numbers_of_the_study(store: Store) -> dict[str, str]:
    """What the learner reads off the comparison to write about it."""
    from q1lab.compare import comparison_cache
    from q1lab.judgment import arrange, difference_text
    from q1lab.study import studies

    comparison = comparison_cache.compare(store, studies.load_readable()[-1])
    change = arrange.cost_change(comparison, "tokens_per_s")
    if change == arrange.UNCLEAR:
        speed = "On my processor the tokens per second of both arms vary too much to say which is slower."
    else:
        ends = comparison.timed["tokens_per_s"]
        low, high = (difference_text.percent_change(1, 1 + end) for end in (ends.low, ends.high))
        speed = (
            f"On my processor the tokens per second changed by {change} "
            f"(95% interval {low} to {high})."
        )
    return {
        "verdict": comparison.analysis.verdict.upper(),
        "level": difference_text.level_text(comparison.analysis),
        "interval": difference_text.interval_text(comparison.analysis),
        "iters": f"{comparison.study.trainer.config['max_iters']:,}",
        "speed": speed,
    }


def filled(draft: str, sections: dict[str, str]) -> str:
    """The draft with the learner's text under each heading, of a section or of a part of one, below
    the comments there."""
    for title, text in sections.items():
        head, heading, tail = draft.partition(f"## {title}\n")
        assert heading, title
        comments = re.match(r"(\s*<!--(?! q1lab:begin).*?-->)*", tail, re.DOTALL)
        assert comments
        end = comments.end()
        draft = f"{head}{heading}{tail[:end]}\n\n{text.strip()}\n{tail[end:]}"
    return draft


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
