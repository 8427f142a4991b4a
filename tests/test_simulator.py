"""The simulator: one seed is one run, every fault shows, and no fault breaks agreement."""

import hashlib
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from worlds import befores, runs, storms

from paxos.drivers.simulator import PROTOCOLS, World, names, simulate
from paxos.outcome import broken, chains, chosen
from paxos.protocol.events import Propose, Save
from paxos.protocol.lists import Amiss
from paxos.protocol.messages import Append, Appended
from paxos.trace import Crash, Cut, Heal, Lost, Open, Step, dumps, identity

DIGEST = """
import hashlib
from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.trace import dumps
storm = dict(loss=0.2, duplicate=0.2, crash=0.1, partition=0.2, proposers=3, jitter=0.9)
for seed in range(3):
    for protocol in PROTOCOLS:
        text = dumps(simulate(seed=seed, protocol=protocol, **storm))
        print(protocol, seed, hashlib.sha256(text.encode()).hexdigest())
"""
ROOT = Path(__file__).parent.parent


def digests(python=sys.executable, hash_seed="0"):
    """What that Python makes of these seeds, seen in a process of its own."""
    found = subprocess.run(
        [python, "-c", DIGEST],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": str(ROOT),
            "PYENV_VERSION": Path(python).name.removeprefix("python"),  # for those who use pyenv
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode and "not found" in found.stderr:  # a launcher without its Python
        pytest.skip(f"{python} does not start here")
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_a_seed_means_the_same_bytes_whatever_the_hash_seed(hash_seed):
    assert digests(hash_seed=hash_seed) == digests()


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13", "python3.14"])
def test_a_seed_means_the_same_bytes_on_every_python(name):
    python = shutil.which(name)
    if python is None:
        pytest.skip(f"no {name} here")
    assert digests(python) == digests()


def test_these_are_the_bytes_that_version_1_wrote():
    """A seed in a bug report must still mean the same run next year. Change it knowingly."""
    storm = {"loss": 0.2, "duplicate": 0.2, "crash": 0.1, "partition": 0.2}
    text = dumps(simulate(seed=7, proposers=2, acceptors=3, learners=1, **storm))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "e011f244b112f6ee"


def test_another_seed_is_another_run():
    assert len({dumps(simulate(seed=seed)) for seed in range(20)}) == 20


def test_a_world_and_its_options_are_the_same():
    assert simulate(World(seed=3, loss=0.1)) == simulate(seed=3, loss=0.1)


# Faults.


def seen(kind, **options):
    """How many records of one kind ten runs of a world have."""
    traces = [simulate(seed=seed, **options) for seed in range(10)]
    return sum(isinstance(record, kind) for trace in traces for record in trace.records)


@pytest.mark.parametrize("kind", [Lost, Crash, Cut, Heal])
def test_a_quiet_world_has_no_faults(kind):
    assert seen(kind) == 0


def test_one_who_remembers_can_be_out_of_reach_for_a_while():
    for protocol, role in (("static", "acceptor"), ("disk", "disk"), ("passive", "list")):
        for seed in range(10):
            trace = simulate(protocol=protocol, seed=seed, outages=0.2)
            away = {record.node for record in trace.records if isinstance(record, Crash)}
            assert away <= set(trace.of(role))
    assert seen(Crash, protocol="passive", outages=0.2) > 5


def test_an_append_can_be_acknowledged_and_lost():
    for seed in range(10):
        trace = simulate(protocol="passive", seed=seed, lost_appends=0.3)
        for before, step in befores(trace):
            if isinstance(step.event, Amiss):
                assert step.state == before
                assert step.sent[0].message == Appended(step.event.request.entry)


def test_a_fetch_can_be_answered_as_it_was_some_entries_ago():
    behind = 0
    for seed in range(10):
        trace = simulate(protocol="passive", seed=seed, stale_reads=0.5)
        for before, step in befores(trace):
            if isinstance(step.event, Amiss):
                (answer,) = [one.message for one in step.sent]
                now = before.things[answer.after :]
                assert answer.entries == now[: len(answer.entries)]
                behind += answer.entries != now
    assert behind > 20


def test_in_a_conditional_world_every_append_names_its_place():
    trace = simulate(protocol="passive", seed=1, conditional=True)
    appends = [s.event for s in trace.steps() if isinstance(s.event, Append)]
    assert appends and all(isinstance(one.at, int) for one in appends[:3])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Lost, {"loss": 0.3}),
        (Crash, {"crash": 0.2}),
        (Cut, {"partition": 0.5}),
        (Heal, {"partition": 0.5}),
    ],
    ids=["loss", "crash", "partition", "heal"],
)
def test_every_chance_of_a_fault_shows_in_the_trace(kind, options):
    assert seen(kind, **options) > 5


