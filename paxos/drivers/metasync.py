"""Paxos over lists as MetaSync published it, in words and in code, as small worlds for the checker.

Han and others, USENIX ATC 2015, figure 4; and `metasync/paxos.py` of UWNetworksLab/metasync at commit
64723f6, read line by line. Each client appends the same entries to every list, in order, and fetches.
It goes on with the first majority of answers. What is left out changes no verdict:

* a fetch has no step of its own: a list shows what it holds after every append, and an answer may be
  late, so what is read may be the list at any moment after the client's own append;
* a list is held as what its readers make of it, for nobody can tell apart two lists that fold alike;
* the code appends the decided value once more, for others to take over. Whoever takes it over decides
  nothing new, and such an append may be late for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from ..protocol.ballot import NO_BALLOT, Ballot
from ..protocol.messages import Accept, Prepare
from ..protocol.proposer import binding_value
from .checker import Event, Node, Record, World
from .nodes import BEYOND, Beyond

LISTS = ("s1", "s2", "s3")
CLIENTS = ("ann", "ben")
ALL, MAJORITY = "lists", 2
AGREEMENT, REACHABLE = "agreement", "a value can be decided"

Entry = Prepare | Accept


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the published code, its repairs and the paper's figure 4 differ."""

    equal: Literal["value", "ballot"]  # what a majority of lists must agree on
    keeps: Literal["last", "all"]  # of the votes in a list
    own: bool = False  # a list counts only where my own prepare is in it


