"""An append-only list, and how one reads Paxos in it.

A list knows nothing of Paxos. It puts things at its end and shows them, to everybody in
the same order. Whoever reads it folds the acceptor's rules over its entries.
"""

from dataclasses import dataclass, replace
from typing import Any

from .events import Effect, Save, Send
from .messages import END, Append, Appended, Entries, Fetch, Reply
from .votes import Memory, fold, suits


@dataclass(frozen=True, slots=True)
class Genesis:
    """Entry 0 of every list: which list it is, and which others belong to its log."""

    name: str
    lists: tuple[str, ...]
    log: str = "car"  # of its own for each log: 128 random bits
    version: int = 1
    limit: int = 1 << 20  # bytes in an entry: a longer one is nothing of ours


@dataclass(frozen=True, slots=True)
class Entry:
    """A request, as it stands in a list. Author and number make it unique."""

    author: str
    number: int
    content: Any  # a Prepare, an Accept, one of these in a slot; alone, a Command
    log: str = "car"  # or it would count where it was appended by mistake


@dataclass(frozen=True, slots=True)
class List:
    """A service, as far as Paxos needs one. It knows nothing of Paxos."""

    things: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Amiss:
    """A request served badly: an append acknowledged and lost, or an old answer."""

    request: Append | Fetch
    behind: int = 0  # by so many entries


def keep(mine: List, request: Any) -> tuple[List, tuple[Effect, ...]]:
    """Append and fetch: all that is asked of a service."""
    match request:
        case Append(thing, at) if at in (None, END, len(mine.things)):  # append
            now = List((*mine.things, thing))
            place = None if at is None else len(mine.things)
            return now, (Save(now), Send("sender", Appended(thing, place)))
        case Append(thing):  # something else stands there
            return mine, (Send("sender", Appended(thing, done=False)),)
        case Amiss(Append(thing)):  # say yes, and lose it
            return mine, (Send("sender", Appended(thing)),)
        case Amiss(Fetch(after), behind):  # show an older end
            end = max(after, len(mine.things) - behind)
            return mine, (Send("sender", Entries(after, mine.things[after:end])),)
        case Fetch(after):  # show
            return mine, (Send("sender", Entries(after, mine.things[after:])),)
    raise ValueError(f"a list cannot {request!r}")


@dataclass(frozen=True, slots=True)
class View:
    """What one reader knows of one list."""

    genesis: Genesis  # what must stand at position 0
    memory: Memory  # of the acceptor that the list amounts to
    things: tuple[Any, ...] = ()
    trouble: str = ""  # why the reader does not use this list any more

    @property
    def end(self) -> int:
        """How many entries have been seen."""
        return len(self.things)

    @property
    def fetch(self) -> Fetch:
        """Ask what is new; and for the last known entry, to see that it still stands."""
        return Fetch(max(self.end - 1, 0))


def read(
    view: View, after: int, things: tuple[Any, ...]
) -> tuple[View, list[Reply] | None]:
    """Fold what is new: the view then, and the replies; None if this was no answer.

    There is no reply to a request that is not in the list. And all readers skip and stop
    at the same things, or they would not agree on what the list says.
    """
    known = view.things[after:]
    if view.trouble or after > view.end or not (things or view.things):
        return view, None  # also if it shows nothing: which list is it?
    if things[: len(known)] != known[: len(things)]:  # loud: a promise may be gone
        return replace(view, trouble="what was read before has changed"), None
    if len(things) < len(known):  # behind: an old answer says nothing of now
        return view, None
    new = things[len(known) :]
    replies = list[Reply]()
    ids = {(one.author, one.number) for one in view.things if isinstance(one, Entry)}
    for thing in new:
        match thing:
            case _ if not view.things and thing != view.genesis:
                return replace(view, trouble="it is another list"), None
            case Entry(log=log) if log != view.genesis.log:
                pass  # its author took this list for another
            case Entry(author, number) if (author, number) in ids:
                pass  # shown again, or appended again after a timeout
            case Entry(author, number, request) if suits(view.memory, request):
                ids.add((author, number))
                memory, reply = fold(view.memory, request)
                view, replies = replace(view, memory=memory), [*replies, *reply]
            case Entry():  # whoever reads on without it could break what it promised
                return replace(view, trouble="a newer version wrote to it"), replies
            case _:  # genesis, or nothing of ours: whoever wrote it, it changes nothing
                pass
        view = replace(view, things=(*view.things, thing))
    return view, replies


def alone(things: tuple[Any, ...]) -> tuple[Any, ...]:
    """The log in one list that never fails: what was appended, in order. No ballots."""
    entries = {
        (one.author, one.number): one for one in things if isinstance(one, Entry)
    }
    return tuple(one.content for one in entries.values())