def test_what_is_duplicated_arrives_twice():
    trace = simulate(seed=1, duplicate=0.5)
    received = [step.received for step in trace.steps() if step.received]
    assert len(received) > len(set(received))


def test_certain_loss_leaves_nothing_to_receive():
    trace = simulate(loss=1.0, until=50)
    assert not [step for step in trace.steps() if step.received]


def test_without_jitter_every_message_takes_one_delay():
    trace = simulate(seed=2, jitter=0.0)
    sent = {one.id: step.at for step in trace.steps() for one in step.sent}
    assert {step.at - sent[step.received] for step in trace.steps() if step.received} == {1000}


def test_with_jitter_messages_overtake_each_other():
    trace = simulate(seed=2, jitter=0.9)
    ids = [step.received for step in trace.steps() if step.received]
    assert ids != sorted(ids)


def test_more_loss_does_not_change_who_anybody_is():
    opens = [
        [record.state for record in simulate(seed=5, loss=loss).records if isinstance(record, Open)]
        for loss in (0.0, 0.3)
    ]
    assert opens[0] == opens[1]


def test_a_step_that_a_crash_cuts_short_is_followed_by_the_crash():
    for run in runs():
        for step, following in zip(run.records, run.records[1:], strict=False):
            if isinstance(step, Step) and step.done < len(step.effects):
                assert following == Crash(step.at, step.node)


def restless():
    """Runs of one writer who has much to ask and often crashes while it asks."""
    wishes = [(0, "ann", what) for what in "abc"]
    return [
        simulate(seed=seed, protocol="log", proposers=1, crash=0.2, wishes=wishes, until=60)
        for seed in range(40)
    ]


@pytest.mark.parametrize(
    "traces",
    [*(partial(runs, protocol) for protocol in PROTOCOLS), restless],
    ids=[*PROTOCOLS, "much"],
)
def test_one_who_is_down_does_nothing(traces):
    for run in traces():
        up = set()
        for record in run.records:
            if isinstance(record, Open):
                assert record.node not in up
                up.add(record.node)
            elif isinstance(record, Crash):
                up.remove(record.node)
            elif isinstance(record, Step):
                assert record.node in up


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_saved_survives_a_crash_and_the_rest_does_not(protocol):
    for run in runs(protocol):
        saved = {}
        for record in run.records:
            if isinstance(record, Step):
                for effect in record.effects[: record.done]:
                    if isinstance(effect, Save):
                        saved[record.node] = effect.state
            elif isinstance(record, Open) and record.node in saved:
                assert record.state == saved[record.node]


def identities(run):
    """Under which identity each life proposes: (node, identity)."""
    opened = [record for record in run.records if isinstance(record, Open)]
    return [(one.node, its) for one in opened if (its := identity(one.state)) is not None]


@pytest.mark.parametrize("protocol", ["static", "log", "passive", "passive-log"])
def test_a_proposer_comes_back_as_somebody_else(protocol):
    for run in runs(protocol):
        found = [its for _, its in identities(run)]
        assert found
        assert len(found) == len(set(found)) == len(run.names) == len(set(run.names.values()))


@pytest.mark.parametrize("protocol", ["disk", "disk-log"])
def test_who_owns_a_block_comes_back_under_its_own_name(protocol):
    lives = 0
    for run in runs(protocol):
        assert all(node == its for node, its in identities(run))
        lives = max(lives, len(identities(run)) - len(run.of("client")))
    assert lives > 3


def test_the_user_asks_again_after_a_crash():
    trace = simulate(proposers=1, faults=["crash ann at 0.5 for 1"])
    asked = [step.event for step in trace.steps() if isinstance(step.event, Propose)]
    assert asked == [Propose("Ann"), Propose("Ann")]
    assert chosen(trace)[0].proposal.value == "Ann"


# What must hold whatever happens, and what must be possible.


