"""Figures of runs over disks and lists: readable, and true to the run."""

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest

from paxos import trace
from paxos.cli import VIEWS, main
from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.figures import spacetime, views
from paxos.figures.parting import parting
from paxos.figures.theme import KINDS, ROLES
from paxos.figures.words import senses
from paxos.outcome import chosen, final
from paxos.protocol.events import Decide
from paxos.protocol.lists import Amiss
from paxos.protocol.messages import Append
from paxos.trace import text

SVG = "{http://www.w3.org/2000/svg}"
MEMORIES = [name for name in PROTOCOLS if name not in ("static", "log")]
STORMS = {
    "quiet": {},
    "loss": {"loss": 0.15, "duplicate": 0.1},
    "outages": {"outages": 0.2, "partition": 0.05},
    "crashes": {"crash": 0.05},
}
AMISS = {"lost_appends": 0.15, "stale_reads": 0.2, "faults": ["junk s1 at 3", "poison s2 at 7"]}


def world(protocol, storm, seed):
    bad = AMISS if protocol.startswith("passive") and storm != "quiet" else {}
    return simulate(protocol=protocol, seed=seed, until=60, **STORMS[storm], **bad)


def drawn(figure, tag, *names) -> list[ET.Element]:
    """The shapes of a kind that have all of these classes."""
    shapes = ET.fromstring(figure.svg).iter(SVG + tag)
    return [
        one for one in shapes if {f"px-{name}" for name in names} <= set(one.get("class").split())
    ]


@pytest.mark.parametrize("storm", STORMS)
@pytest.mark.parametrize("protocol", MEMORIES)
def test_a_run_over_a_memory_can_be_read_and_leaves_nothing_out(protocol, storm):
    for seed in range(6):
        run = world(protocol, storm, seed)
        figure = spacetime.draw(run)
        assert figure.faults == ()
        if "The run goes on" in figure.svg:
            continue
        of = Counter(type(record) for record in run.records)
        steps = list(run.steps())
        served = [one.event for one in steps if isinstance(one.event, Amiss)]
        gone = sum(isinstance(one.request, Append) for one in served)
        heads = [
            one.get("class") in {f"px-f-{kind}" for kind in KINDS}
            for one in drawn(figure, "polygon")
        ]
        assert sum(heads) == sum(step.received is not None for step in steps) - gone
        crosses = drawn(figure, "line", "s-refused")
        crosses = sum(not one.get("stroke-dasharray") for one in crosses) // 2
        assert crosses - (">lost<" in figure.svg) == of[trace.Lost] + gone
        told = sum(
            any(isinstance(one, Decide) for one in step.effects[: step.done]) for step in steps
        )
        assert len(drawn(figure, "rect", "f-gold")) == told + bool(told)
        down = [
            one for one in drawn(figure, "line", "s-lost") if one.get("stroke-dasharray") == "1 5"
        ]
        assert len(down) == of[trace.Crash]


@pytest.mark.parametrize("protocol", MEMORIES)
def test_the_instants_at_which_something_is_chosen_are_golden(protocol):
    for seed in range(6):
        run = world(protocol, "quiet", seed)
        golden = drawn(spacetime.draw(run), "line", "s-gold")
        assert len(golden) == len(chosen(run)) > 0


@pytest.mark.parametrize("protocol", ["disk", "disk-log", "passive", "passive-log"])
def test_what_stands_beside_the_lanes_is_what_the_memory_holds(protocol):
    """The last line of each owner's block, and one line for each thing in a list."""
    for seed in range(6):
        run = world(protocol, "quiet" if protocol == "disk" else "loss", seed)
        held = list(spacetime.memory(run))
        for name, state in final(run).items():
            mine = [one.words for one in held if one.node == name]
            if run.role(name) == "list":
                assert len(mine) == len(state.things) - 1  # but for the genesis
            elif run.role(name) == "disk":
                for _, block in state.blocks:
                    top, votes = (
                        run.short(block.memory.promised),
                        getattr(block.memory, "votes", ()),
                    )
                    slots = [f"#{slot} {text(vote.value)}" for slot, vote in votes]
                    assert any(top in words for words in mine) or {*slots} & {*mine}


