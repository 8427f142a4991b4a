"""The state diagram says what runs did: no arrow that no run took, and none of the outline's missing."""

import os
import re
import subprocess
import sys

import pytest

from paxos.drivers.simulator import simulate
from paxos.figures import statechart
from paxos.figures.__main__ import many_runs
from paxos.figures.statechart import ANSWER, NEW, PHASES, SLOTS
from paxos.trace import Open, Step

ALWAYS = {
    ("offline", "follower"): (ANSWER, "fold what is new"),
    ("offline", "proposer"): (ANSWER, "1a: prepare"),  # with the wish that it kept
    ("follower", "proposer"): ("a wish", "1a: prepare"),
    ("proposer", "follower"): (ANSWER, "chosen"),
    ("prepare", "decide"): (ANSWER, "2a: ask for votes"),
    ("prepare", "wait"): (ANSWER, "step back"),  # a larger number was seen
    ("decide", "wait"): (ANSWER, "step back"),
    ("wait", "prepare"): ("a wait is over", "1a: prepare, higher"),
    ("follower", "offline"): ("a wait is over", "offline"),
    ("proposer", "offline"): ("a wait is over", "offline"),
    ("offline", "offline"): ("a wish", "keep it"),
    (NEW, "offline"): ("opened", "look"),
}


@pytest.fixture(scope="module")
def runs():
    return many_runs("passive")


def by_records(traces):
    """Changes of state by the records alone, without the rules: (from, to)."""
    found = set()
    for trace in traces:
        states = {}
        for record in trace.records:
            if not isinstance(record, Open | Step) or trace.role(record.node) != "client":
                continue
            now = statechart.state(record.state)
            if isinstance(record, Step) and states[record.node] != now:
                found.add((states[record.node], now))
            states[record.node] = now
    return found


def drawn(traces):
    """The arrows whose path is in the picture."""
    svg = statechart.figure(traces).svg
    lines = {
        tuple(map(float, it))
        for it in re.findall(r'x1="(.*?)" y1="(.*?)" x2="(.*?)" y2="(.*?)"', svg)
    }
    return {edge for edge, slot in SLOTS.items() if (*slot.path[0], *slot.path[1]) in lines}


@pytest.mark.parametrize("edge", ALWAYS, ids=str)
def test_each_change_of_the_outline_happens_and_is_named_by_the_source(runs, edge):
    assert ALWAYS[edge] in statechart.edges(runs)[edge]
    assert edge in drawn(runs)


def test_what_is_drawn_is_what_the_records_say(runs):
    told = {(one.before, one.after) for one in statechart.transitions(runs)}
    assert {(before, after) for before, after in told if before not in (after, NEW)} == by_records(
        runs
    )
    assert drawn(runs) == set(statechart.edges(runs))


def test_a_client_that_keeps_still_is_no_arrow_but_for_wishes_and_waits(runs):
    still = [one for one in statechart.transitions(runs) if one.before == one.after]
    assert still and not any(one.event == ANSWER for one in still)


def test_what_no_run_did_is_not_drawn():
    calm = [simulate(protocol="passive", seed=1, proposers=1, learners=0)]
    edges = set(statechart.edges(calm))
    assert edges == drawn(calm)
    assert ("follower", "offline") not in edges and ("prepare", "wait") not in edges
    assert ("prepare", "decide") in edges


def test_every_change_has_its_place():
    tops = ("offline", "follower", "proposer")
    for before in tops:
        for after in tops:
            assert (before, after) in SLOTS or before == after == "proposer"
    # From waiting a client does not go straight on to ask for votes: it needs new promises.
    missing = {(a, b) for a in PHASES for b in PHASES if a != b} - SLOTS.keys()
    assert missing == {("wait", "decide")}


def test_many_worlds_have_no_change_without_a_place():
    for seed in range(60):
        world = {"outages": 0.1, "partition": 0.1, "loss": 0.2, "crash": 0.03, "stale_reads": 0.1}
        run = simulate(protocol="passive", seed=seed, conditional=seed % 2 == 0, **world)
        assert statechart.edges([run]).keys() <= SLOTS.keys(), f"seed {seed}"
        assert statechart.figure([run]).faults == (), f"seed {seed}"


def test_the_figure_can_be_read(runs):
    figure = statechart.figure(runs)
    assert figure.faults == ()
    width = float(re.search(r'width="([\d.]+)"', figure.svg)[1])
    sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg)} - {10.5}
    assert min(sizes) * 700 / width >= 11
    for state in ("online", "offline", "follower", "proposer", *PHASES):
        assert f">{state}<" in figure.svg


def test_the_figure_is_told_in_words_with_its_counts(runs):
    words = statechart.description(runs)
    for one in statechart.transitions(runs):
        assert f"when {one.event}: {one.label}" in words
    total = sum(sum(its.values()) for its in statechart.edges(runs).values())
    assert total == sum(map(int, re.findall(r"\((\d+) times\)", words.replace("once", "1 times"))))
    assert statechart.caption(runs).startswith("Drawn from 100 runs")


def test_a_star_stands_beside_chosen_and_nowhere_else(runs):
    assert statechart.figure(runs).svg.count("px-s-ink px-f-gold") == 1


def test_runs_of_another_protocol_are_refused():
    with pytest.raises(ValueError, match="of 'passive' cannot be drawn from runs of 'static'"):
        statechart.figure([simulate(seed=1)])
    with pytest.raises(ValueError, match="nothing to draw"):
        statechart.figure([])


def test_the_same_bytes_for_every_hash_seed():
    code = (
        "from paxos.figures import statechart\n"
        "from paxos.figures.__main__ import many_runs\n"
        "runs = many_runs('passive')[::4]\n"
        "print(statechart.figure(runs).svg, statechart.caption(runs))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "77")
    }
    assert len(outputs) == 1
