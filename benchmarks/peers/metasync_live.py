"""MetaSync's pPaxos on lists of ours: four round trips for each decision (Han et al. 2015, section 3.3).

Append a prepare to all lists, fetch, append an accept to all, fetch; a majority is enough each time. Nothing
is shared between two decisions, and nothing is batched. One proposer, as in figure 8 of the paper: a rival
would cost it more.
"""

import asyncio
from typing import Self

from paxos.services.registry import open_list


class MetaSync:
    """One proposer and its lists."""

    def __init__(self, urls: list[str]) -> None:
        self.lists = [open_list(url) for url in urls]
        self.ends = [0] * len(urls)

    async def __aenter__(self) -> Self:
        for one in self.lists:
            await one.create()
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self.lists:
            await one.close()

    async def decide(self, number: int, value: str) -> None:
        """One decision, with nobody in the way."""
        for what in ("prepare", "accept"):
            await self.phase(f"{what} {number} {value}".encode())

    async def phase(self, message: bytes) -> None:
        """Append to all, then read all; done when a majority shows the message."""

        async def one(index: int) -> None:
            its = self.lists[index]
            await its.append(message)
            news = await its.fetch(self.ends[index])
            self.ends[index] += len(news)
            assert message in news

        # On one machine all take the same time, so waiting for all is waiting for a majority.
        await asyncio.gather(*(one(index) for index in range(len(self.lists))))
