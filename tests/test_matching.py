"""The proof speaks of the code that runs: every step is an action of it, and a mutant's is none."""

from collections import Counter
from dataclasses import replace

import pytest
import worlds
from worlds import A1, A2, B1, B2

from paxos.drivers.checker import graph
from paxos.drivers.matching import explored, matched
from paxos.drivers.simulator import quorums, simulate
from paxos.drivers.worlds import INVARIANTS, Life, Size, simulated, static_world
from paxos.mutations import MUTATIONS, Mutation, load
from paxos.proof import static
from paxos.proof.checks import MODELS
from paxos.proof.model import SORTS, Finite, choices
from paxos.proof.seen import effect, nothing, recognise
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import NO_BALLOT, Ballot
from paxos.protocol.events import Save
from paxos.protocol.messages import Accepted
from paxos.protocol.quorum import Flexible, majority
from paxos.trace import Open, Trace

ACTIONS = {action.name for action in static.ACTIONS}


# Runs.


def test_every_step_of_every_run_is_an_action_and_every_action_is_taken():
    taken, adopted = Counter(), Counter()
    for run in worlds.runs()[::2]:
        for record, action in matched(run):
            taken[action] += 1
            if action == "propose":
                adopted[record.state.value != record.state.wish] += 1
    assert set(taken) == ACTIONS | {"stutter"}, taken
    assert set(adopted) == {True, False}  # what was reported, and what the proposer wished


@pytest.mark.parametrize("protocol", ["disk", "passive"])
def test_every_step_over_disks_and_lists_is_an_action_and_every_action_is_taken(protocol):
    taken = Counter()
    for run in worlds.runs(protocol)[::9]:
        for record, action in matched(run):
            taken[action] += 1
            assert action, (run.header.seed, record)
    assert set(taken) == {action.name for action in MODELS[protocol].actions} | {"stutter"}, taken


@pytest.mark.nightly
@pytest.mark.parametrize("protocol", ["disk", "passive"])
def test_every_step_of_every_run_over_disks_and_lists_is_an_action(protocol):
    for run in worlds.runs(protocol):
        assert all(action for _, action in matched(run)), run.header.seed


def wrong(name, module, old, new, **world):
    return pytest.param(
        Mutation(name, f"{module}:", module, ((old, new),), None, ""), world, id=name
    )


OF_MEMORIES = [
    wrong(
        "count every vote of a list",
        "protocol.acceptor",
        " if ballot >= acceptor.promised:  # 2b",
        ":  # 2b",
        protocol="passive",
        jitter=0.9,
    ),
    wrong(
        "own entry not required",
        "protocol.passive",
        "answers = (*replies,",
        "from .messages import Promise\n"
        "    answers = (*replies, Promise(me.member.ballot, view.memory.vote),",
        protocol="passive",
        lost_appends=0.3,
    ),
    wrong(
        "a list adopts no vote",
        "protocol.proposer",
        "return max(cast, key=lambda vote: vote.ballot).value if cast else wish",
        "return wish",
        protocol="passive",
    ),
    wrong(
        "read before write",
        "protocol.disk",
        "dict(blocks).get(me.name) == me.block",
        "me.name in dict(blocks)",
        protocol="disk",
        jitter=0.9,
        duplicate=0.3,
    ),
    wrong(
        "a higher block is ignored",
        "protocol.blocks",
        "max(stands, default=NO_BALLOT)",
        "NO_BALLOT",
        protocol="disk",
    ),
    wrong(
        "an old write overtakes",
        "protocol.blocks",
        " if join(blocks.get(owner) or block, block) == block:",
        ":",
        protocol="disk",
        faults=("delay write 1 to d1 by 9",),
    ),
]


@pytest.mark.parametrize(("one", "world"), OF_MEMORIES)
def test_where_a_rule_of_disks_or_lists_is_broken_some_step_is_none(one, world):
    module = load(one)
    simulate, match = module("drivers.simulator").simulate, module("drivers.matching").matched
    runs = (simulate(seed=seed, **world) for seed in range(40))
    assert any(action is None for run in runs for _, action in match(run))


