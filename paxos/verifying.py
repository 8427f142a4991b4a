"""Is a trace a run of the protocol? Each record is held against the rules, one after the other.

Nothing is believed: not the states, which are folded again, and not the effects. What is believed is only
which events happened, and in which order; and of an entry that none of these nodes asked for, that it
landed in a list.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

from .protocol import safety
from .protocol.ballot import NO_BALLOT
from .protocol.events import Answer, Decide, Propose, Save, Send, Timeout, Wait
from .protocol.kinds import PROTOCOLS, cast, voted
from .protocol.lists import Amiss, List, View, read
from .protocol.messages import Accept, Append, Command
from .trace import NOTHING, Crash, Lost, Open, Record, Sent, Step, Trace, bare, identity


class NotARun(Exception):
    """What is wrong, with the number of the record and what would have been right."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run amounts to."""

    records: int
    nodes: Counter[str]  # by role
    decided: int  # commands, or slots where there is no log
    unseen: int = 0  # appends by somebody who left no trace

    def __str__(self) -> str:
        said = [plural(self.records, "record")]
        said += [plural(many, role) for role, many in self.nodes.items()]
        said += [f"{self.decided:,} decided {'entry' if self.decided == 1 else 'entries'}"]
        if self.unseen:
            said.append(f"{plural(self.unseen, 'append')} by others")
        return ", ".join(said)


@dataclass
class Node:
    """A node on the way."""

    role: str
    state: Any = None
    saved: Any = None
    up: bool = False
    stops: bool = False  # its last step was cut short
    timer: Any = None  # of the last wait
    view: View | None = None  # of a list: how a reader folds it


