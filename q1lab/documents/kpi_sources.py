"""Counts from the learner's own files: the repositories, and the KPIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from q1lab.documents.post import count_empty_sections
from q1lab.ground import git_history
from q1lab.ground.errors import Problem
from q1lab.ground.git_repository import Repository
from q1lab.journal.store import Store
from q1lab.week.lists import artifacts, kpis
from q1lab.week.syllabus import Week


@dataclass(frozen=True)
class Repo:
    """A repository. ``location`` is a public address that holds the learner's commits;
    ``notebooks`` are those that the learner's commits added, None where q1lab could not look
    inside; ``about`` is the learner's own line on it, which they enter as ``NAME: what it is``."""

    title: str
    location: str | None
    notebooks: int | None
    about: str = ""


def kpis_of_week(store: Store, week: Week, repo: Repository | None = None) -> list[kpis.KpiRow]:
    """The KPIs of the week, counted from the store and the repositories."""
    count_empty_sections(store, week.label)
    return kpis.kpi_rows(store, week.kpis, repos=count_repositories(store, repo))


def count_repositories(store: Store, repo: Repository | None) -> kpis.CountedKpi:
    """Repositories with a public address that holds the learner's commits; that costs a few calls
    of git."""
    repos = repositories(store, repo)
    public = {item.location for item in repos if item.location}
    return kpis.repo_count(len(public), sum(item.location is None for item in repos))


NOTEBOOKS = "*.ipynb"


def _own_address(repo: Repository) -> str | None:
    """The public address of a repository; None for a clone of someone else's project."""
    return git_history.web_url(repo) if git_history.is_mine_at_origin(repo) else None


def repositories(store: Store, repo: Repository | None) -> list[Repo]:
    """The learner's repositories: the one that documents are written to, then those on record.
    Without a public remote the first has the address that is on record under its name."""
    recorded = [
        _recorded(item) for item in artifacts.all_artifacts(store) if item["kind"] == "repo"
    ]
    if repo is None:
        return list(map(_looked_into, recorded))
    name = repo.root.name
    namesakes = [other for other in recorded if other.title.lower() == name.lower()]
    addresses = (other.location for other in namesakes if "://" in (other.location or ""))
    address = _own_address(repo) or next(addresses, None)
    about = next((other.about for other in namesakes if other.about), "")
    first = Repo(name, address, len(git_history.added_by_me(repo, NOTEBOOKS)), about)
    listed = {name.lower(), (address or "").lower()}
    others = [
        other
        for other in recorded
        if not {other.title.lower(), (other.location or "-").lower()} & listed
    ]
    return [first, *map(_looked_into, others)]


def _recorded(item: Mapping[str, Any]) -> Repo:
    """An artifact, which was entered as ``NAME`` or ``NAME: what it is``."""
    name, _, about = item["title"].partition(": ")
    return Repo(name, item["location"], None, about.strip())


def _looked_into(recorded: Repo) -> Repo:
    """A repository on record with what its folder tells, where it is on this machine."""
    if not recorded.location or "://" in recorded.location:
        return recorded
    try:
        repo = Repository.discover(recorded.location)
        notebooks = len(git_history.added_by_me(repo, NOTEBOOKS))
        return replace(recorded, location=_own_address(repo), notebooks=notebooks)
    except Problem:  # a folder of this machine is nobody else's address
        return replace(recorded, location=None)
