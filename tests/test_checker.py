"""The search itself, on protocols of three lines."""

import pytest

from paxos.drivers.checker import BEYOND, Move, Node, World, check, graph


def one_car(record):
    return len({who for its in record.values() for who in its}) <= 1


def keeper(holder, event):
    """Gives the car to whoever asks first; forgets when it is told that it is free again."""
    sender, message = event
    if message == "ask" and holder is None:
        return sender, [(sender, "yours")]
    if message == "free" and holder == sender:
        return None, []
    return holder, []


def person(state, event):
    """Asks; takes the car when told that it has it."""
    _, message = event
    if state == "home" and message == "go":
        return "asked", [("keeper", "ask")]
    if state == "asked" and message == "yours":
        return "driving", ["drives"]
    return state, []


def hasty(state, event):
    """Gives the car back and asks again, so an old answer may arrive late."""
    _, message = event
    if state == "asked" and message == "again":
        return "asked", [("keeper", "free"), ("keeper", "ask")]
    return person(state, event)


def car(step=person, **more):
    alone = lambda state: {"home": ["go"], "asked": ["again"]}.get(state, [])  # noqa: E731
    people = {name: Node("home", step, alone) for name in ("ann", "ben")}
    return World(
        {**people, "keeper": Node(None, keeper)},
        {"one car": lambda record: sum("drives" in its for its in record.values()) <= 1},
        {"somebody drives": lambda record: any("drives" in its for its in record.values())},
        **more,
    )


def test_a_protocol_of_ones_own_is_checked_by_the_same_call():
    found = check(car())
    assert found.verdict == "safe"
    assert found.reached == {"somebody drives": 4}


def test_the_first_bad_run_is_a_shortest_one():
    found = check(car(hasty))
    assert (found.verdict, found.invariant) == ("violated", "one car")
    # Somebody asks and is answered, gives back before the answer comes, and the other gets it too.
    assert len(found.run) == len(check(car(hasty), shortcuts=False).run) == 8
    assert {move.node for move in found.run} == {"ann", "ben", "keeper"}


def test_the_run_can_be_followed_step_by_step():
    world = car(hasty)
    states, sent = {name: node.state for name, node in world.nodes.items()}, set()
    said = {name: set() for name in states}
    for node, event, _ in check(world).run:
        assert event[0] == "" or (event[0], node, event[1]) in sent, "only what was sent arrives"
        states[node], effects = world.nodes[node].step(states[node], event)
        sent |= {(node, *one) for one in effects if isinstance(one, tuple)}
        said[node] |= {one for one in effects if not isinstance(one, tuple)}
    assert not world.always["one car"](said)


def counter(state, event):
    """Counts how often a message arrives."""
    return min(state + 1, 3), ["three"] if state == 2 else []


def tell(state, event):
    return "told", [("counter", "hello")] if state == "quiet" else []


def counting(often):
    return World(
        {"teller": Node("quiet", tell, lambda state: ["now"]), "counter": Node(0, counter)},
        {"never": lambda record: "three" not in record["counter"]} if often else {},
        {"silence": lambda record: not record["counter"]},
    )


def test_a_message_may_arrive_many_times_and_never():
    found = check(counting(True))
    assert (found.verdict, found.invariant) == ("violated", "never")
    assert [move.event for move in found.run] == [("", "now"), *[("teller", "hello")] * 3]
    states = [
        {name: column.state for name, column in state.items()}
        for state in graph(counting(False)).states
    ]
    assert {"teller": "told", "counter": 0} in states, "it may get lost"


def test_what_never_happens_is_reported():
    world = World(car().nodes, {}, {"rain": lambda record: False, "sun": lambda record: True})
    found = check(world)
    assert (found.verdict, found.invariant, found.run) == ("violated", "rain", ())
    assert found.reached == {"sun": 1}


def test_at_the_limit_nothing_is_called_safe():
    whole = check(car()).classes
    assert check(car(), limit=whole).verdict == "safe"
    found = check(car(), limit=whole - 1)
    assert found.verdict == "bounded"
    assert found.queue > 0
    assert found.classes < whole


def test_a_step_that_breaks_its_own_invariant_is_found():
    rising = {"it rises": lambda before, after: after > before}
    node = Node(
        0, lambda state, event: ((state + 1) % 3, ["tick"]), lambda state: ["go"], kept=rising
    )
    found = check(World({"clock": node}))
    assert (found.invariant, len(found.run)) == ("it rises", 3)
    assert check(World({"clock": node}), only=[]).verdict == "safe"


