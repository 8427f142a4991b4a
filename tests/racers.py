"""Several processes that go for the same position of a list at the same moment.

They are started anew, never forked: the threads of the client libraries do not survive a fork. This file
imports little, as each of them imports it.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from queue import Empty

from paxos.services.contract import Numbered, ServiceError
from paxos.services.registry import open_list

PATIENCE = 120.0  # seconds; then something hangs


def entry(position: int, who: int) -> bytes:
    return b"%d by %d %s" % (position, who, b"x" * 64)


def work(who, barrier, tasks, answers):
    """One process: do one task after the other, all of them in step."""
    while (task := tasks.get()) is not None:
        what, url, count, variables = task
        os.environ.update(variables)
        barrier.wait(PATIENCE)
        try:
            answers.put((who, asyncio.run(what(who, barrier, url, count))))
        except BaseException as error:
            barrier.abort()
            answers.put((who, repr(error)))
            raise


async def put(who, barrier, url, count):
    """Create each position at the same time as the others; what was answered to each."""
    said = []
    async with open_list(url) as its:
        assert isinstance(its, Numbered)
        for position in range(count):
            barrier.wait(PATIENCE)
            try:
                said.append(await its.put(its.name(position), entry(position, who)))
            except ServiceError as error:
                said.append(str(error))
    return said


async def append(who, barrier, url, count):
    """Append so many entries, as fast as the others let us; where each was put."""
    async with open_list(url) as its:
        return [await its.append(entry(number, who)) for number in range(count)]


@dataclass
class Outcome:
    """What a race for positions came to."""

    winners: list[list[int]]  # who was told to have won, for each position
    errors: list[str] = field(default_factory=list)  # neither a win nor a clean refusal

    @property
    def alone(self) -> int:
        """On how many positions there was one winner."""
        return sum(len(its) == 1 for its in self.winners)

    @property
    def most(self) -> int:
        return max(map(len, self.winners))


class Racers:
    """The processes. They wait for races until they are stopped."""

    def __init__(self, count: int = 8) -> None:
        context = get_context("spawn")
        self.answers = context.Queue()
        self.barrier = context.Barrier(count)  # held: a child that is slow to begin still needs it
        self.tasks = [context.Queue() for _ in range(count)]
        self.processes = [
            context.Process(target=work, args=(who, self.barrier, its, self.answers), daemon=True)
            for who, its in enumerate(self.tasks)
        ]
        for one in self.processes:
            one.start()

    def all(self, what, url: str, count: int, variables: dict[str, str]) -> list[Sequence]:
        """What each process answers."""
        for its in self.tasks:
            its.put((what, url, count, variables))
        said = dict(self.answer() for _ in self.processes)
        if broken := [its for its in said.values() if isinstance(its, str)]:
            raise RuntimeError(broken[0])
        return [said[who] for who in range(len(self.processes))]

    def answer(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and all(one.is_alive() for one in self.processes):
            with contextlib.suppress(Empty):
                return self.answers.get(timeout=1)
        raise RuntimeError("a process hangs, or has died")

    def race(self, url: str, count: int, variables: dict[str, str]) -> Outcome:
        said = self.all(put, url, count, variables)
        rounds: Iterable = zip(*said, strict=True)
        winners = [[who for who, its in enumerate(one) if its is True] for one in rounds]
        return Outcome(winners, [its for one in said for its in one if isinstance(its, str)])

    def stop(self) -> None:
        for its in self.tasks:
            its.put(None)
        for one in self.processes:
            one.join(10)
            one.kill()
