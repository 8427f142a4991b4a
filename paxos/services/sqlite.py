"""A list in a table of an SQLite database on a local disk: `sqlite:///absolute/path.db`.

SQLite locks the file, so it must not lie on a network file system ("How To Corrupt An SQLite Database
File", section 2.1), nor in a folder that a sync client mirrors.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from .contract import AppendOnlyList, Aside, NotTheEnd, ServiceError
from .folders import not_mirrored, path_of

T = TypeVar("T")
TABLE = "CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY, entry BLOB NOT NULL)"


class SQLite(AppendOnlyList):
    """The transactions of the database do all the work. Each is safe from a power cut."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        self.path = path_of(url)
        self.aside = Aside()

    def connect(self, make: bool = False) -> sqlite3.Connection:
        """A connection for one call, as others may replace or remove the file in the meantime."""
        if not make and not self.path.exists():
            raise ServiceError(f"there is no database {self.path}", "service", retry=True)
        mode = "rwc" if make else "rw"
        where = f"{self.path.absolute().as_uri()}?mode={mode}"
        base = sqlite3.connect(where, uri=True, timeout=self.timeout, isolation_level=None)
        base.execute("PRAGMA synchronous = FULL")
        return base

    async def create(self) -> None:
        await self.call(self._create)

    async def check(self) -> None:
        not_mirrored(self.path.parent)

    async def beside(self, name: str) -> str:
        return f"{self.url.removesuffix('.db')}-{name}.db"

    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        self.fits(entry)
        self.requests, self.trips = self.requests + 1, self.trips + 1
        return await self.call(self._append, entry, at)

    async def fetch(self, after: int = 0) -> list[bytes]:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        return await self.call(self._fetch, after)

    async def close(self) -> None:
        self.aside.close()

    async def call(self, what: Callable[..., T], *arguments: Any) -> T:
        """Run a transaction aside, and say whose fault it is where it fails."""
        try:
            return await self.aside(what, *arguments)
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            raise ServiceError(f"{self.path}: {error}", "service", retry=busy) from error

    def _create(self) -> None:
        with closing(self.connect(make=True)) as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute(TABLE)

    def _append(self, entry: bytes, at: int | None) -> int | None:
        with closing(self.connect()) as base:
            base.execute("BEGIN IMMEDIATE")
            (end,) = base.execute("SELECT count(*) FROM entries").fetchone()
            if at not in (None, end):
                raise NotTheEnd(f"{self.path} has {end} entries, not {at}")
            base.execute("INSERT INTO entries VALUES (?, ?)", (end, entry))
            try:
                base.execute("COMMIT")
            except sqlite3.OperationalError:  # it may be on the disk, and it may not
                return None
            return int(end)

    def _fetch(self, after: int) -> list[bytes]:
        query = "SELECT entry FROM entries WHERE position >= ? ORDER BY position"
        with closing(self.connect()) as base:
            return [bytes(entry) for (entry,) in base.execute(query, (after,))]
