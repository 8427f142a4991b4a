"""Break one rule, and two people stand at one car.

Each mutation is one text of the source replaced, in a package of its own. The checker finds a shortest
run that goes wrong; the simulator, which knows only chance, soon hits one too. So the tests of
agreement are able to fail, and each rule is known to be needed, together with a world in which one
misses it.
"""

from dataclasses import replace

import pytest

from paxos import mutations
from paxos.drivers.replay import replay
from paxos.drivers.worlds import REACHABLE, Size, static_world
from paxos.figures import spacetime, views
from paxos.mistakes import ACCEPTOR, PROMISE, SAVE, VOTE, wrong
from paxos.mutations import BY_NAME, MUTATIONS, bad_run, changed, load, named, searched
from paxos.outcome import broken
from paxos.trace import dumps, loads

HERE = ("static", "disk")  # those of lists and logs have tests of their own
DEADLY = {
    one.name: one.protocol
    for one in MUTATIONS
    if one.protocol in HERE and one.dies not in (None, REACHABLE)
}
SEEDS = 2000


def elsewhere(name, **changes):
    """What the checker finds in another world than that of the mutation."""
    mutation = named(name)
    package = load(mutation)
    small = package("drivers.small").WORLDS[mutation.protocol]
    world = small.world(small.size(**mutation.world | changes))
    return package("drivers.checker").check(world, only=[mutation.dies])


@pytest.mark.parametrize("name", DEADLY)
def test_without_the_rule_the_property_dies(name):
    size, found = searched(name)
    assert (found.verdict, found.invariant) == ("violated", named(name).dies)
    package = load(named(name))
    trace = package("drivers.small").WORLDS[named(name).protocol].bad_run(size, found)
    assert named(name).dies in package("outcome").broken(trace)
    # The rules as they are judge it alike: what is broken is the protocol, not the judge.
    assert named(name).dies in broken(loads(package("trace").dumps(trace)))
    if named(name).protocol == "static":  # a disk is read in more steps than a search takes
        assert len(list(trace.steps())) <= len(found.run)  # a crash between two steps is none
    # The simulator of that package follows the run; the rules as they are do not.
    assert package("drivers.replay").replay(trace) == trace


@pytest.mark.parametrize("name", DEADLY)
def test_the_run_is_a_trace_like_any_other(name):
    trace = bad_run(name)
    assert named(name).dies in broken(trace)
    for draw in (views.box, spacetime.draw):
        assert draw(trace).faults == ()
    try:
        assert replay(trace) != trace, "the rules as they are would have done the same"
    except ValueError as refused:
        assert "can miss each other" in str(refused)


@pytest.mark.parametrize("name", DEADLY)
def test_in_no_smaller_world_of_as_many_memories_does_it_die(name):
    size, _ = searched(name)
    least = {"proposers": 1, "clients": 1, "learners": 0, "rounds": 1, "crashes": 0, "acks": 0}
    for what, few in least.items():
        if (number := getattr(size, what, few)) > few:
            found = elsewhere(name, **{what: number - 1})
            assert found.verdict == "safe", f"{number - 1} {what} are enough"


QUICK = ("accept ignores the promise", "adopt no vote", "one acceptor counted twice")


@pytest.mark.parametrize("name", (*QUICK, "promise hides the vote", "quorums that do not meet"))
def test_the_short_cuts_miss_no_shorter_run(name):
    """The length of a run is the number of its steps that have an effect."""
    mutation = named(name)
    package = load(mutation)
    checker, worlds = package("drivers.checker"), package("drivers.worlds")
    size = worlds.Size(**mutation.world)
    long = checker.check(worlds.static_world(size), only=[mutation.dies], shortcuts=False)
    lengths = [
        sum(bool(step.effects) for step in worlds.bad_run(size, found).steps())
        for found in (searched(name)[1], long)
    ]
    assert lengths[0] == searched(name)[1].length <= lengths[1]
    assert len(long.run) <= len(searched(name)[1].run)


def test_some_mistakes_only_cost_an_answer_or_some_work():
    _, silent = searched("accept refuses its own promise")
    assert (silent.verdict, silent.invariant, silent.run) == ("violated", REACHABLE, ())
    _, eager = searched("promise the same ballot again")
    assert eager.verdict == "safe"
    for name in ("accept refuses its own promise", "promise the same ballot again"):
        with pytest.raises(ValueError, match="no run goes wrong"):
            bad_run(name)


def test_the_package_itself_stays_whole():
    bad_run("adopt no vote")
    world = static_world(Size(rounds=1))
    from paxos.drivers.checker import check

    assert check(world).verdict == "safe"


def test_each_run_is_the_same_bytes_each_time():
    again = mutations.bad_run.__wrapped__("promise hides the vote")
    assert dumps(again) == dumps(bad_run("promise hides the vote"))


def test_a_mutation_that_no_longer_applies_is_noticed():
    with pytest.raises(ValueError, match="0 times; a mutation needs it once"):
        changed("x = 1\n", (("y = 1", "y = 2"),), "some file")
    with pytest.raises(ValueError, match="2 times"):
        changed("x = 1\nx = 1\n", (("x = 1", "x = 2"),), "some file")
    stale = replace(BY_NAME["adopt no vote"], name="stale", changes=(("no such text", ""),))
    with pytest.raises(ValueError, match=r"proposer\.py has the text 'no such text' 0 times"):
        load(stale)("drivers.checker")


def test_every_mutation_stands():
    every = {one.protocol: mutations.standing(one.protocol) for one in MUTATIONS}
    assert [one for its in every.values() for one in its] == list(MUTATIONS)
    assert not mutations.stands(replace(BY_NAME["adopt no vote"], changes=(("no such text", ""),)))


