"""The residual stream of one traced pass: the input of each sublayer, and where its output went.

A pre-norm decoder starts with the embedding; each sublayer reads a norm of the stream and adds its
output once to what it read; a last norm of the stream goes to the output layer. Every tensor (T, C)
of a pass that is such a sum can be told by least squares, whatever the code that made it looks
like. Constants per feature, such as biases, are left out of account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from labs.checks.property_check import NotJudged, Vague, Wrong
from labs.checks.trace import Projection, Trace

CLOSE = 2e-3  # what may be left over of a fit, as a share of what is fitted
KINDS = ("LayerNorm", "RMS")
WHOLE = 0.02  # how far a coefficient may be from a whole number


def normalized(x: Tensor, kind: str) -> Tensor:
    """x (…, T, C) over its root mean square per token; with "LayerNorm", without its mean."""
    x = x.double()
    if kind == "LayerNorm":
        x = x - x.mean(-1, keepdim=True)
    return x / x.pow(2).mean(-1, keepdim=True).sqrt().clamp(min=1e-12)


def per_feature(x: Tensor, base: Tensor) -> Tensor:
    """The part of x (T, C) that gain · base + offset, with one gain and one offset per feature,
    does not explain, as a share of x: for each of many bases (…, T, C)."""
    x, base = centered(x), centered(base)
    gain = (x * base).sum(-2, keepdim=True) / base.pow(2).sum(-2, keepdim=True).clamp(min=1e-24)
    rest = (x - gain * base).pow(2).mean((-2, -1)).sqrt()
    return rest / x.pow(2).mean().sqrt().clamp(min=1e-12)


def is_norm(x: Tensor, state: Tensor, kind: str) -> bool:
    """True if x (T, C) is that norm of the stream, with a gain and an offset per feature."""
    return bool(per_feature(x, normalized(state, kind)) < CLOSE)


def centered(x: Tensor) -> Tensor:
    """x (…, T, C) in float64 without its mean over tokens: constants per feature don't count."""
    x = x.double()
    return x - x.mean(-2, keepdim=True)


def whole(number: float, target: int) -> bool:
    return abs(number - target) < WHOLE


@dataclass
class Reading:
    """One sublayer, or the output layer (the last one): the state of the stream that it reads, as a
    sum of the start and the pieces of the projections before it."""

    first: Projection
    state: Tensor  # (T, C)
    norm: str  # "LayerNorm", "RMS", or "" where it reads the stream as it is
    start: float  # how often the start is in the state
    pieces: dict[tuple[int, int], float]  # (operation, part) -> how often it is
    left: float  # what is left over, as a share of the state
    outputs: list[Projection] = field(default_factory=list)
    name: str = ""

    @property
    def x(self) -> Tensor:
        """The input of the projection, (T, C)."""
        return self.first.x

    @property
    def exact(self) -> bool:
        return self.left < CLOSE

    @property
    def plain(self) -> bool:
        """True if the state holds the start once, and each piece once or not at all."""
        once = all(whole(n, 0) or whole(n, 1) for n in self.pieces.values())
        return self.exact and whole(self.start, 1) and once


