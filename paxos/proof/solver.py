"""The SMT solver z3 (extra `proof`): it reads the model as formulas and answers the questions.

A claim is proved or refuted, or the solver does not know; that is an answer of its own.
"""

import time
from collections.abc import Iterator
from typing import Any

import z3

from . import static
from .checks import Check, Claim, Question, Verdict, questions, tell
from .model import SORTS, Domain, Finite, Reading, Thing, Truth, choices, names

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 3, 1), (3, 3, 2))  # of the worlds of examples
FOREVER = 2**32 - 1
TIMEOUT = 10.0  # seconds for each check


class AnyNumber(Reading):
    """Of acceptors, ballots, values and quorums nothing is known but the axioms."""

    def every(self, claim: Claim, letters: str = "") -> Truth:
        things = [z3.FreshConst(sort(it), it) for it in letters or names(claim)]
        return z3.ForAll(things, claim(*things))

    def no(self, x: Truth) -> Truth:
        return z3.Not(x)

    def below(self, b: Thing, c: Thing) -> Truth:
        return relation("below", b, c)

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return relation(f"of {quorum.sort()}", a, quorum)


class FewThings(AnyNumber):
    """A few acceptors, ballots, values and quorums, to find an example among."""

    def every(self, claim: Claim, letters: str = "") -> Truth:
        return z3.And([claim(*it) for it in choices(self.domain, letters or names(claim))])

    def same(self, x: Thing, y: Thing) -> Truth:
        return z3.BoolVal(x == y)

    def below(self, b: Thing, c: Thing) -> Truth:
        return z3.BoolVal(b < c)

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return atom("member", a, quorum)


def sort(letter: str) -> Any:
    """The sort that a name ranges over."""
    return z3.DeclareSort(SORTS[letter])


def relation(name: str, *things: Thing) -> Truth:
    """A fact about any things: a formula."""
    return z3.Function(name, *(it.sort() for it in things), z3.BoolSort())(*things)


def atom(*words: Thing) -> Truth:
    """A fact about things that have names: true or false, and nothing inside."""
    return z3.Bool(" ".join(map(str, words)))


def prove(seed: int = 0, timeout: float = TIMEOUT, mistake: str = "") -> Iterator[Check]:
    """Put every question, one after the other. Raises ValueError for an unknown rule."""
    if mistake and mistake not in static.MISTAKES:
        raise ValueError(
            f"no mistake is called {mistake!r}; there are {', '.join(static.MISTAKES)}"
        )
    for question in questions():
        started = time.perf_counter()
        verdict, found = answer(question, seed, timeout, mistake)
        seconds = time.perf_counter() - started
        yield Check(question.when, question.claim.__name__, verdict, seconds, found)


def answer(
    question: Question, seed: int, timeout: float, mistake: str
) -> tuple[Verdict, tuple[str, ...]]:
    """Ask about any number of things; look for an example among a few where there may be one."""
    deadline = time.monotonic() + timeout
    wanted = question.when == "possible"
    found = example(question, mistake, deadline) if wanted else ()
    if found:
        return "proved", found
    whole = AnyNumber(relation, z3.Const("none", sort("b")), mistake)
    said, _ = ask(question.formula(whole), deadline, seed)
    if said == z3.unsat:
        return ("refuted" if wanted else "proved"), ()
    found = example(question, mistake, deadline)
    if not found and said != z3.sat:
        return "unknown", ()
    return ("proved" if wanted else "refuted"), found


def ask(formula: Truth, deadline: float, seed: int = 0) -> tuple[Any, Any]:
    """Can the formula be true? What the solver says in the time that is left, and the solver."""
    solver = z3.Solver()
    solver.set("random_seed", seed)
    solver.add(formula)
    left = int(1000 * (deadline - time.monotonic()))
    if left <= 0:
        return z3.unknown, solver
    solver.set("timeout", min(left, FOREVER))
    return solver.check(), solver


def example(question: Question, mistake: str, deadline: float) -> tuple[str, ...]:
    """A small world in which the formula is true, in words; empty if none is found in time."""
    for sizes in SIZES:
        domain = few(*sizes)
        said, solver = ask(question.formula(FewThings(atom, 0, mistake, domain)), deadline)
        if said == z3.sat:
            return tell(question, *fewest(solver, domain, mistake))
        if said == z3.unknown:
            break
    return ()


def few(acceptors: int, ballots: int, quorums: int) -> Domain:
    """So many acceptors, ballots and quorums of each phase, and two values. Ballot 0 is none."""
    return {
        "acceptor": [f"n{number + 1}" for number in range(acceptors)],
        "ballot": range(ballots + 1),
        "value": ("Ann", "Ben"),
        "promisers": [f"p{number}" for number in range(quorums)],
        "voters": [f"q{number}" for number in range(quorums)],
    }


def fewest(solver: Any, domain: Domain, mistake: str) -> tuple[Finite, list[tuple[Thing, ...]]]:
    """Of the worlds that the solver has left, the one with the least in it: a world, its facts.

    Facts are denied one after the other in a fixed order, so that every solver ends with the same.
    """
    solver.set("timeout", FOREVER)
    named = static.RELATIONS.items()
    facts = [(name, *it) for name, (about, _) in named for it in choices(domain, about)]
    kinds = ("promisers", "voters")
    members = [("member", a, q) for kind in kinds for q in domain[kind] for a in domain["acceptor"]]
    true = set[tuple[Thing, ...]]()
    for fact in reversed(facts + members):
        denied = z3.Not(atom(*fact))
        needed = solver.check(denied) == z3.unsat
        solver.add(atom(*fact) if needed else denied)
        true |= {fact} if needed else set()
    sets = {
        kind: [frozenset(a for a in domain["acceptor"] if ("member", a, q) in true) for q in names]
        for kind, names in domain.items()
        if kind in kinds
    }
    w = Finite(lambda *fact: fact in true, 0, mistake, {**domain, **sets})
    return w, [fact for fact in facts if fact in true]
