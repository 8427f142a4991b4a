"""What a decision costs, counted in runs: requests, messages, round trips, and what has to be read.

A run is simulated in which one client asks and nothing is in its way, and what followed from its
wish is counted, up to the step in which it is told; then, what still comes after that. No number
here is written by hand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from .drivers.simulator import simulate
from .protocol.ballot import NO_BALLOT
from .protocol.events import Decide, Propose
from .protocol.kinds import PROTOCOLS
from .protocol.lists import Entry, Genesis, List, alone, keep
from .protocol.messages import Append, Blocks, Entries, Fetch
from .trace import Trace, kind

CLIENTS = range(1, 9)
REQUESTS = {"prepare", "accept", "write", "append", "read", "fetch"}
ONE: dict[str, dict[str, Any]] = {  # decision
    "Static Paxos": {"protocol": "static"},
    "Disk Paxos": {"protocol": "disk"},
    "Passive Paxos": {"protocol": "passive"},
    "Passive Paxos, conditional append": {"protocol": "passive", "conditional": True},
}
MANY: dict[str, dict[str, Any]] = {  # decisions
    "log over acceptors": {"protocol": "log"},
    "log over disks": {"protocol": "disk-log"},
    "log over lists": {"protocol": "passive-log"},
    "log over lists, conditional append": {"protocol": "passive-log", "conditional": True},
}
ALONE = "one list alone"
POLL, APART, GONE = 12, 24, 1.5  # of a follower; between two wishes; dead before any answer


@dataclass(frozen=True, slots=True)
class Bill:
    """What followed from one wish until the client that wished was told."""

    name: str  # of the protocol
    clients: int
    memories: int  # acceptors, disks or lists
    changes: int  # writes, appends
    looks: int  # reads, fetches
    requests: int  # to memories: these, or prepare and accept
    messages: int  # requests and answers
    foreign: int  # blocks or entries of other clients that the answers showed
    chain: int  # the longest chain of messages: one waits for the other
    later: int  # requests that it still caused after that

    @property
    def round_trips(self) -> float:
        return self.chain / 2


def one_decision(name: str, clients: int, memories: int = 3) -> Bill:
    """One client asks; every other has begun a ballot and died.

    So whatever others have written is there, and nobody gets in the way.
    """
    world = {**ONE[name], "proposers": clients, "acceptors": memories}
    *others, asker = in_order(world)
    dead = [(APART + 3 * number, other) for number, other in enumerate(others)]
    faults = [f"crash {other} at {at + GONE}" for at, other in dead]
    begin = APART + POLL * (3 + len(others) // 4) + POLL / 2  # between two looks of a follower
    wishes = [(at, other, "us") for at, other in dead] + [(begin, asker, "me")]
    return bill(name, calm(world, wishes, faults), asker, begin)


def next_entry(name: str, clients: int, memories: int = 3) -> Bill:
    """One more entry of a log, by the client that leads. Every other has led before."""
    world = {**MANY[name], "proposers": clients, "acceptors": memories}
    writers = in_order(world)
    wishes = [(APART * number, who, "us") for number, who in enumerate(writers, 1)]
    begin = APART * (clients + 2) + POLL / 2
    return bill(name, calm(world, [*wishes, (begin, writers[-1], "me")]), writers[-1], begin)


def one_list(conditional: bool = False) -> Bill:
    """A list that never fails needs no ballots: the first entry is the decision."""
    genesis = Genesis("s1", ("s1",))
    mine, sent, entry = List((genesis,)), list[Any](), Entry("ann", 0, "me")
    for request in (Append(entry, 1),) if conditional else (Append(entry), Fetch(0)):
        mine, effects = keep(mine, request)
        sent += [request, *(getattr(one, "message", None) for one in effects)]
    sent = [message for message in sent if message is not None]
    assert alone(mine.things) == ("me",) and sent[-1].done if conditional else sent[-1].entries
    name = f"{ALONE}, conditional append" if conditional else ALONE
    return add_up((name, 1, 1), sent, "ann", len(sent), len(sent))


def in_order(world: dict[str, Any]) -> list[str]:
    """The clients by identity: of two ballots of a round, that of the later one is larger."""
    opened = simulate(**world, learners=0, until=0)
    return [opened.names[identity] for identity in sorted(opened.names)]


def calm(
    world: dict[str, Any], wishes: Sequence[tuple[float, str, str]], faults: Sequence[str] = ()
) -> Trace:
    """A run in which every message takes as long as any other, and the last wish has its time."""
    until = wishes[-1][0] + APART
    return simulate(**world, learners=0, wishes=wishes, faults=faults, jitter=0, until=until)


def bill(name: str, trace: Trace, asker: str, begin: float) -> Bill:
    """Count what followed from the wish at `begin`. Raises ValueError if nobody was told."""
    sent, chain, reached = list[Any](), dict[int, int](), dict[str, int]()
    told: tuple[int, int] | None = None  # (messages until then, longest chain)
    for step in trace.steps():
        wished = step.node == asker and isinstance(step.event, Propose)
        if not (wished and step.at == begin * trace.header.tick) and step.received not in chain:
            continue
        so_far = max(reached.get(step.node, 0), chain.get(step.received or 0, 0))
        if step.node == asker and any(isinstance(one, Decide) for one in step.effects):
            told = told or (len(sent), so_far)
        reached[step.node] = so_far
        chain.update((one.id, so_far + 1) for one in step.sent)
        sent += [one.message for one in step.sent]
    if told is None:
        raise ValueError(f"{name}: {asker} was not told what is chosen")
    (identity,) = (own for own, its in trace.names.items() if its == asker)
    return add_up((name, len(trace.names), trace.header.quorums.of), sent, identity, *told)


def add_up(
    head: tuple[str, int, int], sent: Sequence[Any], asker: str, end: int, chain: int
) -> Bill:
    """The first `end` of these messages, by what they are; and how many requests came later."""
    many, later = Counter(map(kind, sent[:end])), Counter(map(kind, sent[end:]))
    changes, looks = many["write"] + many["append"], many["read"] + many["fetch"]
    requests, after = (sum(one[its] for its in REQUESTS) for one in (many, later))
    foreign = sum(who != asker for one in sent[:end] for who in owners(one))
    return Bill(*head, changes, looks, requests, end, foreign, chain, after)


def owners(message: Any) -> Iterator[str]:
    """Whose blocks or entries an answer shows."""
    match message:
        case Blocks(blocks):
            yield from (owner for owner, _ in blocks)
        case Entries(_, things):
            yield from (one.author for one in things if isinstance(one, Entry))


# In a crowd.


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody wishes at about the same time: means over some runs, up to the first decision."""

    name: str
    clients: int
    messages: float
    ballots: float  # begun
    time: float  # in mean message delays, from the first wish


