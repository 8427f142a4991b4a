"""The kinds of Paxos in this book: who asks, who remembers, who listens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import disk, log, passive, static
from .acceptor import Acceptor
from .alone import Alone, Entered
from .blocks import Disk, answers
from .learner import Learner
from .lists import Entry, List, View, read
from .log import Writer
from .messages import (
    Accept,
    Accepted,
    Append,
    Appended,
    Blocks,
    Command,
    Entries,
    Fetch,
    InSlot,
    Promise,
    Read,
    Refused,
    Request,
    Write,
    Written,
)
from .proposer import Proposer
from .quorum import Flexible
from .votes import Memory, Votes, suits


@dataclass(frozen=True, slots=True)
class Kind:
    """One protocol, as those see it who run it, record it or judge it."""

    steps: Mapping[str, Any]  # by role
    start: Callable[..., Any]  # (role, name, quorums, names of those who remember)
    states: Mapping[str, type]  # of each role
    messages: Any  # what may pass between the roles
    many: bool = False  # a log, not one decision
    named: tuple[str, ...] = ()  # roles that keep their name when they open again
    memory: Callable[[], Any] = Acceptor  # what a list amounts to

    @property
    def asks(self) -> str:
        """The role of those who want something."""
        return next(iter(self.steps))

    @property
    def remembers(self) -> str:
        """The role of those who remember: acceptors, or what stands in their place."""
        return list(self.steps)[1]

    @property
    def listens(self) -> str | None:
        """The role of those who only listen, where there is one."""
        return list(self.steps)[2] if len(self.steps) > 2 else None


def _alone(role: str, who: str, of: Flexible, lists: tuple[str, ...]) -> Any:
    """The state in which a role opens where one list is the log."""
    mine = passive.start(role, who, of, lists, many=True)
    if isinstance(mine, List):
        return mine
    views = tuple((name, replace(view, memory=Entered())) for name, view in mine.views)
    return replace(mine, member=Alone(mine.member.proposer), views=views)


_ONE = {"proposer": Proposer, "acceptor": Acceptor, "learner": Learner}
_MANY = {"proposer": Writer, "acceptor": Votes, "learner": Writer}
_DISK = {"client": disk.Processor, "disk": Disk}
_LIST = {"client": passive.Client, "list": List}
_ANSWERED = Request | Promise | Accepted | Refused
_BLOCKS, _ENTRIES = Write | Written | Read | Blocks, Append | Appended | Fetch | Entries

_log = partial(passive.start, many=True)
_NAMED = ("client", "disk")

PROTOCOLS = {
    "static": Kind(static.STEPS, static.start, _ONE, _ANSWERED),
    "log": Kind(log.STEPS, log.start, _MANY, InSlot, True),
    "disk": Kind(disk.STEPS, disk.start, _DISK, _BLOCKS, False, _NAMED),
    "disk-log": Kind(
        disk.STEPS, partial(disk.start, many=True), _DISK, _BLOCKS, True, _NAMED
    ),
    "passive": Kind(passive.STEPS, passive.start, _LIST, _ENTRIES, False, ("list",)),
    "passive-log": Kind(passive.STEPS, _log, _LIST, _ENTRIES, True, ("list",), Votes),
    "one-list": Kind(passive.STEPS, _alone, _LIST, _ENTRIES, True, ("list",), Entered),
}


def cast(
    state: Any, event: Any, said: list[Any]
) -> Iterator[tuple[int | None, Accept]]:
    """The votes that a step of one who remembers has cast: (slot, vote).

    Seen by an eye that sees all. `said` is what the step told. A disk votes for what was
    written unless a higher ballot was there; a list, for what its fold accepts.
    """
    match state, event:
        case Disk(blocks), Write(who, block) if (who, block) in blocks:
            memory = block.memory
            one = () if isinstance(memory, Votes) else (memory.vote,)
            votes = memory.votes if isinstance(memory, Votes) else ()
            for request in [*one, *(InSlot(slot, vote) for slot, vote in votes)]:
                vote = getattr(request, "content", request)
                if vote and vote.ballot == memory.promised:
                    yield from voted(request, answers([request], who, Blocks(blocks)))
        case List(), Append(Entry(content=it)) if said[0].done and (blank := fit(it)):
            *before, entry = state.things
            view, _ = read(View(before[0], blank), 0, tuple(before))
            _, replies = read(view, len(before), (entry,))
            yield from voted(it, replies or [])
        case _:
            yield from voted(event, said)


def fit(request: Any) -> Memory | None:
    """The memory that such a request is to, empty."""
    blanks = (Acceptor(), Votes(), Entered())
    return next((one for one in blanks if suits(one, request)), None)


def voted(request: Any, replies: Iterable[Any]) -> Iterator[tuple[int | None, Accept]]:
    """The vote that these replies to a request amount to, if they do."""
    slot, plain = None, request
    if isinstance(request, InSlot):
        slot, plain = request.slot, request.content
    said = [one.content if isinstance(one, InSlot) else one for one in replies]
    if isinstance(request, Command):
        yield from (
            (one.slot, Accept(one.content.ballot, one.content.value)) for one in replies
        )
    if isinstance(plain, Accept) and any(isinstance(one, Accepted) for one in said):
        yield slot, plain
