"""Several clients of one fake, and whether what each of them saw and was told is true."""

import asyncio
import contextlib
import random

from paxos.services.contract import NotTheEnd, ServiceError

FAULTS = {
    **dict.fromkeys(("too_many", "error_before", "error_after", "dropped_after", "late"), 0.06),
    "stale_list": 0.3,
    "conflict_before_readable": 0.2,
}


async def client(make, who, count, seed, views, told, same=False):
    """Append so many entries with patience, read in between; what was seen, and what was told."""
    chance = random.Random(f"{seed}/{who}")
    its = make()
    try:
        for number in range(count):
            entry = b"the same" if same else b"%d.%d.%d" % (seed, who, number)
            try:
                position = await its.append(entry)
                if position is not None:
                    told.append((position, entry))
            except (ServiceError, NotTheEnd):
                pass
            if chance.random() < 0.4:
                with contextlib.suppress(ServiceError):
                    views.append(await its.fetch())
    finally:
        await its.close()


async def race(make, clients=4, count=8, seed=0, same=False):
    """What the clients of a list saw, and where they were told that their entries are."""
    views, told = [], []
    await asyncio.gather(
        *(client(make, who, count, seed, views, told, same) for who in range(clients))
    )
    return views, told


def wrong(log, views, told):
    """What is wrong, in words: the first thing that is; "" if all is well. `log`: what is true."""
    for view in views:
        if view != log[: len(view)]:
            return f"a client saw {view[:6]}, and the log begins with {log[: len(view)][:6]}"
    for position, entry in told:
        if position >= len(log) or log[position] != entry:
            return f"{entry!r} is not at {position}, where it was acknowledged"
    for entry in {entry for _, entry in told}:
        if log.count(entry) != 1:
            return f"{entry!r} was acknowledged, and is there {log.count(entry)} times"
    places = [position for position, _ in told]
    if len(places) != len(set(places)):
        return "two clients were told that they won one position"
    return ""
