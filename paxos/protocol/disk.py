"""Disk Paxos: no acceptor answers. There are disks, and each client owns a block on each.

A phase, on each disk: write your own block, *then* read everybody's (Gafni, Lamport 2003,
section 3). The proposer is the one of Static Paxos; so are the rules that say what an
acceptor with the memory of this disk would answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .ballot import NO_BALLOT
from .blocks import Block, Disk, answers, join, store
from .events import Answer, Decide, Effect, Opened, Propose, Send, Timeout, Wait
from .log import Writer
from .member import Member, advance, blank, opened, requests
from .messages import Blocks, Chosen, Read, Value, Write, Written
from .quorum import Flexible
from .votes import fold


@dataclass(frozen=True, slots=True)
class Processor:
    """A client, with the name under which it owns a block on every disk.

    No answer to what a life before a crash asked may reach the next: read before the last
    votes of that life, it would do for the next one's recovery, and for its phase 1.
    """

    member: Member | Writer
    name: str
    block: Block | None = None  # ours, as we last wrote it; None: not read back yet
    found: tuple[tuple[str, Block], ...] = ()  # ours on each disk read since we opened
    wishes: tuple[Value, ...] = ()  # asked for before we were ready


Result = tuple[Processor, tuple[Effect, ...]]


def step(me: Processor, event: Opened | Propose | Answer | Timeout) -> Result:
    """Carry out the phases of a proposer on disks."""
    match event:
        case Opened() | Timeout() if me.block is None:
            return me, (Send("disks", Read()), Wait("answers", NO_BALLOT))

        case Propose(wish) if me.block is None:
            return replace(me, wishes=(*me.wishes, wish)), ()

        case Answer(disk, Blocks(blocks)) if me.block is None:
            mine = dict(blocks).get(me.name, Block(blank(me.member)))
            return recover(me, disk, mine)

        case Answer(_, Written(block)) if block == me.block and not me.member.settled:
            return me, (Send("sender", Read()),)

        # A write from before we crashed has come late, with a vote that we did not find.
        case Answer(_, Written(block)) if (
            me.block and join(me.block, block) != me.block
        ):
            return owning(me, join(me.block, block)), ()

        # Only what was read after our own write counts: a rival who wrote later reads us,
        # and one who wrote earlier is in what we read. Without this both miss each other.
        case Answer(disk, Blocks(blocks) as all) if (
            dict(blocks).get(me.name) == me.block
        ):
            return hear(me, disk, all)

        case Propose() | Timeout() if event != Timeout(NO_BALLOT):
            return carry_out(me, *advance(me.member, event))
    return me, ()


def recover(me: Processor, disk: str, mine: Block) -> Result:
    """Back from a crash: what have I promised, and what have I voted for? (Section 3.)

    Asks as many disks as it takes to meet all that a phase may have been carried out on.
    """
    found = tuple(sorted({**dict(me.found), disk: mine}.items()))
    quorums = me.member.proposer.quorums
    if len(found) + min(quorums.phase1, quorums.phase2) <= quorums.of:
        return replace(me, found=found), ()
    ready = owning(me, join(*(block for _, block in found)))
    ready = replace(ready, found=(), wishes=())
    return carry_out(ready, *advance(ready.member, *map(Propose, me.wishes)))


def owning(me: Processor, block: Any) -> Processor:
    """With this as our block: its ballots and its commands' numbers are used up.

    A second wish in the words of the first would else be taken for the first.
    """
    asks, member = me.member.proposer, me.member
    if isinstance(member, Writer):
        found = (one for _, its in block.memory.votes for one in its.value)
        used = (one.number + 1 for one in found if one.client == me.name)
        member = replace(member, count=max([member.count, *used]))
    asks = replace(asks, highest=max(asks.highest, block.memory.promised))
    return replace(me, block=block, member=replace(member, proposer=asks))


def hear(me: Processor, disk: str, blocks: Blocks) -> Result:
    """Give the member the disk's answers, or the decision that somebody knows."""
    known = [block.chosen for _, block in blocks.blocks if block.chosen]
    said = known[:1] or answers(requests(me.member), me.name, blocks)
    return carry_out(me, *advance(me.member, *(Answer(disk, one) for one in said)))


def carry_out(me: Processor, member: Any, effects: Iterable[Effect]) -> Result:
    """What the member asks of acceptors is written into our own block, on all disks."""
    me = replace(me, member=member)
    assert me.block is not None
    memory, chosen = me.block.memory, me.block.chosen
    for effect in effects:
        match effect:
            case Send("acceptors", request):
                memory, _ = fold(memory, request)
            case Decide(ballot, value) if isinstance(member, Member):
                chosen = Chosen(ballot, value)
    now = replace(me, block=Block(memory, chosen))
    kept = tuple(one for one in effects if not isinstance(one, Send))
    write = (Send("disks", Write(me.name, now.block)),) if now.block != me.block else ()
    return now, (*write, *kept)


STEPS = {"client": step, "disk": store}


def start(
    role: str, name: str, quorums: Flexible, _: Sequence[str] = (), many: bool = False
) -> Processor | Disk:
    """The state in which a role opens. `many`: the decisions of a log, not one."""
    return Disk() if role == "disk" else Processor(opened(name, quorums, many), name)
