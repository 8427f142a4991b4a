"""Every arrow of the activity diagram was taken: by a run, told again here from its records alone."""

import re
from itertools import pairwise

import pytest

from paxos.drivers.simulator import simulate
from paxos.figures import activity
from paxos.figures.cases import Seen, watch, watched
from paxos.protocol.events import Decide, Wait

WORLDS = [{"until": until, "loss": loss} for until in (2, 4, 9, 30) for loss in (0, 0.3, 0.6)]


def arrows(traces, part):
    """(from, to) of the figure as drawn, the bars left out: what leads in leads on to all beyond."""
    try:
        dot = activity.dot(traces, part)
    except ValueError as error:
        assert "nothing for the part" in str(error) or "no steps" in str(error)
        return set()
    found = set(re.findall(r"^  (\w+) -> (\w+) \[", dot, re.MULTILINE))
    for bar in {end for _, end in found if "join" in end or "fork" in end}:
        ways = {(a, d) for a, b in found for c, d in found if b == c == bar}
        found = {pair for pair in found if bar not in pair} | ways
    return found


def name(one):
    return f"do_{one.case.role}_{one.case.number}"


def lives(trace):
    """What each node did between two crashes, steps without effect or change left out."""
    found = {}
    for one in watch(trace, watched()):
        if not isinstance(one, Seen):
            found.setdefault(one.node, [[]]).append([])
        elif one.step.effects or one.step.state != one.before:
            found.setdefault(one.step.node, [[]])[-1].append(one)
    return found


def of_a_step(one):
    """The arrows into and out of one action."""
    me, role, event = name(one), one.case.role, one.event
    yield ("start" if event == "Propose" else f"on_{role}_{event}"), me
    if event == "Timeout":
        yield "over", me
    if one.case.label == "refuse":
        yield from ((f"on_{role}_{event}", f"out_{role}_{event}"), ("in_R", me))
    for effect in one.step.effects[: one.step.done]:
        if isinstance(effect, Decide):
            yield me, me.replace("do", "end", 1)


def of_the_waits(life):
    """A wait that was over: who asked for it, what it was for."""
    asked = None
    for one in life:
        if one.event == "Timeout":
            yield from ((asked[0], f"wait_{asked[1]}"), (f"wait_{asked[1]}", "over"))
        for effect in one.step.effects[: one.step.done]:
            if isinstance(effect, Wait):
                asked = name(one), effect.why
                if one.event == "Refused":
                    yield asked[0], f"wait_{asked[1]}"


def of_the_messages(found):
    """From the one who sent it to the one who answered it."""
    steps = [one for its in found.values() for life in its for one in life]
    first = [life[0] for its in found.values() for life in its[1:] if life]
    sender = {it.id: one for one in steps for it in one.step.sent}
    for one in (one for one in steps if one.step.received is not None):
        by, door = sender[one.step.received], f"on_{one.case.role}_{one.event}"
        yield from ((name(by), door), (name(by), name(one)))
        back = any(by is it for it in first) and by.event == "Propose"
        if back or by.event == "Timeout":
            start = name(by) + "_again" * back
            yield from ((door.replace("on", "again", 1), door), (start, f"{start}_P"))


def taken(trace):
    """Every arrow that the run took, and some that no figure shows."""
    found = lives(trace)
    real = set(of_the_messages(found))
    for node, its in found.items():
        role = trace.role(node)
        if len(its) > 1:
            real.add((f"crash_{role}", f"back_{role}"))
        for number, life in enumerate(its):
            real |= {arrow for one in life for arrow in of_a_step(one)} | set(of_the_waits(life))
            real |= {(name(a), name(b)) for a, b in pairwise(life)}
            if number and life and life[0].event == "Propose":
                real.add((f"back_{role}", f"{name(life[0])}_again"))
    return real


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_an_arrow_is_there_because_the_run_took_it(world):
    for seed in range(12):
        trace = simulate(
            seed=seed, proposers=1 + seed % 3, acceptors=3, crash=0.15 * (seed % 2), **world
        )
        for part in ("main", "retry"):
            lies = arrows([trace], part) - taken(trace)
            assert not lies, f"seed {seed}, {part}"


def test_no_arrow_is_made_of_two_runs():
    """One run that counts a promise and stops, one that needs to count none."""
    traces = [simulate(seed=3, until=2.5), simulate(seed=3, acceptors=1)]
    for part in ("main", "retry"):
        assert arrows(traces, part) <= {arrow for trace in traces for arrow in taken(trace)}


def test_who_never_asks_again_after_a_crash_has_no_arrow_for_it():
    trace = simulate(proposers=1, faults=["crash ann at 8 for 1"], until=30)
    drawn = arrows([trace], "retry")
    assert ("crash_proposer", "back_proposer") in drawn
    assert not [end for start, end in drawn if start == "back_proposer"]


def test_a_wait_that_never_ended_leads_nowhere():
    drawn = arrows([simulate(seed=28, proposers=2, loss=0.3, until=9)], "retry")
    assert ("do_proposer_7", "wait_rival") in drawn
    assert ("wait_rival", "over") not in drawn


def test_a_refused_prepare_alone_does_not_lead_in_from_the_other_figure():
    trace = simulate(seed=1, proposers=2, until=4)
    drawn = arrows([trace], "main")
    assert ("on_acceptor_Prepare", "out_acceptor_Prepare") in drawn
    assert not [start for start, _ in drawn if start.startswith("again")]


def test_the_lies_would_be_seen(monkeypatch):
    """Plant one: an arrow for every wait."""
    trace = simulate(seed=28, proposers=2, loss=0.3, until=9)
    real = activity.dot
    planted = '}\n  wait_rival -> over [class="flow"];\n'
    monkeypatch.setattr(activity, "dot", lambda *them: real(*them) + planted)
    assert arrows([trace], "retry") - taken(trace) == {("wait_rival", "over")}
