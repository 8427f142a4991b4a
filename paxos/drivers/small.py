"""The small worlds that are checked state by state, by the protocol that runs in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..trace import Trace
from . import disks, logs, shelves, worlds
from .nodes import World


@dataclass(frozen=True)
class Small:
    """All that a search for bad runs of one protocol needs to know of it."""

    about: str
    size: type[Any]  # a dataclass of numbers; the defaults are the usual world
    world: Callable[[Any], World]  # of this size
    bad_run: Callable[..., Trace]  # (size, verdict, news=False), as the simulator would record it
    invariants: tuple[str, ...]  # the names of all that is looked at
    sizes: Mapping[str, str]  # those that a user may set, and what they mean

    def sized(self, **sizes: int | None) -> Any:
        """The size with these numbers; where one is None, the usual one. What is no size is left out."""
        names = {field.name for field in fields(self.size)}
        given = {what: n for what, n in sizes.items() if what in names and n is not None}
        return self.size(**given)


COMMON = {
    "rounds": "the highest round that a ballot may have",
    "values": "different wishes; default: everybody has one of its own",
    "crashes": "at most so many in one run",
    "phase1": "promises needed; default: a majority",
    "phase2": "votes needed; default: a majority",
}
WORLDS: dict[str, Small] = {
    "static": Small(
        "Static Paxos, message by message",
        worlds.Size,
        worlds.static_world,
        worlds.bad_run,
        (*worlds.INVARIANTS, *worlds.KEPT["acceptor"], *worlds.KEPT["learner"]),
        {
            "proposers": "who ask, each for a value of its own",
            "acceptors": "who vote",
            "learners": "who listen to votes",
            **COMMON,
        },
    ),
    "disk": Small(
        "Disk Paxos, write by write",
        disks.Size,
        disks.disk_world,
        disks.bad_run,
        (*worlds.INVARIANTS, *disks.KEPT["client"], *disks.KEPT["disk"]),
        {
            "clients": "who ask, each for a value of its own",
            "disks": "that keep blocks",
            "acks": "1: clients hear that a write is done, apart from what they read",
            **COMMON,
        },
    ),
    "passive": Small(
        "Passive Paxos, list by list",
        shelves.Size,
        shelves.passive_world,
        shelves.bad_run,
        (*worlds.INVARIANTS, *shelves.KEPT),
        {
            "clients": "who ask, each for a value of its own",
            "services": "that keep a list each",
            "lost": "appends that a list acknowledges and loses, at most",
            "repeats": "how often a list stores an entry again, at most",
            "newer": "entries of a newer version that land in each list, at most",
            "junk": "foreign things that stand in each list from the start",
            "failed": "1: fetches may bring nothing",
            "acks": "1: clients hear that an append is done, apart from what they read",
            **COMMON,
        },
    ),
    "log": Small(
        "A log with one ballot for all slots, message by message",
        logs.Size,
        logs.log_world,
        logs.bad_run,
        (*logs.INVARIANTS, logs.LOGS, logs.COUNTS, logs.GROWS),
        {
            "proposers": "who write",
            "acceptors": "who vote",
            "commands": "of the first writer; the others have one",
            **{what: said for what, said in COMMON.items() if what != "values"},
        },
    ),
}
