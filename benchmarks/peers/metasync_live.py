"""MetaSync's pPaxos on lists of ours: four round trips for each decision (Han et al. 2015, section 3.3).

Append a prepare to all lists and fetch, append an accept to all and fetch, each time until a majority has
answered. Nothing is shared between two decisions, and nothing is batched. Lists are read by the rules of
`paxos.drivers.metasync`, as repaired: what is asked of services is the same.

In favour of it: its code appends the decided value once more, for others to take over. Here it does not.
"""

import asyncio
import json
import random
from collections import defaultdict
from typing import Any, Self

from paxos.drivers.metasync import RULES, View, accepted, fold, own_prepare
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Prepare
from paxos.protocol.proposer import binding_value
from paxos.services.registry import open_list

RULE = RULES["figure 4, own prepare"]
PAUSE = 0.05  # seconds to wait after the first rival, at most; then twice as long each time


class MetaSync:
    """One proposer and its lists."""

    def __init__(self, urls: list[str], name: str = "c0") -> None:
        self.name = name
        self.lists = [open_list(url) for url in urls]
        self.ends = [0] * len(urls)
        self.views = [defaultdict[int, View](View) for _ in urls]  # by decision
        self.turns = [asyncio.Lock() for _ in urls]
        self.running = set[asyncio.Task[Any]]()

    async def __aenter__(self) -> Self:
        for one in self.lists:
            await one.create()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self.running, return_exceptions=True)
        for one in self.lists:
            await one.close()

    async def decide(self, number: int, value: str) -> str:
        """What is decided there: the value, unless a rival was first."""
        round_number, pause = 0, PAUSE
        while True:
            ballot = Ballot(round_number + 1, self.name)
            views = await self.phase(number, Prepare(ballot))
            if all(view.promised <= ballot for view in views):
                votes = [vote for view in views for vote in view.votes]
                mine = Accept(ballot, str(binding_value(votes, value)))
                views = await self.phase(number, mine)
                if all(accepted(RULE, view, mine) for view in views):
                    return str(mine.value)
            round_number = max(view.promised.round for view in views)
            await asyncio.sleep(random.random() * pause)
            pause *= 2

    async def phase(self, number: int, message: Prepare | Accept) -> list[View]:
        """Append to all, then read all; what a majority shows. Who is slow goes on by itself."""
        left = {
            asyncio.create_task(self.one(index, number, message))
            for index in range(len(self.lists))
        }
        self.running |= left
        views = list[View]()
        while len(views) <= len(self.lists) // 2:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            self.running -= done
            views += [task.result() for task in done]
        return views

    async def one(self, index: int, number: int, message: Prepare | Accept) -> View:
        """Append to one list, and read it."""
        its, views = self.lists[index], self.views[index]
        ballot, value = message.ballot, getattr(message, "value", None)
        entry = [number, type(message).__name__, ballot.round, ballot.proposer, value]
        async with self.turns[index]:
            await its.append(json.dumps(entry).encode())
            news = await its.fetch(self.ends[index])
            self.ends[index] += len(news)
            for which, kind, round_number, who, what in map(json.loads, news):
                its_ballot = Ballot(round_number, who)
                told = Prepare(its_ballot) if kind == "Prepare" else Accept(its_ballot, what)
                views[which] = fold(RULE, views[which], told)
            assert own_prepare(views[number], ballot)
            return views[number]
