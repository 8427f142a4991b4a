"""Small worlds of Passive Paxos: the running client and the running list, on every schedule.

The grain: whenever a list has grown it shows all that it holds, in a message to every client. A
message may arrive at any later time, often, or never. So a list that is slow, that is down and comes
back, that answers with an older prefix, an append that takes effect long after its timeout, or never,
an answer that is lost: all of them need no rule of their own. What does is in the `Size`: an append
that is acknowledged and lost, one that is stored twice, things that are not ours.

Three short cuts (`Size.forgetful`), each compared with the long way in the tests:

* a list forgets an entry that its fold refuses, for the fold will always refuse it;
* a client forgets what it has read, for it can read it again: no answer counts twice;
* it forgets which lists have answered: it may lose patience, and ask again, at any time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from ..protocol import passive, safety
from ..protocol.events import Answer, Decide, Propose, Send, Timeout
from ..protocol.kinds import cast
from ..protocol.lists import Amiss, Entry, Genesis, List, View, keep, read
from ..protocol.member import Member, blank
from ..protocol.messages import Accepted, Append, Entries, Fetch, Refused
from ..protocol.passive import Client
from ..protocol.proposer import Proposer
from ..trace import Trace
from . import simulator
from .checker import Event, Node, Verdict, World
from .nodes import BEYOND, Beyond
from .readings import Reading
from .worlds import INVARIANTS, REACHABLE, history, holds

ALL, EVERYBODY = "lists", "clients"
GENESIS = Genesis("", ())  # the same for all: nothing here confuses one list with another
JUNK = tuple(f"something else {number}" for number in range(9))
NEWER = tuple(Entry("newer", number, "of a newer version") for number in range(9))


@dataclass(frozen=True)
class Size:
    """How large a world of Passive Paxos is."""

    clients: int = 2
    services: int = 3
    rounds: int = 1  # the highest that a ballot may have
    values: int | None = None  # different wishes; None: everybody has one of its own
    crashes: int = 0  # at most so many in one run; who crashed comes back as another
    lost: int = 0  # appends that a list acknowledges and loses, at most
    repeats: int = 0  # how often a list stores an entry again, at most
    failed: int = 0  # 1: a list may answer a fetch with nothing at all
    junk: int = 0  # so many things that are not ours stand in every list from the start
    newer: int = 0  # at most so many entries of a newer version land in each list
    acks: int = 0  # 1: clients also hear that an append is done, apart from what they read
    conditional: int = 0  # 1: clients append only where they know the end
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    forgetful: int = 1

    @property
    def forgets(self) -> bool:
        """Positions must be kept where appends depend on them."""
        return bool(self.forgetful and not self.conditional)

    @property
    def told(self) -> bool:
        return bool(self.acks or self.conditional or self.lost)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list, and the entries whose loss it has acknowledged."""

    list: List
    lost: tuple[Entry, ...] = ()


def passive_world(size: Size) -> World:
    """The world of this size. Raises ValueError for one that cannot be."""
    plain = simulated(size)
    simulator.check(plain)
    quorums, roles = simulator.quorums(plain), simulator.names(plain)
    people, lists = tuple(roles["client"]), tuple(roles["list"])
    wishes = [name.capitalize() for name in people[: size.values]]
    nodes = dict[str, Node]()
    for number, name in enumerate(people):
        fresh = partial(opened, size, quorums, lists)
        nodes[name] = Node(
            fresh(name),
            cache(partial(take, size, lists)),  # for a client reads the same again and again
            partial(alone, wishes[number % len(wishes)]),
            partial(crashes, fresh),
            address=EVERYBODY,
            hears=lists,
            kept=KEPT,
        )
    shelf = Node(
        Shelf(List((GENESIS, *JUNK[: size.junk]))),
        partial(store, size),
        partial(unasked, size),
        address=ALL,
        hears=people,
        kept={"a list only grows": longer},
    )
    return World(
        {**nodes, **dict.fromkeys(lists, shelf)},
        {name: partial(holds, name, quorums) for name in INVARIANTS},
        {REACHABLE: lambda record: bool(safety.chosen(history(record, quorums)))},
        alike=lists,
        crashes=size.crashes,
    )


