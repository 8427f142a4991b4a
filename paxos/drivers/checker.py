"""Every schedule of a small world, breadth first: the first bad run that it finds is a shortest one.

A message that was sent may arrive at any later time, any number of times, or never. So delay, loss,
repetition and disorder need no rule of their own: a lost message is one that never arrives.

Three short cuts, each optional, and each compared with the long way in the tests:

* a receipt without effect waits until an effect follows, for nobody else can tell (the length of a
  run counts the steps that have an effect);
* what a node ignores now and for ever is dropped (`Node.forgets`);
* nodes and values that nothing tells apart may change places (`World.alike`, `World.renamings`).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import factorial
from typing import Any, Literal, NamedTuple

from .columns import Columns, Distinct
from .nodes import BEYOND, Column, Event, Move, Node, Record, World

__all__ = [
    "BEYOND",
    "Event",
    "Graph",
    "Move",
    "Node",
    "Record",
    "Verdict",
    "World",
    "check",
    "graph",
]

LIMIT = 1_000_000  # states found: about half a gigabyte
PULSE = 0.1  # seconds between two reports of progress


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search found, or has found so far.

    `states` counts every distinct state; `classes` those visited, one for all that differ only by
    a renaming. Where nodes remember those alike by name, not all such are recognised as the same:
    then `states` is a lower bound and `depth` an upper one, not `exact`. `depth` is counted as TLC does: the first state is at depth 1.
    """

    verdict: Literal["safe", "violated", "bounded"]
    states: int
    classes: int
    depth: int
    seconds: float
    invariant: str | None = None  # the name of what does not hold
    run: tuple[Move, ...] = ()  # a shortest run to where it breaks
    levels: tuple[int, ...] = ()  # states at each depth
    reached: Mapping[str, int] = field(default_factory=dict)  # `sometimes`: the first depth
    census: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # states where it holds
    queue: int = 0  # states found and not yet visited
    exact: bool = True

    @property
    def length(self) -> int:
        """Of `run`, in steps that have an effect: no bad run has fewer."""
        return self.depth - 1 if self.run else 0


