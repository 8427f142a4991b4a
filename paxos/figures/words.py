"""Messages in words, and what they mean to those who know the rules.

A disk and a list know nothing of Paxos. That a block is written to prepare, or that what was read
amounts to a promise, is seen here by folding the very rules over the states of the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..protocol.acceptor import Acceptor
from ..protocol.blocks import Block, Disk, answers
from ..protocol.events import Answer
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Amiss, Entry, Genesis, List, View, read
from ..protocol.member import requests
from ..protocol.messages import (
    Accept,
    Accepted,
    Append,
    Appended,
    Blocks,
    Chosen,
    Entries,
    Fetch,
    InSlot,
    Prepare,
    Promise,
    Promises,
    Read,
    Refused,
    Write,
    Written,
)
from ..protocol.votes import Votes
from ..trace import Open, Step, Trace, bare, kept, text


class Sense(NamedTuple):
    """What something means: a kind of message, "chosen", or "" where Paxos has no name for it."""

    kind: str
    words: str
    said: tuple[Any, ...] = ()  # the requests or replies themselves


@dataclass
class Senses:
    """Of a whole run: of what was sent, by its id; of what a step made of it, by record number."""

    sent: dict[int, Sense] = field(default_factory=dict)
    heard: dict[int, Sense] = field(default_factory=dict)

    def of(self, id: int) -> Sense:
        """Of a message; to a disk or a list, most mean nothing."""
        return self.sent.get(id, Sense("plain", ""))


def message(trace: Trace, what: Any, before: Block | None = None) -> str:
    """A message in words. `before`: the block that a written one takes the place of."""
    match what:
        case InSlot(slot, Promises(ballot, votes)) if votes:  # of this slot and of those after it
            cast = (
                f"{text(vote.value)} in {trace.short(vote.ballot)}"
                + ("" if its == slot else f" (slot {its})")
                for its, vote in votes
            )
            return f"slot {slot}: promise {trace.short(ballot)}, voted {', '.join(cast)}"
        case InSlot(slot, content):
            return f"slot {slot}: {message(trace, content)}"
        case Prepare(ballot):
            return f"prepare {trace.short(ballot)}"
        case Promise(ballot, None) | Promises(ballot, ()):
            return f"promise {trace.short(ballot)}, no vote yet"
        case Promise(ballot, Accept(last, value)):
            return f"promise {trace.short(ballot)}, voted {text(value)} in {trace.short(last)}"
        case Accept(ballot, value) | Accepted(ballot, value):
            return f"{type(what).__name__.lower()} {trace.short(ballot)}, {text(value)}"
        case Refused(ballot, promised):
            return f"refused {trace.short(ballot)}, promised {trace.short(promised)}"
        case Chosen(_, value):
            return f"{text(value)} is chosen"
        case Entry() | Genesis():
            return thing(trace, what)
    return to_memory(trace, what, before)


def to_memory(trace: Trace, what: Any, before: Block | None = None) -> str:
    """A message between a client and a disk or a list, in words."""
    match what:
        case Write() | Append():
            said = "; ".join(message(trace, one) for one in carried(what, before))
            return f"{type(what).__name__.lower()} {said or thing(trace, what)}"
        case Written(block):
            return f"written {message(trace, carried(Write('', block))[0])}"
        case Appended(entry, _, done):
            return f"{'appended' if done else 'not appended'} {thing(trace, entry)}"
        case Fetch(after):
            return f"fetch from {after}"
        case Entries(after, entries):
            last = after + len(entries) - 1
            return f"entries {after} to {last}" if entries else "no entries"
        case Read() | Blocks():
            return type(what).__name__.lower()
    return str(what)


def thing(trace: Trace, what: Any) -> str:
    """What stands in a list."""
    match what:
        case Genesis(name):
            return f"genesis of {name}"
        case Entry(_, _, Prepare() | Accept() | InSlot() as content):
            return message(trace, content)
        case Entry():
            return "an entry of a newer version"
    return "something else"


def carried(what: Write | Append, before: Block | None = None) -> list[Any]:
    """What a write or an append says of Paxos: a request, or that something is chosen."""
    match what:
        case Append(Entry(_, _, Prepare() | Accept() | InSlot() as content)):
            return [content]
        case Write(_, Block(_, Chosen() as known)):
            return [known]
        case Write(_, Block(Votes(promised, votes))):
            old = getattr(before, "memory", Votes())
            new = [InSlot(n, v) for n, v in votes if (n, v) not in old.votes]
            return [one for one in new if one.content.ballot == promised] or [Prepare(promised)]
        case Write(_, Block(Acceptor(promised, vote))):
            return [vote] if vote and vote.ballot == promised else [Prepare(promised)]
    return []


def sense(trace: Trace, said: Sequence[Any]) -> Sense:
    """What these replies or requests amount to, together."""
    names = [type(bare(one)[1]).__name__.lower().replace("promises", "promise") for one in said]
    known = ("chosen", "refused", "accepted", "promise", "accept", "prepare")
    kind = next((name for name in known if name in names), "")
    return Sense(kind, "; ".join(dict.fromkeys(message(trace, one) for one in said)), tuple(said))


def senses(trace: Trace) -> Senses:
    """What everything means that was sent and heard in a run."""
    found, before = Senses(), dict[str, Any]()
    views: dict[str, View] = {}
    for index, record in enumerate(trace.records):
        if not isinstance(record, Open | Step):
            continue
        was = before.get(record.node)
        before[record.node] = record.state
        if isinstance(record.state, List) and isinstance(record, Open):
            blank = PROTOCOLS[trace.header.protocol].memory()
            whole = View(record.state.things[0], blank)
            views[record.node], _ = read(whole, 0, record.state.things)
        elif isinstance(record, Step):
            for one in record.sent:
                if mean := of_sent(trace, one.message, was):
                    found.sent[one.id] = mean
            if isinstance(record.state, List):
                views[record.node], mean = landed(trace, record, was, views[record.node])
            else:
                mean = of_heard(trace, record, was)
            if mean:
                found.heard[index] = mean
    return found


def of_sent(trace: Trace, what: Any, sender: Any) -> Sense | None:
    """What a message says of Paxos, if it does."""
    if isinstance(what, Write | Append):
        before = getattr(sender, "block", None)
        said = carried(what, before)
        return Sense(sense(trace, said).kind, to_memory(trace, what, before), tuple(said))
    if isinstance(what, Written | Read | Blocks | Appended | Fetch | Entries):
        return None
    return sense(trace, [what])


def of_heard(trace: Trace, step: Step, was: Any) -> Sense | None:
    """What a step made of what it heard: a client of an answer, a disk of a write."""
    match step.event:
        case Answer(disk, Blocks(blocks) as all):
            return of_blocks(trace, disk, all, was) if blocks or was.block else None
        case Answer(name, Appended(entry, int(place))) if place == was.view(name).end:
            whole = Answer(name, Entries(place, (entry,)))
            return of_heard(trace, replace(step, event=whole), was)
        case Answer(name, Entries(after, things)):
            return of_entries(trace, name, after, things, was, step.state)
        case Write(owner, block) if isinstance(was, Disk) and kept(step):
            new = carried(step.event, dict(was.blocks).get(owner))
            kind, words, _ = sense(trace, new)
            if dict(step.state.blocks).get(owner) != block:
                return Sense("", f"keeps {owner}'s newer block, not {words}")
            return Sense(kind, f"{owner}'s block: {words}", tuple(new))
    return None


def of_entries(
    trace: Trace, name: str, after: int, things: tuple[Any, ...], was: Any, now: Any
) -> Sense | None:
    """What news of a list mean to the one who reads them: replies to what it asks, or a rival."""
    view, replies = read(was.view(name), after, things)
    mine = [one for one in replies or () if bare(one)[1].ballot == was.member.ballot]
    kind, words, _ = sense(trace, mine)
    steps_back = now.member.proposer.waits and not was.member.proposer.waits
    if steps_back and kind != "refused":
        rival = f"{trace.short(now.member.proposer.highest)} is ahead"
        kind, words = "refused", f"{words}; {rival}" if words else rival
    if words:
        return Sense(kind, f"reads {name}: {words}", tuple(mine))
    if replies is None and after + len(things) < view.end and not view.trouble:
        return Sense("", f"reads {name}: behind what it has seen, so no answer")
    return None


def of_blocks(trace: Trace, disk: str, all: Blocks, was: Any) -> Sense | None:
    """What the blocks of a disk mean to the one who reads them."""
    mine = dict(all.blocks).get(was.name)
    if was.block is None:
        return Sense("", f"reads {disk}: {holds(trace, mine)}") if mine else None
    if mine is None or mine.chosen or mine.memory.promised != was.block.memory.promised:
        return None  # read before our own write was there, or there is nothing left to learn
    known = [block.chosen for _, block in all.blocks if block.chosen and not was.block.chosen]
    now = requests(was.member) if mine == was.block else []
    if not now:  # it comes late, and answers what we asked before
        log = getattr(was.member, "log", None)
        now = carried(Write(was.name, mine))
        now = [
            InSlot(len(log), one) if log is not None and one == bare(one)[1] else one for one in now
        ]
    said = known[:1] or answers(now, was.name, all)
    kind, words, _ = sense(trace, said)
    return Sense(kind, f"reads {disk}: {words}", tuple(said))


def holds(trace: Trace, block: Any) -> str:
    """The block of one client, in words."""
    if block is None:
        return "no block"
    if block.chosen:
        return message(trace, block.chosen)
    votes = [block.memory.vote] if isinstance(block.memory, Acceptor) else []
    votes += [vote for _, vote in getattr(block.memory, "votes", ())]
    cast = (f"voted {text(v.value)} in {trace.short(v.ballot)}" for v in votes[-1:] if v)
    return ", ".join([f"promised {trace.short(block.memory.promised)}", *cast])


def landed(trace: Trace, step: Step, was: Any, view: View) -> tuple[View, Sense | None]:
    """What a list makes of a request: its view then, and what the fold answers there."""
    things = step.state.things
    match step.event:
        case Amiss(Append(entry)):
            return view, Sense("lost", f"confirms {thing(trace, entry)} and loses it")
        case Amiss(Fetch(after), behind) if (late := min(behind, len(things) - after)) > 0:
            words = f"answers as it was {late} {'entry' if late == 1 else 'entries'} ago"
            return view, Sense("", words)
        case Append(entry, at) if len(things) == len(was.things):
            return view, Sense("", f"has something else at {at}, not {thing(trace, entry)}")
        case Append(entry) if kept(step):
            place, (new, replies) = len(things) - 1, read(view, view.end, things[view.end :])
            if replies:
                kind, words, said = sense(trace, replies)
                return new, Sense(kind, f"at {place}: {words}", said)
            what = "readers stop here" if new.trouble else "skipped"
            what = "nobody reads on" if view.trouble else what
            again = " again" if isinstance(entry, Entry) and what == "skipped" else ""
            return new, Sense("", f"at {place}: {thing(trace, entry)}{again}, {what}")
    return view, None
