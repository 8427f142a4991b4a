"""The published model of Disk Paxos in the running code: the counts are those of TLC."""

import tomllib
from pathlib import Path

import pytest

from paxos import mutations
from paxos.drivers.synod import Model, Synod, explore

COUNTS = tomllib.loads((Path(__file__).parent / "counts.toml").read_text(encoding="utf-8"))
SMALL = [count for count in COUNTS["synod"] if count["states"] < 100_000]
LARGE = [count for count in COUNTS["synod"] if count not in SMALL]


def size(count):
    return Synod(**{name: n for name, n in count.items() if name in Synod.__dataclass_fields__})


@pytest.mark.parametrize(
    "count", [*SMALL, *(pytest.param(one, marks=pytest.mark.nightly) for one in LARGE)], ids=str
)
def test_the_counts_are_those_on_record(count):
    found = explore(size(count))
    assert (found.verdict, found.states, found.classes) == (
        "safe",
        count["states"],
        count["classes"],
    )
    assert found.depth == count["depth"]
    assert found.reached.keys() == {"a value can be chosen"}


def test_without_symmetry_every_state_is_visited():
    (small, *_) = [count for count in SMALL if count.get("disks") == 2]
    found = explore(size(small), symmetry=False)
    assert found.states == found.classes == small["states"]


def test_every_step_of_the_first_state_reads_an_own_block():
    model = Model(Synod())
    first = next(model.starts())
    assert len(list(model.starts())) == 4
    said = [(who, what) for who, what, _ in model.steps(first)]
    assert said == [(p, f"reads its block on d{n}") for p in ("p1", "p2") for n in (1, 2, 3)]


def test_without_the_rule_the_model_disagrees():
    rule = mutations.named("the votes of others ignored")
    explored = mutations.load(rule)("drivers.synod")
    small = explored.Synod(disks=1)
    found = explored.explore(small)
    assert (found.verdict, found.invariant) == ("violated", "agreement")
    # The run can be followed, step by step, with the names that disks really have.
    model = explored.Model(small)
    ways = set(model.starts())
    for move in found.run:
        ways = {
            new
            for state in ways
            for who, what, new in model.steps(state)
            if (who, what) == (move.node, move.event[1])
        }
    assert any(model.broken(state) for state in ways)


def test_a_search_stops_at_its_limit():
    found = explore(Synod(), limit=2000)
    assert found.verdict == "bounded"
    assert found.classes + found.queue > 2000


@pytest.mark.parametrize("what", ["processors", "disks", "inputs", "ballots"])
def test_a_world_that_cannot_be_is_refused(what):
    with pytest.raises(ValueError, match=f"0 {what}: use 1 to 9"):
        explore(Synod(**{what: 0}))
