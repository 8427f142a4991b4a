"""Small worlds of the log: writers that lead many slots with one ballot, on every schedule.

Message by message, as in `worlds`; acceptors remember one promise, and a vote for each slot.

Two short cuts (`Size.forgetful`), each compared with the long way in the tests:

* a writer forgets the votes and promises that have not led to anything yet, and also when it hears of
  another slot or ballot: it can hear them again at any later time, so what it could have done with
  them it still can;
* nobody is refused: that would only make a writer step back, and it may lose patience at any time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..protocol import log, safety
from ..protocol.ballot import Ballot
from ..protocol.events import Answer, Decide, Propose, Send, Timeout
from ..protocol.kinds import cast
from ..protocol.learner import Learner
from ..protocol.log import NOOP, Batch, Writer
from ..protocol.machine import commands
from ..protocol.messages import Accept, Command, InSlot, Promises, Refused
from ..protocol.quorum import Flexible
from ..protocol.votes import Votes
from ..trace import Trace
from . import simulator, worlds
from .checker import Event, Node, Record, Verdict, World
from .nodes import BEYOND, Beyond
from .replay import staged

INVARIANTS = ("agreement", "validity", "one value per ballot", "decided is chosen")
LOGS, COUNTS = "a log is what was chosen", "a command counts once"
TWICE, GROWS = "no command is chosen twice", "a log only grows"
GAP, BOTH = "the log can grow past a gap", "a takeover can decide two slots"


@dataclass(frozen=True)
class Size:
    """How large a world of the log is."""

    proposers: int = 2
    acceptors: int = 3
    commands: int = 2  # of the first writer; the others have one
    rounds: int = 1  # the highest that a ballot may have
    crashes: int = 0  # at most so many in one run
    values: None = None  # every command is one of its own
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    forgetful: int = 1


@dataclass(frozen=True)
class Known:
    """Goes on record when a writer's log has come so far."""

    slot: int
    batch: Batch


def log_world(size: Size) -> World:
    """The world of this size. Raises ValueError for one that cannot be."""
    check(size)
    plain = simulated(size)
    simulator.check(plain)
    quorums, roles = simulator.quorums(plain), simulator.names(plain)
    nodes = dict[str, Node]()
    for number, name in enumerate(roles["proposer"]):
        fresh = partial(log.start, "proposer", quorums=quorums)
        nodes[name] = Node(
            fresh(identity=name),
            partial(take, size),
            partial(alone, name, 1 if number else size.commands),
            partial(crashes, fresh),
            hears=tuple(roles["acceptor"]),
            forgets=bool(size.forgetful),  # a vote for what it knows, an answer to a ballot it left
            kept={GROWS: grows},
        )
    heard = tuple(roles["proposer"])
    acceptor = Node(Votes(), partial(answer, size), address="acceptors", hears=heard)
    always = {name: partial(holds, name, quorums) for name in INVARIANTS}
    always |= {LOGS: partial(as_chosen, quorums), COUNTS: partial(counted, quorums)}
    if size.rounds == 1:  # later on it may be, and `machine.commands` counts it once
        always[TWICE] = partial(once, quorums)
    possible = {GAP: past_a_gap} if size.proposers > 1 < size.commands else {}
    possible |= {BOTH: taken_over} if size.proposers > 1 else {}
    return World(
        {**nodes, **dict.fromkeys(roles["acceptor"], acceptor)},
        always,
        possible,
        alike=tuple(roles["acceptor"]),
        crashes=size.crashes,
    )


def simulated(size: Size) -> simulator.World:
    """The same world for the simulator."""
    return simulator.World(
        "log",
        proposers=size.proposers,
        acceptors=size.acceptors,
        learners=0,
        phase1=size.phase1,
        phase2=size.phase2,
    )


def bad_run(size: Size, verdict: Verdict, news: bool = False) -> Trace:
    """The run that a search in this world found, as the simulator would have recorded it."""
    return staged(simulated(size), verdict.run, news)


def check(size: Size) -> None:
    """Refuse a world that cannot be, in one sentence that says what to do."""
    worlds.check_sizes(size, size.proposers, "writer")
    if not 1 <= size.commands <= 9:
        raise ValueError(f"{size.commands} commands: use 1 to 9, for the first writer.")


# What a node does.


def alone(name: str, most: int, me: Writer) -> Iterator[Propose | Timeout]:
    """The user asks for one thing more; or patience is lost."""
    if me.count < most:
        yield Propose(f"{name.capitalize()} {me.count + 1}")
    if me.pending or me.asked:
        yield Timeout(me.ballot)


def take(size: Size, me: Writer, event: Event) -> tuple[Writer, list[Any]] | Beyond:
    """One step of a writer; BEYOND for one that needs a round too many."""
    sender, message = event
    if sender and message.content.ballot.proposer != me.ballot.proposer:
        return me, []  # a former life has asked
    if sender and size.forgetful:
        me = attending(me, message)
    now, effects = log.step(me, Answer(sender, message) if sender else message)
    if now.ballot.round > size.rounds:
        return BEYOND
    out: list[Any] = [*now.pending[len(me.pending) :]] if isinstance(message, Propose) else []
    for effect in effects:
        match effect:
            case Send(to, content):
                out.append((to, content))
            case Decide():
                out.append(effect)
    out += [Known(slot, now.log[slot]) for slot in range(len(me.log), len(now.log))]
    return forgotten(now, bool(out)) if size.forgetful else now, out