class Stream:
    """Reads a trace's stream. Wrong, with what was seen, when there is no stream."""

    def __init__(self, trace: Trace, layers: int) -> None:
        self.trace, self.layers = trace, layers
        self.parallel = False
        """True if attention and feed-forward layer work side by side, as in GPT-J."""
        vocab = trace.logits.shape[-1]
        heads = [
            p
            for p in trace.projections
            # a padded vocabulary's logits are cut back
            if p.out.shape[-1] == vocab or torch.equal(p.out[:, :vocab], trace.logits)
        ]
        if not heads or not trace.rows:
            raise NotJudged("no projection to the logits was seen among the operations")
        self.head = heads[-1]
        self.body = [p for p in trace.projections if p.at < self.head.at]
        self.C = trace.rows[0][1].shape[-1]
        rows = torch.stack([row for _, row in trace.rows])
        self.norms = {kind: normalized(rows, kind) for kind in KINDS}
        """Each kind of norm of each row of the trace, (rows, T, C)."""
        if len(self.body) < 2:
            raise NotJudged("no sublayers were seen among the operations")
        self.find_start()
        self.readings = self.read()

    # ── fitting

    def fit(
        self, p: Projection, state: Tensor, norm: str = "", further: Sequence[Tensor] = ()
    ) -> Reading:
        """A state as a sum of the start, the parts (T, C) of the projections before the one that
        reads it, and what else there may be."""
        pieces = {
            (q.at, n): part
            for q in self.body
            if q.at < p.at
            for n, part in enumerate(q.parts)
            if part.shape[-1] == self.C
        }
        columns = [self.start, *pieces.values(), *further]
        matrix = torch.stack([centered(c).flatten() for c in columns], dim=1)
        sizes = matrix.norm(dim=0).clamp(min=1e-12)
        target = centered(state).flatten()
        solution = torch.linalg.lstsq(matrix / sizes, target[:, None], driver="gelsd").solution
        coefficients = solution[:, 0] / sizes
        left = (target - matrix @ coefficients).norm() / target.norm().clamp(min=1e-12)
        start, *numbers = coefficients.tolist()
        return Reading(p, state, norm, start, dict(zip(pieces, numbers, strict=False)), left.item())

    def candidates(self, p: Projection) -> list[tuple[Tensor, str]]:
        """The tensors of which a projection's input can be a norm, the earliest first; last the
        input itself."""
        earlier = [row for at, row in self.trace.rows if at < p.at]
        norms = [
            (number, kind)
            for kind in KINDS
            for number, left in enumerate(per_feature(p.x, self.norms[kind][: len(earlier)]))
            if left < CLOSE
        ]
        return [*((earlier[number], kind) for number, kind in sorted(norms)), (p.x, "")]

    def find_start(self) -> None:
        """Find the tensor that the stream starts with: the one before all sublayers that the last
        norm's input holds once."""
        first = self.body[0].at
        starts = [row for at, row in self.trace.rows if at < first]
        if not starts:
            raise NotJudged("no embedding was seen before the first sublayer")
        for state, _ in self.candidates(self.head):
            for start in starts:
                self.start = start
                if self.fit(self.head, state).plain:
                    return
        read = [state for state, kind in self.candidates(self.body[0]) if kind]
        self.start = read[0] if read else starts[-1]

    # ── the sublayers

    def best(self, p: Projection) -> Reading | None:
        """The state that a projection reads, normalized or as it is: the first that is a plain sum,
        else the first that it reads a norm of."""
        if p.x.shape[-1] != self.C:
            return None
        first_norm = None
        for state, norm in self.candidates(p):
            reading = self.fit(p, state, norm)
            if reading.plain:
                return reading
            first_norm = first_norm or (reading if norm else None)
        return first_norm

    def read(self) -> list[Reading]:
        """The sublayers in order, and the output layer. Wrong at the first place where the stream
        is no plain sum."""
        final = self.best(self.head)
        sound = final is not None and final.plain
        added = {at for (at, _), n in final.pieces.items() if whole(n, 1)} if sound else set()
        readings: list[Reading] = []
        for p in [*self.body, self.head]:
            within = sound and bool(readings) and not readings[-1].outputs
            # what reads the same, and nothing attended since, is a shard
            same = within or (bool(readings) and not self.attends(readings[-1].first.at, p.at))
            known = readings[-1:] * same if sound else readings
            is_known = any(torch.equal(p.x, reading.x) for reading in known)
            seen = None if is_known or (within and p.at in added) else self.best(p)
            if seen and within:
                raise self.second_input(readings, seen, added)
            if seen:
                seen.name = self.name(len(readings), p)
                if not seen.plain:
                    raise self.slip(seen, readings)
                readings.append(seen)
            elif sound and not (within or is_known or (readings and self.follows(p, added))):
                raise Vague(f"""{self.name(len(readings), p)} reads something that is neither the
                    stream nor a norm of it""")
            if p.at in added:
                readings[-1].outputs.append(p)
        if not sound:
            raise Vague("""the last norm gives no norm of the stream: is it there, and over the
                features?""")
        self.judge_layers(readings, added)
        return readings

    def follows(self, p: Projection, added: set[int]) -> bool:
        """True if a projection works on what its sublayer made: it adds to the stream, or its input
        is of another width."""
        return p.at in added or p.x.shape[-1] != self.C

    def judge_layers(self, readings: list[Reading], added: set[int]) -> None:
        """Wrong where the sublayers are not two for each layer, or where those of some layers alone
        run in parallel."""
        if len(readings) - 1 != 2 * self.layers:
            raise Wrong(f"""{self.layers} layers add to the stream {len(readings) - 1} times; an
                attention and a feed-forward layer each make {2 * self.layers}""")
        parallel = [
            reading.name
            for reading in readings
            if any(at in added and whole(n, 0) for (at, _), n in reading.pieces.items())
        ]
        if parallel and len(parallel) != self.layers:
            raise Wrong(f"""{parallel[0]} reads the stream from before the sublayer ahead of it, as
                in a parallel block, and those of other layers don't""")
        self.parallel = bool(parallel)

    def second_input(self, readings: list[Reading], seen: Reading, added: set[int]) -> Wrong:
        """The slip of a sublayer inside which a projection reads the stream, or a norm of it that
        is not the sublayer's. The operations ``added`` are those that add to the stream."""
        first, at = readings[-1].first.at, seen.first.at
        if seen.first is self.head:
            return Wrong(f"the output of {readings[-1].name} is never added to the stream")
        end = min((operation for operation in added if operation > at), default=self.head.at)
        if not seen.norm and self.attends(at, end) and not self.attends(first, at):
            return Wrong(f"""the attention of layer {(len(readings) - 1) // 2}: of queries, keys and
                values, some are made of the stream without a norm""")
        if any(whole(n, 1) and at > first for (at, _), n in seen.pieces.items()):
            return Wrong(f"""the output of {readings[-1].name} is read by what comes next, and is
                then gone: the stream goes on without it""")
        return Wrong(f"""{readings[-1].name} reads two different inputs, or its output is never
            added to the stream""")

    def attends(self, since: int, until: int) -> bool:
        """True if a head of attention was computed between two operations."""
        return any(since < head.at < until for head in self.trace.heads)

    def name(self, number: int, p: Projection) -> str:
        """The name of a sublayer: a layer attends, and then feeds forward."""
        if p is self.head:
            return "the output layer"
        return f"the {'feed-forward layer' if number % 2 else 'attention'} of layer {number // 2}"

    def slip(self, reading: Reading, earlier: list[Reading]) -> Wrong:
        """The slip of a state that is no plain sum."""
        before = earlier[-1].name if earlier else "the first sublayer"
        if reading.exact:
            return self.slip_of_sum(reading, before, is_later=len(earlier) > 1)
        if self.fit(reading.first, reading.state, "", [q.x for q in earlier]).exact:
            return Wrong(f"{before} adds to its normalized input, not to the stream that it read")
        if self.is_norm_of_norm(reading):
            return Wrong(f"{reading.name} reads a norm of a norm of the stream: one norm is enough")
        if earlier and self.adds_norm(reading):
            return Wrong(f"""the output of {before} is normalized before it is added: the norm
                belongs in front of the sublayer""")
        return Vague(f"""what {reading.name} reads is not a norm of a sum of the embedding and the
            sublayers before it ({reading.left:.0%} is left over)""")

    def slip_of_sum(self, reading: Reading, before: str, *, is_later: bool) -> Wrong:
        """The slip of a sum in which something is missing, or there several times."""
        odd = [n for n in reading.pieces.values() if not whole(n, 0) and not whole(n, 1)]
        if whole(reading.start, 0):
            return Wrong(f"""the stream that {before} read is gone after it: its output is not
                added to what it read""")
        if whole(reading.start, 1):
            return Wrong(f"the output of {before} is added {odd[-1]:.3g} times")
        if is_later and not odd:
            return Wrong(f"""the embedding is in what {reading.name} reads a norm of
                {reading.start:.3g} times: it is added again after {before}""")
        return Wrong(f"{before} adds to {reading.start:.3g} times the stream that it read")

    def is_norm_of_norm(self, reading: Reading) -> bool:
        """True if what is read is a norm of a norm of the stream."""
        states = [row for made, row in self.trace.rows if made < reading.first.at]
        return any(
            self.fit(reading.first, row).plain
            for row in states
            if any(is_norm(reading.state, row, kind) for kind in KINDS)
        )

    def adds_norm(self, reading: Reading) -> bool:
        """True if what is read is the stream with a norm of a sublayer's output."""
        state, end = reading.state, reading.first.at
        outputs = [q.out for q in self.body if q.at < end and q.out.shape[-1] == self.C]
        states = [self.start, *(row for made, row in self.trace.rows if made < end)]
        return any(
            is_norm(state - row, out, kind)
            for out in outputs[-2:]
            for kind in KINDS
            for row in states
            if not torch.equal(state, row)
        )
