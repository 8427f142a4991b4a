"""What Paxos asks of a storage service: a list that only grows. And what it need not ask.

Two calls, `append` and `fetch`, and four promises:

1. One order. Every reader sees a prefix of one and the same list.
2. Nothing changes. What has been seen at a position stays there.
3. What was acknowledged stays. An append that returned a position is in the list, there.
4. What was not is open. An append of unknown outcome may appear once, later, or never.

Freshness is a fifth one, apart: what was acknowledged is in every fetch that begins later. A list says
by `fresh` whether its service promises that. Paxos does without it; it then only takes longer.

Entries are bytes, none empty, and no two that are appended are equal: an entry found where it was to be
put is taken for that very append. So an append that got no answer can be looked up instead of repeated.
(Han et al. 2015, section 3.3, ask for the same list.)
"""

import asyncio
import contextlib
import queue
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Thread
from typing import Any, Literal, Self, TypeVar

T = TypeVar("T")
Blame = Literal["caller", "service", "network", "credentials"]
PATIENT = 4  # positions in a row that others took, before the end is looked for farther on


class ServiceError(Exception):
    """A request failed. Says whose fault it is, and whether the same request may yet succeed.

    `unsure`: it may have taken effect, or still will. `after`: seconds that the service asks us to wait.
    """

    def __init__(
        self,
        what: str,
        blame: Blame,
        retry: bool = False,
        unsure: bool = False,
        after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.blame, self.retry, self.unsure, self.after = blame, retry, unsure, after


class NotTheEnd(Exception):
    """An append was to be made at one position only, and the end of the list is elsewhere."""


class AppendOnlyList(ABC):
    """A list that a storage service keeps, or that is made of what it keeps. One client's door to it.

    `timeout` is in seconds, for one request to the service; then its outcome is unknown. A call that is
    cancelled has an unknown outcome too. `requests` and `trips` count what was asked of the service so
    far: all requests, and those that had to wait for another one.
    """

    fresh = False
    limit = 1 << 20  # bytes in an entry, at most

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.url, self.timeout = url, timeout
        self.requests = self.trips = 0

    async def create(self) -> None:  # noqa: B027  some services have nothing to make
        """Make the place where the list will be, if it is not there. Call it once, not at every open."""

    async def check(self) -> None:  # noqa: B027  some services need no proof
        """Refuse a place that is seen to break a promise. Raises ServiceError."""

    @abstractmethod
    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        """Put an entry at the end, and return its position; None: nobody knows whether it is there.

        With `at`, only if the list has so many entries; raises NotTheEnd if another stands there, or if
        there is a gap before it. Raises ServiceError if it is certain that nothing was appended.
        """

    @abstractmethod
    async def fetch(self, after: int = 0) -> list[bytes]:
        """All entries from position `after` on. Raises ServiceError: a failed fetch is no answer."""

    async def news(self, known: int, patience: float) -> None:
        """Return when the list may have more than `known` entries, and after so many seconds in any case."""
        await asyncio.sleep(patience)

    async def close(self) -> None:  # noqa: B027  some services hold nothing open
        """Let go of connections and threads."""

    async def beside(self, name: str) -> str:
        """The URL of another list, inside the place of this one: to try it out, and leave this one alone."""
        place, mark, query = self.url.partition("?")
        return f"{place.rstrip('/')}/{name}{mark}{query}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def fits(self, entry: bytes) -> None:
        """Raises ServiceError for an entry that no list takes."""
        if not entry:
            raise ServiceError("an entry has no bytes: append at least one", "caller")
        if len(entry) > self.limit:
            raise ServiceError(
                f"an entry of {len(entry):,} bytes is too long for {self.url}, which takes "
                f"{self.limit:,}: append it in parts",
                "caller",
            )


class Numbered(AppendOnlyList):
    """A list made of names, each of which can be created only if it is absent, with its content.

    Positions are dense: whoever creates number n has seen that n - 1 is there. So nobody needs a listing
    to read the list, and a stale one cannot hurt: it is a hint where the end may be.

    A service gives three things: `put`, `get` and, if it can list, `hint`.
    """

    TRIES = 6  # of one request that may yet succeed
    PAUSE = 0.05  # seconds before the second try; then twice as long each time, at random within
    ABREAST = 16  # requests at once when much is to be read

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.known = 0  # so many positions are known to be taken
        self.chance = random.SystemRandom()

    @abstractmethod
    async def put(self, name: str, entry: bytes) -> bool:
        """Create a name with this content if it is absent. False: it is not absent.

        Raises ServiceError, `unsure` unless the service said that it did nothing.
        """

    @abstractmethod
    async def get(self, name: str) -> bytes | None:
        """What a name holds, or None: there is no such name. Raises ServiceError."""

    async def hint(self) -> int:
        """About how many positions are taken: perhaps too few, perhaps too many."""
        return 0

    def name(self, position: int) -> str:
        return f"{position:020d}"

    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        self.fits(entry)
        if at is not None and (at < 0 or not await self.reaches(at)):
            raise NotTheEnd(f"{self.url} has not {at} entries yet")
        position, lost = await self.end() if at is None else at, 0
        while True:
            stands = await self.settle(position, entry)
            if stands is None:
                return None
            self.known = max(self.known, position + 1)
            if stands == entry:
                return position
            if at is not None:
                raise NotTheEnd(f"another entry stands at {at} in {self.url}")
            lost += 1
            if (
                lost >= PATIENT and lost & (lost - 1) == 0
            ):  # now and then: others may just be faster
                await self.gallop()
            position = self.known  # or farther, if it was read in the meantime

    async def settle(self, position: int, entry: bytes) -> bytes | None:
        """Try to create a position, and say what then stands there; None if nobody knows.

        While the outcome of one try is unknown, no other position is tried: that would append twice. And
        once it has been unknown, a clean refusal says nothing: the first try may still arrive.
        """
        unsure, name = False, self.name(position)
        for number in range(self.TRIES):
            error = None
            try:
                self.requests, self.trips = self.requests + 1, self.trips + 1
                if await self.put(name, entry):
                    return entry
            except ServiceError as failed:
                error, unsure = failed, unsure or failed.unsure
                if not (failed.retry or unsure):
                    raise
            if error is None or error.unsure:  # taken by somebody, perhaps by ourselves
                try:
                    self.requests, self.trips = self.requests + 1, self.trips + 1
                    if (stands := await self.get(name)) is not None:
                        return stands
                except ServiceError as failed:
                    error = failed
            if number < self.TRIES - 1:
                await self.pause(number, error)
        if error is not None and not unsure:
            raise error
        return None

    async def pause(self, number: int, error: ServiceError | None) -> None:
        """Wait before the next try: as long as the service asks, or at random."""
        asked = error.after if error and error.after is not None else 0.0
        await asyncio.sleep(max(asked, self.chance.random() * self.PAUSE * 2.0**number))

    async def end(self) -> int:
        """The first position that is not known to be taken. A hint must be confirmed."""
        if not self.known and (guess := await self.hint()) and not await self.reaches(guess):
            await self.search(guess)
        return self.known

    async def gallop(self) -> None:
        """The end is far from where we thought: look for it in longer and longer steps."""
        step = 2
        while await self.reaches(self.known + step):
            step *= 2
        await self.search(self.known + step)

    async def search(self, high: int) -> None:
        """Where the end is, when fewer than `high` positions are taken: by halves, as there is no gap."""
        while high - self.known > 1:
            middle = (self.known + high) // 2
            if not await self.reaches(middle):
                high = middle

    async def reaches(self, count: int) -> bool:
        """Are so many positions taken? If the last one is, then all before it are."""
        if count > self.known and await self.read(count - 1) is not None:
            self.known = max(self.known, count)
        return count <= self.known

    async def read(self, position: int) -> bytes | None:
        """What stands at a position, with patience for errors that pass."""
        for number in range(self.TRIES):
            try:
                self.requests, self.trips = self.requests + 1, self.trips + 1
                return await self.get(self.name(position))
            except ServiceError as error:
                if not error.retry or number == self.TRIES - 1:
                    raise
                await self.pause(number, error)
        raise AssertionError("the last try returns or raises")

    async def fetch(self, after: int = 0) -> list[bytes]:
        """Read one position after the other, more and more at once, up to the first that is not there."""
        found, abreast = list[bytes](), 2
        while True:
            start, trips = after + len(found), self.trips
            some = await together(*(self.read(n) for n in range(start, start + abreast)))
            self.trips = trips + 1
            for one in some:
                if one is None:
                    self.known = max(self.known, after + len(found) if found else 0)
                    return found
                found.append(one)
            abreast = min(2 * abreast, self.ABREAST)


async def together(*calls: Any) -> list[Any]:
    """The results of all; if one fails the others are stopped before its error is raised."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Aside:
    """Blocking calls, in threads of their own: a dead mount holds up nobody, not even our end."""

    def __init__(self, threads: int = 1) -> None:
        self.calls = queue.SimpleQueue[Any]()
        self.threads, self.closed = threads, False
        for _ in range(threads):
            Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while (one := self.calls.get()) is not None:
            loop, future, call, arguments = one
            try:
                done: Any = self.finish
                result: Any = call(*arguments)
            except StopIteration as error:  # no future takes it, and who waits would wait for ever
                done, result = self.fail, RuntimeError(f"StopIteration: {error}")
            except BaseException as error:
                done, result = self.fail, error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done, future, result)

    @staticmethod
    def finish(future: "asyncio.Future[Any]", result: Any) -> None:
        if not future.done():
            future.set_result(result)

    @staticmethod
    def fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    async def __call__(self, call: Callable[..., T], *arguments: Any) -> T:
        """The result of `call(*arguments)`, or what it raises."""
        if self.closed:
            raise ServiceError("the list is closed: open it again", "caller")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.calls.put((loop, future, call, arguments))
        result: T = await future
        return result

    def close(self) -> None:
        self.closed = True
        for _ in range(self.threads):
            self.calls.put(None)
