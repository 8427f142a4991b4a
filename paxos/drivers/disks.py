"""Small worlds of Disk Paxos for the checker: clients and disks, on every schedule.

A write may be late, repeated or never arrive; so may a read and every answer. A disk that stops is one
to which nothing comes any more. A client that crashes comes back under its name and finds its blocks.

Every message carries the number of the life in which its client asked, for the driver lets an answer
reach only the life that asked for it. Without that an old read, answered before a write, would tell a
client back from a crash that it had never written.

Five short cuts (`Size.forgetful`), each compared with the long way in the tests:

* a disk shows its blocks to all whenever they change, unasked: a client may ask at any time, what it
  is shown may come at any later time, and counts only if its own block in it is the one it has now;
* it shows what makes a difference: not a promise below the client's own;
* no client steps back before a rival, for it may lose patience at any time;
* clients begin with the empty disks read;
* they forget what they have heard of a ballot that is over.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from ..protocol import disk
from ..protocol.ballot import NO_BALLOT
from ..protocol.blocks import Block, Disk, join, store
from ..protocol.events import Answer, Decide, Opened, Propose, Send, Timeout
from ..protocol.kinds import cast
from ..protocol.member import Member, blank
from ..protocol.messages import Blocks, Read, Write, Written
from ..protocol.quorum import Flexible
from ..trace import Trace
from . import simulator, worlds
from .checker import Verdict
from .nodes import BEYOND, Beyond, Event, Move, Node, World
from .replay import staged
from .worlds import INVARIANTS, REACHABLE, holds

DISKS = "disks"


@dataclass(frozen=True)
class Size:
    """How large a world of Disk Paxos is."""

    clients: int = 2
    disks: int = 3
    rounds: int = 1  # the highest that a ballot may have
    values: int | None = None  # different wishes; None: everybody has one of its own
    crashes: int = 0  # at most so many in one run
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    acks: int = 0  # 1: clients hear that a write is done, apart from what they read
    forgetful: bool = True  # leave out what no client can notice


@dataclass(frozen=True)
class Life:
    """A client, and how often it has come back."""

    state: disk.Processor
    number: int = 0


@dataclass(frozen=True)
class Service:
    """A disk, and whom it shows its blocks: (client, life)."""

    disk: Disk
    shown: frozenset[tuple[str, int]] = frozenset()


def disk_world(size: Size) -> World:
    """The world of this size. Raises ValueError for one that cannot be."""
    check(size)
    plain = simulated(size)
    simulator.check(plain)
    quorums, roles = simulator.quorums(plain), simulator.names(plain)
    clients, disks = roles["client"], roles["disk"]
    wishes = [name.capitalize() for name in clients[: size.values]]
    nodes = dict[str, Node]()
    for number, name in enumerate(clients):
        first = fresh(name, quorums)
        if size.forgetful:
            first = replace(first, block=Block(blank(first.member)))
        nodes[name] = Node(
            Life(first),
            cache(partial(step, size)),
            partial(alone, wishes[number % len(wishes)]),
            partial(crashes, name, quorums),
            hears=tuple(disks),
            forgets=size.forgetful,  # blocks only rise, and ours with them
            kept=KEPT["client"],
        )
    shown = frozenset() if not size.forgetful else frozenset((name, 0) for name in clients)
    node = Node(
        Service(Disk(), shown),
        cache(partial(serve, size)),
        address=DISKS,
        hears=tuple(clients),
        kept=KEPT["disk"],
    )
    return World(
        {**nodes, **dict.fromkeys(disks, node)},
        {name: partial(holds, name, quorums) for name in INVARIANTS},
        {REACHABLE: partial(worlds.chosen, quorums)},
        alike=tuple(disks),
        crashes=size.crashes,
    )


def simulated(size: Size) -> simulator.World:
    """The same world for the simulator."""
    return simulator.World(
        "disk",
        proposers=size.clients,
        acceptors=size.disks,
        learners=0,
        phase1=size.phase1,
        phase2=size.phase2,
    )


def check(size: Size) -> None:
    """Refuse a world that cannot be, in one sentence that says what to do."""
    worlds.check_sizes(size, size.clients, "client")


# What a client does.


def fresh(name: str, quorums: Flexible) -> disk.Processor:
    """A client that has just opened."""
    opened = disk.start("client", name, quorums)
    assert isinstance(opened, disk.Processor)
    return opened


def alone(wish: str, life: Life) -> Iterator[Any]:
    """It asks for its blocks; then the user asks; or patience is lost, before the decision."""
    asks = life.state.member.proposer
    if life.state.block is None:
        yield from () if life.number else [Opened()]  # whoever comes back has asked already
    elif asks.phase == "idle":
        yield Propose(wish)
    elif asks.phase != "done":
        yield Timeout(asks.ballot)


def step(size: Size, life: Life, event: Event) -> tuple[Life, list[Any]] | Beyond:
    """One step of the rules; BEYOND for one that needs a round too many."""
    sender, what = event
    if sender:
        number, message = what
        if number != life.number:
            return life, []
        what = Answer(sender, message)
    before = life.state
    if size.forgetful and sender and (late := overtaken(before, message)):
        before, _ = disk.step(before, Answer(sender, late))
    now, effects = disk.step(before, what)
    if now.member.proposer.ballot.round > size.rounds:
        return BEYOND
    if now.member.proposer.waits and size.forgetful:
        return life, []
    told = list[Any]([what] if isinstance(what, Propose) else [])
    for effect in effects:
        match effect:
            case Send("disks", Read()) | Send("sender", Read()) if now.block and size.forgetful:
                pass  # we are shown what changes
            case Send(to, content):
                told.append((sender if to == "sender" else DISKS, (life.number, content)))
            case Decide():
                told.append(effect)
    return Life(tidied(now) if size.forgetful else now, life.number), told


def overtaken(me: disk.Processor, message: Any) -> Written | None:
    """What a disk says to our write where a later one of a former life is, if this shows it so.

    We would not heed what we are shown before we hear that, and what we do not heed is dropped.
    """
    own = dict(message.blocks).get(me.name) if isinstance(message, Blocks) else None
    newer = own and me.block and me.member.busy and join(me.block, own) != me.block
    return Written(own) if newer else None


def tidied(me: disk.Processor) -> disk.Processor:
    """Without what was noted of a ballot that is over: nothing comes of it any more."""
    assert isinstance(me.member, Member)
    asks, knows = me.member.proposer, me.member.learner
    if not asks.asking:
        asks = replace(asks, promises=(), accepted=())
    votes = knows.votes if asks.phase == "decide" else ()
    votes = tuple(vote for vote in votes if vote[0] == asks.ballot)
    member = replace(me.member, proposer=asks, learner=replace(knows, votes=votes))
    return replace(me, member=member)


def crashes(
    name: str, quorums: Flexible, life: Life, event: Event | None
) -> Iterator[tuple[int, Life, list[Any]]]:
    """A client keeps nothing, so a crash in the middle of a step is one after it and lost messages."""
    if event is None:
        number = life.number + 1
        opened, effects = disk.step(fresh(name, quorums), Opened())
        sends = [(DISKS, (number, one.message)) for one in effects if isinstance(one, Send)]
        yield 0, Life(opened, number), sends


# What a disk does.


def serve(size: Size, mine: Service, event: Event) -> tuple[Service, list[Any]]:
    """Read and write. What it shows goes to whoever may have asked for it."""
    client, (number, request) = event
    now, effects = store(mine.disk, request)
    said = [effect.message for effect in effects if isinstance(effect, Send)]
    votes = [] if now == mine.disk else [vote for _, vote in cast(now, request, said)]
    if not size.forgetful:
        return replace(mine, disk=now), [*((client, (number, one)) for one in said), *votes]
    shown = mine.shown
    if number >= dict(shown).get(client, 0):  # whoever writes is answered, and reads
        shown = frozenset({**dict(shown), client: number}.items())
    told = list[Any](votes)
    if (now, shown) != (mine.disk, mine.shown):
        who = shown if now != mine.disk else shown - mine.shown
        told += [(name, (life, seen_by(name, now))) for name, life in sorted(who)]
    if isinstance(request, Write):
        late = [one for one in said if one != Written(request.block)]
        told += [
            (client, (number, one)) for one in (said if size.acks else late if size.crashes else ())
        ]
    return Service(now, shown), told


def seen_by(client: str, mine: Disk) -> Blocks:
    """What a disk shows to a client, without what makes no difference to it."""
    blocks: dict[str, Any] = dict(mine.blocks)
    known = [(who, block) for who, block in mine.blocks if block.chosen]
    own = blocks.get(client)
    if own is None:
        return Blocks(mine.blocks)
    if known and not own.chosen:
        return Blocks(tuple(sorted({client: own, known[0][0]: known[0][1]}.items())))
    for who, block in mine.blocks:
        if who != client and block.memory.promised < own.memory.promised:
            blocks[who] = replace(block, memory=replace(block.memory, promised=NO_BALLOT))
    return Blocks(tuple(blocks.items()))


def rises(before: Service, after: Service) -> bool:
    """A block on a disk never goes back."""
    now = dict(after.disk.blocks)
    return all(who in now and join(its, now[who]) == now[who] for who, its in before.disk.blocks)


def stays(before: Life, after: Life) -> bool:
    """Who was told once is told for good."""
    old, new = before.state.member, after.state.member
    assert isinstance(old, Member)
    assert isinstance(new, Member)
    return old.learner.chosen is None or old.learner == new.learner


KEPT: dict[str, dict[str, Callable[[Any, Any], bool]]] = {
    "client": {"a decision stays": stays},
    "disk": {"a block never goes back": rises},
}


# The run that was found, as it would be recorded.


def bad_run(size: Size, verdict: Verdict, news: bool = False) -> Trace:
    """The run that a search in this world found, as the simulator would have recorded it.

    `news`: then those who wait for votes read all disks on which their vote is.
    """
    told = spelled(size, verdict.run)
    trace = staged(simulated(size), told)
    return staged(simulated(size), [*told, *heard(trace)]) if news else trace


def spelled(size: Size, run: Sequence[Move]) -> list[Move]:
    """The moves with all that a search leaves out: who asks for what a disk shows, and when."""
    world = disk_world(size)
    nodes: dict[str, Any] = {name: node.state for name, node in world.nodes.items()}
    told = [[*ready(world, {move.node for move in run})]]
    shown = {name: [(0, Disk())] for name in world.alike}  # since when it has been what
    back = dict.fromkeys(world.nodes, 0)  # when each client came back from a crash
    for number, move in enumerate(run, 1):
        if move.event is None:
            told.append([move])
            ((_, nodes[move.node], _),) = world.nodes[move.node].crashes(nodes[move.node], None)
            back[move.node] = number
            continue
        sender, what = move.event
        what = what[1] if sender else what
        told.append([move._replace(event=(sender, what))])
        if size.forgetful and isinstance(what, Blocks):
            when, all = next(
                one for one in shown[sender][::-1] if what == seen_by(move.node, one[1])
            )
            told[-1] = [Move(move.node, (sender, Blocks(all.blocks)))]
            me = nodes[move.node].state
            if late := overtaken(me, what):
                told[-1] = [
                    Move(sender, (me.name, Write(me.name, me.block))),
                    Move(me.name, (sender, late)),
                    *told[-1],
                ]
            told[max(when, back[move.node])] += asking(me, sender, all)
        elif isinstance(what, Opened) or (size.forgetful and isinstance(what, Read)):
            told.pop()  # the driver sees to it, and `asking`
            told.append([])
        after = world.nodes[move.node].step(nodes[move.node], move.event)
        assert after is not BEYOND
        nodes[move.node] = after[0]
        if isinstance(what, Write):
            shown[move.node].append((number, after[0].disk))
    return [move for moves in told for move in moves]


def asking(me: disk.Processor, name: str, its: Disk) -> Iterator[Move]:
    """How a client comes to ask this disk: it hears that its block is there."""
    own = dict(its.blocks).get(me.name)
    if own and own == me.block:
        yield Move(me.name, (name, Written(own)))
    yield Move(name, (me.name, Read()))


def ready(world: World, people: Iterable[str]) -> Iterator[Move]:
    """Everybody who does something has read the empty disks before."""
    answers = list[Move]()
    for name, node in world.nodes.items():
        if name in people and isinstance(node.state, Life) and node.state.state.block:
            mine = fresh(name, node.state.state.member.proposer.quorums)
            for it in world.alike:
                if mine.block is None:
                    yield Move(it, (name, Read()))
                    answers.append(Move(name, (it, Blocks(()))))
                    mine, _ = disk.step(mine, Answer(it, Blocks(())))
    yield from answers


def heard(trace: Trace) -> Iterator[Move]:
    """Those who have asked for votes read them."""
    last = {one.node: one.state for one in trace.steps()}
    for name, me in last.items():
        if isinstance(me, disk.Processor) and me.member.proposer.phase == "decide":
            for it in trace.of("disk"):
                blocks = getattr(last.get(it), "blocks", ())
                if dict(blocks).get(name) == me.block:
                    yield Move(name, (it, Written(me.block)))
                    yield Move(it, (name, Read()))
                    yield Move(name, (it, Blocks(blocks)))
