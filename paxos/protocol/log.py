"""Many decisions: one ballot for all slots of a log.

While it stands, phase 2 is enough ("Paxos Made Simple", section 3). No rule is new:
`proposer.step` counts promises, `acceptor.step` votes, `learner.step` counts votes, and
each slot must be asked for its `binding_value`.
"""

from dataclasses import dataclass, replace
from itertools import islice

from . import learner, proposer
from .ballot import Ballot
from .events import Answer, Decide, Effect, Propose, Send, Timeout, Wait
from .learner import Learner
from .messages import Accept, Command, InSlot, Promise, Promises, Refused
from .proposer import Proposer, binding_value
from .quorum import Flexible
from .votes import Slots, Votes, around, in_order, vote

Batch = tuple[Command, ...]
NOOP: Batch = ()
BATCH, WINDOW = 16, 4  # commands in a slot; slots asked for and not known to be decided


@dataclass(frozen=True, slots=True)
class Writer:
    """A client of a log. It leads when it has something to say; it listens always."""

    proposer: Proposer  # in its phase "decide" its ballot holds for every slot
    log: tuple[Batch, ...] = ()  # what was decided, up to the first gap
    learners: tuple[tuple[int, Learner], ...] = ()  # of slots above
    pending: tuple[Command, ...] = ()  # ours, not known to be in the log; oldest first
    count: int = 0  # our commands so far
    votes: Slots = ()  # all that promises for our ballot have reported
    asked: Slots = ()  # what we ask for in our ballot, until it is decided
    free: int = 0  # the first slot that we have asked nothing for in our ballot

    @property
    def ballot(self) -> Ballot:
        return self.proposer.ballot

    @property
    def busy(self) -> bool:
        return bool(self.pending)

    settled = False  # there is always more to learn

    @property
    def leads(self) -> bool:
        return self.proposer.phase == "decide"


Result = tuple[Writer, tuple[Effect, ...]]


def step(w: Writer, event: Propose | Answer | Timeout) -> Result:
    """Commands wait their turn; one phase 1 serves them all."""
    match event:
        case Propose(text):
            command = Command(w.proposer.identity, w.count, str(text))
            now = replace(w, pending=(*w.pending, command), count=w.count + 1)
            if w.leads:
                return ask(now, {})
            first = Propose(None) if w.proposer.phase == "idle" else Timeout(w.ballot)
            return (now, ()) if w.busy else led(now, first)

        case Answer(who, InSlot(_, Promises(b, votes))) if (
            b == w.ballot and not w.leads
        ):
            known = sorted({*w.votes, *votes}, key=lambda its: (its[0], its[1].ballot))
            return led(replace(w, votes=tuple(known)), Answer(who, Promise(b, None)))

        case Answer(who, InSlot(_, Refused() as no) | (Refused() as no)):
            return led(w, Answer(who, no))

        case Answer(who, InSlot(slot, heard)) if slot >= len(w.log):
            return learn(w, slot, Answer(who, heard))

        case Timeout() if w.pending or w.asked:
            return led(w, event)
    return w, ()


def led(w: Writer, event: Propose | Answer | Timeout) -> Result:
    """What the proposer does that leads, for every slot after our log at once."""
    lead, effects = proposer.step(w.proposer, event)
    if lead.phase == "decide" != w.proposer.phase:
        return take_over(replace(w, proposer=lead))
    if lead.ballot != w.ballot:
        w = replace(w, votes=(), asked=())
    w = replace(w, proposer=lead)
    ours = (one.message for one in effects if isinstance(one, Send))
    waits = (one for one in effects if isinstance(one, Wait))
    return w, (*(Send("acceptors", InSlot(len(w.log), one)) for one in ours), *waits)


def take_over(w: Writer) -> Result:
    """Ask for whatever may be chosen, in each slot; for a no-op where nothing can be.

    A gap would stop the log for ever. A no-op over a vote would undo a decision.
    """
    end = max((slot + 1 for slot, _ in w.votes), default=0)
    bound = {}
    for slot in range(len(w.log), end):
        value = binding_value((its for n, its in w.votes if n == slot), NOOP)
        bound[slot] = Accept(w.ballot, value)
    return ask(replace(w, votes=(), free=max(end, len(w.log))), bound)


def ask(w: Writer, bound: dict[int, Accept]) -> Result:
    """Ask for votes: for what binds us, and for what waits, as far as the window goes."""
    free, new = max(w.free, len(w.log)), dict(bound)
    known = (its.chosen for _, its in w.learners if its.chosen)  # above a gap
    values = (*dict(w.asked).values(), *new.values(), *known)
    sure = {one for its in values for one in its.value}
    waiting = iter([one for one in w.pending if one not in sure] if w.leads else [])
    while free < len(w.log) + WINDOW and (batch := tuple(islice(waiting, BATCH))):
        new[free] = Accept(w.ballot, batch)
        free += 1
    w = replace(w, asked=in_order({**dict(w.asked), **new}), free=free)
    sends = [Send("acceptors", InSlot(slot, its)) for slot, its in new.items()]
    wait = Wait("rival" if w.proposer.waits else "answers", w.ballot)
    return w, (*sends, *([wait] if w.asked or w.pending else []))


def learn(w: Writer, slot: int, answer: Answer) -> Result:
    """Count a vote in one slot. Whatever is decided makes room for what waits."""
    below, known, above = around(w.learners, slot)
    mine, news = learner.step(known or Learner(w.proposer.quorums), answer)
    learners, log = (*below, (slot, mine), *above), w.log
    if not (news and mine.chosen):
        return replace(w, learners=learners), ()
    while learners and learners[0][0] == len(log) and learners[0][1].chosen:
        log = (*log, learners[0][1].chosen.value)
        learners = learners[1:]
    # What is decided above a gap is not in the log: who stops there may wait for ever.
    entered = {one for batch in log[len(w.log) :] for one in batch}
    pending = tuple(one for one in w.pending if one not in entered)
    asked = tuple(its for its in w.asked if its[0] != slot)
    w = replace(w, log=log, learners=learners, pending=pending, asked=asked)
    w, more = ask(w, {})
    return w, (Decide(mine.chosen.ballot, InSlot(slot, mine.chosen.value)), *more)


STEPS = {"proposer": step, "acceptor": vote, "learner": step}


def start(role: str, identity: str, quorums: Flexible, *_: object) -> Votes | Writer:
    """The state in which a role opens. A learner is a writer with nothing to say."""
    return Votes() if role == "acceptor" else Writer(Proposer(identity, quorums))
