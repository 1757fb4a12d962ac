"""Replay a whole week, from an empty repository to Q1_RETRO.md, with the commands a learner would type.

    python docs/showcase/replay_week.py OUT [--max-iters N]

The learner's words and minutes are scripted (``script.toml`` beside this file); every run, number, commit and verdict
is real. OUT gets ``home`` (q1lab's files) and ``transformer-from-scratch`` (the learner's repository). Without
``--max-iters`` the six runs take about two minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-iters", type=int)
    options = parser.parse_args()
    out = options.out.resolve()
    repo = out / "transformer-from-scratch"
    out.mkdir(parents=True, exist_ok=True)
    script = tomllib.loads((HERE / "script.toml").read_text(encoding="utf-8"))

    os.environ["Q1LAB_HOME"] = str(out / "home")
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
    work(script, "a")
    q1lab(repo, "modification")
    q1lab(repo, "paper", "add", "RoFormer", "--link", "https://arxiv.org/abs/2104.09864", "--done")
    for title in script["papers"]:
        q1lab(repo, "paper", "add", title, "--done")
    prediction = script["prediction"]
    q1lab(repo, "predict", "rope", "--direction", prediction["direction"], "--size", prediction["size"],
          "--matters", prediction["matters"], "--sure", prediction["sure"], "--why", prediction["why"])  # fmt: skip
    q1lab(repo, "modification")

    # Session B: train and compare.
    budget = ("--max-iters", str(options.max_iters)) if options.max_iters else ()
    q1lab(repo, "run", "rope", "--seeds", "3", "--preset", "quick", *budget)
    work(script, "b")
    q1lab(repo, "modification")

    # Session C: write, publish, look back.
    work(script, "c")
    q1lab(repo, "post", "new")
    draft = next((repo / "posts").glob("*.md"))
    draft.write_text(filled(draft.read_text(encoding="utf-8"), script["post"]), encoding="utf-8")
    git(repo, "add", str(draft))
    git(repo, "commit", "-q", "-m", "docs: write the retrospective post")
    q1lab(repo, "post", "words")
    q1lab(repo, "post", "lint")
    q1lab(repo, "post", "preview", "--no-open", "--out", str(out / "post.html"))
    q1lab(repo, "post", "publish", "https://example.org/q1-deep-dive")
    for channel, address in script["shares"].items():
        q1lab(repo, "post", "share", channel, address)
    for artifact in script["artifacts"]:
        q1lab(repo, "artifact", "add", artifact["kind"], artifact["title"], "--at", artifact["at"])
    q1lab(repo, "retro")
    q1lab(repo, "roadmap", "--tick", "all")
    git(repo, "log", "--oneline")


def q1lab(repo: Path, *arguments: str) -> None:
    """Run a q1lab command in the learner's repository, as typed."""
    print("\n$ q1lab " + " ".join(word if word.isascii() and " " not in word else repr(word) for word in arguments))
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "q1lab", *arguments], cwd=repo, check=True)


def git(repo: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=repo, check=True)


def work(script: dict, session: str) -> None:  # type: ignore[type-arg]
    """What the learner does in the app: ticks, answers, minutes."""
    from q1lab import content, paths, progress
    from q1lab.store import Store

    week = content.load(paths.content_dir()).for_variant("rope")
    with Store() as store:
        told = script[session]
        if session == "a":
            progress.choose(store, week.label, "rope", "a1-choose")
        for step, text in told.get("answers", {}).items():
            progress.answer(store, week.label, step, text)
        for part, minutes in told.get("minutes", {}).items():
            progress.add_time(store, week.label, part, 60.0 * minutes)
        skipped = set(told.get("skipped", []))
        for part in week.session(session).parts:
            for step in part.steps:
                if step.kind not in ("write", "choose") and step.id not in skipped:
                    progress.tick(store, week.label, step.id, True)


def filled(draft: str, sections: dict[str, str]) -> str:
    """The draft with the learner's text under each heading, below its comments."""
    for title, text in sections.items():
        head, found, tail = draft.partition(f"## {title}")
        assert found, title
        end = tail.rindex("-->", 0, tail.find("\n## ") if "\n## " in tail else len(tail)) + 3
        if "q1lab:begin" in tail[:end]:  # the experiment: the learner's idea comes before the results
            end = tail.index("\n\n<!-- q1lab:begin")
        draft = f"{head}{found}{tail[:end]}\n\n{text.strip()}\n{tail[end:]}"
    return draft


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
