"""One frozen picture of a study as it is now: what the terminal, the app and `status` show."""

from __future__ import annotations

from dataclasses import dataclass

from q1lab.index.store import Store
from q1lab.study import launch, states
from q1lab.study.states import ENDED, State
from q1lab.study.studies import Study

SPARK_POINTS = 24


@dataclass(frozen=True)
class Cell:
    """One run of the grid arm × seed. Losses in nats per token; times in seconds."""

    run_id: int
    arm: str
    variant: str
    seed: int
    name: str
    state: State
    iter: int
    max_iters: int
    train_loss: float | None
    eval_loss: float | None
    val_loss: float | None
    """Over the whole validation set, once the run has finished."""
    tokens_per_s: float | None
    seconds: float
    eta: float | None
    """Seconds left for this run while it trains."""
    attempt: int
    message: str | None
    reused_from: str | None
    spark: tuple[float, ...]
    """The train loss so far, thinned to SPARK_POINTS values over the whole planned length."""

    @property
    def progress(self) -> float:
        """0 to 1."""
        return 1.0 if self.state is State.FINISHED else min(1.0, self.iter / self.max_iters)


@dataclass(frozen=True)
class StudyView:
    """A study, its cells in plan order, and what they say together."""

    study: Study
    cells: tuple[Cell, ...]
    alive: bool
    state: str
    """running, finished, stopped, failed, crashed or planned (states.of_study)."""
    eta: float | None
    """Seconds until all runs have ended, while it runs and once a speed is known."""

    @property
    def done(self) -> int:
        return sum(cell.state in ENDED for cell in self.cells)

    def cell(self, name: str) -> Cell:
        return next(cell for cell in self.cells if cell.name == name)


def look(store: Store, study: Study, *, ingest: bool = True) -> StudyView:
    """Take in new events and return the picture."""
    alive = launch.is_alive(study.files)
    if ingest:
        store.ingest(study)
    cells = []
    tokens_per_iter = _tokens_per_iter(study)
    for row in store.runs(study.id):
        state = State(row["state"])
        speed = row["tokens_per_s"]
        left = (row["max_iters"] - row["iter"]) * tokens_per_iter
        cells.append(
            Cell(
                run_id=row["id"],
                arm=row["arm"],
                variant=study.arms[row["arm"]].variant,
                seed=row["seed"],
                name=f"{row['arm']}-seed{row['seed']}",
                state=state,
                iter=row["iter"],
                max_iters=row["max_iters"],
                train_loss=row["train_loss"],
                eval_loss=row["eval_loss"],
                val_loss=row["val_loss"],
                tokens_per_s=speed,
                seconds=row["seconds"],
                eta=left / speed if speed and state is State.RUNNING else None,
                attempt=row["attempt"],
                message=row["message"],
                reused_from=row["reused_from"],
                spark=_spark(store, row["id"], row["max_iters"]) if row["attempt"] else (),
            )
        )
    together = states.of_study([cell.state for cell in cells], alive=alive)
    return StudyView(study, tuple(cells), alive, together, _eta(study, cells, alive))


def _tokens_per_iter(study: Study) -> int:
    """Tokens of one batch; a study that came from elsewhere may not say."""
    return int(study.config.get("batch_size", 1) * study.config.get("block_size", 1))


def _spark(store: Store, run_id: int, max_iters: int) -> tuple[float, ...]:
    """The last train loss in each of SPARK_POINTS equal parts of the run, as far as it has come."""
    width = max(1, -(-max_iters // SPARK_POINTS))
    rows = store.db.execute(
        "SELECT max(iter) AS last, value FROM metrics WHERE run_id = ? AND name = 'train_loss' "
        "AND value IS NOT NULL GROUP BY (iter - 1) / ? ORDER BY 1",
        (run_id, width),
    )
    return tuple(row["value"] for row in rows)


def _eta(study: Study, cells: list[Cell], alive: bool) -> float | None:
    """Work left over the speed of the runs under way (or of those done, before any of them has a
    speed)."""
    if not alive:
        return None
    speeds = [c.tokens_per_s for c in cells if c.tokens_per_s and c.state is State.RUNNING]
    speeds = speeds or [c.tokens_per_s for c in cells if c.tokens_per_s]
    if not speeds:
        return None
    tokens_per_iter = _tokens_per_iter(study)
    left = sum((c.max_iters - c.iter) * tokens_per_iter for c in cells if c.state not in ENDED)
    at_once = max(1, min(study.jobs, sum(c.state not in ENDED for c in cells)))
    return float(left / (sum(speeds) / len(speeds) * at_once))
