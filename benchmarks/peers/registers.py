"""A register that is compared and set, on one store: what users would pick where one service is enough.

Whoever knows the version writes at once, and reads again only if somebody else was first.
"""

import asyncio
from abc import ABC, abstractmethod
from contextlib import closing
from typing import Any, Self

import obstore
from obstore.exceptions import BaseError

from paxos.services.folders import Folder
from paxos.services.objects import Objects
from paxos.services.sqlite import SQLite

NAME = "register"


class Register(ABC):
    """One client's door to it. `requests` counts; they are one after the other."""

    def __init__(self, url: str) -> None:
        self.url, self.requests = url, 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.its.close()

    async def set(self, value: str) -> None:
        """Set it after what was there, whatever that was."""
        while not await self.swap(value):
            await self.read()

    its: Any  # the list whose store it is
    version: Any

    @abstractmethod
    async def read(self) -> None:
        """Learn the version that stands there."""

    @abstractmethod
    async def swap(self, value: str) -> bool:
        """Write, if the version is still the one that we know."""


class Linked(Register):
    """In a folder: each version is a file, made safe, then linked to its number."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.its, self.version = Folder(url), 0

    async def __aenter__(self) -> Self:
        await self.its.create()
        return self

    async def read(self) -> None:
        self.requests += 1
        self.version = await self.its.hint()

    async def swap(self, value: str) -> bool:
        self.requests += 1
        done = await self.its.put(self.its.name(self.version), value.encode())
        self.version += done
        return done


class Row(Register):
    """In a database: UPDATE .. WHERE version."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.its, self.version = SQLite(url), 0

    async def __aenter__(self) -> Self:
        await self.its.create()
        with closing(self.its.connect()) as base:
            base.execute("CREATE TABLE IF NOT EXISTS register (version INTEGER, value TEXT)")
            base.execute(
                "INSERT INTO register SELECT 0, '' WHERE NOT EXISTS (SELECT * FROM register)"
            )
        return self

    async def read(self) -> None:
        self.requests += 1
        self.version = await self.its.call(self._read)

    def _read(self) -> int:
        with closing(self.its.connect()) as base:
            return int(base.execute("SELECT version FROM register").fetchone()[0])

    async def swap(self, value: str) -> bool:
        self.requests += 1
        done = await self.its.call(self._swap, value)
        self.version += done
        return bool(done)

    def _swap(self, value: str) -> bool:
        change = "UPDATE register SET version = version + 1, value = ? WHERE version = ?"
        with closing(self.its.connect()) as base:
            return base.execute(change, (value, self.version)).rowcount == 1


class Tagged(Register):
    """In an object store: If-Match."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.its, self.version = Objects(url), None

    async def read(self) -> None:
        self.requests += 1
        self.version = (await obstore.head_async(self.its.store, NAME))["e_tag"]

    async def swap(self, value: str) -> bool:
        self.requests += 1
        mode: Any = {"e_tag": self.version} if self.version else "create"
        try:
            done = await obstore.put_async(
                *(self.its.store, NAME, value.encode()), mode=mode, use_multipart=False
            )
        except (BaseError, OSError):  # somebody else was first, or two were at the same time
            return False
        self.version = done["e_tag"]
        return True


REGISTERS = {"file": Linked, "sqlite": Row, "s3": Tagged}


async def rate(url: str, count: int, clients: int) -> int:
    """Set it so often, by so many at once. Returns the requests made."""
    kind = REGISTERS[url.partition(":")[0]]
    registers = [kind(url) for _ in range(clients)]

    async def work(number: int) -> None:
        async with registers[number] as its:
            for turn in range(count // clients):
                await its.set(f"entry {turn} of {number}")

    await asyncio.gather(*map(work, range(clients)))
    return sum(one.requests for one in registers)