RULES = {
    "code": Rule("value", "last"),
    "fixed": Rule("ballot", "last"),
    "figure 4": Rule("ballot", "all"),
    "figure 4, own prepare": Rule("ballot", "all", own=True),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is, by which rule its clients go, and what may fail in it."""

    rule: str = "code"
    rounds: int = 2  # of each client
    lost: int = 0  # appends that a list reports as done and drops
    failed: int = 0  # fetches that fail, and are counted as answers


@dataclass(frozen=True, slots=True)
class View:
    """What a reader makes of a list: the acceptor that it would be."""

    promised: Ballot = NO_BALLOT
    votes: tuple[Accept, ...] = ()
    stuck: bool = False  # no reader gets beyond an entry that breaks the fold


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a client gets from a list, after so many of its own appends."""

    view: View = View()
    done: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list: what is in it, and how many appends of each client were done."""

    view: View = View()
    done: tuple[int, ...] = (0,) * len(CLIENTS)


@dataclass(frozen=True, slots=True)
class Client:
    """A client in its phase, and what it was answered in it."""

    round: int = 0
    phase: Literal["idle", "prepare", "accept", "done"] = "idle"
    value: str = ""
    sent: int = 0  # appends so far, to each list
    heard: tuple[tuple[str, View], ...] = ()
    seen: tuple[tuple[str, View], ...] = ()  # last, of each list; kept where a fetch may fail


Result = tuple[Client, tuple[Any, ...]] | Beyond


def metasync_world(size: Size) -> World:
    """The world of this size. Raises ValueError for one that cannot be."""
    check(size)
    rule = RULES[size.rule]
    clients = {
        name: Node(
            Client(),
            partial(step, size, name),
            alone,
            partial(failures, size, name),
            hears=LISTS,
            forgets=True,  # an answer belongs to one append, and their number only rises
        )
        for name in CLIENTS
    }
    shelf = Node(Shelf(), partial(keep, rule), crashes=partial(losses, size), address=ALL)
    return World(
        {**clients, **dict.fromkeys(LISTS, replace(shelf, hears=CLIENTS))},
        {AGREEMENT: lambda record: len(decided(record)) < 2},
        {REACHABLE: lambda record: len(decided(record)) > 0},
        alike=LISTS,
        crashes=size.lost + size.failed,  # the faults of one run
    )


def check(size: Size) -> None:
    """Refuse a world that cannot be."""
    if size.rule not in RULES:
        raise ValueError(f"no rule is called {size.rule!r}; there are {', '.join(RULES)}")
    if size.rounds < 1:
        raise ValueError(f"{size.rounds} rounds: use at least 1")
    if min(size.lost, size.failed) < 0:
        raise ValueError(f"{min(size.lost, size.failed)} faults: use no fewer than 0")
    if size.lost and size.failed:
        raise ValueError(
            "let appends be lost, or fetches fail, not both: faults are counted as one"
        )


def decided(record: Record) -> set[Any]:
    """The values that clients were told."""
    return {proposal.value for its in record.values() for proposal in its}


# What a list does: keep what comes, in the order in which each client sent it.


def fold(rule: Rule, view: View, entry: Entry) -> View:
    """One more entry, as every reader of the list takes it."""
    match entry:
        case _ if view.stuck:
            return view
        case Prepare(ballot):
            return replace(view, promised=max(view.promised, ballot))
        case Accept() if rule.keeps == "last" and view.promised == NO_BALLOT:
            return replace(view, stuck=True)  # the code compares with None, and raises
        case Accept(ballot) if ballot >= view.promised:
            votes = (*view.votes, entry) if rule.keeps == "all" else (entry,)
            return replace(view, votes=votes)
    return view


def keep(rule: Rule, shelf: Shelf, event: Event) -> tuple[Shelf, tuple[Any, ...]] | Beyond:
    """Append an entry once the same client's earlier ones are there."""
    client, (number, entry) = event
    if number != shelf.done[CLIENTS.index(client)]:
        return BEYOND
    return shown(replace(shelf, view=fold(rule, shelf.view, entry)), client)


def losses(
    size: Size, shelf: Shelf, event: Event | None
) -> Iterator[tuple[int, Shelf, tuple[Any, ...]]]:
    """The fault of a list: it says that it has the entry, and has not."""
    client, (number, _) = event or ("", (None, None))
    if size.lost and event and number == shelf.done[CLIENTS.index(client)]:
        yield 0, *shown(shelf, client)


def shown(shelf: Shelf, client: str) -> tuple[Shelf, tuple[Any, ...]]:
    """One more append of this client is done; whoever fetches now gets this."""
    its = zip(CLIENTS, shelf.done, strict=True)
    done = tuple(count + (name == client) for name, count in its)
    answers = zip(CLIENTS, done, strict=True)
    return replace(shelf, done=done), tuple(
        (name, Fetched(shelf.view, count)) for name, count in answers if count
    )


# What a client does.


def alone(me: Client) -> Iterator[str]:
    """It begins at any time."""
    if me.phase == "idle":
        yield "begin"


def step(size: Size, name: str, me: Client, event: Event) -> Result:
    """Begin, or take the answer of a list."""
    sender, fetched = event
    if not sender:
        return prepare(size, name, me)
    return answer(size, name, me, sender, fetched.view) if waits(me, sender, fetched) else (me, ())


def failures(
    size: Size, name: str, me: Client, event: Event | None
) -> Iterator[tuple[int, Client, tuple[Any, ...]]]:
    """The fault of a client: a fetch fails, and what it had of that list counts as the answer."""
    sender, fetched = event or ("", None)
    if size.failed and sender and waits(me, sender, fetched):
        result = answer(size, name, me, sender, dict(me.seen).get(sender, View()))
        if result is not BEYOND:
            yield 0, *result


def waits(me: Client, sender: str, fetched: Any) -> bool:
    """Does it wait for this answer? It must have been given after the last append."""
    waiting = me.phase in ("prepare", "accept") and sender not in dict(me.heard)
    return waiting and bool(fetched.done == me.sent)


def answer(size: Size, name: str, me: Client, sender: str, view: View) -> Result:
    """Count an answer; with a majority of them, judge."""
    rule, ballot = RULES[size.rule], Ballot(me.round, name)
    if rule.own and me.phase == "prepare" and not own_prepare(view, ballot):
        return me, ()
    me = replace(
        me,
        heard=tuple(sorted({**dict(me.heard), sender: view}.items(), key=lambda one: one[0])),
        seen=tuple(sorted({**dict(me.seen), sender: view}.items(), key=lambda one: one[0]))
        if size.failed
        else (),
    )
    views = tuple(view for _, view in me.heard)
    if len(views) < MAJORITY:
        return me, ()
    me = replace(me, heard=())
    if me.phase == "accept":
        mine = Accept(ballot, me.value)
        if all(accepted(rule, view, mine) for view in views):
            return replace(me, phase="done"), (mine,)
    elif all(view.promised <= ballot for view in views):
        value = str(binding_value([vote for view in views for vote in view.votes], wish(name)))
        now = replace(me, phase="accept", value=value, sent=me.sent + 1)
        return now, ((ALL, (me.sent, Accept(ballot, value))),)
    return prepare(size, name, me)


def accepted(rule: Rule, view: View, mine: Accept) -> bool:
    """Is this list one of those that accepted what I asked for?"""
    if rule.equal == "value":
        return any(vote.value == mine.value for vote in view.votes)
    return mine in view.votes  # the same ballot, so the same value


def own_prepare(view: View, ballot: Ballot) -> bool:
    """Is my own prepare in this list? (If a larger one is, I give up anyway.)"""
    return view.promised >= ballot


def prepare(size: Size, name: str, me: Client) -> Result:
    """Begin the next round, if there is one."""
    if me.round == size.rounds:
        return BEYOND
    ballot = Ballot(me.round + 1, name)
    now = Client(ballot.round, "prepare", "", me.sent + 1, (), me.seen)
    return now, ((ALL, (me.sent, Prepare(ballot))),)


def wish(name: str) -> str:
    """What a client asks for: its own name."""
    return name.capitalize()