class Verifier:
    """A trace, as far as it has been held against the rules."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.kind = trace, PROTOCOLS[trace.header.protocol]
        self.nodes = {name: Node(role) for name, role in trace.header.nodes}
        self.sent: dict[int, tuple[str, Sent]] = {}
        self.used: set[str] = set()  # identities
        self.history = History(trace, self.kind.many)
        self.unseen = 0

    def run(self) -> Found:
        """Raises NotARun."""
        for number, record in enumerate(self.trace.records, 1):
            try:
                self.take(record)
            except AssertionError as error:
                raise NotARun(f"record {number}: {error}") from None
        if wrong := self.history.broken():
            raise NotARun(
                f"all {len(self.trace.records)} records are steps of the rules, but {wrong}"
            )
        roles = Counter(role for _, role in self.trace.header.nodes)
        return Found(len(self.trace.records), roles, self.history.decisions(), self.unseen)

    def take(self, record: Record) -> None:
        """One record. Raises AssertionError where it is not what the rules say."""
        for name, one in self.nodes.items():
            stopped = not one.stops or (isinstance(record, Crash) and record.node == name)
            assert stopped, f"{name} was cut short in its step before; right would be its Crash"
        match record:
            case Open():
                self.open(record)
            case Step():
                self.step(record)
            case Crash(node=name):
                node = self.nodes[name]
                assert node.up, f"{name} crashes, and is down already"
                node.up = node.stops = False
            case Lost(id=id):
                assert id in self.sent, f"message {id} is lost, and nobody sent it"

    # Who opens.

    def open(self, record: Open) -> None:
        """In the state that the rules begin with, or with what was saved; and never as before."""
        name, node, state = record.node, self.nodes[record.node], record.state
        assert not node.up, f"{name} opens, and is up already"
        who = identity(state)
        if who is not None and node.role not in self.kind.named:
            assert who not in self.used, (
                f"{name} opens with an identity that was used before: {who}"
            )
            self.used.add(who)
        right = node.saved if node.saved is not None else self.fresh(node.role, name, state)
        what = "what it saved" if node.saved is not None else "as one that knows nothing"
        assert state == right, f"{name} must open {what}: {brief(right)}"
        if node.saved is None and isinstance(state, List):
            blank = View(state.things[0], self.kind.memory())
            node.saved, (node.view, _) = state, read(blank, 0, state.things)
        node.state, node.up, node.timer = state, True, None

    def fresh(self, role: str, name: str, state: Any) -> Any:
        """The state in which this role opens. A log has a name of its own, and a client its ways."""
        names = tuple(self.trace.of(self.kind.remembers))
        who = name if role in self.kind.named else identity(state) or name
        right = self.kind.start(role, who, self.trace.header.quorums, names)
        if isinstance(state, List):
            its = next(iter(state.things), None)
            first = alike(right.things[0], its)
            return List((first, *right.things[1:]))
        if hasattr(state, "views"):
            theirs = dict(state.views)
            views = tuple(
                (one, replace(view, genesis=alike(view.genesis, theirs[one].genesis)))
                for one, view in right.views
                if one in theirs
            )
            return replace(right, views=views, told=state.told, conditional=state.conditional)
        return right

    # What happens.

    def step(self, record: Step) -> None:
        """An event that may happen, and what the rules make of it: nothing else was done."""
        name, node, event = record.node, self.nodes[record.node], record.event
        assert node.up, f"{name} is down, and does something"
        sender = self.received(record, node)
        if isinstance(event, Timeout):
            waits = (node.timer, NO_BALLOT) if node.role == "client" else (node.timer,)
            assert event.timer in waits, f"{name} asked to be woken with {node.timer}"
        try:
            state, effects = self.kind.steps[node.role](node.state, event)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise AssertionError(f"no rule of {name} is for {brief(event)}: {error}") from None
        self.compare(record, state, effects)
        done = effects[: record.done]
        said = [one for each in done if isinstance(each, Send) for one in self.to(each, sender)]
        sent = [(one.to, one.message) for one in record.sent]
        assert said == sent, f"{name} sent {brief(sent)}; its effects say {brief(said)}"
        for one in record.sent:
            assert one.id not in self.sent, f"message {one.id} was sent before"
            self.sent[one.id] = name, one
        self.after(record, node, state, effects)

    def compare(self, record: Step, state: Any, effects: tuple[Any, ...]) -> None:
        """Is what the node did what the rules say?"""
        name, right = record.node, effects
        if NOTHING in record.effects:
            right = tuple(NOTHING if isinstance(one, Save) else one for one in effects)
        for number, (mine, its) in enumerate(zip(record.effects, right, strict=False), 1):
            assert mine == its, f"effect {number} of {name} is {brief(mine)}; right is {brief(its)}"
        many, due = len(record.effects), len(right)
        odd = brief((record.effects if many > due else right)[min(many, due) :])
        assert many >= due, f"{name} did not do {odd}"
        assert many <= due, f"{name} did {odd}, and no rule says so"
        assert 0 <= record.done <= due, f"{name} did {record.done} of {due} effects"
        right_state = record.state is None or record.state == state
        assert right_state, f"{name} is in {brief(record.state)}; right is {brief(state)}"

    def received(self, record: Step, node: Node) -> str | None:
        """From whom the event came. What arrives was sent, to this node."""
        event, name = record.event, record.node
        if record.received is None:
            from_others = (Append,) if node.role == "list" else (Propose, Timeout)
            heard = isinstance(event, Answer) or node.role == self.kind.remembers
            assert not heard or isinstance(event, from_others), (
                f"nobody sent {brief(event)} to {name}"
            )
            self.unseen += isinstance(event, Append)
            return None
        assert record.received in self.sent, (
            f"{name} hears message {record.received} before it is sent"
        )
        sender, one = self.sent[record.received]
        assert one.to == name, f"{name} hears what was sent to {one.to}"
        request = event.request if isinstance(event, Amiss) else event
        remembers = node.role == self.kind.remembers
        right = one.message if remembers else Answer(sender, one.message)
        assert request == right, (
            f"{name} hears {brief(request)}; {sender} sent {brief(one.message)}"
        )
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

    def after(self, record: Step, node: Node, state: Any, effects: tuple[Any, ...]) -> None:
        """Note what came of it. Of a step that a crash cut short, what was saved stays."""
        done, node.stops = effects[: record.done], record.done < len(effects)
        for effect in done:
            match effect:
                case Save(saved):
                    node.saved = saved
                case Wait(_, timer):
                    node.timer = timer
                case Decide(ballot, value):
                    slot, plain = bare(value)
                    self.history.decided[slot].add(Accept(ballot, plain))
        grown = state != node.state
        node.state, history = state, self.history
        if isinstance(record.event, Propose):
            history.wished.add(record.event.value)
        history.wished.update(getattr(getattr(state, "member", state), "pending", ()))
        if node.role != self.kind.remembers or (node.stops and node.saved != state):
            return
        said = [one.message for one in effects if isinstance(one, Send)]
        votes = list(cast(state, record.event, said)) if node.view is None else []
        if node.view is not None and isinstance(record.event, Append) and grown:
            votes = self.landed(node, record)
        for slot, vote in votes:
            history.votes[slot].add((record.node, vote))

    def landed(self, node: Node, record: Step) -> list[Any]:
        """What a new entry in a list amounts to: perhaps a vote."""
        assert node.view is not None
        entry = record.event.entry
        node.view, replies = read(node.view, node.view.end, (entry,))
        content = getattr(entry, "content", None)
        if record.received is None and getattr(entry, "author", None) not in self.used:
            value = bare(content)[1]
            mine = value.value if isinstance(value, Accept) else (value,)
            of_others = mine if isinstance(mine, tuple) else (mine,)
            self.history.wished.update(of_others)
        return list(voted(content, replies or []))


class History:
    """What was wished, voted for and decided, by slot."""

    def __init__(self, trace: Trace, many: bool) -> None:
        self.quorums, self.many = trace.header.quorums, many
        self.wished: set[Any] = set()
        self.votes: dict[int | None, set[tuple[str, Accept]]] = defaultdict(set)
        self.decided: dict[int | None, set[Accept]] = defaultdict(set)

    def of(self, slot: int | None) -> safety.History:
        votes = tuple(self.votes[slot])
        wishes = tuple(self.wished)
        if self.many:  # a batch of wishes is a wish, and so is the empty one
            wishes = tuple(vote.value for _, vote in votes if self.wished.issuperset(vote.value))
        return safety.History(self.quorums, wishes, votes, tuple(self.decided[slot]))

    def slots(self) -> list[Any]:
        known = self.votes.keys() | self.decided.keys()
        return sorted(known, key=lambda slot: -1 if slot is None else slot)

    def broken(self) -> str:
        """What dies first, in words; nothing in a run of the rules."""
        for slot in self.slots():
            if names := safety.broken(self.of(slot)):
                where = "" if slot is None else f" in slot {slot}"
                return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} broken{where}"
        return ""

    def decisions(self) -> int:
        """How many entries were chosen."""
        values = [one.value for slot in self.slots() for one in safety.chosen(self.of(slot))]
        if not self.many:
            return len(set(values))
        return len({one for value in values for one in value if isinstance(one, Command)})


def alike(right: Any, its: Any) -> Any:
    """The genesis that is right, of the log and with the limit that this one has."""
    return replace(right, log=getattr(its, "log", ""), limit=getattr(its, "limit", 0))


def plural(many: int, what: str) -> str:
    """So many of these."""
    return f"{many:,} {what}" + "s" * (many != 1)


def brief(thing: Any) -> str:
    """Something in few words."""
    if isinstance(thing, tuple | list):
        few = ", ".join(map(brief, thing[:2])) or "nothing"
        return few + f" and {len(thing) - 2} more" * (len(thing) > 2)
    shown = repr(thing)
    return shown if len(shown) <= 160 else shown[:157] + "..."


def verify(trace: Trace) -> Found:
    """Hold a trace against the rules. Raises NotARun where it is not a run of them."""
    return Verifier(trace).run()
