"""Lists in memory that are slow, away, or lose their answers, under URLs `memory:...`; and async tests."""

import asyncio
import gc
import threading
from dataclasses import dataclass
from functools import wraps

import pytest

from paxos import client, opening
from paxos.drivers import live as driver
from paxos.drivers import places
from paxos.services import memory
from paxos.services.contract import ServiceError
from paxos.services.memory import Memory
from paxos.services.registry import open_list


@dataclass
class Faults:
    """What goes wrong with one service, for all who use it."""

    delay: float = 0.0
    down: bool = False
    unsure: int = 0  # so many appends are made, and nobody is told
    lose: int = 0  # so many appends get no answer, and are not made
    vanish: int = 0  # so many appends are not made, and nobody is told
    bad: bool = False  # it is seen to break a promise
    breaks: bool = False  # the client library has a bug
    requests: int = 0
    appends: int = 0
    open: int = 0  # doors that are open
    busy: int = 0  # requests under way


class Odd(Memory):
    """A list in memory, and its faults."""

    world: dict[str, Faults]

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.faults = self.world.setdefault(url, Faults())
        self.faults.open += 1

    async def close(self) -> None:
        self.faults.open -= 1

    async def asked(self) -> None:
        faults = self.faults
        faults.requests += 1
        if faults.breaks:
            raise KeyError("secret")
        faults.busy += 1
        try:
            await asyncio.sleep(faults.delay)
        finally:
            faults.busy -= 1
        if faults.down:
            raise ServiceError(f"{self.url}: no route", "network", retry=True)

    async def check(self) -> None:
        if self.faults.bad:
            raise ServiceError(f"{self.url}: it overwrites", "service")

    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        await self.asked()
        self.faults.appends += 1
        if self.faults.lose:
            self.faults.lose -= 1
            raise ServiceError("timeout", "network", retry=True, unsure=True)
        if self.faults.vanish:
            self.faults.vanish -= 1
            return None
        position = await super().append(entry, at)
        if self.faults.unsure:
            self.faults.unsure -= 1
            return None
        return position

    async def fetch(self, after: int = 0) -> list[bytes]:
        await self.asked()
        return await super().fetch(after)


class World:
    """Three services, or as many as you like, with their faults."""

    def __init__(self, faults: dict[str, Faults]) -> None:
        self.faults = faults

    def urls(self, count: int = 3) -> list[str]:
        return [f"memory:odd{number}" for number in range(1, count + 1)]

    def __getitem__(self, number: int) -> Faults:
        return self.faults.setdefault(f"memory:odd{number}", Faults())

    def things(self, number: int) -> list[bytes]:
        return memory.LISTS.setdefault(f"odd{number}", [])


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(memory, "LISTS", {})
    monkeypatch.setattr(Odd, "world", {}, raising=False)

    def opened(url, timeout):  # by its name in this module, which a test may set
        return (
            globals()["Odd"](url, timeout)
            if url.startswith("memory:odd")
            else open_list(url, timeout)
        )

    monkeypatch.setattr(places, "open_list", opened)
    monkeypatch.setattr(driver, "LOST", 0.3)  # tests wait less
    monkeypatch.setattr(client, "GRACE", 0.05)
    monkeypatch.setattr(opening, "PATIENCE", 0.05)
    monkeypatch.setattr(opening, "SOON", 0.005)
    faults = Odd.world
    yield World(faults)
    assert {one.open for one in faults.values()} <= {0}, "a door was left open"


def live(test):
    """A test that is a coroutine: in a loop of its own, and nothing may be left of it."""

    @wraps(test)
    def run(*arguments, **named):
        async def whole():
            async with asyncio.timeout(60):
                await test(*arguments, **named)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"

        before = threading.active_count()
        asyncio.run(whole())
        gc.collect()
        settle(before)

    return run


def settle(before: int) -> None:
    """No thread is left but those that were there."""
    for one in threading.enumerate():
        if threading.active_count() > before and one is not threading.current_thread():
            one.join(0.5)
    assert threading.active_count() <= before, threading.enumerate()


async def until(true, timeout: float = 20.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(timeout):
        while not true():
            await asyncio.sleep(0.005)
