"""Small worlds of Static Paxos for the checker: the roles of `paxos.protocol`, on every schedule.

Users ask at any time, proposers lose patience at any time, and nodes crash between any two effects
of a step. Who asks for what, and how many rounds there may be, is the `Size` of the world.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..protocol import safety, static
from ..protocol.events import Answer, Decide, Propose, Save, Send, Timeout
from ..protocol.messages import Accept, Accepted
from ..protocol.quorum import Flexible
from ..trace import Trace
from . import simulator
from .checker import Event, Node, Record, Verdict, World
from .nodes import BEYOND, Beyond
from .replay import staged

KEPT: dict[str, dict[str, Callable[[Any, Any], bool]]] = {
    "acceptor": {"a promise is kept": safety.promise_kept},
    "proposer": {"a decision stays": safety.decision_stays},
    "learner": {"a decision stays": safety.decision_stays},
}
INVARIANTS = ("agreement", "validity", "one value per ballot", "decided is chosen")
REACHABLE = "a value can be chosen"


@dataclass(frozen=True)
class Size:
    """How large a world of Static Paxos is."""

    proposers: int = 2
    acceptors: int = 3
    learners: int = 0
    rounds: int = 2  # the highest that a ballot may have
    values: int | None = None  # different wishes; None: everybody has one of its own
    crashes: int = 0  # at most so many in one run
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    forgetful: bool = True  # drop answers that their proposer ignores now


@dataclass(frozen=True)
class Life:
    """A node as its machine sees it: what it holds, and what a crash would leave."""

    state: Any
    saved: Any = None


def static_world(size: Size) -> World:
    """The world of this size. Raises ValueError for one that cannot be."""
    check(size)
    plain = simulated(size)
    simulator.check(plain)
    quorums, roles = simulator.quorums(plain), simulator.names(plain)
    wishes = [name.capitalize() for name in roles["proposer"][: size.values]]
    nodes = dict[str, Node]()
    for number, name in enumerate(roles["proposer"]):
        nodes[name] = Node(
            Life(static.start("proposer", name, quorums)),
            partial(step, "proposer", size),
            partial(alone, wishes[number % len(wishes)]),
            partial(crashes, "proposer", size, quorums),
            hears=tuple(roles["acceptor"]),
            forgets=size.forgetful,  # an answer belongs to one ballot, and ballots only rise
            kept=kept("proposer"),
        )
    hears = {"learner": roles["acceptor"], "acceptor": roles["proposer"]}
    for role, heard in hears.items():
        node = Node(
            Life(static.start(role, "", quorums)),
            partial(step, role, size),
            crashes=partial(crashes, role, size, quorums),
            address=f"{role}s",
            hears=tuple(heard),
            kept=kept(role),
        )
        nodes |= dict.fromkeys(roles[role], node)
    return World(
        nodes,
        {name: partial(holds, name, quorums) for name in INVARIANTS},
        {REACHABLE: partial(chosen, quorums)},
        alike=tuple(roles["acceptor"]),
        crashes=size.crashes,
    )


def simulated(size: Size) -> simulator.World:
    """The same world for the simulator."""
    crowd = {what: getattr(size, what) for what in ("proposers", "acceptors", "learners")}
    return simulator.World(**crowd, phase1=size.phase1, phase2=size.phase2)


def bad_run(size: Size, verdict: Verdict, news: bool = False) -> Trace:
    """The run that a search in this world found, as the simulator would have recorded it.

    `news`: then the votes arrive that were still on their way to whoever counts them.
    """
    return staged(simulated(size), verdict.run, news)


def check(size: Size) -> None:
    """Refuse a world that cannot be, in one sentence that says what to do."""
    check_sizes(size, size.proposers, "proposer")


def check_sizes(size: Any, people: int, who: str) -> None:
    """The sizes that every protocol has."""
    if size.rounds < 1:
        raise ValueError(f"{size.rounds} rounds: nobody could ask for anything. Use at least 1.")
    if not 0 <= size.crashes <= 15:
        raise ValueError(f"{size.crashes} crashes: use 0 to 15.")
    if size.values is not None and not 1 <= size.values <= people:
        raise ValueError(f"{size.values} values: use 1 to {people}, for each comes from a {who}.")


def kept(role: str) -> dict[str, Callable[[Any, Any], bool]]:
    """The invariants of a step of this role, over lives."""

    def over(rule: Callable[[Any, Any], bool], before: Life, after: Life) -> bool:
        return rule(before.state, after.state)

    return {name: partial(over, rule) for name, rule in KEPT[role].items()}


# What a node does.


def alone(wish: str, life: Life) -> Iterator[Propose | Timeout]:
    """The user asks; or patience is lost, at any time before the decision."""
    if life.state.phase == "idle":
        yield Propose(wish)
    elif life.state.phase != "done":
        yield Timeout(life.state.ballot)


def react(role: str, life: Life, event: Event) -> tuple[Any, tuple[Any, ...]]:
    """Call the rules."""
    sender, message = event
    what = Answer(sender, message) if sender and role != "acceptor" else message
    result: tuple[Any, tuple[Any, ...]] = static.STEPS[role](life.state, what)  # type: ignore[operator]
    return result


def step(role: str, size: Size, life: Life, event: Event) -> tuple[Life, list[Any]] | Beyond:
    """One step of the rules; BEYOND for one that needs a round too many."""
    now, effects = react(role, life, event)
    if role == "proposer" and now.ballot.round > size.rounds:
        return BEYOND
    return Life(now, saved(life, effects)), list(carried_out(size, effects, len(effects), event))


def crashes(
    role: str, size: Size, quorums: Flexible, life: Life, event: Event | None
) -> Iterator[tuple[int, Life, list[Any]]]:
    """Every crash that is more than a lost message: (effects done, what comes back, effects)."""
    if event is None:
        back = restart(role, quorums, life, life.saved)
        if back != life:
            yield 0, back, []
        return
    now, effects = react(role, life, event)
    if any(isinstance(effect, Save) for effect in effects):
        whole = Life(now, saved(life, effects))
        for done in range(1, len(effects)):
            back = restart(role, quorums, life, saved(life, effects[:done]))
            if back != whole:
                yield done, back, list(carried_out(size, effects, done, event))


def restart(role: str, quorums: Flexible, life: Life, kept: Any) -> Life:
    """What comes back: what was saved, or else a fresh node, which as a proposer is another."""
    identity = getattr(life.state, "identity", "") + "'"
    return Life(static.start(role, identity, quorums) if kept is None else kept, kept)


def saved(life: Life, effects: Iterable[Any]) -> Any:
    """What is on stable storage after these effects."""
    states = [effect.state for effect in effects if isinstance(effect, Save)]
    return states[-1] if states else life.saved


def carried_out(size: Size, effects: tuple[Any, ...], done: int, event: Event) -> Iterator[Any]:
    """The first `done` effects in the checker's terms: messages, and what goes on record."""
    sender, message = event
    if isinstance(message, Propose):
        yield message
    for effect in effects[:done]:
        match effect:
            case Send("learners") if not size.learners:
                pass
            case Send(to, content):
                yield (sender if to == "sender" else to), content
            case Decide():
                yield effect
    # A vote counts once it is safe, whether or not anybody is told (see `outcome`).
    told = any(
        isinstance(effect, Send) and isinstance(effect.message, Accepted) for effect in effects
    )
    safe = done == len(effects) or any(isinstance(effect, Save) for effect in effects[:done])
    if isinstance(message, Accept) and told and safe:
        yield message


# What must hold.


def history(record: Record, quorums: Flexible) -> safety.History:
    """What the all-seeing eye has seen, as the rules judge it."""
    said = [(name, one) for name, its in record.items() for one in its]
    return safety.History(
        quorums,
        tuple(one.value for _, one in said if isinstance(one, Propose)),
        tuple((name, one) for name, one in said if isinstance(one, Accept)),
        tuple(Accept(one.ballot, one.value) for _, one in said if isinstance(one, Decide)),
    )


def holds(name: str, quorums: Flexible, record: Record) -> bool:
    """Does this invariant hold of what is on record?"""
    return name not in safety.broken(history(record, quorums))


def chosen(quorums: Flexible, record: Record) -> bool:
    """Is any value chosen by what is on record?"""
    return bool(safety.chosen(history(record, quorums)))
