"""What the words of a model mean: one text, several readings.

A model (see `static`) is a set of functions of a `Reading` w: `w.voted(a, b, v) & ...`. In a
`Finite` world the words mean Python's own `all` and membership of sets. The solver has readings in
which they make formulas. So what is proved, and what the running code is compared with, is the same
text.
"""

import operator
import re
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
SORTS = {"a": "acceptor", "p": "promisers", "q": "voters", "r": "returners"}
SORTS |= dict.fromkeys("bcdefg", "ballot") | dict.fromkeys("uvwx", "value")
SORTS |= dict.fromkeys("ijk", "place")  # of an entry in a list


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
    found: dict[Any, Truth] = field(default_factory=dict, init=False)

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

    def know(self, claim: Claim, *things: Thing) -> Truth:
        """The claim about these things."""
        return claim(self, *things)

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

    def know(self, claim: Claim, *things: Thing) -> Truth:
        """The claim about these things; asked again, the same answer."""
        if (claim, things) not in self.found:
            self.found[claim, things] = claim(self, *things)
        return self.found[claim, things]

    def member(self, a: Thing, quorum: Thing) -> Truth:
        return self.known(a in quorum)

    def same(self, x: Thing, y: Thing) -> Truth:
        return self.known(x == y)

    def below(self, b: Thing, c: Thing) -> Truth:
        return self.known(b < c)


def few(
    acceptors: str,
    ballots: int,
    places: int = 0,
    *,
    promise: Iterable[str],
    vote: Iterable[str],
    recover: Iterable[str] = (),
) -> Domain:
    """What there is in a small world: `n12` is n1 and n2. Ballot 0 is none."""
    letter, digits = acceptors[0], acceptors[1:]
    quorums = {
        sort: [frozenset(letter + digit for digit in them) for them in its]
        for sort, its in (("promisers", promise), ("voters", vote), ("returners", recover))
    }
    return {
        "acceptor": [letter + digit for digit in digits],
        "ballot": range(ballots + 1),
        "value": ("Ann", "Ben"),
        "place": range(1, places + 1),
        **quorums,
    }


@dataclass(frozen=True)
class Action:
    """A move: when it may happen, and what it adds to the relations.

    `adds` gives for each relation the names of what is added; `<b` means every ballot below b,
    `<c<b` every one between, and `*` everything.
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
            match it:
                case "*":
                    return w.same(x, x)
                case "<b":
                    return w.below(x, given["b"])
                case "<c<b":
                    return w.below(given["c"], x) & w.below(x, given["b"])
            return w.same(x, given[it])

        def holds(relation: str, *fact: Thing) -> Truth:
            before = w.holds(relation, *fact)
            if relation not in self.adds:
                return before
            return before | reduce(operator.and_, map(new, fact, self.adds[relation]))

        return replace(w, holds=holds)


@dataclass(frozen=True, eq=False)
class Model:
    """All that a protocol's module says of it."""

    scope: str  # what there may be any number of
    relations: Mapping[str, tuple[str, str]]  # what each is about, and how to say that it holds
    mistakes: Mapping[str, str]  # what can be left out of the guards
    axioms: Sequence[Claim]  # what the world is like
    actions: Sequence[Action]
    invariants: Sequence[Claim]
    safety: Sequence[Claim]
    possible: Sequence[Claim]  # besides the actions
    leans: Mapping[str, Sequence[Claim]] = field(default_factory=dict)  # see `supposed`
    worlds: Sequence[Domain] = ()  # to look for examples in, small ones first

    def say(self, relation: str, *things: Thing) -> str:
        """A fact in words. Ballot 0 is none."""
        letters, sentence = self.relations[relation]
        said = sentence.format(**dict(zip(letters, things, strict=True)))
        return re.sub(r"(its|the) vote for \w+ in ballot 0$", "no vote", said)

    def named(self, name: str) -> Action:
        """The action of this name."""
        return next(action for action in self.actions if action.name == name)

    def supposed(self, when: str, claim: Claim) -> Sequence[Claim]:
        """What is enough to prove this claim: all that is true, unless the model names some.

        To suppose less proves more. It is done where too much leads the solver astray.
        """
        name = claim.__name__
        named = self.leans.get(f"{name} {when}", self.leans.get(name))
        if named is None:
            return (*self.axioms, *self.invariants)
        return named if when == "always" else (claim, *named)
