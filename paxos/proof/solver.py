"""The SMT solver z3 (extra `proof`): it reads the model as formulas and answers the questions.

Proved: the solver finds that there is no counterexample, among any number of things. Refuted: there
is one in a small world, and plain Python confirms it. Anything else is unknown.
"""

import time
from collections.abc import Iterator
from itertools import combinations, starmap
from typing import Any

import z3

from . import static
from .checks import Check, Verdict, formula, questions, tell
from .model import SORTS, Claim, Domain, Finite, Reading, Thing, Truth, choices, names

TIMEOUT = 10.0  # seconds for each check


class AnyNumber(Reading):
    """Of acceptors, ballots, values and quorums nothing is known but the axioms."""

    def every(self, claim: Claim, letters: str = "") -> Truth:
        letters = letters or names(claim)
        things = [z3.FreshConst(z3.DeclareSort(SORTS[it]), it) for it in letters]
        return z3.ForAll(things, claim(*things))

    def no(self, x: Truth) -> Truth:
        return z3.Not(x)

    def same(self, x: Thing, y: Thing) -> Truth:
        return x == y

    def below(self, b: Thing, c: Thing) -> Truth:
        return relation("below", b, c)

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return relation(f"of {quorum.sort()}", a, quorum)


def relation(name: str, *things: Thing) -> Truth:
    """A fact about any things: a formula."""
    return z3.Function(name, *(it.sort() for it in things), z3.BoolSort())(*things)


class FewThings(Finite):
    """Everything is known but what has happened; that is for the solver to find."""

    all_true = staticmethod(lambda truths: z3.And(*truths))
    known = staticmethod(z3.BoolVal)
    no = staticmethod(z3.Not)


def atom(*words: Thing) -> Truth:
    """A fact about things that have names: true or false, and nothing inside."""
    return z3.Bool(" ".join(map(str, words)))


N1, N2 = frozenset({"n1"}), frozenset({"n2"})
MAJORITIES = [*map(frozenset, combinations(("n1", "n2", "n3"), 2))]
WORLDS = (  # to look for examples in: how many ballots, what is enough to promise, and to vote
    (1, [N1], [N1]),
    (2, [N1], [N1]),
    (1, [N2], [N1]),
    (3, [N1 | N2], [N1]),
    (3, MAJORITIES, MAJORITIES),
)


def few(ballots: int, promisers: list[Thing], voters: list[Thing]) -> Domain:
    """What there is in a small world. Ballot 0 is none."""
    acceptors = sorted(frozenset().union(*promisers, *voters))
    quorums = {"promisers": promisers, "voters": voters}
    return {"acceptor": acceptors, "ballot": range(ballots + 1), "value": ("Ann", "Ben")} | quorums


def prove(seed: int = 0, timeout: float = TIMEOUT, mistake: str = "") -> Iterator[Check]:
    """Put every question, one after the other. Raises ValueError for an unknown mistake."""
    if mistake and mistake not in static.MISTAKES:
        raise ValueError(f"no mistake is called {mistake!r}: use {', '.join(static.MISTAKES)}")
    for when, claim in questions():
        started = time.perf_counter()
        verdict, found = answer(when, claim, seed, timeout, mistake)
        yield Check(when, claim.__name__, verdict, time.perf_counter() - started, found)


def answer(
    when: str, claim: Claim, seed: int = 0, timeout: float = TIMEOUT, mistake: str = ""
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and an example where one is found."""
    deadline = time.monotonic() + timeout
    solver, none = z3.Solver(), z3.Const("none", z3.DeclareSort("ballot"))
    solver.set("random_seed", seed)
    solver.set("ctrl_c", False)  # Python stops us, not the solver, which would answer unknown
    if when != "possible":
        solver.add(formula(when, claim, AnyNumber(relation, none, mistake)))
        left = int(1000 * (deadline - time.monotonic()))
        solver.set("timeout", max(left, 1))  # 0 would be for ever
        if left > 0 and solver.check() == z3.unsat:
            return "proved", ()
    found = example(when, claim, deadline, mistake)
    if not found:
        return "unknown", ()
    return ("proved" if when == "possible" else "refuted"), found


def example(when: str, claim: Claim, deadline: float, mistake: str) -> tuple[str, ...]:
    """A small world in which the formula is true, in words; empty if none is found in time."""
    for domain in starmap(few, WORLDS):
        if time.monotonic() > deadline:
            break
        solver = z3.Solver()
        solver.add(formula(when, claim, FewThings(atom, 0, mistake, domain)))
        if solver.check() == z3.sat:
            facts = fewest(solver, domain)
            w = Finite(lambda *fact, facts=facts: fact in facts, 0, mistake, domain)
            assert formula(when, claim, w), "what the solver found is no example"
            return tell(when, claim, w, facts)
    return ()


def fewest(solver: Any, domain: Domain) -> list[tuple[Thing, ...]]:
    """Of the facts that the solver leaves open, as few as possible.

    They are denied one after the other in a fixed order, so that every solver ends with the same.
    """
    named = static.RELATIONS.items()
    facts = [(name, *it) for name, (about, _) in named for it in choices(domain, about)]
    true = []
    for fact in reversed(facts):
        denied = z3.Not(atom(*fact))
        if solver.check(denied) == z3.sat:
            solver.add(denied)
        else:
            true.append(fact)
    return true[::-1]
