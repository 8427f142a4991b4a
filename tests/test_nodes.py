"""What a world may be, and what is said of one that cannot be."""

from dataclasses import dataclass

import pytest

from paxos.drivers.checker import Node, World, check
from paxos.drivers.nodes import mentions, rename


def still(state, event):
    return state, []


def goes(state):
    return ["go"]


def one(step=still, **more):
    return World({"a": Node(0, step, goes, **more), "b": Node(0, still)})


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (lambda s, e: 1, r"a step of a returned 1, not \(state, list of effects\)"),
        (lambda s, e: (1, None), "returned None as its effects: make it a list"),
        (lambda s, e: (1, "drives"), "returned 'drives' as its effects: make it a list"),
        (lambda s, e: (1, ("b", "hello")), "as its effects: make it a list"),
        (lambda s, e: (1, [("bb", "hello")]), "nobody is called 'bb'"),
        (lambda s, e: ([], []), "a has a state or an effect that cannot be kept: unhashable"),
        (lambda s, e: (1, [("b", [])]), "a has a state or an effect that cannot be kept"),
    ],
)
def test_a_step_that_returns_something_else_is_named(step, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(one(step))


ALIKE = Node(0, still, address="voters", hears=("a",))


@pytest.mark.parametrize(
    ("world", "complaint"),
    [
        (World({}), "a world needs nodes"),
        (World({"": Node(0, still)}), "a world needs nodes, each with a name"),
        (World({"a": Node(0, still, hears=("zed",))}), "a hears zed, but there is no such node"),
        (World({"a": Node(0, still)}, crashes=16), "16 crashes: use 0 to 15"),
        (World({"a": Node(0, still)}, crashes=-1), "use 0 to 15"),
        (
            World(
                {"a": Node(0, still, hears=("n1",)), "n1": ALIKE, "n2": ALIKE}, alike=("n1", "n2")
            ),
            "a hears some of those alike and not others",
        ),
        (World({"a": Node(0, still)}, renamings=({"x": "y"},)), "is no renaming"),
        (
            World({"a": Node(0, still)}, renamings=({"x": "y", "y": "z", "z": "x"},)),
            "is missing among the renamings",
        ),
    ],
)
def test_a_world_that_cannot_be_searched_is_refused(world, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(world)


def test_three_rotations_are_a_group():
    turn, back = {"x": "y", "y": "z", "z": "x"}, {"x": "z", "z": "y", "y": "x"}
    assert check(World({"a": Node(0, still)}, renamings=(turn, back))).verdict == "safe"


@dataclass(frozen=True)
class Vote:
    """Something with a name deep inside."""

    who: str
    number: int


def test_names_are_found_and_values_exchanged_however_deep():
    thing = ((Vote("n1", 1),), frozenset({("v1", True)}))
    assert mentions(thing, ("n1",))
    assert not mentions(thing, ("n2",))
    assert mentions("for n2", ("n2",))
    swapped = rename(thing, {"v1": "v2", "v2": "v1", 1: 2, 2: 1})
    assert swapped == ((Vote("n1", 2),), frozenset({("v2", True)}))
    assert swapped[1] == frozenset({("v2", True)}) and 2 not in {x for _, x in swapped[1]}
