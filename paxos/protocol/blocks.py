"""A disk of blocks, and how one reads Paxos in it.

A disk knows nothing of Paxos. Each client owns one block, writes it whole, and reads those
of all. Put together, the blocks of a disk are the memory of one acceptor.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .ballot import NO_BALLOT
from .events import Effect, Save, Send
from .messages import Blocks, Chosen, Read, Write, Written
from .votes import Memory, fold, union


@dataclass(frozen=True, slots=True)
class Block:
    """What one client has on one disk: an acceptor that only its owner asks anything.

    The paper's mbal is its promise; bal and inp are its vote.
    """

    memory: Memory
    chosen: Chosen | None = None  # the decision flag: what the owner knows


def join(*blocks: Block) -> Block:
    """Blocks put together. Of one owner, the newer one has all that the older one had."""
    known = [block.chosen for block in blocks if block.chosen]
    # Two lives may have been told of two ballots. In whatever order they are put together
    # one must come of it, or a disk keeps one flag, we the other, and no write is taken.
    chosen = max(known, key=lambda its: its.ballot, default=None)
    return Block(union([block.memory for block in blocks]), chosen)


@dataclass(frozen=True, slots=True)
class Disk:
    """Blocks, in order of their owners. A disk knows nothing of Paxos."""

    blocks: tuple[tuple[str, Block], ...] = ()


def store(disk: Disk, request: Any) -> tuple[Disk, tuple[Effect, ...]]:
    """Read and write."""
    blocks: dict[str, Any] = dict(disk.blocks)
    match request:
        # An old write that overtakes a newer one takes a promise or a vote back. A bare
        # disk cannot tell: then a client must never have two writes on their way.
        case Write(owner, block) if join(blocks.get(owner) or block, block) == block:
            blocks[owner] = block
            now = Disk(tuple((name, blocks[name]) for name in sorted(blocks)))
            return now, (Save(now), Send("sender", Written(block)))
        case Read():
            return disk, (Send("sender", Blocks(disk.blocks)),)
    return disk, (Send("sender", Written(blocks[request.owner])),)  # it came late


def answers(requests: Iterable[Any], mine: str, blocks: Blocks) -> list[Any]:
    """What an acceptor would answer that remembers all that is on this disk.

    It has not heard these requests yet: our own promise does not stand in our way. Unless
    it is higher, and so of a life before this one, whose write came late.
    """
    memory, replies = union([block.memory for _, block in blocks.blocks]), list[Any]()
    promised = [(who, block.memory.promised) for who, block in blocks.blocks]
    for request in requests:
        ballot = getattr(request, "content", request).ballot
        stands = (b for who, b in promised if who != mine or b > ballot)
        memory = replace(memory, promised=max(stands, default=NO_BALLOT))
        replies += fold(memory, request)[1]
    return replies