# Every schedule of small worlds.

NIGHTLY = [pytest.mark.nightly]
WORLDS = [
    Size(2, 3, rounds=1),
    Size(2, 3, rounds=1, phase1=3, phase2=1),
    Size(1, 2, 1, rounds=1, crashes=1),
    pytest.param(Size(2, 2, rounds=1, crashes=1), marks=NIGHTLY),
    pytest.param(Size(2, 2, rounds=2), marks=NIGHTLY),
]


@pytest.mark.parametrize("size", WORLDS, ids=str)
def test_every_step_of_every_schedule_is_an_action_and_every_action_is_taken(size):
    world = graph(static_world(size), limit=20_000)
    taken = Counter(action for _, action in explored(world, quorums(simulated(size))))
    assert None not in taken
    assert set(taken) | {"leave"} == ACTIONS | {"stutter"}, taken
    assert taken["leave"] or not size.crashes


SLOW = {
    "chosen by equal value",
    "a ballot used twice",
    "two values in one ballot",
    "promises kept for the next ballot",
}
HARMFUL = [
    pytest.param(one, marks=NIGHTLY if one.name in SLOW else [], id=one.name)
    for one in MUTATIONS
    if one.dies in INVARIANTS and one.protocol == "static"
]


@pytest.mark.parametrize("one", HARMFUL)
def test_where_a_rule_is_broken_some_step_is_none_before_harm_is_done(one):
    module = load(one)
    worlds, matching = module("drivers.worlds"), module("drivers.matching")
    size = worlds.Size(**one.world)
    found = module("drivers.checker").check(worlds.static_world(size), only=[one.dies])
    run = worlds.bad_run(size, found, news=True)
    actions = [action for _, action in matching.matched(run)]
    before = replace(run, records=run.records[: actions.index(None)])
    assert one.dies in module("outcome").broken(run)
    assert module("outcome").broken(before) == []


INVENTED = Mutation(
    "a proposer invents its wish",
    "protocol.proposer:step",
    "protocol.proposer",
    (("return prepare(replace(p, wish=wish))", 'return prepare(replace(p, wish="Eve"))'),),
    "validity",
    "Nobody wants Eve.",
)


def test_a_wish_is_what_the_user_said_not_what_the_proposer_holds():
    module = load(INVENTED)
    run = module("drivers.simulator").simulate(proposers=1)
    assert "validity" in module("outcome").broken(run)
    found = [action for _, action in module("drivers.matching").matched(run)]
    assert "propose" not in found and None in found


def test_a_step_is_judged_by_what_came_before_it():
    """The same run without two of its votes: the decisions that counted on them are none any more."""
    run = simulate(proposers=1, acceptors=3, jitter=0)
    votes = [record for record, action in matched(run) if action == "vote"]
    rest = Trace(run.header, tuple(record for record in run.records if record not in votes[:2]))
    assert [record.node for record, action in matched(rest) if action is None] == ["ann"]


def test_to_tell_of_a_vote_before_it_is_saved_is_none():
    """The vote was told, and a crash before it was saved takes it back."""
    run = simulate(proposers=1)
    at = next(at for at, (_, action) in enumerate(matched(run)) if action == "vote")
    vote = run.records[at]
    saves, tells = vote.effects[:1], vote.effects[1:]
    assert isinstance(saves[0], Save) and isinstance(tells[0].message, Accepted)
    for done, action in ((0, "stutter"), (1, None)):
        early = replace(vote, effects=(*tells, *saves), done=done)
        short = replace(run, records=(*run.records[:at], early))
        assert [action for _, action in matched(short)][-1] == action


def test_a_log_has_no_proof_yet():
    with pytest.raises(ValueError, match="log"):
        next(matched(simulate(protocol="log")))


# Where induction starts.


def test_a_run_that_begins_with_a_promise_is_none():
    run = simulate(proposers=1)
    late = Trace(run.header, (Open(0, "n1", Acceptor(A1)), *run.records))
    assert next(action for _, action in matched(late)) is None
    assert next(action for _, action in matched(run)) == "stutter"