def test_a_rule_that_nobody_knows_is_refused():
    with pytest.raises(
        ValueError, match=r"(?s)no rule is called 'be nice'.*accept ignores the promise"
    ):
        bad_run("be nice")


# The same mistakes, and some more, by chance.

STORM = {"proposers": 3, "jitter": 0.95, "loss": 0.15, "until": 60.0}
CRASHES = {"crash": 0.1, "loss": 0.05}
READ_ONE = {"phase1": 1, "phase2": 3}  # one promise is enough to go on, so what it hides is missed
WRITE_ONE = {"phase1": 3, "phase2": 1}  # one vote chooses, so one that slips in is enough
APART = {"acceptors": 4, "phase1": 2, "phase2": 3}  # two could lead one ballot, if they shared it
NAPS = [f"crash n{number % 3 + 1} at {2 + 0.7 * number:.1f} for 0.1" for number in range(9)]
RESTARTS = ["crash ben at 4 for 0.1", "crash cleo at 5 for 0.1", "delay promise from n3 by 2"]
LATE = {"loss": 0, "crash": 0.2, "faults": ["delay accept from ben by 6"]}

HUNTS = {
    "accept ignores the promise": {},
    "accept does not raise the promise": READ_ONE,
    "promise to whoever asks": {},
    "promise hides the vote": {},
    "promise not saved before the reply": WRITE_ONE | LATE,
    "a vote forgotten after restart": CRASHES,
    "adopt no vote": {},
    "adopt any vote": {},
    "adopt the oldest vote": {},
    "two values in one ballot": {"duplicate": 0.3},
    "promises kept for the next ballot": {},
    "votes kept for the next ballot": {},
    "answers to an earlier ballot": {"faults": ["delay promise from n1 by 6"]},
    "chosen by equal value": READ_ONE | {"loss": 0.3},
    "one acceptor counted twice": {"duplicate": 0.3},
    "quorums that do not meet": {"phase1": 1, "phase2": 2},
}

TWO_DISKS = {"proposers": 2, "acceptors": 2, "phase1": 1, "phase2": 2}
HUNTS_ON_DISKS = {
    "read before the write": {},
    "a larger ballot ignored": {},
    "phase 2 without looking": {},
    "the votes of others ignored": {},
    "my own vote ignored": {},
    "the flag set too early": {},
    "back without reading": TWO_DISKS | {"crash": 0.1},
    "quorums of disks that miss each other": {"phase1": 1, "phase2": 2},
}
# Thousands of storms over disks do not meet these, so the search that leaves nothing out is needed.
TOO_RARE = {
    *("adopt the oldest block", "an old write overtakes"),
    *("back from one disk", "a former life ignored"),
}
IDENTITY = "f\"{self.chance('identity').getrandbits(128):032x}\""
MORE = {
    "a promise that is not saved": (
        ACCEPTOR,
        f"({SAVE}, {PROMISE})",
        f"({PROMISE},)",
        {"faults": NAPS},
    ),
    "a vote saved after it was told": (ACCEPTOR, f"{SAVE}, {VOTE}", f"{VOTE}, {SAVE}", CRASHES),
    "two proposers in one ballot": (
        "protocol.ballot:Ballot",
        "Ballot(self.round + 1, proposer)",
        'Ballot(self.round + 1, "us")',
        APART,
    ),
    "an identity used again after a crash": (
        "drivers.simulator:Simulation",
        IDENTITY,
        "node.name",
        {"duplicate": 0.3, "faults": RESTARTS},
    ),
}


def hunt(mutation, breaks, world):
    """The first seed whose run breaks the invariant, or None."""
    package = load(mutation)
    simulate, judge = package("drivers.simulator").simulate, package("outcome").broken
    for seed in range(SEEDS):
        if breaks in judge(simulate(seed=seed, **STORM | world)):
            return seed
    return None


@pytest.mark.parametrize("name", HUNTS)
def test_a_hunt_through_seeds_finds_it_too(name):
    assert hunt(named(name), named(name).dies, HUNTS[name]) is not None


@pytest.mark.parametrize("name", HUNTS_ON_DISKS)
def test_a_hunt_through_seeds_finds_it_on_disks(name):
    world = {"protocol": "disk", "until": 120.0} | HUNTS_ON_DISKS[name]
    assert hunt(named(name), named(name).dies, world) is not None


@pytest.mark.parametrize("name", MORE)
def test_a_hunt_through_seeds_finds_more(name):
    rule, old, new, world = MORE[name]
    mutation = replace(wrong(name, rule, (old, new), why=""), name=name)
    breaks = "one value per ballot" if rule == "protocol.ballot:Ballot" else "agreement"
    assert hunt(mutation, breaks, world) is not None


def test_with_every_rule_the_same_hunts_find_nothing():
    from paxos.drivers.simulator import simulate

    worlds = [*HUNTS.values(), *(world for *_, world in MORE.values())]
    for world in worlds:
        if world != HUNTS["quorums that do not meet"]:
            for seed in range(30):
                assert broken(simulate(seed=seed, **STORM | world)) == []


def test_every_deadly_mistake_is_hunted_too():
    # A ballot is used twice only where an identity is; the simulator draws them (see MORE).
    static = {name for name, protocol in DEADLY.items() if protocol == "static"}
    assert static == {*HUNTS, "a ballot used twice"}
    assert set(DEADLY) - static == {*HUNTS_ON_DISKS} | TOO_RARE
