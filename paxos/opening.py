"""How a log is found, or made, on the services that a client names: entry 0 of each list says what it is."""

import random
from typing import Any

from .drivers import wire
from .drivers.live import Place
from .protocol.lists import Genesis
from .services.contract import NotTheEnd, ServiceError, together

ATTEMPTS = 8


class Mismatch(ValueError):
    """These services do not belong together: going on would make two logs of one."""


async def find(places: list[Place], some: bool = False, chance: Any = None) -> Genesis:
    """The genesis of the log on these services. On empty ones a log is made.

    Everybody makes it in the same order, and the first list decides: of two who make it at once one
    finds the other's. Raises Mismatch, or ServiceError if no service answers.
    """
    chance, new = chance or random.SystemRandom(), True
    for _ in range(ATTEMPTS):
        await together(*(look(place) for place in places))
        there = [one for one in places if one.up]
        found = {one.url: its for one in there if (its := genesis(one))}
        agree(found)
        if found:
            whole = next(iter(found.values()))
            if len(places) != len(whole.lists) and not (some and len(places) < len(whole.lists)):
                raise Mismatch(
                    f"the log has {len(whole.lists)} services, but {len(places)} are named: name all of "
                    "them, also those that are out of reach"
                )
        if not found and len(there) < len(places) and new and await ready(places):
            new = False
            continue
        empty = [one for one in there if one.url not in found]
        if not empty:
            for one in there:
                one.name = found[one.url].name
            if not found:
                raise nobody(places)
            return whole
        if not any(len(one.first or []) > 1 for one in there) and len(there) == len(places):
            await make(places, empty, list(found.values()), chance)
        elif found:
            raise Mismatch(
                f"{empty[0].url} is empty, but the log exists: it is another place, or it was emptied. "
                "Name the right place; one that is gone for good may be left out (`some`)"
            )
        else:
            raise nobody(places)
    raise ServiceError(
        "the services change while they are opened: try again", "service", retry=True
    )


async def look(place: Place) -> None:
    """Read what stands in a list. A service that does not answer is out of reach, for now."""
    try:
        if place.up is None:
            await place.service.check()
        place.first = await place.service.fetch(0)
        place.up, place.error = True, None
    except ServiceError as error:
        if error.blame == "caller":
            raise
        place.up, place.error, place.first = False, str(error), None


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


def agree(found: dict[str, Genesis]) -> None:
    """Raises Mismatch if two of these are of different logs, or the same list."""
    names: dict[str, str] = {}
    first_url, first = next(iter(found.items()), ("", None))
    for url, its in found.items():
        assert first
        if (its.log, its.lists, its.limit) != (first.log, first.lists, first.limit):
            raise Mismatch(f"{first_url} and {url} belong to two different logs")
        if its.name in names:
            raise Mismatch(f"{names[its.name]} and {url} are the same list: name each service once")
        names[its.name] = url


async def ready(places: list[Place]) -> bool:
    """Make the places for a new log. Is there now one that was not?"""
    made = False
    for place in places:
        if not place.up:
            try:
                await place.service.create()
                made = True
            except ServiceError as error:
                place.error = str(error)
    return made


async def make(places: list[Place], empty: list[Place], found: list[Genesis], chance: Any) -> None:
    """Put entry 0 into the lists that have none, one after the other."""
    names = tuple(f"s{number}" for number in range(1, len(places) + 1))
    first = found[0] if found else Genesis("s1", names, f"{chance.getrandbits(128):032x}")
    free = [name for name in first.lists if name not in {one.name for one in found}]
    for place, name in zip(sorted(empty, key=lambda one: one.url), free, strict=False):
        its = Genesis(name, first.lists, first.log, first.version, first.limit)
        try:
            await place.service.create()
            await place.service.append(wire.pack(its), at=0)
        except NotTheEnd:
            return  # somebody else makes this log: look again
        if not found and name == "s1":
            return  # unless it is really ours, the others must not get it


def nobody(places: list[Place]) -> ServiceError:
    """What to raise where no log is, and none can be made."""
    errors = "; ".join(f"{one.url}: {one.error}" for one in places if one.error)
    return ServiceError(
        f"no log is there, and a new one needs every service. {errors}", "service", retry=True
    )