def test_an_answer_has_the_colour_of_what_it_means_to_the_one_who_asked():
    run = simulate(protocol="disk", seed=1, proposers=2)
    figure, means = spacetime.draw(run), senses(run)
    kinds = Counter(means.heard[n].kind for n, one in enumerate(run.records) if n in means.heard)
    for kind in ("promise", "accepted", "refused"):
        assert kinds[kind] > 0
        assert len(drawn(figure, "polygon", f"f-{kind}")) == kinds[kind]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_role_has_its_shape_and_the_legend_says_which(protocol):
    run = simulate(protocol=protocol)
    figure = spacetime.draw(run).svg
    roles = {role for _, role in run.header.nodes}
    for role in ROLES:
        assert (f">{role}<" in figure) == (role in roles)


def test_a_disk_that_is_out_of_reach_leaves_a_gap_in_its_lane():
    run = simulate(protocol="disk", faults=["crash d2 at 4 for 8"])
    figure = spacetime.draw(run)
    caps = [one for one in drawn(figure, "line", "s-muted") if one.get("stroke-width") == "2"]
    assert len(caps) == 2 and caps[0].get("x1") == caps[1].get("x1")
    assert "d2 is out of reach" in figure.svg and "d2 is back" in figure.svg


@pytest.mark.parametrize("storm", STORMS)
@pytest.mark.parametrize("protocol", [*MEMORIES, "log"])
def test_a_run_of_the_rules_never_parts_from_them(protocol, storm):
    if protocol != "log" or storm != "outages":
        assert not any(parting(world(protocol, storm, seed)) for seed in range(6))


def test_a_step_that_the_rules_would_not_take_is_found_over_a_memory_too():
    run = simulate(protocol="disk", proposers=1)
    records, asks = list(run.records), of_asking_for_votes(run)
    wrong = replace(records[asks], effects=records[asks].effects[1:], sent=(), done=1)
    bad = parting(replace(run, records=(*records[:asks], wrong)))
    assert bad == (asks, "write accept 1.ann, Ann")
    marked = spacetime.draw(run, bad)
    assert marked.faults == () and "the rule for ann: write" in marked.svg


def of_asking_for_votes(run):
    """The number of the first step in which a client does."""
    means = senses(run)
    for number, one in enumerate(run.records):
        for its in getattr(one, "sent", ()):
            if means.of(its.id).kind == "accept":
                return number
    raise AssertionError("nobody asks for votes")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_command_draws_every_view_that_a_run_of_its_protocol_has(protocol, tmp_path, capsys):
    file = tmp_path / "run.ndjson"
    file.write_text(trace.dumps(simulate(protocol=protocol)), encoding="utf-8")
    for view in VIEWS[protocol]:
        target = tmp_path / f"{view}.svg"
        assert main(["draw", str(file), "--view", view, "-o", str(target)]) == 0
        assert target.read_text(encoding="utf-8").startswith("<svg")
    others = {view for views in VIEWS.values() for view in views} - set(VIEWS[protocol])
    for view in others:
        assert main(["draw", str(file), "--view", view, "-o", str(tmp_path / "x.svg")]) == 2
        assert f"a run of {protocol} has no view {view}: draw spacetime" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", MEMORIES)
def test_the_black_box_and_the_log_can_be_read(protocol):
    for seed in range(4):
        run = simulate(protocol=protocol, seed=seed)
        figure = (views.log if PROTOCOLS[protocol].many else views.box)(run)
        assert figure.faults == () and "two are chosen" not in figure.svg


def test_a_request_that_is_asked_again_is_noted_once():
    run = simulate(protocol="passive", proposers=2, learners=0, conditional=True)
    notes = [one.words for one in spacetime.told(run) if one.badge]
    appends = [step for step in run.steps() if any(type(s.message) is Append for s in step.sent)]
    assert len(appends) > len(notes) == len(set(notes)) > 2
