"""How a log is found, or made, on the services that a client names: entry 0 of each list says what it is."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .drivers import wire
from .drivers.places import Mismatch, Place
from .protocol.lists import Genesis
from .protocol.quorum import majority
from .services.contract import NotTheEnd, ServiceError

logger = logging.getLogger("paxos")
ATTEMPTS = 8
SOON = 0.1  # seconds before the second attempt, at random within; then more each time
PATIENCE = 1.0  # seconds that services get which answer later than a majority


@dataclass(frozen=True, slots=True)
class Memory:
    """What this device has seen in a former life: which log, and which list at which URL."""

    log: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)


async def find(
    places: list[Place],
    some: bool = False,
    chance: random.Random | None = None,
    memory: Memory = Memory(),
) -> Genesis:
    """The genesis of the log on these services. On empty ones a log is made.

    Everybody makes it in the same order, and the first list decides: of two who make it at once one
    finds the other's. Raises Mismatch, or ServiceError if too few services answer.
    """
    chance, new = chance or random.SystemRandom(), True
    for number in range(ATTEMPTS):
        await asyncio.sleep(chance.random() * SOON * number)
        await ask(places)
        away = [one for one in places if not one.up]
        found = {one.url: its for one in places if one.up and (its := genesis(one))}
        empty = [one for one in places if one.up and one.url not in found]
        agree(found)
        remembered(found, empty, memory)
        whole = next(iter(found.values()), None)
        if whole:
            complete(places, empty, whole, some)
        if whole and not empty:
            for one in places:
                one.name = found[one.url].name if one.url in found else None
            return whole
        if away:
            if memory.log or not (new and await ready(away)):
                raise nobody(away, bool(memory.log))
            new = False
        else:
            await make(places, empty, list(found.values()), chance)
    raise ServiceError("the services change while they are opened: try again", "service", True)


async def ask(places: list[Place]) -> None:
    """Look at all lists. Who is slower than a majority that has the log is out of reach, for now."""
    tasks = {asyncio.create_task(look(place)) for place in places}
    late: float | None = None
    try:
        while tasks:
            left = None if late is None else max(0.0, late - time.monotonic())
            done, tasks = await asyncio.wait(
                tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for one in done:
                one.result()
            if not done:
                break
            found = [its for one in places if one.up and (its := genesis(one))]
            if late is None and found and len(found) > len(found[0].lists) // 2:
                late = time.monotonic() + PATIENCE
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def look(place: Place) -> None:
    """Read what stands in a list. A service that does not answer is out of reach, for now."""
    fresh, place.up, place.first, place.error = place.up is None, None, None, "no answer yet"
    try:
        if fresh:
            await place.service.check()
        place.first = await place.service.fetch(0)
        place.up, place.error = True, None
    except ServiceError as error:
        if error.blame == "caller":
            raise
        place.up, place.error = False, str(error)


def genesis(place: Place) -> Genesis | None:
    """What entry 0 says; None in an empty list. Raises Mismatch if it is nothing of ours."""
    if not place.first:
        return None
    try:
        its = wire.genesis(place.first[0])
    except ValueError as error:
        raise Mismatch(f"{place.url}: {error}") from None
    if its is None:
        raise Mismatch(
            f"{place.url} holds something else than a log: name an empty place for a new one"
        )
    return its


def agree(found: Mapping[str, Genesis]) -> None:
    """Raises Mismatch if two of these are of different logs, or the same list."""
    names: dict[str, str] = {}
    first_url, first = next(iter(found.items()), ("", None))
    for url, its in found.items():
        if first and not wire.same(its, first):
            raise Mismatch(f"{first_url} and {url} belong to two different logs")
        if its.name in names:
            raise Mismatch(f"{names[its.name]} and {url} are the same list: name each service once")
        names[its.name] = url


def remembered(found: Mapping[str, Genesis], empty: list[Place], memory: Memory) -> None:
    """Raises Mismatch if this is not the log that this device has seen here in a former life."""
    if not memory.log:
        return
    for url, its in found.items():
        if its.log != memory.log:
            raise Mismatch(f"{url} is of another log than the one that this device has seen here")
        if memory.seen.get(url, its.name) != its.name:
            raise Mismatch(f"{url} is {its.name} of the log, and was {memory.seen[url]}")
    for place in empty:
        if place.url in memory.seen or not found:
            raise Mismatch(f"{place.url} is empty, but this device has seen a log there")


def complete(places: list[Place], empty: list[Place], whole: Genesis, some: bool) -> None:
    """Raises Mismatch unless the services of the log are named, and have it or can be given it."""
    of, named = len(whole.lists), len(places)
    if named != of and not (some and named < of):
        what = "name all of them, also those that are out of reach"
        raise Mismatch(f"the log has {of} services, but {named} are named: {what}")
    if named < majority(of).phase1:
        raise Mismatch(f"the log has {of} services, and {named} are too few for a majority")
    if empty and (named < of or any(len(one.first or ()) > 1 for one in places)):
        raise Mismatch(
            f"{empty[0].url} is empty, but the log exists: it is another place, or it was emptied. "
            "Name the right place; one that is gone for good may be left out (`some`)"
        )
    if empty and (away := [one for one in places if not one.up]):
        raise nobody(away)


async def ready(away: list[Place]) -> bool:
    """Make the places for a new log. Is there now one that was not?"""
    made = False
    for place in away:
        try:
            await place.service.create()
            made = True
        except ServiceError as error:
            place.error = str(error)
    return made


async def make(places: list[Place], empty: list[Place], found: list[Genesis], chance: Any) -> None:
    """Put entry 0 into the lists that have none, one after the other."""
    names = tuple(f"s{number}" for number in range(1, len(places) + 1))
    limit = min(one.service.limit for one in places)
    new = Genesis("s1", names, f"{chance.getrandbits(128):032x}", limit=limit)
    first = found[0] if found else new
    free = [name for name in first.lists if name not in {one.name for one in found}]
    for place, name in zip(sorted(empty, key=lambda one: one.url), free, strict=False):
        try:
            await place.service.create()
            await place.service.append(wire.pack(replace(first, name=name)), at=0)
        except NotTheEnd:
            return  # somebody else makes this log: look again
        except ServiceError as error:
            if not (error.retry or error.unsure):
                raise
            return  # it may be there: look again
        if not found:
            return  # unless the first is really ours, the others must not get it


def nobody(away: list[Place], old: bool = False) -> ServiceError:
    """What to raise where no log is, and none can be made."""
    errors = "; ".join(f"{one.url}: {one.error}" for one in away)
    what = "no service of the log answers" if old else "a new log needs every one of its services"
    return ServiceError(f"{what}. {errors}", "service", True)
