"""A list in the memory of this process: `memory:NAME`. The model of all others."""

from .contract import AppendOnlyList, NotTheEnd

LISTS: dict[str, list[bytes]] = {}  # by name, for all who open it in this process


class Memory(AppendOnlyList):
    """`memory:NAME`, one list for each name; `memory:` is nobody else's."""

    fresh = True

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        super().__init__(url, timeout)
        name = url.partition(":")[2]
        self.things = LISTS.setdefault(name, []) if name else []

    async def append(self, entry: bytes, at: int | None = None) -> int | None:
        self.fits(entry)
        self.requests, self.trips = self.requests + 1, self.trips + 1
        if at not in (None, len(self.things)):
            raise NotTheEnd(f"{self.url} has {len(self.things)} entries, not {at}")
        self.things.append(entry)
        return len(self.things) - 1

    async def fetch(self, after: int = 0) -> list[bytes]:
        self.requests, self.trips = self.requests + 1, self.trips + 1
        return self.things[after:]