def simulated(size: Size) -> simulator.World:
    """The same world for the simulator."""
    return simulator.World(
        "passive",
        proposers=size.clients,
        acceptors=size.services,
        learners=0,
        phase1=size.phase1,
        phase2=size.phase2,
        conditional=bool(size.conditional),
    )


def bad_run(size: Size, verdict: Verdict, news: bool = False) -> Trace:
    """The run that a search in this world found, as the simulator would have recorded it.

    `news`: then whoever is not told of a decision reads all lists to their end.
    """
    stage = Reading(simulated(size), verdict.run, size.told)
    stage.run()
    if news:
        stage.spread()
    return stage.recorded()


# What a client does.


def opened(size: Size, quorums: Any, lists: tuple[str, ...], name: str) -> Client:
    """A client that has been opened, and has found the lists."""
    me: Any = passive.start("client", name, quorums, lists)
    return undressed(
        size, replace(me, conditional=bool(size.conditional), views=empty(me, lists)), False
    )


def empty(me: Client, lists: Iterable[str]) -> tuple[tuple[str, View], ...]:
    """Of each list nothing is known."""
    return tuple((one, View(GENESIS, blank(me.member))) for one in lists)


def dressed(size: Size, lists: tuple[str, ...], me: Client) -> Client:
    """With what it had forgotten: it has read nothing, and all lists have answered."""
    views = dict(empty(me, lists)) | dict(me.views)
    return replace(me, views=tuple(views.items()), heard=lists, online=True)


def undressed(size: Size, me: Client, anew: bool) -> Client:
    """Without what it can read again. `anew`: and without all answers that it has counted."""
    me = replace(me, heard=(), online=True)
    if not size.forgets:
        return me
    me = replace(me, views=tuple((name, view) for name, view in me.views if view.trouble))
    if not anew:
        return me
    assert isinstance(me.member, Member)
    asks, knows = me.member.proposer, me.member.learner
    if knows.chosen:  # how it got there does not matter any more
        asks = Proposer(asks.identity, asks.quorums, "done")
    kept = {name for name, _ in me.views}  # what is not used any more is not read again
    promises = tuple(its for its in asks.promises if its[0] in kept)
    asks = replace(asks, promises=promises, accepted=tuple(n for n in asks.accepted if n in kept))
    knows = replace(knows, votes=tuple(its for its in knows.votes if its[1] in kept))
    return replace(me, member=replace(me.member, proposer=asks, learner=knows))


def alone(wish: str, me: Client) -> Iterator[Propose | Timeout]:
    """The user asks; or patience is lost, at any time before the decision."""
    if me.member.proposer.phase == "idle" and not me.member.settled:
        yield Propose(wish)
    elif me.member.busy:
        yield Timeout(me.member.ballot)


def take(
    size: Size, lists: tuple[str, ...], me: Client, event: Event
) -> tuple[Client, list[Any]] | Beyond:
    """One step of the rules; BEYOND for one that needs a round too many."""
    sender, message = event
    what = Answer(sender, message) if sender else message
    now, effects = passive.step(dressed(size, lists, me), what)
    if now.member.ballot.round > size.rounds:
        return BEYOND
    out = [message] if isinstance(message, Propose) else []
    out += told(size, lists, effects)
    return undressed(size, now, bool(out)), out


def told(size: Size, lists: tuple[str, ...], effects: Iterable[Any]) -> list[Any]:
    """Effects in the checker's terms. What is asked of all lists alike is one message."""
    asked, out = dict[Append, list[str]](), list[Any]()
    for effect in effects:
        match effect:
            case Send(to, Append() as request):
                asked.setdefault(request, []).append(to)
            case Decide():
                out.append(effect)
    for request, names in asked.items():
        for name in [ALL] if tuple(names) == lists else names:
            out.append((name, request))
            out += [(name, Amiss(request))] if size.lost else []
    return out


