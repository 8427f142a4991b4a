"""The public door: a log that several devices share through storage services::

    async with paxos.open("file:///a", "sqlite:///b.db", "file:///c", name="laptop") as log:
        await log.append(b"book saturday Ann")
        async for entry in log:
            print(entry.index, entry.author, entry.text)

The same without `async` and `await` for scripts: `with paxos.open(...) as log: log.append(b"...")`.
One service: its list is the log. Three or more: Passive Paxos, and a minority of them may fail.
"""

import asyncio
import contextlib
import logging
import os
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from .drivers import wire
from .drivers.live import Live, shut
from .drivers.places import Mismatch, Place, place
from .opening import Memory, find
from .protocol.messages import Command
from .remembering import Remembered
from .services.contract import ServiceError
from .trace import End, Header, line

__all__ = ["Blocking", "Entry", "Log", "Mismatch", "ServiceError", "Status", "Undecided", "open"]

logger = logging.getLogger("paxos")
T = TypeVar("T")
NAME = re.compile(r"[^\s.]{1,64}")
GRACE = 1.0  # seconds that a reader waits for the services beyond a quorum


class Undecided(TimeoutError):
    """Time is up. What was appended may still be in the log later; appended again, it may be there twice."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log: the same at the same index for everybody, for ever."""

    index: int
    author: str  # the name of the client that appended it
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Status:
    """One service, as this client has found it. Times are in seconds."""

    url: str
    list: str | None  # its name in the log; None: not seen yet
    up: bool | None  # did the last request succeed? None: none has ended yet
    position: int  # entries seen in its list
    latency: float  # of the last request
    requests: int
    trips: int  # requests that had to wait for another one
    error: str | None  # the last one


