"""A list used by one client after the other: what every kind of service must do."""

import pytest

from paxos.services.contract import NotTheEnd
from paxos.services.registry import open_list


async def sequence(url, entries):
    """Write these and two more, and read them from everywhere. Returns all that now stands there."""
    count, whole = len(entries), [*entries, b"end"]
    async with open_list(url) as its:
        await its.create()
        await its.check()
        assert await its.fetch() == []
        assert [await its.append(one) for one in entries] == list(range(count))
        assert await its.append(b"end", at=count) == count
    async with open_list(url) as its:
        with pytest.raises(NotTheEnd):
            await its.append(b"late", at=count)
        with pytest.raises(NotTheEnd):
            await its.append(b"early", at=count + 8)
        assert await its.fetch(count - 1) == whole[count - 1 :]
        assert await its.fetch(count + 80) == []
        assert await its.fetch() == whole
    async with open_list(url) as its:
        assert await its.append(b"more") == count + 1
    return [*whole, b"more"]
