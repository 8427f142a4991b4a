"""Passive Paxos: no acceptor answers. There are lists, and everybody can append and read.

A phase, on each list: append your request, *then* fetch (Han et al. 2015, section 3.3).
Who reads a list folds the rules of an acceptor over it, and so knows each answer. The
proposer is the one of Static Paxos.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .ballot import NO_BALLOT, Ballot
from .events import (
    Answer,
    Decide,
    Distrust,
    Effect,
    Opened,
    Propose,
    Send,
    Timeout,
    Wait,
)
from .lists import Entry, Genesis, List, View, keep, read
from .member import advance, blank, opened
from .messages import END, Append, Appended, Entries, Refused, Value
from .quorum import Flexible


@dataclass(frozen=True, slots=True)
class Client:
    """One who reads all lists, and appends to them when it wants something."""

    identity: str  # the author of its entries, drawn anew at every open
    member: Any  # Member, Writer or Alone
    views: tuple[tuple[str, View], ...]  # by list
    sent: int = 0  # our entries so far
    heard: tuple[str, ...] = ()  # lists that have answered since we last asked
    online: bool = False  # enough lists answered when we last asked
    wishes: tuple[Value, ...] = ()  # kept while we are offline and know of no decision
    conditional: bool = False  # append only where we know the end
    told: bool = False  # or ask where it was appended

    @property
    def state(self) -> Literal["offline", "follower", "proposer"]:
        if not self.online:
            return "offline"
        return "proposer" if self.member.busy else "follower"

    def view(self, name: str) -> View:
        return dict(self.views)[name]

    def reaches(self, lists: Sequence[str]) -> Any:
        return self.member.proposer.quorums.reached(1, lists)


Result = tuple[Client, tuple[Effect, ...]]


def step(me: Client, event: Opened | Propose | Answer | Timeout) -> Result:
    """Carry out the phases of a proposer on lists; without a wish, only read."""
    match event:
        case Opened():  # look
            return look(me, NO_BALLOT)

        case Propose(wish) if not (me.online or me.member.settled):  # keep it
            return replace(me, wishes=(*me.wishes, wish)), ()

        case Timeout(timer) if not (me.reaches(me.heard) or me.member.proposer.waits):
            return look(replace(me, online=False), timer)  # offline

        case Timeout(timer) if not me.member.busy or timer != me.member.ballot:
            return (me, ()) if me.member.settled else look(me, NO_BALLOT)  # look again

        case Propose() | Timeout():  # ask
            return carry_out(me, *advance(me.member, event))

        case Answer(name, Appended(entry, position)) if position == me.view(name).end:
            return hear(me, name, Entries(position, (entry,)))  # all before it is known

        case Answer(name, Appended(entry, done=False)):  # another was faster
            return me, (Send(name, Append(entry)),)

        case Answer(name, Appended()):  # fetch
            return me, (Send(name, me.view(name).fetch),)

        case Answer(name, Entries() as news):  # fold what is new
            return hear(me, name, news)
    return me, ()


def look(me: Client, timer: Ballot) -> Result:
    """Ask every list what is new."""
    asks = (Send(name, view.fetch) for name, view in me.views if not view.trouble)
    return replace(me, heard=()), (*asks, Wait("news", timer))


def hear(me: Client, name: str, news: Entries) -> Result:
    """Fold what is new in a list, and give the member each reply that stands in it.

    A reply to our request is there only if the request is: a lost append is no promise.
    """
    old = me.view(name)
    view, replies = read(old, news.after, news.entries)
    me = replace(me, views=tuple(sorted({**dict(me.views), name: view}.items())))
    told = (Distrust(name, view.trouble),) * (view.trouble != old.trouble)
    if replies is None:  # no answer
        return me, told
    heard = tuple(sorted({*me.heard, name}))
    online = me.online or me.reaches(heard)
    wishes = me.wishes if online else ()
    me = replace(me, heard=heard, online=online, wishes=me.wishes[len(wishes) :])
    # Drop our proposal where a larger number has appeared (see `proposer.step`).
    answers = (*replies, Refused(me.member.ballot, view.memory.promised))
    events = (*(Answer(name, one) for one in answers), *map(Propose, wishes))
    me, effects = carry_out(me, *advance(me.member, *events))
    return me, (*told, *effects)


def carry_out(me: Client, member: Any, effects: Iterable[Effect]) -> Result:
    """What the member asks of acceptors is appended to every list."""
    out, sent = list[Effect](), me.sent
    for effect in effects:
        if not isinstance(effect, Send):
            out.append(effect)
            continue
        for name, view in me.views:
            entry = Entry(me.identity, sent, effect.message, view.genesis.log)
            end = view.end + sent - me.sent if me.conditional else None
            at = END if me.told else end
            out += [Send(name, Append(entry, at))] if not view.trouble else []
        sent += 1
    if any(isinstance(e, Decide) for e in out) and not (member.settled or member.busy):
        out.append(Wait("news", NO_BALLOT))
    heard = me.heard if sent == me.sent else ()
    return replace(me, member=member, sent=sent, heard=heard), tuple(out)


STEPS = {"client": step, "list": keep}


def start(
    role: str, who: str, quorums: Flexible, lists: tuple[str, ...], many: bool = False
) -> Client | List:
    """The state in which a role opens. `many`: the decisions of a log, not one."""
    if role == "list":
        return List((Genesis(who, lists),))
    me = opened(who, quorums, many)
    views = ((name, View(Genesis(name, lists), blank(me))) for name in lists)
    return Client(who, me, tuple(views))