def test_a_first_state_may_be_bad_already():
    found = check(
        World({"a": Node(0, lambda state, event: (state, []))}, {"no": lambda record: False})
    )
    assert (found.verdict, found.invariant, found.run, found.depth) == ("violated", "no", (), 1)


def test_only_known_invariants_can_be_asked_for():
    with pytest.raises(ValueError, match="no invariant is called two cars"):
        check(car(), only=["two cars"])
    assert check(car(hasty), only=["somebody drives"]).verdict == "safe"


def forgetful(state, event):
    return state, [("b", "hi")]


def crashing(crashes):
    """A node that counts to two, and loses its count in a crash."""

    def back(state, event):
        yield 0, 0, ["again"]

    node = Node(0, lambda n, event: (min(n + 1, 2), [f"n{n + 1}"]), lambda n: ["up"], back)
    return World({"a": node}, {"few": lambda record: "again" not in record["a"]}, crashes=crashes)


def test_crashes_happen_up_to_their_number():
    assert check(crashing(0)).verdict == "safe"
    found = check(crashing(1))
    assert found.verdict == "violated"
    assert found.run == (Move("a", None, 0),)


def voter(state, event):
    sender, _ = event
    return (sender, [(sender, "yes")]) if state is None else (state, [])


def candidate(state, event):
    """Needs both of two votes."""
    sender, message = event
    if message == "run" and state == ():
        return ("?",), [("voters", "vote")]
    if message == "yes" and state and sender not in state:
        state = tuple(sorted({*state, sender}))
        return state, ["elected"] if len(state) == 3 else []
    return state, []


def election(voters, **more):
    people = {
        name: Node((), candidate, lambda state: ["run"] if state == () else [], hears=voters)
        for name in ("ann", "ben")
    }
    voter_ = Node(None, voter, address="voters", hears=("ann", "ben"))
    return World({**people, **dict.fromkeys(voters, voter_)}, {"one": one_car}, **more)


def nameless(state, event):
    """Needs one vote, and does not remember whose."""
    _, message = event
    if message == "run" and state == "idle":
        return "asked", [("voters", "vote")]
    return ("elected", ["elected"]) if message == "yes" and state == "asked" else (state, [])


def ballot(step, first, names, **more):
    alone = lambda state: ["run"] if state == first else []  # noqa: E731
    people = {name: Node(first, step, alone, hears=names) for name in ("ann", "ben")}
    box = Node(
        False,
        lambda voted, event: (True, [] if voted else [(event[0], "yes")]),
        address="voters",
        hears=("ann", "ben"),
    )
    return World({**people, **dict.fromkeys(names, box)}, {"none": lambda record: True}, **more)


def test_those_alike_are_visited_once_and_all_counted():
    names = ("v1", "v2", "v3")
    plain = check(ballot(nameless, "idle", names))
    merged = check(ballot(nameless, "idle", names, alike=names))
    assert plain.classes == plain.states == merged.states
    assert merged.exact
    assert merged.classes < plain.classes
    assert merged.levels == plain.levels


@pytest.mark.parametrize("shortcuts", [True, False])
def test_where_names_are_remembered_the_count_is_a_lower_bound(shortcuts):
    names = ("v1", "v2", "v3")
    plain = check(election(names), shortcuts=shortcuts)
    merged = check(election(names, alike=names), shortcuts=shortcuts)
    assert not merged.exact
    assert merged.classes <= merged.states < plain.states
    assert merged.verdict == plain.verdict
    assert merged.depth == plain.depth


def test_only_the_last_nodes_can_be_alike_and_only_if_they_are():
    with pytest.raises(ValueError, match="must be the last"):
        check(election(("v1", "v2"), alike=("v1",)))
    world = election(("v1", "v2"), alike=("v1", "v2"))
    odd = {**world.nodes, "v2": Node("ann", voter, address="voters", hears=("ann", "ben"))}
    with pytest.raises(ValueError, match="v2 is not like v1"):
        check(World(odd, alike=("v1", "v2")))


def test_nodes_that_were_wrongly_called_alike_are_told_apart_before_a_run_is_shown():
    def partial(state, event):  # believes v1 more than the others
        sender, message = event
        state, effects = candidate(state, event)
        return state, [*effects, "elected"] if (sender, message) == ("v1", "yes") else effects

    names = ("v1", "v2", "v3")
    world = election(names, alike=names)
    nodes = {n: Node((), partial, world.nodes[n].alone, hears=names) for n in ("ann", "ben")}
    world = World(
        {**world.nodes, **nodes}, {"none": lambda record: not any(record.values())}, alike=names
    )
    found = check(world)
    assert found.verdict == "violated"
    assert ("v1", "yes") in [move.event for move in found.run]