def crowd(name: str, clients: int, seeds: int = 10, memories: int = 3) -> Crowd:
    """What getting in each other's way costs. All are up and online before the first one wishes."""
    world = {**ONE[name], "proposers": clients, "acceptors": memories, "learners": 0}
    begin, runs = POLL / 2, list[tuple[int, int, float]]()
    people = simulate(**world, until=0).of(PROTOCOLS[world["protocol"]].asks)
    wishes = [(begin + number / 10, who, who) for number, who in enumerate(people)]
    for seed in range(seeds):
        runs.append(duel(simulate(**world, seed=seed, wishes=wishes), begin))
    return Crowd(name, clients, *(mean(one) for one in zip(*runs, strict=True)))


def duel(trace: Trace, begin: float) -> tuple[int, int, float]:
    """Messages, ballots and time from `begin` until the first client was told."""
    sent, ballots, tick = 0, {NO_BALLOT}, trace.header.tick
    for step in trace.steps():
        if step.at < begin * tick:
            continue
        sent += len(step.sent)
        state = getattr(step.state, "member", step.state)
        ballots.add(getattr(state, "ballot", NO_BALLOT))
        if any(isinstance(one, Decide) for one in step.effects):
            return sent, len(ballots) - 1, step.at / tick - begin
    raise ValueError("nobody was told what is chosen")


# As tables.


def table(clients: Iterable[int] = CLIENTS, memories: int = 3) -> str:
    """The cost of one decision as a Markdown table, counted now."""
    bills = [one_decision(name, many, memories) for name in ONE for many in clients]
    return _bills([*bills, one_list(), one_list(conditional=True)])


def log_table(clients: Iterable[int] = CLIENTS, memories: int = 3) -> str:
    """The cost of one more entry of a log as a Markdown table, counted now."""
    return _bills([next_entry(name, many, memories) for name in MANY for many in clients])


def crowd_table(clients: Iterable[int] = (1, 2, 4, 8), seeds: int = 10) -> str:
    """What a crowd costs as a Markdown table, counted now."""
    lines = [
        "| protocol | clients | ballots begun | messages | message delays |",
        "|---|" + 4 * "---:|",
    ]
    for one in (crowd(name, many, seeds) for name in ONE for many in clients):
        numbers = f"{one.ballots:.1f} | {one.messages:.0f} | {one.time:.1f}"
        lines.append(f"| {one.name} | {one.clients} | {numbers} |")
    return "\n".join(lines)


def _bills(bills: Iterable[Bill]) -> str:
    """Rows that differ only in how many clients there are, and so in what is read, are one row."""
    rows = dict[tuple[str, ...], list[Bill]]()
    for one in bills:
        stored = (one.changes, one.looks) if one.changes else ("–",) * 2
        cells = (one.requests, *stored, f"{one.round_trips:g}", one.later)
        rows.setdefault((one.name, *map(str, cells)), []).append(one)
    heads = "protocol | clients | requests | writes, appends | reads, fetches | of others, read"
    lines = [f"| {heads} | round trips | more, later |", "|---|" + 7 * "---:|"]
    for key, same in rows.items():
        name, *said = key
        clients = _span([one.clients for one in same], " to ")
        foreign = _span([one.foreign for one in same], ", ") if same[0].changes else "–"
        numbers = " | ".join([*said[:3], foreign, *said[3:]])
        lines.append(f"| {name} | {clients} | {numbers} |")
    return "\n".join(lines)


def _span(numbers: list[int], between: str) -> str:
    """One number, or the first and the last; with commas, the first three of many."""
    some = sorted(set(numbers))
    if between == ", " and len(some) > 3:
        return f"{', '.join(map(str, some[:3]))}, …, {some[-1]}"
    return between.join(map(str, some if len(some) < 3 else (some[0], some[-1])))
