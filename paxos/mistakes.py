"""The table of broken rules of Static Paxos and of Disk Paxos.

Each names the text of a module, what to put in its place, the property that dies, and the smallest
world in which it dies. `mutations` carries them out.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """A rule gone wrong."""

    name: str
    rule: str  # what is shown of the source: the object, as module:name
    module: str  # the texts below are of this module of the package
    changes: tuple[tuple[str, str], ...]  # (text, what takes its place)
    dies: str | None  # the property; None if nothing unsafe follows
    why: str  # in a sentence, what goes wrong or what it costs
    world: dict[str, int] = field(default_factory=dict)  # sizes, where they are not the usual ones
    protocol: str = "static"  # in whose world it is looked for: see `drivers.small`


def wrong(
    name: str,
    rule: str,
    *changes: tuple[str, str],
    why: str,
    dies: str | None = "agreement",
    protocol: str = "static",
    **world: int,
) -> Mutation:
    """A mutation of the module that the rule is in."""
    sizes = {"rounds": 1} | world
    return Mutation(name, rule, rule.split(":")[0], changes, dies, why, sizes, protocol)


def on_disks(name: str, rule: str, *changes: tuple[str, str], **more: Any) -> Mutation:
    """The same for Disk Paxos."""
    return wrong(name, rule, *changes, protocol="disk", **more)


ACCEPTOR, PROPOSER = "protocol.acceptor:step", "protocol.proposer:step"
SAVE, PROMISE = "Save(now)", 'Send("sender", Promise(ballot, acceptor.vote))'
VOTE = 'Send("sender", news), Send("learners", news)'
BINDING = "return max(cast, key=lambda vote: vote.ballot).value if cast else wish"

STATIC = (
    wrong(
        "accept ignores the promise",
        ACCEPTOR,
        (" if ballot >= acceptor.promised:  # 2b", ":  # 2b"),
        why="A vote slips in below a promise, unseen by whoever holds that promise.",
    ),
    wrong(
        "promise to whoever asks",
        ACCEPTOR,
        (" if ballot > acceptor.promised:  # 1b", ":  # 1b"),
        why="An old question takes the newer promise back.",
    ),
    wrong(
        "promise hides the vote",
        ACCEPTOR,
        (PROMISE, PROMISE.replace("acceptor.vote", "None")),
        why="The next proposer is not told what may be chosen already, and asks for its own.",
    ),
    wrong(
        "accept does not raise the promise",
        ACCEPTOR,
        ("Acceptor(promised=ballot, vote=request)", "replace(acceptor, vote=request)"),
        why="A lower ballot can overwrite a higher vote.",
        rounds=2,
    ),
    wrong(
        "promise not saved before the reply",
        ACCEPTOR,
        (f"{SAVE}, {PROMISE}", f"{PROMISE}, {SAVE}"),
        why="A crash between the reply and the disk takes a promise back that was already told.",
        crashes=1,
    ),
    wrong(
        "a vote forgotten after restart",
        ACCEPTOR,
        (f"{SAVE}, {VOTE}", VOTE),
        why="An acceptor comes back without its vote, and promises as if it had never voted.",
        crashes=1,
    ),
    wrong(
        "adopt no vote",
        "protocol.proposer:binding_value",
        (BINDING, "return wish"),
        why="A proposer asks for its own wish although another may be chosen.",
    ),
    wrong(
        "adopt the oldest vote",
        "protocol.proposer:binding_value",
        ("max(cast", "min(cast"),
        why="The oldest vote is the one that was overruled.",
        rounds=2,
    ),
    wrong(
        "adopt any vote",
        "protocol.proposer:binding_value",
        (BINDING, "return min(cast, key=lambda vote: str(vote.value)).value if cast else wish"),
        why="An older vote is taken for the newest, and a chosen value is overruled.",
        rounds=2,
    ),
    wrong(
        "two values in one ballot",
        PROPOSER,
        ('if p.phase == "prepare" and p.enough(1, who):', "if p.enough(1, who):"),
        ("value=value, promises=())", "value=value)"),
        why="A late promise makes the proposer ask again in the same ballot, for another value.",
    ),
    wrong(
        "promises kept for the next ballot",
        "protocol.proposer:prepare",
        ("promises=(), accepted=(),", "accepted=(),"),
        why="A promise for an old ballot is counted for a new one.",
        rounds=2,
    ),
    wrong(
        "answers to an earlier ballot",
        PROPOSER,
        ("if b != p.ballot:", "if False:"),
        why="A promise for a lower ballot shuts out less than the proposer believes.",
        rounds=2,
    ),
    wrong(
        "votes kept for the next ballot",
        "protocol.proposer:prepare",
        ("accepted=(), value=None", "value=None"),
        dies="decided is chosen",
        why="A proposer counts votes for an old ballot and tells its user too early.",
        proposers=1,
        rounds=2,
    ),
    wrong(
        "one acceptor counted twice",
        "protocol.quorum:Flexible.reached",
        ("len(set(acceptors))", "len(list(acceptors))"),
        why="A repeated message makes a quorum of one.",
    ),
    wrong(
        "chosen by equal value",
        "protocol.learner:step",
        ("{*me.votes, (b, who)}", "{*me.votes, (Ballot(0, str(value)), who)}"),
        ("me.enough(b, who)", "me.enough(Ballot(0, str(value)), who)"),
        ("Accepted(b)) if not", "Accepted(b, value)) if not"),
        why="Votes of different ballots for one value are added up, though no quorum stands behind it.",
        learners=1,
        rounds=2,
    ),
    wrong(
        "quorums that do not meet",
        "protocol.quorum:Flexible",
        ("if self.phase1 + self.phase2 <= self.of:", "if False:"),
        why="Phase 1 asks only acceptors that know nothing of the decision.",
        phase1=1,
    ),
    wrong(
        "a ballot used twice",
        "protocol.static:start",
        (
            "proposer.Proposer(identity, quorums)",
            'proposer.Proposer(identity.rstrip("\'"), quorums)',
        ),
        why="A proposer back from a crash takes promises made to its former self for its own.",
        crashes=1,
        forgetful=False,
    ),
    wrong(
        "accept refuses its own promise",
        ACCEPTOR,
        ("if ballot >= acceptor.promised:  # 2b", "if ballot > acceptor.promised:  # 2b"),
        dies="a value can be chosen",
        why="Nothing wrong is ever chosen, for nothing is: every acceptor has promised the very ballot.",
    ),
    wrong(
        "promise the same ballot again",
        ACCEPTOR,
        ("if ballot > acceptor.promised:  # 1b", "if ballot >= acceptor.promised:  # 1b"),
        dies=None,
        why="A repeated question is answered again. More states, and no harm.",
    ),
)

DISKS, BLOCKS = "protocol.disk:step", "protocol.blocks:answers"
READ = "union([block.memory for _, block in blocks.blocks])"
LOOKED = "if who != mine or b > ballot"
WROTE = 'return me, (Send("sender", Read()),)'
UNHEEDED = (
    "Blocks(tuple((who, replace(its, memory=replace(its.memory, promised=NO_BALLOT)))"
    " for who, its in blocks.blocks))"
)
OPENED = "Processor(opened(name, quorums, many), name)"

DISK = (
    on_disks(
        "read before the write",
        DISKS,
        ("dict(blocks).get(me.name) == me.block", "blocks"),
        why="Each reads before the other has written, and both miss each other.",
    ),
    on_disks(
        "a larger ballot ignored",
        "protocol.disk:hear",
        (
            "answers(requests(me.member), me.name, blocks)",
            f"answers(requests(me.member), me.name, {UNHEEDED})",
        ),
        why="A vote is counted below a ballot that has read the disk already.",
    ),
    on_disks(
        "phase 2 without looking",
        DISKS,
        (
            "case Answer(_, Written(block)) if block == me.block and not",
            "case Answer(disk, Written(block)) if block == me.block and not",
        ),
        (
            WROTE,
            'return hear(me, disk, Blocks(((me.name, block),))) if me.member.proposer.phase == "decide" else (me, (Send("sender", Read()),))',
        ),
        why="It is written, so it counts, whoever has read the disk before.",
        acks=1,
    ),
    on_disks(
        "the votes of others ignored",
        BLOCKS,
        (READ, "union([its.memory for who, its in blocks.blocks if who == mine])"),
        why="A client asks for its own wish although another may be chosen.",
    ),
    on_disks(
        "my own vote ignored",
        BLOCKS,
        (
            READ,
            "union([replace(its.memory, vote=its.memory.vote if who != mine else None) for who, its in blocks.blocks])",
        ),
        why="What I voted for may be chosen, even if I had it from another.",
        rounds=2,
    ),
    on_disks(
        "adopt the oldest block",
        "protocol.proposer:binding_value",
        ("max(cast", "min(cast"),
        why="The oldest vote is the one that was overruled, on disks too.",
        rounds=2,
    ),
    on_disks(
        "an old write overtakes",
        "protocol.blocks:store",
        (
            "case Write(owner, block) if join(blocks.get(owner) or block, block) == block:",
            "case Write(owner, block):",
        ),
        why="A late write puts an older block in the place of a newer one, and a vote is gone.",
    ),
    on_disks(
        "the flag set too early",
        "protocol.disk:carry_out",
        (
            "memory, _ = fold(memory, request)",
            'memory, chosen = fold(memory, request)[0], Chosen(request.ballot, request.value) if hasattr(request, "value") else chosen',
        ),
        why="What is only asked for is told as if it were chosen.",
    ),
    on_disks(
        "back from one disk",
        "protocol.disk:recover",
        ("if len(found) + min(quorums.phase1, quorums.phase2) <= quorums.of:", "if False:"),
        dies="one value per ballot",
        why="The disk that was read is not one on which the former life had begun its ballot.",
        disks=2,
        phase1=1,
        crashes=1,
    ),
    on_disks(
        "back without reading",
        "protocol.disk:start",
        (
            OPENED,
            "Processor(opened(name, quorums, many), name, Block(blank(opened(name, quorums, many))))",
        ),
        dies="one value per ballot",
        why="A client begins again with a ballot that it has used.",
        disks=2,
        phase1=1,
        crashes=1,
    ),
    on_disks(
        "a former life ignored",
        BLOCKS,
        (LOOKED, "if who != mine"),
        dies="decided is chosen",
        why="A late write shows a higher promise of my own, and I go on below it.",
        clients=1,
        rounds=2,
        crashes=1,
    ),
    on_disks(
        "quorums of disks that miss each other",
        "protocol.quorum:Flexible",
        ("if self.phase1 + self.phase2 <= self.of:", "if False:"),
        why="Phase 1 reads only a disk on which nobody has voted.",
        phase1=1,
    ),
)
