"""What many runs tell together: who did what how often, and what came of what."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..protocol.events import Propose, Send, Timeout, Wait
from ..trace import Trace
from .cases import Back, Case, Seen, event_name, phase, watch, watched


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """What a role did, and how often."""

    case: Case
    event: str
    before: str  # the phase
    effects: tuple[str, ...]
    after: str
    changed: bool  # did the state change at all?
    count: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A kind of message that a case sends to a role."""

    case: Case
    kind: str
    role: str
    again: bool  # sent because a user asked again after a crash


@dataclass
class Story:
    """All that the runs tell: the table, and what came of what. Each arrow is one of these."""

    taken: Counter[Transition] = field(default_factory=Counter)
    done: Counter[tuple[Case, str]] = field(default_factory=Counter)  # effects, if no crash came
    sends: dict[Message, int] = field(default_factory=dict)  # -> most at once
    heard: Counter[tuple[Message, Case]] = field(default_factory=Counter)  # it arrived: the answer
    then: Counter[tuple[Case, Case]] = field(default_factory=Counter)  # one after the other
    waits: Counter[tuple[Case, str, Case]] = field(default_factory=Counter)  # asked, why, was over
    again: set[Case] = field(default_factory=set)  # asked again, first thing after a crash
    backs: Counter[Back] = field(default_factory=Counter)
    runs: int = 0

    @property
    def steps(self) -> int:
        return self.taken.total()

    def idle(self) -> Counter[Case]:
        """Steps of the cases that never have an effect and never change anything."""
        busy = {one.case for one in self.taken if one.effects or one.changed}
        found: Counter[Case] = Counter()
        for one, count in self.taken.items():
            if one.case not in busy:
                found[one.case] += count
        return found

    def drawn(self) -> list[Case]:
        idle = self.idle()
        return sorted({one.case for one in self.taken} - idle.keys())

    def of(self, case: Case) -> list[Transition]:
        return [one for one in self.taken if one.case == case]

    def events(self, case: Case) -> list[str]:
        return sorted({one.event for one in self.of(case)})

    def does(self, case: Case) -> tuple[str, ...]:
        """The effects of a case, in order (the longest list, if they differ)."""
        return max((one.effects for one in self.of(case)), key=lambda them: (len(them), them))

    def counts(self, case: Case) -> bool:
        """Does it only count, and leave the phase as it was?"""
        return all(not one.effects and one.before == one.after for one in self.of(case))

    def keeps(self, role: str) -> str:
        """What a role comes back with after a crash; nothing, if there was nothing yet to keep."""
        found = {back.keeps for back in self.backs if back.role == role}
        return min(found - {"nothing"}, default="nothing" if found else "")

    def retries(self, case: Case) -> bool:
        """Does it belong to the second figure: a wait that is over, or a request refused?"""
        sent = {effect for effect in self.does(case) if effect.startswith("Send")}
        return sent == {"Send Refused"} or set(self.events(case)) <= {"Timeout", "Refused"}

    def arrived(self, case: Case, again: bool = False) -> dict[tuple[str, str], int]:
        """(role, kind) of what a case sent and another one answered -> how many at once.

        `again`: only what was sent because a user asked again after a crash.
        """
        found: dict[tuple[str, str], int] = {}
        for it in self._answered():
            if it.case == case and it.again >= again:
                found[it.role, it.kind] = max(self.sends[it], found.get((it.role, it.kind), 0))
        return dict(sorted(found.items()))

    def rejoins(self, role: str, kind: str) -> bool:
        """Did such a message come from the second figure?"""
        return any(
            (it.role, it.kind) == (role, kind) and (it.again or self.retries(it.case))
            for it in self._answered()
        )

    def _answered(self) -> set[Message]:
        shown = self.drawn()
        return {it for it, answer in self.heard if answer in shown}


def read(traces: Iterable[Trace]) -> Story:
    """Run every trace again and add up."""
    story, rules = Story(), watched()
    for trace in traces:
        story.runs += 1
        run = _Run(story, trace)
        for one in watch(trace, rules):
            if isinstance(one, Back):
                story.backs[one] += 1
                run.back(one.node)
            else:
                _add(story, one)
                run.follow(one)
    return story


def _add(story: Story, one: Seen) -> None:
    step = one.step
    effects = tuple(map(_told, step.effects))
    before, after = phase(one.before), phase(step.state)
    changed = step.state != one.before
    story.taken[Transition(one.case, one.event, before, effects, after, changed)] += 1
    story.done.update((one.case, effect) for effect in effects[: step.done])


class _Run:
    """What each node of one run did last, to tell what came of it."""

    def __init__(self, story: Story, trace: Trace) -> None:
        self.story, self.trace = story, trace
        self.last: dict[str, Case] = {}
        self.wait: dict[str, tuple[Case, str]] = {}  # who asked to wait, and what for
        self.returned: set[str] = set()  # and did nothing since
        self.sent: dict[int, Message] = {}

    def back(self, node: str) -> None:
        self.last.pop(node, None)
        self.wait.pop(node, None)
        self.returned.add(node)

    def follow(self, one: Seen) -> None:
        story, step, node = self.story, one.step, one.step.node
        if step.received in self.sent:
            story.heard[self.sent[step.received], one.case] += 1
        if not one.busy:
            return
        again = node in self.returned and one.event == Propose.__name__
        if again:
            story.again.add(one.case)
        if node in self.last:
            story.then[self.last[node], one.case] += 1
        if one.event == Timeout.__name__ and node in self.wait:
            story.waits[*self.wait[node], one.case] += 1
        self.last[node] = one.case
        self.returned.discard(node)
        for effect in step.effects[: step.done]:
            if isinstance(effect, Wait):
                self.wait[node] = one.case, effect.why
        self.note_sent(one, again)

    def note_sent(self, one: Seen, again: bool) -> None:
        kinds = {
            it.id: Message(one.case, event_name(it.message), self.trace.role(it.to), again)
            for it in one.step.sent
        }
        self.sent |= kinds
        for kind, many in Counter(kinds.values()).items():
            self.story.sends[kind] = max(many, self.story.sends.get(kind, 0))


def _told(effect: object) -> str:
    """An effect in a word or two."""
    match effect:
        case Send(_, message):
            return f"Send {type(message).__name__}"
        case Wait(why):
            return f"Wait {why}"
    return type(effect).__name__
