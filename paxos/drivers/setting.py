"""What a run depends on: who is there, what they wish, and what can go wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..protocol.kinds import PROTOCOLS
from ..protocol.quorum import Flexible, majority
from ..trace import TICK

PEOPLE = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hana")
MOST, LONGEST = 100, 100_000  # nodes of a role; message delays
CHANCES = ("loss", "duplicate", "crash", "partition", "outages", "lost_appends", "stale_reads")


@dataclass(frozen=True)
class World:
    """Everything that a run depends on. Times are in mean message delays, chances from 0 to 1."""

    protocol: str = "static"
    seed: int = 0
    proposers: int = 3
    acceptors: int | None = None  # three unless given; or one, where one list is the log
    learners: int = 1
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    wishes: Sequence[tuple[float, str, str]] | None = None  # (time, proposer, what it asks for)
    loss: float = 0.0
    duplicate: float = 0.0
    crash: float = 0.0  # chance that a node crashes in the middle of a step
    partition: float = 0.0  # chance, per message delay, that the network splits for a while
    outages: float = 0.0  # chance, per message delay, that one who remembers is out of reach
    lost_appends: float = 0.0  # chance that an append is acknowledged and lost
    stale_reads: float = 0.0  # chance that a fetch is answered as it was some entries ago
    conditional: bool = False  # append only where the end is known (passive)
    told: bool = False  # the services tell where they appended (passive)
    jitter: float = 0.5  # a message takes 1 - jitter to 1 + jitter
    pace: Sequence[tuple[str, float]] = ()  # (who remembers, how many times slower its messages)
    backoff: Literal["random", "fixed"] = "random"
    until: float = 200.0
    faults: Sequence[str] = ()

    @property
    def memories(self) -> int:
        """How many there are who remember."""
        usual = 1 if self.protocol == "one-list" else 3
        return usual if self.acceptors is None else self.acceptors


def names(world: World) -> dict[str, list[str]]:
    """Who is there, by role. Who only listens to lists is a client without a wish."""
    kind = PROTOCOLS[world.protocol]
    crowd = world.proposers + (world.learners if kind.remembers == "list" else 0)
    extra = [f"p{number}" for number in range(len(PEOPLE) + 1, crowd + 1)]
    letter = {"acceptor": "n", "disk": "d", "list": "s"}[kind.remembers]
    roles = {
        kind.asks: [*PEOPLE, *extra][:crowd],
        kind.remembers: [f"{letter}{number}" for number in range(1, world.memories + 1)],
    }
    if kind.listens:
        roles[kind.listens] = [f"l{number}" for number in range(1, world.learners + 1)]
    return roles


def ticks(delays: float) -> int:
    """Virtual time is counted in whole ticks."""
    return round(delays * TICK)


def quorums(world: World) -> Flexible:
    """The quorums of a world. Raises ValueError if they do not meet."""
    whole = majority(world.memories)
    return Flexible(
        world.memories,
        whole.phase1 if world.phase1 is None else world.phase1,
        whole.phase2 if world.phase2 is None else world.phase2,
    )


def wishes(world: World) -> Sequence[tuple[float, str, str]]:
    """Unless told otherwise everybody wants the car, one and a half message delays apart."""
    if world.wishes is not None:
        return world.wishes
    people = next(iter(names(world).values()))[: world.proposers]
    say = "book saturday {}" if PROTOCOLS[world.protocol].many else "{}"
    return [
        (1.5 * number, name, say.format(name.capitalize())) for number, name in enumerate(people)
    ]


def check(world: World) -> None:
    """Refuse a world that cannot be, in one sentence that says what to do."""
    if world.protocol not in PROTOCOLS:
        raise ValueError(
            f"no protocol is called {world.protocol!r}; there are {', '.join(PROTOCOLS)}"
        )
    crowd = {name: getattr(world, name) for name in ("proposers", "learners")}
    for what, asked in {**crowd, "acceptors": world.memories}.items():
        least = 0 if what == "learners" else 1
        if asked < least:
            raise ValueError(f"{asked} {what}: a run needs at least {least}.")
        if asked > MOST:
            raise ValueError(f"{asked} {what}: more than {MOST} would run for hours; use fewer.")
    for what in CHANCES:
        if not 0 <= getattr(world, what) <= 1:
            raise ValueError(f"{what} is a chance: {getattr(world, what)} is not from 0 to 1.")
    if not 0 <= world.jitter < 1:
        raise ValueError(
            f"jitter {world.jitter} is not from 0 to below 1: time cannot run backwards."
        )
    if not 0 <= world.until <= LONGEST:
        raise ValueError(f"until {world.until} is not from 0 to {LONGEST:,} message delays.")
    if world.backoff not in ("random", "fixed"):
        raise ValueError(f"no backoff is called {world.backoff!r}; there are random, fixed.")
    for time, name, _ in wishes(world):
        if not 0 <= time <= LONGEST:
            raise ValueError(
                f"{name} cannot wish at {time}: it is before the run begins, or never."
            )
        if name not in next(iter(names(world).values())):
            asks = PROTOCOLS[world.protocol].asks
            raise ValueError(f"{name!r} wishes something but is no {asks}; raise --{asks}s.")
    if world.protocol == "one-list" and world.memories != 1:
        raise ValueError("one-list is about one list: more of them are passive-log.")
    lists = PROTOCOLS[world.protocol].remembers == "list"
    special = world.lost_appends or world.stale_reads or world.conditional or world.told
    if special and not lists:
        raise ValueError("appends and fetches are of lists: run passive, passive-log or one-list.")
