"""The SMT solver z3 (extra `proof`): it reads the model as formulas and answers the questions.

Proved: the solver finds that there is no counterexample, among any number of things. Refuted: there
is one in a small world, and plain Python confirms it. Anything else is unknown.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

from .checks import Check, Verdict, formula, questions, tell
from .model import SORTS, Claim, Domain, Finite, Model, Reading, Thing, Truth, choices, names

TIMEOUT = 40.0  # seconds for each check


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


@dataclass(frozen=True)
class Open:
    """A truth that is not known: a formula. With what is known it is put together at once."""

    formula: Any

    def __and__(self, other: Truth) -> Truth:
        return conjunction((self, other))

    def __or__(self, other: Truth) -> Truth:
        return negation(conjunction((negation(self), negation(other))))

    __rand__, __ror__ = __and__, __or__


def negation(x: Truth) -> Truth:
    """Not x."""
    return Open(z3.Not(x.formula)) if isinstance(x, Open) else not x


def conjunction(truths: Iterable[Truth]) -> Truth:
    """All of these; false as soon as one is known to be."""
    formulas = []
    for one in truths:
        if isinstance(one, Open):
            formulas.append(one.formula)
        elif not one:
            return False
    return Open(z3.And(*formulas)) if formulas else True


class FewThings(Finite):
    """Everything is known but what has happened; that is for the solver to find."""

    all_true = staticmethod(conjunction)
    no = staticmethod(negation)


def atom(*words: Thing) -> Truth:
    """A fact about things that have names: true or false, and nothing inside."""
    return Open(z3.Bool(" ".join(map(str, words))))


def prove(
    model: Model, seed: int = 0, timeout: float = TIMEOUT, mistake: str = ""
) -> Iterator[Check]:
    """Put every question, one after the other. Raises ValueError for an unknown mistake."""
    if mistake and mistake not in model.mistakes:
        raise ValueError(f"no mistake is called {mistake!r}: use {', '.join(model.mistakes)}")
    for when, claim in questions(model):
        started = time.perf_counter()
        verdict, found = answer(model, when, claim, seed, timeout, mistake)
        yield Check(when, claim.__name__, verdict, time.perf_counter() - started, found)


def answer(
    model: Model,
    when: str,
    claim: Claim,
    seed: int = 0,
    timeout: float = TIMEOUT,
    mistake: str = "",
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and an example where one is found."""
    deadline = time.monotonic() + timeout
    solver, none = z3.Solver(), z3.Const("none", z3.DeclareSort("ballot"))
    solver.set("random_seed", seed)
    solver.set("auto_config", False)
    solver.set("case_split", 3)  # by what is relevant: steadier where there are many quantifiers
    if when != "possible":
        supposed = model.supposed(when, claim)
        solver.add(formula(model, when, claim, AnyNumber(relation, none, mistake), supposed))
        if asked(solver, deadline - timeout / 2) == z3.unsat:  # the rest is for an example
            return "proved", ()
    found = example(model, when, claim, deadline, mistake)
    if not found:
        return "unknown", ()
    return ("proved" if when == "possible" else "refuted"), found


def asked(solver: Any, deadline: float, *more: Truth) -> Any:
    """The solver's answer, if it comes in time."""
    left = int(1000 * (deadline - time.monotonic()))
    solver.set("timeout", max(left, 1))  # 0 would be for ever
    solver.set("ctrl_c", False)  # Python stops us, not the solver, which would answer unknown
    return solver.check(*more) if left > 0 else z3.unknown


def example(
    model: Model, when: str, claim: Claim, deadline: float, mistake: str
) -> tuple[str, ...]:
    """A small world in which the formula is true, in words; empty if none is found in time."""
    for domain in model.worlds:
        if time.monotonic() > deadline:
            break
        solver = z3.Solver()
        asks = formula(model, when, claim, FewThings(atom, 0, mistake, domain))
        solver.add(asks.formula if isinstance(asks, Open) else asks)
        if asked(solver, deadline) == z3.sat:
            facts = fewest(solver, model, domain)
            w = Finite(lambda *fact, facts=facts: fact in facts, 0, mistake, domain)
            assert formula(model, when, claim, w), "what the solver found is no example"
            return tell(model, when, claim, w, facts)
    return ()


def fewest(solver: Any, model: Model, domain: Domain) -> list[tuple[Thing, ...]]:
    """Of the facts that the solver leaves open, as few as possible.

    They are denied one after the other in a fixed order, so that every solver ends with the same.
    """
    named = model.relations.items()
    facts = [(name, *it) for name, (about, _) in named for it in choices(domain, about)]
    true = []
    for fact in reversed(facts):
        denied = z3.Not(atom(*fact).formula)
        if solver.check(denied) == z3.sat:
            solver.add(denied)
        else:
            true.append(fact)
    return true[::-1]
