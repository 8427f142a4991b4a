"""The checks of an inductive proof, as questions; and their answers, for people.

Each question is a formula that only a counterexample makes true; for what must be *possible*, only
an example.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from operator import and_
from typing import Literal

from . import static
from .model import Action, Finite, Reading, Thing, Truth, choices, names

Verdict = Literal["proved", "refuted", "unknown"]
Claim = Callable[..., Truth]
WHEN = ("start", *(action.name for action in static.ACTIONS))
MARKS = {"proved": "✓", "refuted": "✗", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Question:
    """Can `claim` be false: at the start, after an action, or although the invariant holds?

    Or, of what should be possible: can it happen where the invariant holds?
    """

    when: str  # "start", the name of an action, "always", or "possible"
    claim: Claim
    formula: Callable[[Reading], Truth]


@dataclass(frozen=True, slots=True)
class Check:
    """A question and its answer; `example`, in words, is what refutes it, or makes it possible."""

    when: str
    claim: str
    verdict: Verdict
    seconds: float
    example: tuple[str, ...] = ()


def questions() -> Iterator[Question]:
    """Initiation, consecution of each invariant by each action, safety; and that all can happen."""
    for claim in static.INVARIANTS:
        yield Question("start", claim, partial(at_start, claim))
    for action in static.ACTIONS:
        for claim in static.INVARIANTS:
            yield Question(action.name, claim, partial(in_step, action, claim))
    for goal in static.SAFETY:
        yield Question("always", goal, partial(in_state, goal))
    for event in (*(action.guard for action in static.ACTIONS), static.decision):
        yield Question("possible", event, partial(can_happen, event))


def always(w: Reading, claim: Claim) -> Truth:
    """The claim about all things."""
    return w.every(partial(claim, w), names(claim))


def assumed(w: Reading) -> Truth:
    """The axioms, and the invariant."""
    claims = [always(w, claim) for claim in static.INVARIANTS]
    return reduce(and_, claims, static.order(w) & static.quorums(w))


def at_start(claim: Claim, w: Reading) -> Truth:
    """Before anything has happened, the claim is false."""
    nothing = w.no(w.same(w.none, w.none))
    return w.no(always(replace(w, holds=lambda *_: nothing), claim))


def in_step(action: Action, claim: Claim, w: Reading) -> Truth:
    """The invariant holds; the action may happen, and after it the claim is false."""
    return assumed(w) & w.some(partial(breaks, action, claim, w), action.letters)


def breaks(action: Action, claim: Claim, w: Reading, *things: Thing) -> Truth:
    """The action may happen, and after it the claim is false."""
    return action.guard(w, *things) & w.no(always(action.after(w, *things), claim))


def in_state(goal: Claim, w: Reading) -> Truth:
    """The invariant holds, and what it is for does not."""
    return assumed(w) & w.no(always(w, goal))


def can_happen(event: Claim, w: Reading) -> Truth:
    """The invariant holds, and the event may happen."""
    return assumed(w) & w.some(partial(event, w), names(event))


def verdict(checks: Iterable[Check]) -> Verdict:
    """Of all together: one refutation refutes, and with one unknown nothing is proved."""
    found = {check.verdict for check in checks}
    return "refuted" if "refuted" in found else "proved" if found == {"proved"} else "unknown"


def table(checks: Iterable[Check], times: bool = True) -> str:
    """The answers: a row for each invariant, a column for each action; in milliseconds."""
    cells: dict[str, dict[str, str]] = {}
    for it in checks:
        time = f"{1000 * it.seconds:.0f} " if times else ""
        cells.setdefault(it.when, {})[it.claim] = time + MARKS[it.verdict]
    lines = [" " * 12 + "".join(f"{when:>9}" for when in WHEN)]
    for claim in cells["start"]:
        lines.append(f"{claim:<12}" + "".join(f"{cells[when][claim]:>9}" for when in WHEN))
    for when, title in (("always", "so, always"), ("possible", "possible")):
        lines.append(f"{title}: " + ", ".join(f"{it} {cells[when][it]}" for it in cells[when]))
    unit = "; milliseconds" if times else ""
    lines.append(", ".join(f"{mark} {it}" for it, mark in MARKS.items()) + unit)
    return "\n".join(lines)


def report(checks: list[Check], times: bool = True) -> str:
    """The table, every refutation in words, and the verdict."""
    lines = [table(checks, times)]
    for it in checks:
        if it.verdict == "refuted":
            title = f"{it.claim}, {it.when}: refuted"
            lines += ["", title, *(f"  {line}" for line in it.example or ["no small example"])]
    result = verdict(checks)
    count = sum(it.verdict == result for it in checks)
    scope = ", for any number of acceptors, ballots and values" if result == "proved" else ""
    lines += ["", f"{result}{scope}: {count} of {len(checks)} checks"]
    if times:
        lines[-1] += f", in {sum(it.seconds for it in checks):.1f} s"
    if result == "unknown":
        lines.append("Unknown is no proof. More time may help: --timeout")
    return "\n".join(lines)


def as_json(checks: list[Check]) -> str:
    """All of it, for programs."""
    failed = {
        which: [f"{it.when}: {it.claim}" for it in checks if it.verdict == which]
        for which in ("refuted", "unknown")
    }
    seconds = sum(it.seconds for it in checks)
    whole = {"verdict": verdict(checks), "seconds": seconds, **failed}
    return json.dumps(whole | {"checks": [asdict(it) for it in checks]}, ensure_ascii=False)


def tell(question: Question, w: Finite, facts: Iterable[tuple[Thing, ...]]) -> tuple[str, ...]:
    """An example in words: what is true, what happens then, what is false after it."""
    lines = [
        f"enough to {does}: {' and '.join(sorted(quorum))}"
        for kind, does in (("promisers", "promise"), ("voters", "vote"))
        for quorum in w.domain[kind]
    ]
    lines += [static.say(*fact) for fact in facts if fact[:3:2] != ("left", w.none)]
    for action in static.ACTIONS:
        if action.name == question.when:
            wrong = partial(breaks, action, question.claim, w)
            things = next(it for it in choices(w.domain, action.letters) if wrong(*it))
            named = dict(zip(action.letters, things, strict=True))
            adds = {name: it for name, it in action.adds.items() if "<" not in it}
            said = [static.say(name, *(named[x] for x in it)) for name, it in adds.items()]
            lines.append(f"then {action.name}: {' and '.join(said)}")
            lines.append(f"now false: {question.claim.__doc__}")
    return tuple(lines)
