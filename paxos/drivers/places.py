"""A storage service as a client of a log sees it: which list it keeps, how it does, what it is asked."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NoReturn

from ..protocol.lists import Genesis
from ..protocol.messages import Append, Appended, Entries, Fetch
from ..services.contract import AppendOnlyList, ServiceError
from ..services.registry import open_list
from ..trace import Sent
from . import wire

logger = logging.getLogger("paxos")
Answered = Appended | Entries | None


class Mismatch(ValueError):
    """These services do not belong together, or one has changed what it said: going on is not safe."""


@dataclass(eq=False)
class Place:
    """A service, and what we know of it. `name` is that of its list, once that was seen."""

    url: str
    service: AppendOnlyList
    name: str | None = None
    first: list[bytes] | None = None  # what was read when it was opened
    inbox: deque[Sent] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    up: bool | None = None  # None: not known yet
    error: str | None = None  # the last one
    latency: float = 0.0  # seconds that its last request took
    read: float = 0.0  # when the last request began that showed all there is
    silent: float = 0.0  # until then it is not asked, after so many failures
    failures: int = 0
    seen: int = 0  # entries that this device saw in it in a former life,
    digest: str = ""  # and what they were
    refused: bool = False  # for good
    busy: bool = False  # with an append

    @property
    def owes(self) -> bool:
        """Is an append not made yet, of a service that may answer?"""
        waits = any(isinstance(one.message, Append) for one in self.inbox)
        return self.up is not False and (self.busy or waits)

    def refuse(self, why: str) -> None:
        """Never use it again: it says something else than it said before."""
        self.refused, self.up, self.error = True, False, f"not used any more: {why}"
        self.inbox.clear()
        logger.error("%s is not used any more: %s", self.url, why, extra={"service": self.url})

    def unchanged(self, raw: list[bytes], log: Genesis) -> None:
        """Is what stands there what this device saw in a former life? Raises ServiceError, Mismatch."""
        if len(raw) < self.seen:
            raise ServiceError(
                f"{self.url} shows {len(raw)} entries, and this device has seen {self.seen}: "
                "an old copy, or emptied",
                "service",
            )
        if self.seen and self.digest != (
            wire.Digest().add(wire.unpack(one, log.log, log.limit) for one in raw[: self.seen]).hex
        ):
            raise Mismatch(f"{self.url}: what this device has read there before has changed")

    async def serve(self, asked: Sent, log: Genesis, taken: set[str | None]) -> Answered:
        """Carry out one request. None: no answer. Raises ServiceError, or Mismatch for good."""
        try:
            if self.name is None:
                await self.identify(log, taken)
            return await self.carry_out(asked, log) if self.name == asked.to else None
        except (ServiceError, Mismatch):
            raise
        except Exception as error:  # of a client library: this service fails, and the log goes on
            logger.debug("%s", self.url, exc_info=True)
            unsure = isinstance(asked.message, Append)
            what = f"{self.url}: {type(error).__name__} in the client library"
            raise ServiceError(what, "service", retry=True, unsure=unsure) from error

    async def carry_out(self, asked: Sent, log: Genesis) -> Answered:
        """Ask the service."""
        match asked.message:
            case Append(entry):
                self.first = None  # out of date from now on
                position = await self.service.append(wire.pack(entry))
                return None if position is None else Appended(entry, position)
            case Fetch(after):
                raw, self.first = self.first, None
                if raw is None or after:
                    raw = await self.service.fetch(after)
                if not after:
                    self.unchanged(raw, log)
                return Entries(after, tuple(wire.unpack(one, log.log, log.limit) for one in raw))
        raise AssertionError(f"a service cannot {asked.message!r}")

    async def identify(self, log: Genesis, taken: set[str | None]) -> None:
        """Find out which list this is, now that the service answers. Until then nothing is appended."""
        await self.service.check()
        raw = await self.service.fetch(0)
        if not raw:
            raise ServiceError(f"{self.url} is empty, but the log exists", "service")
        try:
            its = wire.genesis(raw[0])
        except ValueError as error:
            raise Mismatch(f"{self.url}: {error}") from None
        if its is None or not wire.same(its, log):
            raise Mismatch(f"{self.url} is no list of this log")
        if its.name in taken:
            raise Mismatch(f"{self.url} is a list that another URL names already")
        self.unchanged(raw, log)
        self.name, self.first = its.name, raw

    def fails(self, error: ServiceError, pause: float) -> None:
        """No answer; it is left in peace so long."""
        self.failures += 1
        self.silent = time.monotonic() + max(error.after or 0.0, pause)
        if self.up is not False or self.error != str(error):
            self.error = str(error)
            self.warn()
        self.up, self.error = False, str(error)

    def warn(self) -> None:
        """Say once why it does not answer."""
        told = (self.error or "no answer yet").removeprefix(f"{self.url}: ")
        logger.warning("%s is out of reach: %s", self.url, told, extra={"service": self.url})

    def answers(self) -> None:
        if self.up is False:
            logger.info("%s answers again", self.url, extra={"service": self.url})
        self.up, self.failures = True, 0


class Shut(AppendOnlyList):
    """A service that could not even be opened here, for want of credentials: it is out of reach."""

    def __init__(self, url: str, error: ServiceError) -> None:
        super().__init__(url)
        self.error = error

    def refuse(self) -> NoReturn:
        raise ServiceError(str(self.error), self.error.blame)

    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        self.refuse()

    async def fetch(self, after: int = 0) -> list[bytes]:
        self.refuse()

    async def create(self) -> None:
        self.refuse()


def place(url: str, timeout: float) -> Place:
    """A service at a URL, not yet asked anything. Raises ServiceError for a URL that cannot be."""
    try:
        return Place(url, open_list(url, timeout))
    except ServiceError as error:
        if error.blame == "caller":
            raise
        return Place(url, Shut(url, error))