class Log:
    """A log, open. `open` makes one; leave it by `async with`, or by `with`."""

    def __init__(self, urls: tuple[str, ...], options: dict[str, Any]) -> None:
        self.urls, self.options = urls, options
        self.live: Live | None = None
        self.entries: list[Entry] = []
        self.known: dict[Command, int] = {}
        self.slots = 0  # of the log that we have counted
        self.file: Any = None
        self.written = 0  # records
        self.remembered: Remembered | None = None
        self.opened = False

    async def __aenter__(self) -> Self:
        if self.opened:
            raise RuntimeError("a log is opened once: call `paxos.open` again")
        self.opened = True
        places = list[Place]()
        try:
            for url in self.urls:
                places.append(place(url, self.options["request_timeout"]))
            await self.begin(places)
        except BaseException:
            if self.live:
                await self.live.close()
            else:
                await shut(places)
            if self.file:
                self.file.close()
            raise
        return self

    async def begin(self, places: list[Place]) -> None:
        """Find the log and start to work."""
        options = self.options
        trace, chance = options["trace"], options["chance"]
        if trace and Path(trace).exists():
            raise FileExistsError(f"{trace} is there already: a trace wants a new file")
        if options["remember"]:
            self.remembered = Remembered(options["remember"])
        memory = self.remembered.memory if self.remembered else Memory()
        genesis = await find(places, options["some"], chance, memory)
        if self.remembered:
            self.remembered.check(places, genesis)
        for one in places:
            if not one.up:
                one.warn()
        if trace:
            self.file = Path(trace).open("x", encoding="utf-8")  # noqa: SIM115
        record = self.write if self.file else None
        self.live = Live(options["name"], genesis, places, chance, record)
        self.live.start()

    async def __aexit__(self, *_: object) -> None:
        try:
            if self.live:
                await self.live.close()
            if self.live and self.remembered:
                self.remembered.note(self.live, always=True)
        finally:
            if self.file:
                self.file.write(line(End(self.written)))
                self.file.close()

    def write(self, record: Any) -> None:
        """One line for each record, before what it tells of is done."""
        self.file.write(line(record))
        self.file.flush()
        self.written += not isinstance(record, Header)

    # What a user asks for.

    async def append(self, entry: bytes | str, timeout: float | None = None) -> int:
        """Append, and return the index once it is decided. `timeout` in seconds.

        Raises Undecided when time is up, ServiceError for an entry that is too long.
        """
        if not isinstance(entry, str | bytes | bytearray | memoryview):
            raise TypeError(f"an entry is bytes or text, not {type(entry).__name__}")
        data = entry.encode() if isinstance(entry, str) else bytes(entry)
        live = self.running
        text, most = wire.text(data), (live.genesis.limit - wire.OVERHEAD) // wire.BATCHED
        if len(wire.quoted(text)) > most:
            raise ServiceError(
                f"an entry of {len(data):,} bytes is too long: {most:,} at most", "caller"
            )
        command = live.propose(text)
        return await self.until(
            lambda: self.known.get(command), timeout, "The entry is not decided"
        )

    async def read(self, timeout: float | None = None) -> list[Entry]:
        """All that is known to be decided, after a fresh look at a quorum of the services.

        Not linearizable: what was decided a moment ago may be missing if not every service shows it
        yet. To be sure, append, and read up to what you appended. Raises Undecided when time is up.
        """
        live, began = self.running, time.monotonic()
        live.look()

        def looked() -> bool | None:
            fresh = [one for one in live.places if one.read >= began]
            waiting = [one for one in live.places if one.up is not False and one not in fresh]
            enough = live.me.member.proposer.quorums.reached(1, [one.url for one in fresh])
            late = time.monotonic() - began > GRACE
            return True if enough and (late or not waiting) else None

        await self.until(looked, timeout, "Too few services answer", GRACE / 4)
        return list(self.entries)

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """Every entry from the first one on, and for ever what comes."""
        index = 0
        while True:
            yield await self.at(index)
            index += 1

    async def at(self, index: int) -> Entry:
        """The entry at an index, as soon as it is decided."""
        return await self.until(partial(self.entry, index), None, "")

    def status(self) -> list[Status]:
        """How each service does, as far as this client has seen."""
        live = self.running
        ends = {name: view.end for name, view in live.me.views}
        return [
            Status(
                *(one.url, one.name, one.up, ends.get(one.name or "", 0), one.latency),
                *(one.service.requests, one.service.trips, one.error),
            )
            for one in live.places
        ]

    # How it is done.

    @property
    def running(self) -> Live:
        if self.live is None:
            raise RuntimeError("the log is not open: use `async with paxos.open(...) as log`")
        if self.live.failure:
            raise self.live.failure
        return self.live

    def entry(self, index: int) -> Entry | None:
        return self.entries[index] if index < len(self.entries) else None

    def count(self) -> None:
        """Number what was decided since we last looked. What was decided twice counts once."""
        batches = self.running.me.member.log
        for batch in batches[self.slots :]:
            for one in batch:
                if one not in self.known:
                    self.known[one] = len(self.entries)
                    author = one.client.rpartition(".")[0]
                    self.entries.append(Entry(len(self.entries), author, wire.data(one.text)))
        self.slots = len(batches)
        if self.remembered:
            self.remembered.note(self.running)

    async def until(
        self,
        done: Callable[[], T | None],
        timeout: float | None,
        what: str,
        pause: float | None = None,
    ) -> T:
        """Wait until something is known. `pause`: look that often also if nothing happens."""
        live = self.running
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if live.failure:
                raise live.failure
            self.count()
            if (known := done()) is not None:
                return known
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Undecided(f"{what} after {timeout:.3g} s. {self.trouble()}")
            left = min((one for one in (left, pause) if one is not None), default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await live.changed.wait()

    def trouble(self) -> str:
        """One sentence on the services."""
        status = self.status()
        down = [f"{one.url}: {one.error or 'no answer yet'}" for one in status if not one.up]
        said = f"{len(status) - len(down)} of {len(status)} services answer"
        return "; ".join([said, *down]) + "."

    # The same for scripts.

    def __enter__(self) -> "Blocking":
        return Blocking(self).start()

    def __exit__(self, *_: object) -> None:
        self.blocking.stop()

    blocking: "Blocking"


class Blocking:
    """A log for scripts: the same calls, which return when they are done. Any thread may make them."""

    def __init__(self, log: Log) -> None:
        self.log, log.blocking = log, self
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="paxos", daemon=True)

    def start(self) -> Self:
        self.thread.start()
        try:
            self.run(self.log.__aenter__)
        except BaseException:
            self.end()
            raise
        return self

    def stop(self) -> None:
        try:
            self.run(self.log.__aexit__)
        finally:
            self.end()

    def end(self) -> None:
        """Cancel what is still under way, and wait until it is over."""

        async def rest() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(rest(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, call: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """The result of a call made in the loop. Ctrl-C may come at any moment, and cancels it."""
        if self.loop.is_closed():
            raise RuntimeError("the log is closed")
        future, tasks = Future[T](), list[asyncio.Task[T]]()

        def begin() -> None:
            if not future.cancelled():
                tasks.append(self.loop.create_task(call(*arguments)))
                tasks[0].add_done_callback(done)

        def done(task: asyncio.Task[T]) -> None:
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if not future.set_running_or_notify_cancel():
                return
            if error:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        try:
            self.loop.call_soon_threadsafe(begin)
            return future.result()
        except BaseException:
            future.cancel()
            self.loop.call_soon_threadsafe(lambda: [one.cancel() for one in tasks])
            raise

    def append(self, entry: bytes | str, timeout: float | None = None) -> int:
        """As `Log.append`."""
        return self.run(self.log.append, entry, timeout)

    def read(self, timeout: float | None = None) -> list[Entry]:
        """As `Log.read`."""
        return self.run(self.log.read, timeout)

    def status(self) -> list[Status]:
        """As `Log.status`."""
        return self.log.status()

    def __iter__(self) -> Iterator[Entry]:
        index = 0
        while True:
            yield self.run(self.log.at, index)
            index += 1


def open(
    *urls: str,
    name: str,
    some: bool = False,
    trace: str | os.PathLike[str] | None = None,
    remember: str | os.PathLike[str] | None = None,
    request_timeout: float = 30.0,
    chance: random.Random | None = None,
) -> Log:
    """A log on these services: a new one if all of them are empty, else the one that is there.

    `name` is this device's, for people; it need not be unique. `some`: only some services of the log are named
    here; the others count as out of reach. `trace`: a new file for all that this client does.
    `remember`: a file of this device, from one life to the next, of what it has read in each list; one
    that has changed since is refused. `chance`: for tests, what is drawn at random.
    Entering raises Mismatch if the services do not belong together, ServiceError if too few answer.
    """
    if not urls:
        raise ValueError("no service is named: name one, or three or more")
    if not (NAME.fullmatch(name) and name.isprintable()):
        raise ValueError(f"the name {name!r}: 1 to 64 signs, no space and no dot")
    if len(urls) % 2 == 0 and not some:
        logger.warning(
            "%s services survive no more failures than %s: use one more, or one less",
            len(urls),
            len(urls) - 1,
        )
    for url in urls:
        if urls.count(url) > 1:
            raise ValueError(f"{url} is named twice: name each service once")
    options = {"name": name, "some": some, "trace": trace, "chance": chance, "remember": remember}
    return Log(urls, {**options, "request_timeout": request_timeout})
