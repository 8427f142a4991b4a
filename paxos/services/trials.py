"""What the processes of the conformance suite do with a list: one function for each kind of trial."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .contract import AppendOnlyList, NotTheEnd, ServiceError
from .promises import SMALL, TORN, Checked, Event, Failed, Outcome, Read, Tried, key_of, made

Opener = Callable[[str], AppendOnlyList]
LARGEST = 4 << 20  # bytes; of a limit that is higher, no more is tried
SEVERAL = 12  # appends of the one who is alone
ROW = 10  # failures in a row, after which a trial is given up
PATIENCE = 20.0  # seconds, for a list that does not promise to be fresh


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process is to do."""

    trial: str
    names: int = 0
    reads: bool = False  # reads until it is stopped, and does not append
    end: float = 0.0  # on the clock of all; nothing is begun after it
    pause: float = 0.0  # seconds that an append takes, about
    known: int = 0  # so many entries are there


@dataclass(slots=True)
class Seat:
    """One process, or task, of the suite: what it has, and how it tells what it saw."""

    who: int
    run: str
    url: str
    opened: Opener
    plan: Plan
    say: Callable[[Event], None]
    meet: Callable[[], Awaitable[bool]]  # all others, at this moment; False: there is one no more
    leave: Callable[[], Awaitable[None]]  # and let nobody wait for us
    stopped: Callable[[], bool]
    chance: random.Random
    number: int = 0
    failures: int = 0
    refusal: ServiceError | None = None  # the last one

    def left(self) -> float:
        return self.plan.end - time.monotonic()

    def over(self) -> bool:
        return self.left() <= 0 or self.failures >= ROW

    def check(self, promise: str, right: bool, evidence: str) -> None:
        self.say(Checked(promise, "" if right else evidence))

    def failed(self, error: BaseException) -> None:
        """Tell of an error, whose fault it is; or that no ServiceError was raised where one is due."""
        self.failures += 1
        if isinstance(error, ServiceError):
            self.refusal = error
            self.say(Failed(str(error), error.blame, error.retry))
        else:
            self.say(Checked("errors", f"{type(error).__name__} was raised: {error}"[:300]))

    async def rest(self, error: BaseException) -> None:
        asked = error.after if isinstance(error, ServiceError) else None
        await asyncio.sleep(max(0.0, min(asked or 0.05 * self.failures, self.left())))

    async def append(
        self,
        door: AppendOnlyList,
        at: int | None = None,
        size: int = SMALL,
        cut: float | None = None,
        note: bool = True,
    ) -> Tried:
        """Append an entry that is like no other. After `cut` seconds, stop in mid-air."""
        key = f"{self.who}.{self.number}"
        self.number += 1
        raw = made(self.run, key, size)
        outcome: Outcome = "unknown"
        position, begun, wrong = None, time.monotonic(), list[Exception]()
        task = asyncio.ensure_future(door.append(raw, at))
        try:
            wait = max(0.0, self.left()) if cut is None else cut
            if not (await asyncio.wait({task}, timeout=wait))[0]:
                task.cancel()
            position = await task
            outcome = "unknown" if position is None else "told"
            self.failures = 0
        except asyncio.CancelledError:
            pass
        except NotTheEnd:
            outcome = "taken"
        except Exception as error:
            sure = isinstance(error, ServiceError) and not error.unsure
            outcome = "refused" if sure else "unknown"
            wrong.append(error)
        finally:
            task.cancel()
        its = (self.who, key, at, begun, time.monotonic(), outcome, position)
        tried = Tried(*its, self.plan.trial)
        if note:
            self.say(tried)
        for one in wrong:
            self.failed(one)
            await self.rest(one)
        return tried

    async def fetch(
        self, door: AppendOnlyList, after: int = 0, last: bool = False, note: bool = True
    ) -> tuple[str, ...] | None:
        """The keys of what is there from a position on; None: no answer."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(max(0.01, self.left())):
                found = await door.fetch(after)
        except TimeoutError:
            return None
        except Exception as error:
            self.failed(error)
            await self.rest(error)
            return None
        self.failures = 0
        keys = tuple(key_of(self.run, raw) for raw in found)
        if note:
            read = Read(self.who, after, keys, begun, time.monotonic(), self.plan.trial, last)
            self.say(read)
        return keys


def whole(keys: tuple[str, ...] | None) -> int:
    """How many of the first entries are whole: only those need not be read again."""
    count = 0
    for key in keys or ():
        if key.startswith(TORN):
            break
        count += 1
    return count


# The trials.


async def alone(seat: Seat, door: AppendOnlyList) -> None:
    """What the calls mean, while nobody else is there."""
    end, sure = 0, True
    first = await seat.fetch(door)
    seat.check("cursor", not first, "a list that is new is not empty")
    for number in range(SEVERAL):
        if seat.over():
            return
        tried = await seat.append(door, end if number % 2 and sure else None)
        sure = sure and tried.outcome == "told"
        if tried.outcome == "taken" and sure:
            seat.check("at", False, f"the only writer was refused position {tried.at}, the end")
        found = await seat.fetch(door)
        end = max(len(found or ()), end, -1 if tried.position is None else tried.position + 1)
        sure = sure and found is not None and len(found) == end
    found = await seat.fetch(door)
    if found is not None:
        await cursors(seat, door, found)
    for at in (end - 1, end + 1, end + 7):
        tried = await seat.append(door, at, note=False)
        seat.check("at", tried.outcome != "told", f"an append at {at} was made in a list of {end}")
    await limits(seat, door)


async def cursors(seat: Seat, door: AppendOnlyList, keys: tuple[str, ...]) -> None:
    """From each position on, the same. A list that is late may show less of it, and never others."""
    for after in sorted({0, 1, len(keys) // 2, max(0, len(keys) - 1), len(keys), len(keys) + 1}):
        if (found := await seat.fetch(door, after, note=False)) is None:
            continue
        said = f"fetch({after}) is not the list of {len(keys)} from there on"
        seat.check("cursor", follows(keys, after, found), said)


def follows(keys: tuple[str, ...], after: int, found: tuple[str, ...]) -> bool:
    """May this be the list from a position on? Either of the two may be late."""
    before, rest = keys[:after], keys[after:]
    if found and not rest and set(found) <= set(before):
        return False
    return all(a == b for a, b in zip(found, rest, strict=False))


async def limits(seat: Seat, door: AppendOnlyList) -> None:
    """What no list takes is refused, and it is said whose fault that is."""
    sizes = [0, door.limit + 1] if door.limit < 64 << 20 else [0]
    for size in sizes:
        raw = made(seat.run, f"{seat.who}.{size}-bytes", size) if size else b""
        try:
            async with asyncio.timeout(max(0.01, seat.left())):
                position = await door.append(raw)
        except ServiceError as error:
            said = f"an entry of {size:,} bytes is said to be the fault of the {error.blame}"
            seat.check("limits", error.blame == "caller", said)
        except Exception as error:
            seat.failed(error)
        else:
            seat.check("limits", position is None, f"an entry of {size:,} bytes was taken")


async def race(seat: Seat, door: AppendOnlyList) -> None:
    """All go for the same position at the same moment, again and again."""
    end = whole(await seat.fetch(door))
    try:
        for _ in range(seat.plan.names):
            if seat.over() or not await seat.meet():
                break
            await seat.append(door, end)
            end += whole(await seat.fetch(door, end))
    finally:
        await seat.leave()


async def crowd(seat: Seat, door: AppendOnlyList) -> None:
    """Some append as fast as they can, and others read in the meantime."""
    if seat.plan.reads:
        await watch(seat, door)
        return
    end = seat.plan.known
    for _ in range(seat.plan.names):
        if seat.over():
            break
        await seat.append(door)
        if seat.chance.random() < 0.3:
            end += whole(await seat.fetch(door, end))


async def watch(seat: Seat, door: AppendOnlyList) -> None:
    """Read what is new, and now and then what is old, until nobody writes any more."""
    end = seat.plan.known
    while not (seat.over() or seat.stopped()):
        after = end if seat.chance.random() < 0.8 else seat.chance.randint(0, end)
        end = max(end, after + whole(await seat.fetch(door, after)))
        await asyncio.sleep(seat.chance.random() * min(seat.plan.pause, 0.5) / 2)


async def lost(seat: Seat, door: AppendOnlyList) -> None:
    """Appends that are stopped on the way: each is there once, later, or never."""
    end, other = seat.plan.known, None
    for number in range(seat.plan.names):
        if seat.over():
            break
        if number % 4 == 3:  # and the door is closed behind it
            if other:
                await other.close()
            other = seat.opened(seat.url)
        cut = seat.chance.random() * 2 * seat.plan.pause
        at = end if seat.chance.random() < 0.3 else None
        await seat.append(other or door, at, cut=cut)
        end += whole(await seat.fetch(other or door, end))
    if other:
        await other.close()


async def large(seat: Seat, door: AppendOnlyList) -> None:
    """Entries as long as may be, read while they are written."""
    if seat.plan.reads:
        await watch(seat, door)
        return
    size = min(door.limit, LARGEST)
    for _ in range(seat.plan.names):
        if seat.over():
            break
        tried = await seat.append(door, size=size)
        said = seat.refusal if tried.outcome == "refused" else None
        if said and (said.retry or said.blame in ("network", "credentials")):
            continue  # that says nothing about its length
        refused = f"an entry of {size:,} bytes, no more than the limit, was refused"
        seat.check("limits", tried.outcome != "refused", refused)


async def doomed(seat: Seat, door: AppendOnlyList) -> None:
    """Append until killed."""
    while not (seat.over() or seat.stopped()):
        await seat.append(door)


async def again(seat: Seat, door: AppendOnlyList) -> None:
    """A new process that knows only how far another one had read."""
    if (found := await seat.fetch(door, seat.plan.known)) is None:
        return
    keys = await seat.fetch(door)
    if keys is not None:
        said = f"in a new process, fetch({seat.plan.known}) is not the list from there on"
        seat.check("cursor", follows(keys, seat.plan.known, found), said)
    await seat.append(door)
    await seat.fetch(door, seat.plan.known)


async def finally_(seat: Seat, door: AppendOnlyList) -> None:
    """All of the list, when nobody writes any more."""
    end = time.monotonic() + (0.0 if door.fresh else PATIENCE)
    while True:
        found = await seat.fetch(door, note=False)
        late = seat.over() or time.monotonic() > end
        if late or (found is not None and len(found) >= seat.plan.known):
            break
        await asyncio.sleep(0.2)
    while await seat.fetch(door, last=True) is None and not seat.over():
        pass


TRIALS = {
    "alone": alone,
    "race": race,
    "crowd": crowd,
    "lost": lost,
    "doomed": doomed,
    "again": again,
    "large": large,
    "last": finally_,
}


async def act(seat: Seat) -> None:
    """One trial, through a door of its own. Whatever goes wrong is told."""
    try:
        door = seat.opened(seat.url)
        try:
            await TRIALS[seat.plan.trial](seat, door)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await door.close()
    except Exception as error:
        seat.failed(error)