@pytest.mark.parametrize(
    ("protocol", "storm"), [(its, storm) for its in PROTOCOLS for storm in storms(its)]
)
def test_agreement_survives_every_storm(protocol, storm):
    number = list(storms(protocol)).index(storm)
    mine = [run for run in runs(protocol) if run.header.seed // 100 == number]
    assert [broken(run) for run in mine] == [[]] * len(mine)
    assert len(mine) >= 12
    # And a value can be chosen. Where a phase takes two round trips, patience is longer.
    hurried = 0.95 if PROTOCOLS[protocol].remembers == "acceptor" else 0.75
    assert sum(bool(chosen(run)) for run in mine) >= hurried * len(mine)


def test_a_quiet_world_with_one_proposer_decides_in_four_message_delays():
    trace = simulate(proposers=1, jitter=0.0)
    assert chosen(trace)[0].at == 3000
    assert chains(trace)[chosen(trace)[0].index] == 3
    assert max(chains(trace).values()) == 4


@pytest.mark.parametrize("lasting", [("n1",), ("n1", "n2")])
def test_a_majority_is_enough_and_less_is_not(lasting):
    trace = simulate(faults=[f"crash {name} at 0" for name in lasting])
    assert bool(chosen(trace)) == (len(lasting) == 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_step_is_refolded_by_the_rules(protocol):
    """What the simulator wrote down is what `step` says, from the state before."""
    for run in runs(protocol):
        for before, step in befores(run):
            fold = PROTOCOLS[protocol].steps[run.role(step.node)]
            assert fold(before, step.event) == (step.state, step.effects)


# Worlds that cannot be.


def test_there_are_names_for_any_number_of_proposers():
    many = names(World(proposers=12))["proposer"]
    assert len(set(many)) == 12
    assert simulate(proposers=12, until=20).of("proposer") == many


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"protocol": "raft"}, "no protocol is called 'raft'; there are static, log"),
        ({"acceptors": 0}, "0 acceptors: a run needs at least 1"),
        ({"protocol": "one-list", "acceptors": 3}, "one-list is about one list"),
        ({"proposers": 0}, "0 proposers: a run needs at least 1"),
        ({"learners": -1}, "-1 learners: a run needs at least 0"),
        ({"acceptors": 4, "phase1": 2, "phase2": 2}, "can miss each other"),
        ({"phase1": 4}, "at most 3 members"),
        ({"phase1": 0}, "at least 1"),
        ({"phase2": 0, "phase1": 3}, "at least 1"),
        ({"loss": 1.5}, "loss is a chance: 1.5 is not from 0 to 1"),
        ({"duplicate": -0.1}, "duplicate is a chance"),
        ({"crash": float("nan")}, "crash is a chance"),
        ({"partition": 2}, "partition is a chance"),
        ({"protocol": "disk", "outages": 2}, "outages is a chance"),
        ({"protocol": "passive", "lost_appends": -1}, "lost_appends is a chance"),
        ({"protocol": "passive", "stale_reads": 7}, "stale_reads is a chance"),
        (
            {"protocol": "disk", "lost_appends": 0.1},
            "of lists: run passive, passive-log or one-list",
        ),
        ({"stale_reads": 0.1}, "of lists: run passive, passive-log or one-list"),
        (
            {"protocol": "log", "conditional": True},
            "of lists: run passive, passive-log or one-list",
        ),
        ({"protocol": "disk", "wishes": [(0, "d1", "x")]}, "'d1' wishes something but is no"),
        ({"jitter": 1.0}, "time cannot run backwards"),
        ({"until": -1}, "until -1 is not from 0"),
        ({"until": float("inf")}, "until inf is not from 0"),
        ({"wishes": [(0, "zoe", "x")]}, "'zoe' wishes something but is no proposer"),
        ({"wishes": [(-1, "ann", "x")]}, "before the run begins"),
        ({"wishes": [(float("nan"), "ann", "x")]}, "before the run begins"),
        ({"backoff": "never"}, "no backoff is called 'never'; there are random, fixed"),
        ({"faults": ["burn n1"]}, "cannot read the fault 'burn n1'"),
        ({"faults": ["crash n9 at 4"]}, "no node is called 'n9'"),
    ],
)
def test_an_impossible_world_is_refused_in_a_sentence(options, reason):
    with pytest.raises(ValueError, match=reason):
        simulate(**options)