def attending(me: Writer, message: InSlot) -> Writer:
    """Without what was noted of other slots and ballots than those that this answer is about."""
    its = message.content
    if isinstance(its, Promises):
        return replace(me, learners=noted(me, -1))
    kept = noted(me, message.slot, getattr(its, "ballot", None))
    return replace(me, learners=kept, votes=(), proposer=replace(me.proposer, promises=()))


def noted(me: Writer, slot: int, ballot: Ballot | None = None) -> tuple[tuple[int, Learner], ...]:
    """What is chosen, and the votes that were heard for this slot in this ballot."""
    found = []
    for at, one in me.learners:
        votes = tuple(its for its in one.votes if (at, its[0]) == (slot, ballot))
        if one.chosen or votes:
            found.append((at, replace(one, votes=votes) if votes != one.votes else one))
    return tuple(found)


def forgotten(me: Writer, anew: bool) -> Writer:
    """Without what makes no difference. `anew`: and without what it can hear again."""
    votes = me.votes if me.proposer.phase == "prepare" else ()
    learners = tuple((n, one) for n, one in me.learners if one.chosen or (one.votes and not anew))
    me = replace(me, votes=() if anew else votes, learners=learners)
    return replace(me, proposer=replace(me.proposer, promises=())) if anew else me


def answer(size: Size, mine: Votes, event: Event) -> tuple[Votes, list[Any]]:
    """One step of an acceptor. A vote goes on record, with its slot."""
    sender, request = event
    now, effects = log.STEPS["acceptor"](mine, request)  # type: ignore[operator]
    said: list[Any] = [
        one.message for one in effects if isinstance(one, Send) and one.to == "sender"
    ]
    if size.forgetful:
        said = [one for one in said if not isinstance(one.content, Refused)]
    cast_now = [InSlot(slot, vote) for slot, vote in cast(now, request, said) if slot is not None]
    return now, [*((sender, one) for one in said), *cast_now]


def crashes(
    fresh: Callable[..., Any], me: Writer, event: Event | None
) -> Iterator[tuple[int, Writer, list[Any]]]:
    """A writer comes back as another. Of acceptors, see the world of Static Paxos."""
    if event is None:
        yield 0, fresh(identity=me.proposer.identity + "'"), []


# What must hold.


def history(record: Record, quorums: Flexible, slot: int) -> safety.History:
    """What the all-seeing eye has seen of one slot. A batch of wishes is a wish, as is none."""
    said = [(name, one) for name, its in record.items() for one in its]
    wished = {one for _, one in said if isinstance(one, Command)}
    votes = tuple(
        (name, one.content) for name, one in said if isinstance(one, InSlot) and one.slot == slot
    )
    told = [one for _, one in said if isinstance(one, Decide) and one.value.slot == slot]
    return safety.History(
        quorums,
        tuple(vote.value for _, vote in votes if wished.issuperset(vote.value)),
        votes,
        tuple(Accept(one.ballot, one.value.content) for one in told),
    )


def slots(record: Record) -> set[int]:
    """Those that somebody has voted in, or was told of."""
    said = [one for its in record.values() for one in its]
    told = {one.value.slot for one in said if isinstance(one, Decide)}
    return told | {one.slot for one in said if isinstance(one, InSlot)}


def holds(name: str, quorums: Flexible, record: Record) -> bool:
    """Does this invariant hold in every slot?"""
    each = (history(record, quorums, slot) for slot in slots(record))
    return all(name not in safety.broken(one) for one in each)


def decided(quorums: Flexible, record: Record) -> dict[int, Batch]:
    """What is chosen in each slot; of several batches one."""
    chosen = {slot: safety.chosen(history(record, quorums, slot)) for slot in slots(record)}
    return {slot: won[0].value for slot, won in sorted(chosen.items()) if won}


def as_chosen(quorums: Flexible, record: Record) -> bool:
    """Does every log hold in each slot what is chosen there? So one is the beginning of another."""
    won = decided(quorums, record)
    known = [one for its in record.values() for one in its if isinstance(one, Known)]
    return all(won.get(one.slot) == one.batch for one in known)


def counted(quorums: Flexible, record: Record) -> bool:
    """Does no command count twice, though it may be chosen twice?"""
    said = commands(decided(quorums, record).values())
    return len(said) == len(set(said))


def once(quorums: Flexible, record: Record) -> bool:
    """Is no command chosen in two slots?"""
    batches = decided(quorums, record).values()
    return len(commands(batches)) == sum(map(len, batches))


def past_a_gap(record: Record) -> bool:
    """Does somebody know of a no-op, and of what is decided after it?"""
    for its in record.values():
        log = {one.slot: one.batch for one in its if isinstance(one, Known)}
        if any(log[slot] == NOOP and slot + 1 in log for slot in log):
            return True
    return False


def taken_over(record: Record) -> bool:
    """Has a ballot decided two slots, one of them for another than its leader?"""
    for its in record.values():
        led = [one for one in its if isinstance(one, Decide)]
        if len({one.value.slot for one in led}) > 1 and any(
            command.client != one.ballot.proposer for one in led for command in one.value.content
        ):
            return True
    return False


def grows(before: Writer, after: Writer) -> bool:
    """A log that was known stays so."""
    return after.log[: len(before.log)] == before.log