def test_a_small_world_that_begins_with_a_promise_is_none():
    small = Size(1, 2, rounds=1)
    world = static_world(small)
    assert next(explored(graph(world), majority(2))) == ((), "stutter")
    late = replace(world.nodes["n1"], state=Life(Acceptor(A1)))
    world = replace(world, nodes={**world.nodes, "n1": late, "n2": late})
    assert next(explored(graph(world), majority(2))) == ((), None)


# Steps by hand: each is an action; and with one thing changed it is none.

NEW = nothing(static.MODEL, ("n1", "n2", "n3"))


def plus(before, held=(), **more):
    """These facts, and more; and what some of the acceptors hold now."""
    promised = dict(before["left"]) | dict(held)
    return {
        **before,
        **{name: before[name] | set(facts) for name, facts in more.items()},
        "left": frozenset(promised.items()),
    }


def reports(who, b, c=NO_BALLOT, v=None):
    return (who, b, c, v)


WISHED = plus(NEW, wished=[("Ann",)])
PREPARED = plus(WISHED, asked=[(A1,)])
ONE = plus(PREPARED, {"n1": A1}, promised=[reports("n1", A1)])
PROMISED = plus(ONE, {"n2": A1}, promised=[reports("n2", A1)])
PROPOSED = plus(PROMISED, proposed=[(A1, "Ann")])
ONE_VOTE = plus(PROPOSED, voted=[("n1", A1, "Ann")])
VOTED = plus(ONE_VOTE, voted=[("n2", A1, "Ann")])
AGAIN = plus(VOTED, asked=[(B2,)], wished=[("Ben",)])
REPORT = reports("n2", B2, A1, "Ann")
CLOSED = plus(AGAIN, {"n2": B2, "n3": B2}, promised=[REPORT, reports("n3", B2)])

