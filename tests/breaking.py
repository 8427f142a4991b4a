"""Lists that break a promise each, so that the conformance suite has something to find.

Opened by URL in processes of their own: `broken-NAME:///path`. All are folders with a file for each entry,
locked while one works at it, so that nothing goes wrong but what is meant to.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from pathlib import Path

from paxos.services.contract import AppendOnlyList, NotTheEnd, ServiceError
from paxos.services.registry import open_list


class Right(AppendOnlyList):
    """One that keeps its word. The others differ from it in one thing."""

    fresh = True
    promise: frozenset[str] = frozenset()  # what must be refuted
    maybe: frozenset[str] = frozenset()  # what may be refuted besides

    def __init__(self, url, timeout=30.0):
        super().__init__(url, timeout)
        self.path = Path(url.partition("://")[2])

    async def create(self):
        self.path.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def locked(self):
        with (self.path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def name(self, position):
        return self.path / f"{position:08d}"

    def count(self):
        return sum(one.name.isdigit() for one in self.path.iterdir())

    def write(self, position, entry):
        draft = self.path / f"draft-{os.getpid()}-{time.monotonic_ns()}"
        draft.write_bytes(entry)
        draft.replace(self.name(position))

    def put(self, entry, at):
        end = self.count()
        if at not in (None, end):
            raise NotTheEnd(f"{end}, not {at}")
        self.write(end, entry)
        return end

    async def append(self, entry, at=None):
        self.fits(entry)
        with self.locked():
            position = self.put(entry, at)
        await asyncio.sleep(0.002)  # the answer is on its way, and may be lost
        return position

    def all(self):
        return [one.read_bytes() for one in sorted(self.path.iterdir()) if one.name.isdigit()]

    async def fetch(self, after=0):
        await asyncio.sleep(0)
        with self.locked():
            return self.all()[after:]


class LooksFirst(Right):
    """Looks whether the name is there, and writes later: several win (moto, Apache, wsgidav)."""

    promise = frozenset({"winner"})
    maybe = frozenset({"changes", "order"})

    async def append(self, entry, at=None):
        self.fits(entry)
        with self.locked():
            end = self.count()
        if at not in (None, end):
            raise NotTheEnd(f"{end}, not {at}")
        await asyncio.sleep(0.001)
        self.write(end, entry)
        return end


class Torn(Right):
    """The name is there before all of the entry is (O_EXCL)."""

    promise = frozenset({"whole"})

    async def append(self, entry, at=None):
        self.fits(entry)
        end = -1
        with self.locked():
            end = self.count()
            if at not in (None, end):
                raise NotTheEnd(f"{end}, not {at}")
            file = os.open(self.name(end), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        try:
            os.write(file, entry[: len(entry) // 2])
            time.sleep(0.001)
            os.write(file, entry[len(entry) // 2 :])
        finally:
            os.close(file)
        return end


class Skips(Right):
    """Leaves a position out, and who reads one after the other comes to the gap and stops."""

    promise = frozenset({"stays"})

    def put(self, entry, at):
        end = max((int(one.name) + 1 for one in self.path.glob("0*")), default=0)
        if at not in (None, end):
            raise NotTheEnd(f"{end}, not {at}")
        end += end >= 20 and at is None
        self.write(end, entry)
        return end

    def all(self):
        found = []
        with contextlib.suppress(FileNotFoundError):
            while True:
                found.append(self.name(len(found)).read_bytes())
        return found


class Misplaces(Right):
    """Tells a number that is not the position, as a database does whose numbers have gaps."""

    promise = frozenset({"position"})

    async def append(self, entry, at=None):
        position = await super().append(entry, at)
        return position if at is not None or position < 5 else position + 1_000_000


class Forgets(Right):
    """Loses an append that it has acknowledged, and gives its place to the next one."""

    promise = frozenset({"stays"})
    maybe = frozenset({"winner"})  # where the next one comes at once, who knows which it is?

    def put(self, entry, at):
        end, done = self.count(), self.path / f"done-{self.count()}"
        if at is None and end % 7 == 6 and not done.exists():
            done.touch()
            return end
        return super().put(entry, at)


class Buffers(Right):
    """Acknowledges what is only in memory yet: whoever is killed takes it along."""

    promise = frozenset({"stays"})
    maybe = frozenset({"fresh"})

    def __init__(self, url, timeout=30.0):
        super().__init__(url, timeout)
        self.held = {}

    def put(self, entry, at):
        end = self.count()
        if at is not None or end < 40:
            return super().put(entry, at)
        self.name(end).touch()
        self.held[end] = entry
        return end

    def all(self):
        found = super().all()
        return found[: found.index(b"")] if b"" in found else found

    async def close(self):
        for position, one in self.held.items():
            self.write(position, one)


class Overwrites(Right):
    """Puts an entry where there is one, once in a while."""

    promise = frozenset({"stays", "changes"})
    maybe = frozenset({"winner", "order"})

    def put(self, entry, at):
        end, done = self.count(), self.path / f"done-{self.count()}"
        if at is None and end >= 20 and end % 10 == 0 and not done.exists():
            done.touch()
            self.write(end - 5, entry)
            return end - 5
        return super().put(entry, at)


class Takes(Right):
    """Takes back what it did not acknowledge, though it was seen."""

    promise = frozenset({"changes"})
    fresh = False

    def put(self, entry, at):
        unsure = self.path / "unsure"
        end = self.count()
        if unsure.exists() and time.time() - unsure.stat().st_mtime > 0.02:
            end = int(unsure.read_text())
            unsure.unlink()
            if at not in (None, end):
                raise NotTheEnd(f"{end}, not {at}")
            self.write(end, entry)
            return end
        if unsure.exists() or at is not None or end < 20:
            if unsure.exists():
                raise ServiceError("busy", "service", retry=True, after=0.005)
            return super().put(entry, at)
        self.write(end, entry)
        unsure.write_text(str(end))
        return None


class Stale(Right):
    """Shows the list as it was a moment ago, though it promises more."""

    promise = frozenset({"fresh"})

    async def fetch(self, after=0):
        found = await super().fetch(0)
        late = time.time() % 0.05 < 0.02
        return found[after : len(found) - 1 if late else None]


class Ignores(Right):
    """Ignores the condition of an append."""

    promise = frozenset({"at"})

    def put(self, entry, at):
        return super().put(entry, None)


class IgnoresInARace(Right):
    """Ignores the condition where two come at the same moment."""

    promise = frozenset({"at"})

    def put(self, entry, at):
        end = self.count()
        return super().put(entry, None if at == end - 1 and end >= 20 else at)


class Twice(Right):
    """Does an append again whose answer was lost, and asks nobody whether it was made."""

    promise = frozenset({"once"})

    async def append(self, entry, at=None):
        try:
            return await super().append(entry, at)
        except asyncio.CancelledError:
            with self.locked():
                self.put(entry, None)
            raise


class Refuses(Right):
    """Says that nothing was done, though it was."""

    promise = frozenset({"refused"})

    async def append(self, entry, at=None):
        position = await super().append(entry, at)
        if position >= 20 and position % 10 == 0:
            raise ServiceError("500", "service", retry=True)
        return position


class Sides(Right):
    """Shows every other process the entries in another order."""

    promise = frozenset({"order"})
    fresh = False

    async def append(self, entry, at=None):
        await super().append(entry, at)  # nobody is told a position: it would be wrong for some

    def all(self):
        found = super().all()
        if os.getpid() % 2:
            found = found[: len(found) // 2 * 2]
            found[::2], found[1::2] = found[1::2], found[::2]
        return found


class FromOne(Right):
    """Counts from one where it is asked for what follows."""

    promise = frozenset({"cursor"})

    async def fetch(self, after=0):
        return await super().fetch(max(0, after - 1))


class Swallows(Right):
    """Takes what is longer than it said."""

    promise = frozenset({"limits"})

    async def append(self, entry, at=None):
        self.fits(entry[:1])
        with self.locked():
            return self.put(entry, at)


class Cuts(Right):
    """Keeps the beginning of what is too long, and says that it is done."""

    promise = frozenset({"limits", "whole"})

    async def append(self, entry, at=None):
        self.fits(entry[:1])
        with self.locked():
            return self.put(entry[: self.limit], at)


class Blames(Right):
    """Raises whatever its library raises."""

    promise = frozenset({"errors"})

    async def append(self, entry, at=None):
        position = await super().append(entry, at)
        if position == 30:
            raise KeyError("secret")
        return position


class Confesses(Right):
    """Its own check sees that something is wrong."""

    promise = frozenset({"place"})

    async def check(self):
        raise ServiceError(f"{self.url} ignores a header", "service")


class Hangs(Right):
    """Answers nothing any more, and cannot even be stopped."""

    async def append(self, entry, at=None):
        if self.count() >= 15:
            time.sleep(1000)
        return await super().append(entry, at)


KINDS = {
    f"broken-{kind.__name__}": kind
    for kind in globals().copy().values()
    if isinstance(kind, type) and issubclass(kind, Right)
}


def opened(url: str) -> AppendOnlyList:
    """The list at a URL: one of these, or a real one."""
    kind = KINDS.get(url.partition(":")[0])
    return kind(url) if kind else open_list(url)
