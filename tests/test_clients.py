"""The activity diagram of a passive client says what the source says and what the runs did."""

import re

import pytest
from test_activity import labels, places

from paxos.drivers.simulator import simulate
from paxos.figures import activity, clients
from paxos.figures.__main__ import many_runs
from paxos.figures.cases import Seen, watch, watched
from paxos.protocol.messages import Append


@pytest.fixture(scope="module")
def runs():
    return many_runs("passive")


@pytest.fixture(scope="module")
def dot(runs):
    return activity.dot(runs)


def arrows(dot):
    return set(re.findall(r"^  (\w+) -> (\w+) \[", dot, re.MULTILINE))


def test_the_figure_can_be_read(runs, dot):
    shown = [it for it in places(dot).values() if it[0].startswith("action")]
    assert 8 <= len(shown) <= activity.MOST
    figure = activity.figure(runs)
    assert figure.faults == ()
    width = float(re.search(r'width="([\d.]+)"', figure.svg)[1])
    sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg)} - {10.5}
    assert min(sizes) * 700 / width >= 11
    assert f'<title id="title">{clients.TITLE}</title>' in figure.svg


def test_actions_are_the_cases_of_the_client_of_its_parts_and_of_the_list(dot):
    known = {
        case.label
        for rule in (*watched("passive").values(), *watched("passive").inner.values())
        for case in rule.cases
    }
    boxes = re.findall(r'^  do_\w+ \[.*? label="(.*?)(?:\\n.*?)?"', dot, re.MULTILINE)
    assert set(boxes) <= known
    assert {"append", "fetch", "show", "2a: ask for votes", "chosen", "step back"} <= set(boxes)


def test_the_guards_are_those_of_the_source(dot):
    texts = labels(dot)
    rules = watched("passive")
    guards = {
        f"[{clients.event(case)} and {case.guard}]"
        for rule in (rules.inner["proposer"], rules.inner["learner"])
        for case in rule.cases
        if case.guard
    }
    inside = [text for text in texts if text.startswith("[")]
    assert len(inside) >= 6 and set(inside) <= guards


def test_every_message_of_the_figure_was_sent_and_heard(runs, dot):
    """Told again from the records: who sent an append, a fetch or an answer, and who took it."""
    rules, heard = watched("passive"), set()
    for trace in runs:
        sent = {}
        for one in watch(trace, rules):
            if isinstance(one, Seen):
                if one.step.received in sent:
                    heard |= {(who, one.case) for who in sent[one.step.received]}
                for it in one.step.sent:
                    sent[it.id] = {one.case, *one.inner}
    drawn = {(a.replace("fork", "do"), b) for a, b in arrows(dot) if a[:2] in ("do", "fo")}
    across = {(a, b) for a, b in drawn if b.startswith("do_") and a != b}
    took = {(clients._id(a), clients._id(b)) for a, b in heard}
    within = {("do_client_8", f"do_{role}_{n}") for role in clients.INSIDE for n in range(9)}
    assert across - within <= took
    assert {(a, b) for a, b in across if "list" in a or "list" in b}


def test_the_letters_go_on_somewhere(dot):
    shapes = places(dot)
    letters = dict(re.findall(r'^  (\w+) \[class="connector".*?label="(\w)"', dot, re.MULTILINE))
    ways = {name.startswith("in_"): set() for name in letters}
    for name, letter in letters.items():
        ways[name.startswith("in_")].add(letter)
        assert name in shapes
    assert ways[True] == ways[False] == {"A", "B"}


def test_an_effect_belongs_to_the_part_that_asked_for_it(runs):
    tale = clients.read(runs)
    by_label = {case.label: tale.effects(case) for case in tale.ran}
    assert by_label["1a: prepare"] == ("Append Prepare",) * 3 + ("Wait answers",)
    assert by_label["2a: ask for votes"] == ("Append Accept",) * 3 + ("Wait answers",)
    assert by_label["step back"] == ("Wait rival",)
    assert by_label["fold what is new"] == ()
    appends = sum(
        isinstance(getattr(effect, "message", None), Append)
        for trace in runs
        for step in trace.steps()
        for effect in step.effects
    )
    told = sum(
        count * sum(what.startswith("Append ") for what in does)
        for its in tale.does.values()
        for does, count in its.items()
    )
    assert told == appends


def test_an_action_that_no_run_took_is_not_drawn():
    calm = [simulate(protocol="passive", seed=1, proposers=1, learners=0)]
    drawn = labels(activity.dot(calm))
    assert not any("step back" in text for text in drawn)
    assert any("chosen" in text for text in drawn)
    with pytest.raises(ValueError, match="nothing for the part 'main'"):
        activity.dot([simulate(protocol="passive", seed=1, wishes=[])])


def test_one_run_is_drawn_as_well_as_many():
    for seed in range(30):
        world = {
            "proposers": 1 + seed % 4,
            "loss": 0.2,
            "outages": 0.05,
            "acceptors": (1, 3, 5)[seed % 3],
        }
        trace = simulate(protocol="passive", seed=seed, conditional=seed % 5 == 0, **world)
        assert activity.figure([trace]).faults == (), f"seed {seed}"


def test_the_caption_counts_what_is_not_shown(runs):
    words = activity.caption(runs)
    steps = sum(1 for trace in runs for _ in trace.steps())
    assert words.startswith(f"Drawn from {steps:,} calls of `step` in 100 runs")
    assert "keep it" in words and "look again" in words and "say yes, and lose it" in words
    assert "step back" not in words


def test_junk_in_a_list_is_no_case_of_a_client():
    run = simulate(protocol="passive", faults=["junk s1 at 4", "poison s2 at 4"])
    assert activity.dot([run]).startswith("digraph")
