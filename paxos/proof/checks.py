"""The checks of an inductive proof, as formulas; and their answers, for people and for programs."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from operator import and_
from typing import Literal

from . import disk, passive, static
from .model import Action, Claim, Finite, Model, Reading, Thing, Truth, choices, names

Verdict = Literal["proved", "refuted", "unknown"]
When = str  # "start", the name of an action, "always", or "possible"
MODELS = {"static": static.MODEL, "disk": disk.MODEL, "passive": passive.MODEL}
MARKS = {"proved": "✓", "refuted": "✗", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Check:
    """A question and its answer; `example`, in words, is what refutes it, or makes it possible."""

    when: When
    claim: str
    verdict: Verdict
    seconds: float
    example: tuple[str, ...] = ()


def questions(model: Model) -> Iterator[tuple[When, Claim]]:
    """Initiation, consecution of each invariant by each action, safety; and that all can happen."""
    for when in ("start", *(action.name for action in model.actions)):
        yield from ((when, claim) for claim in model.invariants)
    yield from (("always", goal) for goal in model.safety)
    yield from (("possible", action.guard) for action in model.actions)
    yield from (("possible", claim) for claim in model.possible)


def formula(
    model: Model, when: When, claim: Claim, w: Reading, supposed: Iterable[Claim] | None = None
) -> Truth:
    """What only a counterexample makes true; if it should be possible, what only an example does.

    `supposed`: what is true before; None: all axioms and invariants.
    """
    if when == "start":  # nothing has happened, and the claim is false
        nothing = w.no(w.same(w.none, w.none))
        return w.no(always(claim, replace(w, holds=lambda *_: nothing)))
    held = (*model.axioms, *model.invariants) if supposed is None else supposed
    known = reduce(and_, [always(it, w) for it in held])
    if when == "always":  # the invariant holds, and what it is for does not
        return known & w.no(always(claim, w))
    if when == "possible":  # the invariant holds, and this may happen
        return known & w.some(partial(claim, w), names(claim))
    action = model.named(when)
    return known & w.some(partial(breaks, action, claim, w), action.letters)


def always(claim: Claim, w: Reading) -> Truth:
    """The claim about all things."""
    about = names(claim)
    return w.every(partial(claim, w), about) if about else claim(w)


def breaks(action: Action, claim: Claim, w: Reading, *things: Thing) -> Truth:
    """The action may happen, and after it the claim is false."""
    return action.guard(w, *things) & w.no(always(claim, action.after(w, *things)))


def verdict(checks: Iterable[Check]) -> Verdict:
    """Of all together: one refutation refutes, and with one unknown nothing is proved."""
    found = {check.verdict for check in checks}
    return "refuted" if "refuted" in found else "proved" if found == {"proved"} else "unknown"


def table(checks: Iterable[Check], times: bool = True) -> str:
    """The answers: a row for each invariant, a column for each action; in milliseconds."""
    cells: dict[str, dict[str, str]] = {}
    for it in checks:
        time = f"{1000 * it.seconds:.0f} " if times else ""
        cells.setdefault(it.claim, {})[it.when] = time + MARKS[it.verdict]
    columns = list(next(iter(cells.values())))
    lines = [" " * 12 + "".join(f"{when:>9}" for when in columns)]
    for claim in (claim for claim, its in cells.items() if "start" in its):
        lines.append(f"{claim:<12}" + "".join(f"{cells[claim][it]:>9}" for it in columns))
    for when, title in (("always", "so, always"), ("possible", "possible")):
        its = (f"{claim} {them[when]}" for claim, them in cells.items() if when in them)
        lines.append(f"{title}: {', '.join(its)}")
    unit = "; milliseconds" if times else ""
    lines.append(", ".join(f"{mark} {it}" for it, mark in MARKS.items()) + unit)
    return "\n".join(lines)


def report(model: Model, checks: list[Check], times: bool = True) -> str:
    """The table, every refutation in words, and the verdict."""
    lines = [table(checks, times)]
    for it in (it for it in checks if it.verdict == "refuted"):
        lines.append(f"\n{it.claim}, {it.when}: refuted")
        lines += (f"  {line}" for line in it.example)
    result = verdict(checks)
    size = f", for any number of {model.scope}" if result == "proved" else ""
    count = sum(it.verdict == result for it in checks)
    time = f", in {sum(it.seconds for it in checks):.1f} s" if times else ""
    lines.append(f"\n{result}{size}: {count} of {len(checks)} checks{time}")
    if result == "unknown":
        lines.append("Unknown is no proof. More time may help: --timeout")
    return "\n".join(lines)


def as_json(checks: list[Check]) -> str:
    """All of it, for programs."""
    whole = {"verdict": verdict(checks), "seconds": sum(it.seconds for it in checks)}
    return json.dumps({**whole, "checks": [asdict(it) for it in checks]}, ensure_ascii=False)


def worth(w: Finite, relation: str, *things: Thing) -> bool:
    """Is the fact worth telling? That everybody has left no ballot at all is not."""
    if relation == "kin":  # the other way round is enough
        return bool(things[0] < things[1])
    return (relation, things[1:]) != ("left", (w.none,))


def tell(
    model: Model, when: When, claim: Claim, w: Finite, facts: Iterable[tuple[Thing, ...]]
) -> tuple[str, ...]:
    """An example in words: what is true, what happens then, what is false after it."""
    lines = [
        f"enough to {does}: {' and '.join(sorted(quorum))}"
        for kind, does in (("promisers", "promise"), ("voters", "vote"), ("returners", "come back"))
        for quorum in w.domain[kind]
    ]
    lines += [model.say(*fact) for fact in facts if worth(w, *fact)]
    if when not in ("start", "always", "possible"):
        action = model.named(when)
        wrong = (it for it in choices(w.domain, action.letters) if breaks(action, claim, w, *it))
        given = dict(zip(action.letters, next(wrong), strict=True))
        adds = [(name, it) for name, it in action.adds.items() if name != "left"]
        said = [model.say(name, *(given[letter] for letter in it)) for name, it in adds]
        lines.append(f"then {when}: {' and '.join(said)}")
    return (*lines, *(() if when == "possible" else (f"now false: {claim.__doc__}",)))
