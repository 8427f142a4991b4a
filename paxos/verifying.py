"""Is a trace a run of the protocol? Each record is held against the rules, one after the other.

Nothing is believed: not the states, which are folded again, and not the effects. What may be believed is
only which events happened, and in which order.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from .outcome import broken
from .protocol.events import Answer, Decide, Propose, Save, Send, Timeout, Wait
from .protocol.kinds import PROTOCOLS, voted
from .protocol.lists import Amiss, List, View, read
from .protocol.messages import Accept, Append, Command, InSlot
from .trace import Crash, Open, Sent, Step, Trace, identity, told


class NotARun(Exception):
    """What is wrong, with the number of the record and what would have been right."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"record {number}: {what}")


@dataclass(frozen=True, slots=True)
class Found:
    """What a run amounts to."""

    records: int
    nodes: int
    decided: int  # commands in the log, or 1
    unseen: int = 0  # appends by somebody who left no trace


@dataclass
class Node:
    """A node on the way."""

    role: str
    state: Any = None
    saved: Any = None
    up: bool = False
    timer: Any = None  # of the last wait
    view: View | None = None  # of a list: how a reader folds it


@dataclass
class Verifier:
    """A trace, as far as it has been held against the rules."""

    trace: Trace
    nodes: dict[str, Node] = field(default_factory=dict)
    sent: dict[int, tuple[str, Sent]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    wished: set[Any] = field(default_factory=set)
    votes: dict[Any, set[str]] = field(default_factory=lambda: defaultdict(set))
    chosen: dict[Any, Any] = field(default_factory=dict)  # slot -> value
    unseen: int = 0

    def run(self) -> Found:
        header = self.trace.header
        self.kind = PROTOCOLS[header.protocol]
        self.nodes = {name: Node(role) for name, role in header.nodes}
        for number, record in enumerate(self.trace.records, 1):
            try:
                match record:
                    case Open():
                        self.open(record)
                    case Step():
                        self.step(record)
                    case Crash(node=name):
                        self.nodes[name].up = False
            except AssertionError as error:
                raise NotARun(number, str(error)) from None
        if not self.lists and (names := broken(told(self.trace))):
            raise NotARun(len(self.trace.records), f"{', '.join(names)} is broken")
        log = {one for value in self.chosen.values() for one in value if isinstance(one, Command)}
        return Found(len(self.trace.records), len(self.nodes), len(log), self.unseen)

    # Who opens.

    def open(self, record: Open) -> None:
        """In the state that the rules begin with, or with what was saved; and never as before."""
        node, state = self.nodes[record.node], record.state
        who = identity(state)
        if who is not None and node.role not in self.kind.named:
            assert who not in self.used, f"{record.node} opens with an identity used before"
            self.used.add(who)
        fresh = node.saved if node.saved is not None else self.fresh(node.role, record.node, state)
        assert state == fresh, f"{record.node} does not open in the state that the rules begin with"
        node.state, node.up, node.timer = state, True, None
        if node.role == "list" and node.saved is None:
            node.saved, node.view = state, View(state.things[0], self.kind.memory())
            node.view, _ = read(node.view, 0, state.things)

    def fresh(self, role: str, name: str, state: Any) -> Any:
        """The state in which this role opens. A log has a name of its own, and a client its ways."""
        header = self.trace.header
        names = tuple(self.trace.of(self.kind.remembers))
        who = name if role in self.kind.named else identity(state) or name
        fresh = self.kind.start(role, who, header.quorums, names)
        if isinstance(state, List):
            first = state.things[0] if state.things else None
            assert getattr(first, "name", None) == name, f"{name} does not begin with its genesis"
            log, limit = getattr(first, "log", ""), getattr(first, "limit", 0)
            return List((replace(fresh.things[0], log=log, limit=limit),))
        if hasattr(state, "told"):
            views = tuple(
                (its, replace(view, genesis=replace(view.genesis, log=mine.log, limit=mine.limit)))
                for (its, view), mine in zip(
                    fresh.views, [one.genesis for _, one in state.views], strict=True
                )
            )
            return replace(fresh, views=views, told=state.told, conditional=state.conditional)
        return fresh

    # What happens.

    def step(self, record: Step) -> None:
        """An event that may happen, and what the rules make of it: nothing else was done."""
        node, event = self.nodes[record.node], record.event
        assert node.up, f"{record.node} is down, and does something"
        sender = self.received(record, node)
        if isinstance(event, Timeout):
            assert event.timer == node.timer, f"{record.node} did not ask to be woken so"
        if isinstance(event, Propose):
            self.wish(node, event.value)
        try:
            state, effects = self.kind.steps[node.role](node.state, event)
        except (ValueError, TypeError, AttributeError) as error:
            raise AssertionError(f"no rule of {record.node} is for this event: {error}") from None
        right = record.effects == effects and 0 <= record.done <= len(effects)
        assert right, f"{record.node} did {brief(record.effects)}; the rules say {brief(effects)}"
        assert record.state in (None, state), (
            f"{record.node} is not in the state that the rules say"
        )
        done = effects[: record.done]
        said = [one for each in done if isinstance(each, Send) for one in self.to(each, sender)]
        assert said == [(one.to, one.message) for one in record.sent], (
            f"{record.node} sent something else than its effects say"
        )
        for one in record.sent:
            assert one.id not in self.sent, f"message {one.id} was sent before"
            self.sent[one.id] = record.node, one
        self.after(record, node, state, done)

    def received(self, record: Step, node: Node) -> str | None:
        """From whom the event came. What arrives was sent, to this node."""
        event = record.event
        if record.received is None:
            asks = isinstance(event, Answer) or (node.role == self.kind.remembers != "list")
            assert not asks, f"{record.node} hears what nobody sent"
            assert not isinstance(event, Amiss), f"{record.node} serves what nobody asked"
            self.unseen += isinstance(event, Append)
            return None
        sender, one = self.sent[record.received]
        assert one.to == record.node, f"{record.node} hears what was sent to {one.to}"
        request = event.request if isinstance(event, Amiss) else event
        heard = one.message if node.role == self.kind.remembers else Answer(sender, one.message)
        assert request == heard, f"{record.node} hears something else than {sender} sent"
        return sender

    def to(self, effect: Send, sender: str | None) -> list[tuple[str, Any]]:
        """Whom a message goes to."""
        if effect.to == "sender":
            names = [sender] if sender else []
        elif effect.to in self.nodes:
            names = [effect.to]
        else:
            names = self.trace.of(effect.to.removesuffix("s"))
        return [(name, effect.message) for name in names]

    def after(self, record: Step, node: Node, state: Any, done: tuple[Any, ...]) -> None:
        """Note what came of it. Of a step that a crash cut short, what was saved stays."""
        node.state = state
        for effect in done:
            match effect:
                case Save(saved):
                    node.saved = saved
                case Wait(_, timer):
                    node.timer = timer
                case Decide(ballot, InSlot(slot, value)) if self.lists:
                    its = self.votes[slot, Accept(ballot, value)]
                    enough = self.trace.header.quorums.reached(2, its)
                    assert enough, f"{record.node} was told of slot {slot} what no quorum voted for"
        if node.view is not None and isinstance(record.event, Append):
            self.landed(record.node, node, record.event)

    @property
    def lists(self) -> bool:
        return self.kind.remembers == "list" and self.kind.many

    # What is chosen.

    def wish(self, node: Node, text: Any) -> None:
        """The command that a wish becomes."""
        member = getattr(node.state, "member", None)
        if self.lists and member is not None:
            number = member.count + len(node.state.wishes)
            self.wished.add(Command(member.proposer.identity, number, str(text)))

    def landed(self, name: str, node: Node, event: Append) -> None:
        """What a new entry in a list amounts to: perhaps a vote, and perhaps a decision."""
        assert node.view is not None
        node.view, replies = read(node.view, node.view.end, (event.entry,))
        content = getattr(event.entry, "content", None)
        for slot, vote in voted(content, replies or []) if self.lists else ():
            its = self.votes[slot, vote]
            its.add(name)
            if self.trace.header.quorums.reached(2, its):
                known = self.chosen.setdefault(slot, vote.value)
                assert known == vote.value, f"two values are chosen for slot {slot}"
                foreign = [one for one in vote.value if one not in self.wished]
                assert not foreign or self.unseen, f"{foreign[0]} is chosen, and nobody wished it"


def brief(effects: tuple[Any, ...]) -> str:
    """Effects in a few words."""
    found = Counter(type(getattr(one, "message", one)).__name__.lower() for one in effects)
    return ", ".join(f"{many} {what}" for what, many in found.items()) or "nothing"


def verify(trace: Trace) -> Found:
    """Hold a trace against the rules. Raises NotARun where it is not a run of them."""
    return Verifier(trace).run()
