"""Is a step of the running code an action of the model?

An eye that sees everything writes down what was ever said and done, before and after each step.
Either nothing changed, or some action's guard holds before and its effect leads exactly to what is
there after. Guard and effect are the same text that the solver reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

from ..protocol.ballot import NO_BALLOT, Ballot
from ..protocol.messages import Accept, Promise, Value
from ..protocol.quorum import Flexible
from . import static
from .model import SORTS, Action, Domain, Finite, Thing, pattern

Facts = Mapping[str, frozenset[tuple[Thing, ...]]]  # by relation


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was ever sent, saved or decided, and what the acceptors hold."""

    held: frozenset[tuple[str, Ballot]]  # (acceptor, its highest promise), each acceptor once
    asked: frozenset[tuple[Ballot, Value]] = frozenset()  # (prepared, its proposer's wish)
    promises: frozenset[tuple[str, Promise]] = frozenset()  # (acceptor, what it sent)
    proposed: frozenset[Accept] = frozenset()  # sent
    votes: frozenset[tuple[str, Accept]] = frozenset()  # (acceptor, what it saved)
    told: frozenset[tuple[str, Accept]] = frozenset()  # (acceptor, the vote that it told of)
    decided: frozenset[Accept] = frozenset()  # what a user was told


def recognise(before: Seen, after: Seen, quorums: Flexible) -> str | None:
    """The name of the action that leads from before to after, or "stutter"; None if none does.

    None, too, where a vote was told and not saved, for the model's learner reads votes; and for
    quorums that are not what the model takes for granted.
    """
    if before == after:
        return "stutter"
    if not after.told <= after.votes:
        return None
    enough = families(quorums, frozenset(who for who, _ in after.held))
    domain = {**there(facts(before), facts(after)), **enough}
    old, new = (left(facts(seen), domain) for seen in (before, after))
    if old == new:
        return "stutter"
    w = Finite(lambda name, *fact: fact in old[name], NO_BALLOT, domain=domain)
    for action in static.ACTIONS:
        if any(action.guard(w, *things) for things in leading(action, old, new, domain)):
            return action.name
    return None


@lru_cache
def families(quorums: Flexible, acceptors: frozenset[str]) -> Domain:
    """The smallest quorums of both phases; none at all if two of them can miss each other."""
    sizes = {"promisers": quorums.phase1, "voters": quorums.phase2}
    found = {sort: [*map(frozenset, combinations(acceptors, sizes[sort]))] for sort in sizes}
    good = static.quorums(Finite(lambda *_: False, NO_BALLOT, domain=found))
    return found if good else dict.fromkeys(sizes, ())


@lru_cache
def facts(seen: Seen) -> Facts:
    """What was seen, as relations; but of `left`, only the ballot below which all are left."""
    none = Accept(NO_BALLOT, None)
    reports = [(who, it.ballot, it.vote or none) for who, it in seen.promises]
    return {
        "asked": frozenset((ballot,) for ballot, _ in seen.asked),
        "wished": frozenset((wish,) for _, wish in seen.asked),
        "promised": frozenset((who, b, vote.ballot, vote.value) for who, b, vote in reports),
        "left": seen.held,
        "proposed": frozenset((it.ballot, it.value) for it in seen.proposed),
        "voted": frozenset((who, it.ballot, it.value) for who, it in seen.votes),
        "decided": frozenset((it.ballot, it.value) for it in seen.decided),
    }


def there(old: Facts, new: Facts) -> dict[str, set[Thing]]:
    """All the acceptors, ballots and values that the facts are about."""
    found: dict[str, set[Thing]] = {"acceptor": set(), "ballot": {NO_BALLOT}, "value": set()}
    for name, (letters, _) in static.RELATIONS.items():
        for fact in old[name] | new[name]:
            for letter, thing in zip(letters, fact, strict=True):
                found[SORTS[letter]].add(thing)
    return found


def left(known: Facts, domain: Domain) -> Facts:
    """The facts, with `left` told of each ballot there is."""
    every = product(known["left"], domain["ballot"])
    return {**known, "left": frozenset((who, c) for (who, b), c in every if c < b)}


def leading(action: Action, old: Facts, new: Facts, domain: Domain) -> Iterator[tuple[Thing, ...]]:
    """All that the action may be about if its effect leads exactly from old to new."""
    given = {letter: domain[SORTS[letter]] for letter in action.letters}
    for name in old:
        more = new[name] - old[name]
        if not old[name] <= new[name] or (more and name not in action.adds):
            return
        if more and "<" not in action.adds[name]:
            given |= dict(zip(action.adds[name], zip(*more, strict=True), strict=True))
    for things in product(*given.values()):
        named = dict(zip(given, things, strict=True))
        if all(
            old[name] | added(it, named, domain) == new[name] for name, it in action.adds.items()
        ):
            yield things


def added(how: str, named: Mapping[str, Thing], domain: Domain) -> set[tuple[Thing, ...]]:
    """What an effect adds: `abv` one fact, `a<b` one for each ballot below b."""
    columns = [
        [c for c in domain["ballot"] if c < named[it[1]]] if it[0] == "<" else [named[it]]
        for it in pattern(how)
    ]
    return set(product(*columns))
