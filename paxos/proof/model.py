"""What the words of a model mean: one text, several readings.

A model (see `static`) is a set of functions of a `Reading` w: `w.voted(a, b, v) & ...`. In a
`Finite` world the words mean Python's own `all` and membership of sets. The solver has readings in
which they make formulas. So what is proved, and what the running code is compared with, is the same
text.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import product
from typing import Any

Thing = Any  # an acceptor, a ballot, a value, a quorum; or a variable for one
Truth = Any  # a bool, or a formula
Claim = Callable[..., Truth]  # of a Reading and of things
Domain = Mapping[str, Iterable[Thing]]  # of each sort, what there is

# A name says what it ranges over, as in a mathematical text.
SORTS = {"a": "acceptor", "p": "promisers", "q": "voters"}
SORTS |= dict.fromkeys("bcd", "ballot") | dict.fromkeys("uv", "value")


def names(claim: Claim) -> str:
    """What a function is about: its parameters but w, one letter each."""
    code = claim.__code__
    return "".join(code.co_varnames[: code.co_argcount]).removeprefix("w")


def choices(domain: Domain, letters: str) -> Iterator[tuple[Thing, ...]]:
    """Every way to give these names things."""
    return product(*(domain[SORTS[letter]] for letter in letters))


@dataclass(frozen=True)
class Reading(ABC):
    """The words of the logic. Relations are words too: `w.voted(a, b, v)`."""

    holds: Callable[..., Truth]  # relation, things -> does it hold?
    none: Thing  # the ballot below all others, in which nobody ever votes
    mistake: str = ""  # the guard that is left out
    domain: Domain = field(default_factory=dict)  # known in a finite world only

    def __getattr__(self, relation: str) -> Callable[..., Truth]:
        return partial(self.holds, relation)

    @abstractmethod
    def every(self, claim: Claim, letters: str = "") -> Truth:
        """Is the claim true of all things that its parameters, or these letters, range over?"""

    def some(self, claim: Claim, letters: str = "") -> Truth:
        letters = letters or names(claim)
        return self.no(self.every(lambda *things: self.no(claim(*things)), letters))

    def all_of(self, quorum: Thing, claim: Claim) -> Truth:
        return self.every(lambda a: self.implies(self.member(a, quorum), claim(a)))

    def one_of(self, quorum: Thing, claim: Claim) -> Truth:
        return self.no(self.all_of(quorum, lambda a: self.no(claim(a))))

    def implies(self, x: Truth, y: Truth) -> Truth:
        return self.no(x) | y

    def unless(self, mistake: str, x: Truth) -> Truth:
        """A guard that is left out where this mistake is made, to see what dies of it."""
        return x | self.no(x) if mistake == self.mistake else x


class Finite(Reading):
    """A world in which everything can be counted through. Quorums are sets of acceptors."""

    all_true = staticmethod(all)
    known = staticmethod(bool)
    no = staticmethod(operator.not_)

    def every(self, claim: Claim, letters: str = "") -> Truth:
        return self.all_true(claim(*it) for it in choices(self.domain, letters or names(claim)))

    def all_of(self, quorum: Thing, claim: Claim) -> Truth:
        return self.all_true(map(claim, quorum))

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return self.known(a in quorum)

    def same(self, x: Thing, y: Thing) -> Truth:
        return self.known(x == y)

    def below(self, b: Thing, c: Thing) -> Truth:
        return self.known(b < c)


@dataclass(frozen=True)
class Action:
    """A move: when it may happen, and what it adds to the relations.

    `adds` gives for each relation the names of what is added; `<b` means every ballot below b.
    """

    guard: Claim
    adds: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        return self.guard.__name__

    @property
    def letters(self) -> str:
        return names(self.guard)

    def after(self, w: Reading, *things: Thing) -> Reading:
        """The world after this move."""
        given = dict(zip(self.letters, things, strict=True))

        def new(x: Thing, it: str) -> Truth:
            return w.below(x, given["b"]) if it == "<b" else w.same(x, given[it])

        def holds(relation: str, *fact: Thing) -> Truth:
            before = w.holds(relation, *fact)
            if relation not in self.adds:
                return before
            return before | reduce(operator.and_, map(new, fact, self.adds[relation]))

        return replace(w, holds=holds)
