"""The world of Lamport's own model of Paxos, in the running code: what other checkers have counted.

The grain is that of `Paxos.tla` in "How to Win a Turing Award": messages are a set that only grows,
one leader for each ballot reads a whole quorum in one step, nobody refuses, and nobody learns. Each
step of an acceptor is `acceptor.step`, and a leader proposes the `binding_value`. So our numbers of
states and levels must equal those that TLC records for that model, and they do (`tests/counts.toml`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, NamedTuple

from ..protocol import acceptor, proposer, safety
from ..protocol.ballot import Ballot
from ..protocol.events import Send
from ..protocol.messages import Accept, Accepted, Prepare, Promise
from ..protocol.quorum import Flexible, majority
from ..trace import kind
from .checker import Event, Node, Record, World, graph
from .nodes import BEYOND, Beyond, Column

ALL, MOST = "acceptors", 99
STEPS = (Prepare, Promise, Accept, Accepted)


class Leader(NamedTuple):
    """Of one ballot: what it has done, and what it has read while it reads a quorum."""

    done: str = "nothing"  # then "asked", then "proposed"
    promises: tuple[tuple[str, Accept | None], ...] = ()


def lamport_world(acceptors: int = 3, values: int = 2, ballots: int = 2) -> World:
    """The world of that size. Raises ValueError for one that cannot be."""
    for what, number in (("acceptors", acceptors), ("values", values), ("ballots", ballots)):
        if not 1 <= number <= MOST:
            raise ValueError(f"{number} {what}: use 1 to {MOST}.")
    quorums = majority(acceptors)
    names = tuple(f"n{number}" for number in range(1, acceptors + 1))
    wishes = tuple(f"v{number}" for number in range(1, values + 1))
    nodes = {
        f"leader {number}": Node(
            Leader(),
            partial(lead, Ballot(number, f"b{number}"), quorums),
            partial(alone, wishes),
            hears=names,
        )
        for number in range(1, ballots + 1)
    }
    mine = Node(acceptor.Acceptor(), answer, address=ALL, hears=tuple(nodes))
    return World(
        {**nodes, **dict.fromkeys(names, mine)},
        {"agreement": lambda record: len(chosen(record, quorums)) < 2},
        {"a value can be chosen": lambda record: len(chosen(record, quorums)) > 0},
        alike=names,
        renamings=tuple(dict(zip(wishes, one, strict=True)) for one in orders(wishes))[1:],
    )


def orders(wishes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The orders in which values may be renamed: all, or where there are many only rotations."""
    if len(wishes) < 5:
        return list(permutations(wishes))
    return [wishes[start:] + wishes[:start] for start in range(len(wishes))]


def alone(wishes: tuple[str, ...], leader: Leader) -> Iterator[str]:
    """What a leader may do unprompted: ask, or propose (its own wish, if it is free)."""
    match leader.done:
        case "nothing":
            yield "ask"
        case "asked":
            yield from wishes


def lead(
    ballot: Ballot, quorums: Flexible, leader: Leader, event: Event
) -> tuple[Leader, tuple[Any, ...]] | Beyond:
    """One leader: 1a, then 2a with what a quorum has promised."""
    sender, message = event
    if leader.done == "nothing" and message == "ask":
        return Leader("asked"), ((ALL, Prepare(ballot)),)
    if leader.done == "asked" and isinstance(message, Promise) and message.ballot == ballot:
        promises = dict(leader.promises) | {sender: message.vote}
        return leader._replace(promises=tuple(sorted(promises.items()))), ()
    if leader.done == "asked" and not sender:
        votes = dict(leader.promises)
        if not quorums.reached(1, votes):
            return BEYOND
        value = proposer.binding_value(votes.values(), message)
        return Leader("proposed"), ((ALL, Accept(ballot, value)),)
    return leader, ()


def answer(
    mine: acceptor.Acceptor, event: Event
) -> tuple[acceptor.Acceptor, tuple[Any, ...]] | Beyond:
    """One acceptor: the running rules, where a refusal is silence. A vote goes on record."""
    leader, request = event
    now, effects = acceptor.step(mine, request)
    said = [effect.message for effect in effects if isinstance(effect, Send)]
    promises = [(leader, one) for one in said if isinstance(one, Promise)]
    votes = [request for one in said if isinstance(one, Accepted)][:1]
    return (now, (*promises, *votes)) if promises or votes else BEYOND


def chosen(record: Record, quorums: Flexible) -> set[Any]:
    """The values chosen, by what acceptors put on record."""
    votes = tuple((name, vote) for name, its in record.items() for vote in its)
    return {vote.value for vote in safety.chosen(safety.History(quorums, votes=votes))}


@dataclass(frozen=True, slots=True)
class State:
    """A state of this world as a map shows it."""

    sent: tuple[Any, ...]  # messages, in the order of their ballots and steps
    depth: int  # of the first state: 1
    chosen: bool


def whole(
    acceptors: int = 1, values: int = 1, ballots: int = 2
) -> tuple[tuple[State, ...], tuple[tuple[int, str, int], ...]]:
    """The whole world: its states, and its moves as (from, kind of what is sent, to)."""
    found, quorums = graph(lamport_world(acceptors, values, ballots)), majority(acceptors)
    states = tuple(
        State(sent(columns), depth, bool(chosen({n: c.said for n, c in columns.items()}, quorums)))
        for columns, depth in zip(found.states, found.depths, strict=True)
    )
    return states, tuple((one, new(states[one], states[to]), to) for one, _, to in found.moves)


def sent(columns: Mapping[str, Column]) -> tuple[Any, ...]:
    """All that was ever sent: the growing set of this model."""
    messages = [message for column in columns.values() for _, message in column.sent]
    votes = [Accepted(one.ballot, one.value) for column in columns.values() for one in column.said]
    return tuple(sorted([*messages, *votes], key=lambda one: (one.ballot, STEPS.index(type(one)))))


def new(before: State, after: State) -> str:
    """The kind of the one message that a step adds."""
    (one,) = (Counter(after.sent) - Counter(before.sent)).keys()
    return kind(one)
