"""Hundreds of random worlds, each searched in four ways and enumerated plainly: all must agree."""

from random import Random

import pytest
from oracles import naive

from paxos.drivers.checker import BEYOND, Node, World, check

VALUES = ("x", "y")
CAP = 400


class Rule:
    """A random step that tells neither senders nor values apart, but remembers whom it heard."""

    def __init__(self, dice, phases, targets, remembers, rising):
        self.dice, self.phases, self.targets = dice, phases, targets
        self.remembers, self.rising, self.table = remembers, rising, {}

    def __call__(self, state, event):
        phase, value, heard = state
        sender, (kind, theirs) = event
        if self.rising and sender and kind < phase:
            return state, []  # and for ever: phases only rise
        key = (phase, value is None, value == theirs, kind, bool(sender), sender in heard)
        if key not in self.table:
            self.table[key] = self.drawn(phase)
        if self.table[key] is BEYOND:
            return BEYOND
        then, keep, remember, effects = self.table[key]
        names = heard | {sender} if remember and self.remembers and sender else heard
        mine = {"mine": value, "theirs": theirs, "none": None}[keep]
        return (then, mine, names), [e for e in (say(one, sender, theirs) for one in effects) if e]

    def drawn(self, phase):
        dice, effects = self.dice, []
        if dice.random() < 0.06:
            return BEYOND
        while dice.random() < 0.6 and len(effects) < 2:
            effects.append((dice.choice(["sender", "fact", *self.targets]), dice.randrange(2)))
        then = dice.randrange(phase if self.rising else 0, self.phases)
        if self.rising and then == phase:
            effects = effects or [("fact", 0)]  # nothing that counts is ignored
        return then, dice.choice(["mine", "mine", "theirs", "none"]), dice.random() < 0.5, effects


def say(effect, sender, value):
    to, kind = effect
    if to == "fact":
        return ("fact", kind, value)
    to = sender if to == "sender" else to
    return (to, (kind, value)) if to else None


class Alone:
    """What a node may do unprompted, by its phase."""

    def __init__(self, dice, phases):
        self.kinds = [[kind for kind in range(2) if dice.random() < 0.4] for _ in range(phases)]
        self.kinds[0] = self.kinds[0] or [0]

    def __call__(self, state):
        return [(kind, value) for kind in self.kinds[state[0]] for value in VALUES]


class Crash:
    """A node that comes back by its phase, and may lose a step after its first effect."""

    def __init__(self, dice, phases, step):
        self.back, self.step = [dice.randrange(phases) for _ in range(phases)], step

    def __call__(self, state, event):
        back = (self.back[state[0]], None, frozenset())
        if event is None:
            yield 0, back, [("fact", 0, None)] if state[0] == 1 else []
        elif (result := self.step(state, event)) is not BEYOND and result[1]:
            yield 1, back, result[1][:1]


def random_world(seed, kinds):
    dice = Random(f"{seed}/{kinds}")
    phases, crowd = dice.choice([2, 3]), dice.choice([0, 2, 2, 3])
    people = [f"ann{number}" for number in range(1, 1 + dice.choice([1, 2] if crowd else [2, 3]))]
    alike = tuple(f"n{number}" for number in range(1, 1 + crowd))

    def node(targets, hears, address=""):
        rising = "forgets" in kinds and dice.random() < 0.7
        rule = Rule(dice, phases, targets, "names" in kinds and not rising, rising)
        crashes = (
            {"crashes": Crash(dice, phases, rule)} if "crashes" in kinds and not rising else {}
        )
        kept = {}
        if "kept" in kinds and dice.random() < 0.6:
            one, other = dice.sample(range(phases), 2)
            kept = {"kept": lambda before, after: (before[0], after[0]) != (one, other)}
        more = {"address": address, "hears": hears, "forgets": rising, "kept": kept} | crashes
        return Node((0, None, frozenset()), rule, Alone(dice, phases), **more)

    voters = ["voters"] * 3 if alike else []
    nodes = {name: node([*people, *voters], (*people, *alike)) for name in people}
    if alike:
        nodes |= dict.fromkeys(alike, node(people, tuple(people), "voters"))
    few, swap = dice.choice([1, 2, 3]), dict(zip(VALUES, reversed(VALUES), strict=True))

    def said(record, kind):
        return [n for n, its in record.items() for one in its if one[:2] == ("fact", kind)]

    return World(
        nodes,
        {"few": lambda record: len(set(said(record, 0))) < few},
        {"some": lambda record: bool(said(record, 1))} if dice.random() < 0.3 else {},
        alike=alike,
        renamings=(swap,) if dice.random() < 0.8 else (),
        crashes=dice.choice([1, 2]) if "crashes" in kinds else 0,
    )


def disagreement(world, symmetry, shortcuts, truth):
    """What the search says that is not so, or None."""
    found = check(world, symmetry=symmetry, shortcuts=shortcuts)
    bad = truth["steps"] is not None or world.sometimes.keys() - truth["reached"]
    if found.verdict != ("violated" if bad else "safe"):
        return found
    if truth["steps"] is not None:
        broken, effects = naive.follow(world, found.run)
        shortest = effects == truth["effects"] if shortcuts else len(found.run) == truth["steps"]
        return None if found.invariant in broken and shortest else found
    if not bad and not shortcuts:
        counts = (found.states, found.depth) == (truth["states"], truth["depth"])
        bounds = found.states <= truth["states"] and found.depth >= truth["depth"]
        return None if (counts if found.exact else bounds) else found
    return None


def campaign(kinds, seeds):
    """The disagreements of these seeds, and how many worlds were compared."""
    wrong, compared = [], 0
    for seed in seeds:
        world = random_world(seed, kinds)
        try:
            truth = naive.look(world, CAP)
        except naive.TooLarge:
            continue
        compared += truth["states"] > 5
        for symmetry in (False, True):
            for shortcuts in (False, True):
                found = disagreement(world, symmetry, shortcuts, truth)
                wrong += [(seed, symmetry, shortcuts, found)] if found else []
    return wrong, compared


KINDS = ["", "names", "kept", "crashes", "forgets", "names kept crashes", "forgets crashes kept"]


@pytest.mark.parametrize("kinds", KINDS)
def test_the_search_and_a_plain_enumeration_agree(kinds):
    wrong, compared = campaign(kinds, range(150))
    assert wrong == []
    assert compared > 5


@pytest.mark.nightly
@pytest.mark.parametrize("kinds", KINDS)
def test_they_agree_on_thousands(kinds):
    wrong, compared = campaign(kinds, range(1000, 2000))
    assert wrong == []
    assert compared > 20