def check(
    world: World,
    *,
    only: Iterable[str] | None = None,
    symmetry: bool = True,
    shortcuts: bool = True,
    limit: int = LIMIT,
    progress: Callable[[Verdict], None] = lambda _: None,
    census: bool = False,
) -> Verdict:
    """Visit every state of a world, until an invariant breaks or more than `limit` were found.

    `only` names the invariants that are looked at; with `census` the states at each depth are
    counted in which a `sometimes` holds. Raises ValueError for a world that cannot be.
    """
    only = (only,) if isinstance(only, str) else only
    try:
        return Search(Columns(world, symmetry, shortcuts), only, limit, progress, census).run()
    except Distinct:
        if not symmetry:
            raise ValueError(
                "a step gave another result when asked again: it must depend on its state and event alone"
            ) from None
        # There is a bad run, but under these names it cannot be told: search without.
        limit *= factorial(len(world.alike)) * (len(world.renamings) + 1)
        return Search(Columns(world, False, shortcuts), only, limit, progress, census).run()


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole world: its states, the first one first, and every step between them."""

    states: tuple[Mapping[str, Column], ...]
    depths: tuple[int, ...]  # of the first state: 1
    moves: tuple[tuple[int, tuple[Move, ...], int], ...]  # (from, by, to)


def graph(world: World, limit: int = 1000) -> Graph:
    """Every state of a small world and every step. Raises ValueError above `limit` states."""
    columns = Columns(world, symmetry=False, shortcuts=True)
    depths, moves = {columns.first: 1}, list[tuple[int, tuple[Move, ...], int]]()
    for state in (queue := [columns.first]):
        for by, new, _ in columns.steps(state):
            if new not in depths:
                depths[new] = depths[state] + 1
                queue.append(new)
            moves.append((state, by, new))
        if len(queue) > limit:
            raise ValueError(f"more than {limit} states: too many to look at one by one")
    place = {state: number for number, state in enumerate(queue)}
    return Graph(
        tuple(columns.everything(state) for state in queue),
        tuple(depths.values()),
        tuple((place[before], by, place[after]) for before, by, after in moves),
    )


class Violation(NamedTuple):
    """Where a search came to its end."""

    invariant: str
    before: int | None  # the state before; None: the first state of the world is bad already
    state: int
    by_step: bool  # it is the step that breaks it, not the state


class Search:
    """A search in progress. `found` remembers each state, and one from which a step leads to it."""

    def __init__(
        self,
        columns: Columns,
        only: Iterable[str] | None,
        limit: int,
        progress: Callable[[Verdict], None],
        census: bool,
    ) -> None:
        self.columns, self.world = columns, columns.world
        self.limit, self.progress = limit, progress
        self.census = dict[str, list[int]]()
        self.counted = tuple(self.world.sometimes) if census else ()
        kept = (name for node in columns.nodes for name in node.kept)
        names = {*self.world.always, *self.world.sometimes, *kept}
        self.wanted = names if only is None else set(only)
        if strangers := ", ".join(sorted(self.wanted - names)):
            raise ValueError(f"no invariant is called {strangers}; there are {', '.join(names)}")
        self.started = time.monotonic()
        self.due = self.started + PULSE
        self.lookups = tuple(zip(columns.mask, columns.near, strict=True))
        self.found: dict[int, int] = {}  # state -> a state one step before it
        self.levels: list[int] = []
        self.reached: dict[str, int] = {}
        self.judged: dict[Any, str | None] = {}
        self.violation: Violation | None = None

    def run(self) -> Verdict:
        first = self.columns.canonical(self.columns.first)
        self.found[first], front = first, [first]
        if broken := self.judge(first):
            self.violation = Violation(broken, None, first, False)
        while front and not self.violation:
            self.count(front)
            following: list[int] = []
            for number, state in enumerate(front):
                if time.monotonic() > self.due:
                    self.due = time.monotonic() + PULSE
                    self.progress(self.verdict("bounded", len(front) - number + len(following)))
                if len(self.found) > self.limit:
                    return self.verdict("bounded", len(front) - number + len(following))
                if self.visit(state, following):
                    break
            front = following
        if self.violation:
            self.count(front)
            return replace(
                self.verdict("violated"), invariant=self.violation.invariant, run=self.path()
            )
        for name in self.world.sometimes:
            if name in self.wanted and name not in self.reached:
                return replace(self.verdict("violated"), invariant=name)
        return self.verdict("safe")

    def verdict(self, verdict: Literal["safe", "violated", "bounded"], queue: int = 0) -> Verdict:
        """What is known by now."""
        seconds = time.monotonic() - self.started
        counts = (sum(self.levels), len(self.found) - queue, len(self.levels))
        return Verdict(
            verdict,
            *counts,
            seconds,
            levels=tuple(self.levels),
            reached=dict(self.reached),
            census={name: tuple(its) for name, its in self.census.items()},
            queue=queue,
            exact=not (self.columns.symmetry and self.columns.naming),
        )

    def count(self, front: list[int]) -> None:
        """One more level is complete."""
        self.levels.append(sum(map(self.columns.weight, front)))
        for name in self.counted:
            memo, total = dict[Any, bool](), 0
            for state in front:
                key = self.columns.news(state)
                if key not in memo:
                    memo[key] = self.world.sometimes[name](self.columns.record(state))
                total += self.columns.weight(state) if memo[key] else 0
            self.census.setdefault(name, []).append(total)

    def visit(self, state: int, following: list[int]) -> bool:
        """Take every step from a state. True when one of them breaks an invariant."""
        columns, found = self.columns, self.found
        canonical = columns.canonical if columns.symmetry else None
        skipping = columns.first_alike if canonical and not columns.naming else len(columns.names)
        crashing = (False, True) if state & 15 < self.world.crashes else (False,)
        for i, (mask, near) in enumerate(self.lookups):
            if i > skipping and columns.at(state, i) == columns.at(state, i - 1):
                continue  # what its twin does is the same but for the name
            for crash in crashing:
                moves = near.get((state & mask) + crash)
                if moves is None:
                    moves = columns.moves(i, state, crash)
                for difference, news, broken in moves:
                    new = state + difference
                    if canonical:
                        new = canonical(new)
                    if new not in found:
                        found[new] = state
                        following.append(new)
                        if news and (bad := self.judge(new)):
                            self.violation = Violation(bad, state, new, False)
                            return True
                    if broken and (wanted := self.wanted.intersection(broken)):
                        self.violation = Violation(min(wanted), state, new, True)
                        return True
        return False

    def judge(self, state: int) -> str | None:
        """The first invariant that a state breaks, by what is on record in it."""
        key = self.columns.news(state)
        if key not in self.judged:
            record = self.columns.record(state)
            always, sometimes = self.world.always.items(), self.world.sometimes.items()
            for name, holds in sometimes:
                if name not in self.reached and holds(record):
                    self.reached[name] = len(self.levels) + 1
            broken = (name for name, holds in always if name in self.wanted and not holds(record))
            self.judged[key] = next(broken, None)
        return self.judged[key]

    def path(self) -> tuple[Move, ...]:
        """The moves to the violation, with the names that nodes really have."""
        assert self.violation is not None
        rule, before, last, by_step = self.violation
        if before is None:
            return ()
        first, chain = self.columns.canonical(self.columns.first), [last]
        while len(chain) == 1 or chain[-1] != first:
            chain.append(before)
            before = self.found[before]
        state, run = self.columns.first, list[Move]()
        for left, goal in zip(range(len(chain) - 2, -1, -1), chain[-2::-1], strict=True):
            breaking = rule if by_step and not left else ""
            state, moves = self.columns.step_to(state, goal, breaking)
            run += moves
        return tuple(run)
