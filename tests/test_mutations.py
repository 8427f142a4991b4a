"""Break one rule, and a short hunt through seeds finds two people at one car.

Each mutant is one text of the source replaced, in memory: the package is loaded afresh with it, and
the simulator looks for a run that breaks an invariant. So the tests of agreement are able to fail,
and each rule is known to be needed, together with a world in which one misses it.
"""

import importlib
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.machinery import PathFinder, SourceFileLoader

import pytest

SEEDS = 2000
STORM = {"proposers": 3, "jitter": 0.95, "loss": 0.15, "until": 60.0}


@dataclass(frozen=True)
class Mutant:
    """A rule gone wrong: which texts of a module become which, and the invariant that must die."""

    module: str
    changes: tuple[tuple[str, str], ...]
    breaks: str
    world: dict


def wrong(module, *changes, breaks="agreement", **world):
    return Mutant(module, changes, breaks, STORM | world)


class Loader(SourceFileLoader):
    """Loads one module with its source changed, and never from a cache."""

    changes: tuple[tuple[str, str], ...] = ()

    def get_code(self, fullname):
        source = self.get_source(fullname)
        for old, new in self.changes:
            text = r"\s+".join(re.escape(word) for word in old.split())  # however it is broken
            source, times = re.subn(text, lambda _, new=new: new, source)
            assert times == 1, f"{fullname} has {old!r} {times} times"
        return compile(source, self.path, "exec")


class Finder:
    """Puts the loader of a mutant in the place of the usual one."""

    def __init__(self, mutant):
        self.mutant = mutant

    def find_spec(self, name, path=None, target=None):
        if name != f"paxos.{self.mutant.module}":
            return None
        spec = PathFinder.find_spec(name, path, target)
        spec.loader = Loader(name, spec.origin)
        spec.loader.changes = self.mutant.changes
        return spec


@contextmanager
def loaded(mutant):
    """The simulator and the trace of a package of their own, in which the mutant lives."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "paxos"}
    for name in ours:
        del sys.modules[name]
    finder = Finder(mutant)
    sys.meta_path.insert(0, finder)
    try:
        yield (
            importlib.import_module(f"paxos.{name}") for name in ("drivers.simulator", "outcome")
        )
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == "paxos"]:
            del sys.modules[name]
        sys.modules.update(ours)


def hunt(mutant):
    """The first seed whose run breaks the invariant, or None."""
    with loaded(mutant) as (simulator, outcome):
        for seed in range(SEEDS):
            if mutant.breaks in outcome.broken(simulator.simulate(seed=seed, **mutant.world)):
                return seed
    return None


# Worlds in which a broken rule soon shows.
CRASHES = {"crash": 0.1, "loss": 0.05}
READ_ONE = {"phase1": 1, "phase2": 3}  # one promise is enough to go on, so what it hides is missed
WRITE_ONE = {"phase1": 3, "phase2": 1}  # one vote chooses, so one that slips in is enough
APART = {"acceptors": 4, "phase1": 2, "phase2": 3}  # two could lead one ballot, if they shared it
MISSING = {"phase1": 1, "phase2": 2}  # no world at all, unless the law of quorums is broken
NAPS = [f"crash n{number % 3 + 1} at {2 + 0.7 * number:.1f} for 0.1" for number in range(9)]
RESTARTS = ["crash ben at 4 for 0.1", "crash cleo at 5 for 0.1", "delay promise from n3 by 2"]

# Texts of the rules.
SAVE, PROMISE = "Save(now)", 'Send("sender", Promise(ballot, acceptor.vote))'
VOTE = 'Send("sender", news), Send("learners", news)'
BINDING = "return max(cast, key=lambda vote: vote.ballot).value if cast else wish"
IDENTITY = "f\"{self.chance('identity').getrandbits(128):032x}\""

acceptor = partial(wrong, "protocol.acceptor")
proposer = partial(wrong, "protocol.proposer")
MUTANTS = {
    "a vote below a promise": acceptor((" if ballot >= acceptor.promised:  # 2b", ":  # 2b")),
    "a vote that does not raise the promise": acceptor(
        ("Acceptor(promised=ballot, vote=request)", "replace(acceptor, vote=request)"), **READ_ONE
    ),
    "a promise to whoever asks": acceptor((" if ballot > acceptor.promised:  # 1b", ":  # 1b")),
    "a promise that hides the vote": acceptor((PROMISE, PROMISE.replace("acceptor.vote", "None"))),
    "a promise that is not saved": acceptor((f"({SAVE}, {PROMISE})", f"({PROMISE},)"), faults=NAPS),
    "a promise saved after it was sent": acceptor(
        (f"{SAVE}, {PROMISE}", f"{PROMISE}, {SAVE}"),
        **WRITE_ONE | {"loss": 0, "crash": 0.2, "faults": ["delay accept from ben by 6"]},
    ),
    "a vote that is not saved": acceptor((f"{SAVE}, {VOTE}", VOTE), **CRASHES),
    "a vote saved after it was told": acceptor((f"{SAVE}, {VOTE}", f"{VOTE}, {SAVE}"), **CRASHES),
    "the own wish instead of a vote": proposer((BINDING, "return wish")),
    "any vote instead of the highest": proposer(
        (BINDING, "return cast[0].value if cast else wish")
    ),
    "the lowest vote instead of the highest": proposer(("max(cast", "min(cast")),
    "answers to an earlier ballot": proposer(
        ("if b != p.ballot:", "if False:"), faults=["delay promise from n1 by 6"]
    ),
    "promises kept for the next ballot": proposer(("promises=(),", "")),
    "votes kept for the next ballot": proposer(("accepted=(),", ""), breaks="decided is chosen"),
    "two proposers in one ballot": wrong(
        "protocol.ballot",
        ("Ballot(self.round + 1, proposer)", 'Ballot(self.round + 1, "us")'),
        **APART,
        breaks="one value per ballot",
    ),
    "an identity used again after a crash": wrong(
        "drivers.simulator", (IDENTITY, "node.name"), duplicate=0.3, faults=RESTARTS
    ),
    "chosen by equal value": wrong(
        "protocol.learner",
        ("{*me.votes, (b, who)}", "{*me.votes, (value, who)}"),
        ("me.enough(b, who)", "me.enough(value, who)"),
        ("Accepted(b)) if not", "Accepted(b, value)) if not"),
        **READ_ONE | {"loss": 0.3},
    ),
    "one acceptor counted twice": wrong(
        "protocol.quorum", ("len(set(acceptors))", "len(acceptors)"), duplicate=0.3
    ),
    "quorums that can miss each other": wrong(
        "protocol.quorum", ("if self.phase1 + self.phase2 <= self.of:", "if False:"), **MISSING
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_without_the_rule_a_hunt_finds_a_broken_invariant(name):
    assert hunt(MUTANTS[name]) is not None


def test_with_every_rule_the_same_hunts_find_nothing():
    worlds = [
        one.world for name, one in MUTANTS.items() if name != "quorums that can miss each other"
    ]
    with loaded(wrong("protocol.acceptor")) as (simulator, outcome):
        for world in worlds:
            for seed in range(30):
                assert outcome.broken(simulator.simulate(seed=seed, **world)) == []
