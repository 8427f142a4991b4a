"""Is a step of the running code an action of the model?

An eye that sees everything writes down what was ever said and done, before and after each step.
Either nothing changed, or some action's guard holds before and its effect leads exactly to what is
there after. Guard and effect are the same text that the solver reads.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations, product

from ..protocol.ballot import NO_BALLOT
from ..protocol.quorum import Flexible
from .model import SORTS, Action, Domain, Finite, Model, Thing

Things = tuple[Thing, ...]
#: What an eye that sees everything has noted: of each relation, all that holds. Of `left` only each
#: acceptor's highest promise: it has left every ballot below. And `told`, which no action adds to:
#: votes that were told and not saved. Whose a ballot is (`kin`) stands in the ballot.
Seen = Mapping[str, frozenset[Things]]


def nothing(model: Model, acceptors: Iterable[str]) -> Seen:
    """Where induction starts: nothing was said, and nobody has left a ballot."""
    held = frozenset((name, NO_BALLOT) for name in acceptors)
    return {**dict.fromkeys((*model.relations, "told"), frozenset()), "left": held}


def recognise(model: Model, before: Seen, after: Seen, quorums: Flexible) -> str | None:
    """The name of the action that leads from before to after, or "stutter"; None if none does.

    None, too, where ballots or quorums are not what the model takes for granted.
    """
    if before == after:
        return "stutter"
    found = there(model, before, after)
    domain = {**found, **enough(model, quorums, frozenset(found["acceptor"]))}
    old, new = (spelt_out(facts, domain) for facts in (before, after))
    w = Finite(lambda name, *fact: fact in old[name], NO_BALLOT, domain=domain)
    for action in model.actions if min(found["ballot"]) == NO_BALLOT else ():
        for things in candidates(action, old, new, domain):
            adds = effect(action, domain, things)
            exact = all(old[name] | adds[name] == new[name] for name in adds)
            if exact and action.guard(w, *things):
                return action.name
    return None


def there(model: Model, before: Seen, after: Seen) -> dict[str, set[Thing]]:
    """All the acceptors, ballots, values and places that the facts are about."""
    found: dict[str, set[Thing]] = {sort: set() for sort in SORTS.values()}
    found["ballot"].add(NO_BALLOT)
    for name, (letters, _) in model.relations.items():
        for fact in before[name] | after[name]:
            for letter, thing in zip(letters, fact, strict=True):
                found[SORTS[letter]].add(thing)
    return found


@lru_cache
def enough(model: Model, quorums: Flexible, acceptors: frozenset[Thing]) -> Domain:
    """The smallest quorums of every kind; none at all where an axiom is not true of them."""
    one, two = quorums.phase1, quorums.phase2
    sizes = {"promisers": one, "voters": two, "returners": quorums.of + 1 - min(one, two)}
    them: Domain = {sort: [*map(frozenset, combinations(acceptors, sizes[sort]))] for sort in sizes}
    about: Domain = {"ballot": [NO_BALLOT], "place": [], **them}
    w = Finite(lambda *_: False, NO_BALLOT, domain=about)
    return them if all(axiom(w) for axiom in model.axioms) else dict.fromkeys(sizes, ())


def spelt_out(facts: Seen, domain: Domain) -> Seen:
    """The facts, with `left` told of each ballot there is, and whose each is."""
    over = [b for (b,) in facts.get("over", ())]
    every = product(facts["left"], domain["ballot"])
    left = {(who, b) for (who, top), b in every if b < top or b in over}
    for who, b, c, _ in facts["promised"]:
        left |= {(who, d) for d in domain["ballot"] if c < d < b}
    pairs = product(domain["ballot"], repeat=2)
    kin = frozenset((b, c) for b, c in pairs if b != c and b.proposer == c.proposer)
    return {**facts, "left": frozenset(left), "kin": kin}


def candidates(action: Action, old: Seen, new: Seen, domain: Domain) -> Iterable[Things]:
    """All that the action may be about, judged by the facts that are new."""
    given = {letter: domain[SORTS[letter]] for letter in action.letters}
    for name in old:
        more = new[name] - old[name]
        if not old[name] <= new[name] or (more and name not in action.adds):
            return ()
        if more and name != "left":
            given |= dict(zip(action.adds[name], zip(*more, strict=True), strict=True))
    return product(*given.values())


def effect(action: Action, domain: Domain, things: Things) -> Seen:
    """What the action adds: one fact; for `<b` and `*` one for each that is meant."""
    ways = {letter: [thing] for letter, thing in zip(action.letters, things, strict=True)}
    ways["<b"] = [c for c in domain["ballot"] if c < ways["b"][0]]
    ways["<c<b"] = [d for d in ways["<b"] if "c" in ways and ways["c"][0] < d]
    ways["*"] = list(domain["acceptor"])
    return {
        name: frozenset(product(*(ways[letter] for letter in it)))
        for name, it in action.adds.items()
    }