def test_progress_is_reported(monkeypatch):
    monkeypatch.setattr("paxos.drivers.checker.PULSE", 0.0)
    told = []
    check(election(("v1", "v2", "v3")), progress=told.append)
    assert told
    assert all(one.verdict == "bounded" for one in told)
    assert 0 < told[-1].classes < check(election(("v1", "v2", "v3"))).classes


# Where a step without effect matters after all.


def test_a_step_without_effect_may_break_a_rule_of_its_own():
    def forgets(known, event):
        return (not known, ["told"] if not known else [])

    stays = {"it stays": lambda before, after: after or not before}
    world = World({"a": Node(False, forgets, lambda state: ["go"], kept=stays)})
    for shortcuts in (True, False):
        found = check(world, shortcuts=shortcuts)
        assert (found.invariant, len(found.run)) == ("it stays", 2)


def test_a_rule_is_asked_of_each_step_and_not_of_several_at_once():
    small = {"by one": lambda before, after: after - before <= 1}
    count = Node(
        0,
        lambda n, event: (min(n + 1, 3), ["three"] if n == 2 else []),
        lambda n: ["up"],
        kept=small,
    )
    assert check(World({"a": count})).verdict == "safe"


def test_a_step_that_changes_nothing_may_break_a_rule_too():
    for effects in ([], ["x"]):
        node = Node(
            0,
            lambda n, event, e=effects: (1, e),
            lambda n: ["go"],
            kept={"moves": lambda b, a: a != b},
        )
        found = check(World({"a": node}))
        assert (found.invariant, len(found.run)) == ("moves", 2)


def test_a_rule_that_nobody_asked_for_hides_no_other():
    falls = {"it rises": lambda before, after: after > before, "two": lambda before, after: False}
    node = Node(1, lambda n, event: (0, ["bad"]) if n else BEYOND, lambda n: ["go"], kept=falls)
    never = {"no bad": lambda record: not record["a"]}
    world = World({"a": node}, never, {"bad possible": lambda record: bool(record["a"])})
    assert check(world, only=["no bad"]).invariant == "no bad"
    assert check(world, only="two").invariant == "two"
    assert check(world, only=["bad possible"]).verdict == "safe"


def test_a_crash_may_come_after_a_receipt_without_effect():
    def back(count, event):
        return [(0, 0, ["lost work"])] if event is None and count == 2 else []

    node = Node(0, lambda n, event: (min(n + 1, 2), []), lambda n: ["go"], back)
    world = World({"a": node}, {"none": lambda record: not record["a"]}, crashes=1)
    for shortcuts in (True, False):
        found = check(world, shortcuts=shortcuts)
        assert found.verdict == "violated"
        assert found.run[-1] == Move("a", None, 0)
        assert len(found.run) == 3


def test_a_crash_may_come_in_the_middle_of_what_nobody_asked_for():
    def back(count, event):
        return [(1, 0, ["half"])] if event == ("", "go") else []

    node = Node(
        0, lambda n, event: (1, ["half", "whole"]) if not n else (n, []), lambda n: ["go"], back
    )
    world = World({"a": node}, {"all": lambda record: record["a"] != {"half"}}, crashes=1)
    assert check(world).run == (Move("a", ("", "go"), 1),)


def test_what_is_ignored_depends_on_who_says_it():
    def picky(state, event):
        return ("got", ["got"]) if event[0] == "b" else (state, [])

    shout = Node(
        "quiet", lambda s, e: ("done", [("a", "hi")]), lambda s: ["go"] if s == "quiet" else []
    )
    nodes = {"a": Node("waits", picky, forgets=True), "b": shout, "c": shout}
    assert check(World(nodes, {"nothing": lambda record: not record["a"]})).verdict == "violated"


def test_an_effect_makes_even_an_unchanged_receiver_heed():
    def echo(state, event):
        return state, ["heard"]

    shout = Node(
        "quiet", lambda s, e: ("done", [("a", "hi")]), lambda s: ["go"] if s == "quiet" else []
    )
    nodes = {"a": Node("waits", echo, forgets=True), "b": shout}
    assert check(World(nodes, {"nothing": lambda record: not record["a"]})).verdict == "violated"


def test_a_bad_run_is_told_even_where_names_are_remembered_and_the_limit_is_near():
    names = ("v1", "v2", "v3")
    world = election(names, alike=names)
    world = World(world.nodes, {"none": lambda record: not any(record.values())}, alike=names)
    found = check(world, limit=30)
    assert found.verdict == "violated"
    assert found.run