STEPS = {  # name: before, what is added, what is held then, the action
    "nothing": (PREPARED, {}, {}, "stutter"),
    "prepare": (NEW, {"asked": [(A1,)], "wished": [("Ann",)]}, {}, "prepare"),
    "prepare no ballot": (WISHED, {"asked": [(NO_BALLOT,)]}, {}, None),
    "prepare below no ballot": (WISHED, {"asked": [(Ballot(-1, "ann"),)]}, {}, None),
    "prepare two at once": (WISHED, {"asked": [(A1,), (B1,)]}, {}, None),
    "prepare again for the same wish": (VOTED, {"asked": [(A2,)]}, {}, "prepare"),
    "leave": (PREPARED, {}, {"n1": A1}, "leave"),
    "leave for a ballot of nobody": (PREPARED, {}, {"n1": B1}, None),
    "leave two at once": (PREPARED, {}, {"n1": A1, "n2": A1}, None),
    "go back": (PROMISED, {}, {"n2": NO_BALLOT}, None),
    "promise": (AGAIN, {"promised": [REPORT]}, {"n2": B2}, "promise"),
    "promise without saving it": (AGAIN, {"promised": [REPORT]}, {}, None),
    "promise more than is asked": (AGAIN, {"promised": [REPORT]}, {"n2": Ballot(3, "ben")}, None),
    "promise and hide the vote": (AGAIN, {"promised": [reports("n2", B2)]}, {"n2": B2}, None),
    "promise and invent a vote": (
        AGAIN,
        {"promised": [reports("n2", B2, A1, "Ben")]},
        {"n2": B2},
        None,
    ),
    "promise what nobody asked": (VOTED, {"promised": [REPORT]}, {"n2": B2}, None),
    "promise after leaving": (
        plus(PREPARED, {"n3": B2}, asked=[(B2,)]),
        {"promised": [reports("n3", A1)]},
        {},
        None,
    ),
    "propose the own wish": (PROMISED, {"proposed": [(A1, "Ann")]}, {}, "propose"),
    "propose what nobody wants": (PROMISED, {"proposed": [(A1, "Eve")]}, {}, None),
    "propose with one promise": (ONE, {"proposed": [(A1, "Ann")]}, {}, None),
    "propose twice": (PROPOSED, {"proposed": [(A1, "Ben")]}, {}, None),
    "propose the reported value": (CLOSED, {"proposed": [(B2, "Ann")]}, {}, "propose"),
    "propose the own wish instead": (CLOSED, {"proposed": [(B2, "Ben")]}, {}, None),
    "vote": (VOTED, {"voted": [("n3", A1, "Ann")]}, {"n3": A1}, "vote"),
    "vote without raising the promise": (VOTED, {"voted": [("n3", A1, "Ann")]}, {}, None),
    "vote after leaving": (CLOSED, {"voted": [("n3", A1, "Ann")]}, {}, None),
    "vote for what was not asked": (PROMISED, {"voted": [("n1", A1, "Ann")]}, {}, None),
    "tell of a vote that is not saved": (VOTED, {"told": [("n3", A1, "Ann")]}, {}, None),
    "decide": (VOTED, {"decided": [(A1, "Ann")]}, {}, "decide"),
    "decide with one vote": (ONE_VOTE, {"decided": [(A1, "Ann")]}, {}, None),
    "vote and decide at once": (
        ONE_VOTE,
        {"voted": [("n2", A1, "Ann")], "decided": [(A1, "Ann")]},
        {},
        None,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_by_hand(name):
    before, more, held, action = STEPS[name]
    assert recognise(static.MODEL, before, plus(before, held, **more), majority(3)) == action


@pytest.mark.parametrize("lost", ["asked", "wished", "promised", "proposed", "voted"])
def test_nothing_is_taken_back(lost):
    assert recognise(static.MODEL, VOTED, {**VOTED, lost: frozenset()}, majority(3)) is None


def test_other_quorums_are_other_quorums():
    assert recognise(static.MODEL, PROMISED, PROPOSED, Flexible(3, 2, 2)) == "propose"
    assert recognise(static.MODEL, PROMISED, PROPOSED, Flexible(3, 3, 1)) is None
    told = plus(ONE_VOTE, decided=[(A1, "Ann")])
    assert recognise(static.MODEL, ONE_VOTE, told, Flexible(3, 3, 1)) == "decide"


def test_quorums_that_can_miss_each_other_are_refused():
    apart = Flexible(3, 2, 2)
    object.__setattr__(apart, "phase1", 1)
    assert recognise(static.MODEL, PROMISED, PROPOSED, apart) is None


# The same text, read twice.


def test_the_order_that_the_proof_takes_for_granted_is_that_of_ballots():
    ballots = [NO_BALLOT, B2, A1, A2, B1, Ballot(0, "ann"), Ballot(10, "")]
    assert static.order(Finite(lambda *_: False, NO_BALLOT, domain={"ballot": ballots}))
    assert not static.order(Finite(lambda *_: False, A1, domain={"ballot": ballots}))


@pytest.mark.parametrize(
    ("model", "action"),
    [
        pytest.param(model, action, id=f"{name} {action.name}")
        for name, model in MODELS.items()
        for action in model.actions
    ],
)
def test_an_effect_is_the_same_for_the_solver_and_for_runs(model, action):
    domain = {"acceptor": ("n1", "n2"), "ballot": range(3), "value": ("Ann", "Ben"), "place": (1,)}
    domain |= dict.fromkeys(("promisers", "voters", "returners"), (frozenset({"n1", "n2"}),))
    old = {"left": {("n1", 0)}, "voted": {("n1", 1, "Ann")}}
    w = Finite(lambda name, *fact: fact in old.get(name, ()), 0, domain=domain)
    assert set(action.letters) <= set(SORTS)
    for things in choices(domain, action.letters):
        then, adds = action.after(w, *things), effect(action, domain, things)
        for name, (letters, _) in model.relations.items():
            held = {fact for fact in choices(domain, letters) if then.holds(name, *fact)}
            assert held == old.get(name, set()) | adds.get(name, frozenset())
