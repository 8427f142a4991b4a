"""What the words of a model mean: one text, several readings.

A model (see `static`) is a set of functions of a `Reading` w: `w.voted(a, b, v) & ...`. In a
`Finite` world the words mean Python's own `all` and membership of sets. The solver has a reading in
which they make formulas about any number of things. So what is proved, and what the running code is
compared with, is the same text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from itertools import product
from operator import and_
from typing import Any

Thing = Any  # an acceptor, a ballot, a value, a quorum; or a variable for one
Truth = Any  # a bool, or a formula
Domain = Mapping[str, Iterable[Thing]]  # of each sort, what there is

# A name says what it ranges over, as in a mathematical text.
SORTS = {"a": "acceptor", "p": "promisers", "q": "voters"}
SORTS |= dict.fromkeys("bcd", "ballot") | dict.fromkeys("uv", "value")


def names(claim: Callable[..., Truth]) -> str:
    """What a function is about: its parameters but w, one letter each."""
    code = claim.__code__
    return "".join(code.co_varnames[: code.co_argcount]).removeprefix("w")


def choices(domain: Domain, letters: str) -> Iterator[tuple[Thing, ...]]:
    """Every way to give these names things."""
    return product(*(domain[SORTS[letter]] for letter in letters))


@dataclass(frozen=True)
class Reading:
    """The words of the logic. Relations are words too: `w.voted(a, b, v)`."""

    holds: Callable[..., Truth]  # relation, things -> does it hold?
    none: Thing  # the ballot below all others, in which nobody ever votes
    mistake: str = ""  # the guard that is left out
    domain: Domain = field(default_factory=dict)  # known in a finite world only

    def __getattr__(self, relation: str) -> Callable[..., Truth]:
        return partial(self.holds, relation)

    def every(self, claim: Callable[..., Truth], letters: str = "") -> Truth:
        """Is the claim true of all things that its parameters range over?"""
        raise NotImplementedError

    def some(self, claim: Callable[..., Truth], letters: str = "") -> Truth:
        letters = letters or names(claim)
        return self.no(self.every(lambda *things: self.no(claim(*things)), letters))

    def all_of(self, quorum: Thing, claim: Callable[[Thing], Truth]) -> Truth:
        return self.every(lambda a: self.implies(self.member(a, quorum), claim(a)))

    def one_of(self, quorum: Thing, claim: Callable[[Thing], Truth]) -> Truth:
        return self.no(self.all_of(quorum, lambda a: self.no(claim(a))))

    def no(self, x: Truth) -> Truth:
        return not x

    def same(self, x: Thing, y: Thing) -> Truth:
        return x == y

    def below(self, b: Thing, c: Thing) -> Truth:
        return b < c

    def implies(self, x: Truth, y: Truth) -> Truth:
        return self.no(x) | y

    def unless(self, mistake: str, x: Truth) -> Truth:
        """A guard that is left out where this mistake is made, to see what dies of it."""
        return x | self.no(x) if mistake == self.mistake else x


@dataclass(frozen=True)
class Finite(Reading):
    """A world in which everything can be counted through. Quorums are sets of acceptors."""

    def every(self, claim: Callable[..., Truth], letters: str = "") -> Truth:
        return all(claim(*things) for things in choices(self.domain, letters or names(claim)))

    def all_of(self, quorum: Thing, claim: Callable[[Thing], Truth]) -> Truth:
        return all(claim(a) for a in quorum)

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return a in quorum


@dataclass(frozen=True)
class Action:
    """A move: when it may happen, and what it adds to the relations.

    `adds` names what is added in each relation; `a<b` means: for every ballot below b.
    """

    guard: Callable[..., Truth]
    adds: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.guard.__name__

    @property
    def letters(self) -> str:
        return names(self.guard)

    def after(self, w: Reading, *things: Thing) -> Reading:
        """The world after this move."""
        given = dict(zip(self.letters, things, strict=True))

        def holds(relation: str, *xs: Thing) -> Truth:
            if relation not in self.adds:
                return w.holds(relation, *xs)
            new = [
                w.below(x, given[it[1]]) if it[0] == "<" else w.same(x, given[it])
                for x, it in zip(xs, pattern(self.adds[relation]), strict=True)
            ]
            return w.holds(relation, *xs) | reduce(and_, new)

        return replace(w, holds=holds)


def pattern(added: str) -> list[str]:
    """`a<b` as ["a", "<b"]."""
    return re.findall("<?[a-z]", added)