def crashes(
    fresh: Callable[[str], Client], me: Client, event: Event | None
) -> Iterator[tuple[int, Client, list[Any]]]:
    """Between two steps. In the middle of one, it is a message that never arrives."""
    if event is None:
        yield 0, fresh(me.identity + "'"), []


# What a list does.


def unasked(size: Size, mine: Shelf) -> Iterator[Any]:
    """What comes from elsewhere, and answers that are none."""
    for thing in NEWER[: size.newer]:
        if thing not in mine.list.things:
            yield Append(thing)
    if size.failed:
        yield Amiss(Fetch(0), len(mine.list.things))


def store(size: Size, mine: Shelf, event: Event) -> tuple[Shelf, list[Any]] | Beyond:
    """One step of the rules. Whatever the list then holds, it shows."""
    sender, request = event
    match request:
        case Append(entry) if mine.list.things.count(entry) > size.repeats:
            return BEYOND
        case Amiss(Append(entry)) if len(mine.lost) == size.lost or entry in mine.lost:
            return BEYOND
    now, effects = keep(mine.list, request)
    said = [one.message for one in effects if isinstance(one, Send)]
    out: list[Any] = [vote for _, vote in cast(now, request, said)]
    if sender and size.told:
        out += [(sender, one) for one in said]
    if isinstance(request, Amiss) and isinstance(request.request, Append):
        return replace(mine, lost=(*mine.lost, request.request.entry)), out
    if isinstance(request, Amiss):
        return mine, [(EVERYBODY, one) for one in said]
    if now == mine.list:
        return mine, out
    if size.forgets and not size.told and vain(now):
        return mine, []
    return replace(mine, list=now), [*out, (EVERYBODY, Entries(0, now.things))]


def vain(now: List) -> bool:
    """Does the newest entry change nothing for any reader?"""
    memory = blank(passive.start("client", "", None, ()).member)  # type: ignore[arg-type, union-attr]
    view, _ = read(View(GENESIS, memory), 0, now.things[:-1])
    if view.trouble:  # nobody reads as far as that
        return True
    then, replies = read(view, len(now.things) - 1, now.things[-1:])
    refused = all(isinstance(one, Refused) for one in replies or ())
    return refused and not then.trouble and then.memory == view.memory


# What must hold of a step.


def longer(before: Shelf, after: Shelf) -> bool:
    """What stands in a list stays."""
    return after.list.things[: len(before.list.things)] == before.list.things


def grows(before: Client, after: Client) -> bool:
    """What was read stays read, as it was."""
    now = dict(after.views)
    return all(
        view.trouble or now[name].things[: view.end] == view.things for name, view in before.views
    )


def stays(before: Client, after: Client) -> bool:
    """Told once, told for good."""
    old, new = (getattr(me.member, "learner", None) for me in (before, after))
    return safety.decision_stays(old, new)


def warned(_: Client, after: Client) -> bool:
    """Nobody reads past an entry of a newer version."""
    return not any(thing in NEWER for _, view in after.views for thing in view.things)


def knowing(_: Client, after: Client) -> bool:
    """Whoever has read the votes of a quorum knows the decision: it is a function of the lists."""
    votes = set[tuple[Any, str]]()
    for name, view in after.views:
        replies = read(View(GENESIS, blank(after.member)), 0, view.things)[1]
        votes |= {(one.ballot, name) for one in replies or () if isinstance(one, Accepted)}
    quorums, ballots = after.member.proposer.quorums, {ballot for ballot, _ in votes}
    chosen = (quorums.reached(2, [who for its, who in votes if its == b]) for b in ballots)
    return after.member.settled or not any(chosen)


KEPT: Mapping[str, Callable[[Any, Any], bool]] = {
    "a decision stays": stays,
    "a view only grows": grows,
    "nobody reads past a newer version": warned,
    "who reads a decision knows it": knowing,
}
