"""In which order the jobs of a merge happened, as far as cause and effect and the clocks tell."""

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..protocol.lists import List
from ..protocol.messages import Append

Key = tuple[int, int]  # of a request: (life, its id in the file of that life)


class NoRun(ValueError):
    """These cannot be traces of clients of the same lists, each of which only grew."""


@dataclass(eq=False, repr=False)  # a job leads to others: to show one is to show all
class Job:
    """Something that happened, and what it leads to."""

    at: int
    record: Any = None  # of a client
    life: int = 0
    name: str = ""  # of a list
    event: Any = None  # what the list took: Append, Fetch or Amiss
    key: Key | None = None  # of the request; None: nobody whom we know asked
    reply: Any = None  # as its client received it; None: nobody did
    position: int = 0  # an append: where; 0: it is none
    shows: int | None = None  # a fetch: up to which position
    behind: bool = False  # and there was more
    avoids: int | None = None  # an append that was refused: this was not the end
    waits: int = 0  # for so many jobs
    then: list["Job"] = field(default_factory=list)

    def before(self, other: "Job") -> None:
        self.then.append(other)
        other.waits += 1


@dataclass(repr=False)
class Shelf:
    """A list: who asked it for what, who heard what, and what it held."""

    name: str
    things: list[Any]  # as far as anybody knew, in the end
    asked: dict[Key, tuple[Job, Any]] = field(default_factory=dict)  # who asked, and for what
    heard: dict[Key, list[tuple[Any, list[Job]]]] = field(default_factory=dict)  # an answer, when
    appends: list[Job] = field(default_factory=list)  # by position; that of entry 0 is none
    landed: dict[Key, Job] = field(default_factory=dict)  # the same, by whose they are
    others: list[Job] = field(default_factory=list)  # whatever else it did
    state: List = field(default_factory=lambda: List(()))  # on the way
    unseen: Counter[int] = field(default_factory=Counter)  # fetches to come that end there

    @property
    def jobs(self) -> list[Job]:
        return [*self.appends[1:], *self.others]


def order(
    shelves: dict[str, Shelf], clients: list[Job], tick: int, happen: Callable[[Job], None]
) -> None:
    """Let everything happen, the earliest first of what can. Raises NoRun where no order fits.

    An entry waits for the fetches that do not show it. Where nothing else can happen any more, it waits
    no longer: a service was behind.
    """
    jobs = [*clients, *(job for shelf in shelves.values() for job in shelf.jobs)]
    foresee(shelves, jobs, tick)
    ready = [(job.at, number, job) for number, job in enumerate(jobs) if not job.waits]
    heapq.heapify(ready)
    number = left = len(jobs)
    held = dict[str, Job]()  # the next entry of a list, if it waits
    while ready or held:
        if ready:
            job = heapq.heappop(ready)[2]
            if job.position and shelves[job.name].unseen[job.position]:
                held[job.name] = job
                continue
        else:  # let as few services be behind as can be
            job = min(held.values(), key=lambda one: shelves[one.name].unseen[one.position])
            del held[job.name]
        if job.avoids is not None and too_early(job, shelves[job.name], happen):
            continue
        happen(job)
        left -= 1
        if job.shows is not None and not job.behind:
            shelves[job.name].unseen[job.shows] -= 1
            if (held_up := held.get(job.name)) and not shelves[job.name].unseen[held_up.position]:
                job.then.append(held.pop(job.name))
                held_up.waits += 1
        for other in job.then:
            other.waits -= 1
            if not other.waits:
                number += 1
                heapq.heappush(ready, (other.at, number, other))
    if left:
        raise NoRun("no order fits: a list refused what stood at its end")


def too_early(job: Job, shelf: Shelf, happen: Callable[[Job], None]) -> bool:
    """Must a refused append wait, since its place is the end now? If nobody saw what came, something did."""
    if job.avoids != len(shelf.state.things):
        return False
    if job.avoids < len(shelf.appends):
        shelf.appends[job.avoids].before(job)
        return True
    happen(Job(job.at, name=job.name, event=Append(unseen(job.avoids))))
    return False


def unseen(position: int) -> str:
    """In the place of an entry that nobody saw."""
    return f"nobody saw what is here: {position}"


def foresee(shelves: dict[str, Shelf], jobs: list[Job], tick: int) -> None:
    """Which fetches are behind for certain, because somebody knew of more when they were asked for.

    Either whoever asked must have known, or it was long ago by the clock.
    """
    places = {name: place for place, name in enumerate(shelves)}
    known = {job: [0] * len(places) for job in jobs}  # entries that were there before, by list
    waits = {job: job.waits for job in jobs}
    todo, seen = [job for job in jobs if not job.waits], 0
    while todo:
        job, seen = todo.pop(), seen + 1
        mine = known.pop(job)
        if job.shows is not None:
            job.behind = mine[places[job.name]] > job.shows
        if job.position:
            mine[places[job.name]] = max(mine[places[job.name]], job.position + 1)
        for other in job.then:
            known[other] = list(map(max, known[other], mine))
            waits[other] -= 1
            if not waits[other]:
                todo.append(other)
    if seen < len(jobs):
        raise NoRun("no order fits: somebody knew of an entry before it was asked for")
    for shelf in shelves.values():
        latest = public(shelf)
        for job in shelf.others:
            if job.shows is not None and job.shows < len(latest):
                job.behind = job.behind or job.at > latest[job.shows] + tick
        of = (one.shows for one in shelf.others if one.shows is not None and not one.behind)
        shelf.unseen = Counter(of)


def public(shelf: Shelf) -> list[float]:
    """For each position of a list, when somebody knew for the first time that something is there."""
    latest = [math.inf] * (len(shelf.things) + 1)
    for job in shelf.jobs:
        end = job.position + 1 if job.position else job.shows or 0
        for other in job.then:
            if other.record is not None and end:
                latest[end - 1] = min(latest[end - 1], other.at)
    for place in range(len(latest) - 2, -1, -1):
        latest[place] = min(latest[place], latest[place + 1])
    return latest[: len(shelf.things)]
