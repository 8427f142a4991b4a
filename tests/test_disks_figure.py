"""The grid of blocks: readable, and each cell is what the disk held."""

import re
import xml.etree.ElementTree as ET

import pytest
from worlds import storms

from paxos.drivers.simulator import simulate
from paxos.figures import disks
from paxos.figures.theme import text_width
from paxos.figures.words import senses
from paxos.outcome import chosen, final
from paxos.protocol.events import Answer, Decide
from paxos.protocol.messages import Blocks
from paxos.trace import Crash, dumps, loads

SVG = "{http://www.w3.org/2000/svg}"
WORLDS = {
    "quiet": {},
    "alone": {"proposers": 1, "acceptors": 1},
    "five disks": {"acceptors": 5},
    "nothing chosen": {"faults": ["drop blocks"], "until": 30},
    "nothing written": {"wishes": [], "until": 30},
    "long words": {"wishes": [(0, "ann", "a very long wish indeed, my friend")]},
    "loss": {"loss": 0.15, "duplicate": 0.1},
    "outages": {"outages": 0.2, "partition": 0.05},
    "crashes": {"crash": 0.05},
}


def shapes(figure, tag, *names):
    parts = ET.fromstring(figure.svg).iter(SVG + tag)
    return [
        one for one in parts if {f"px-{name}" for name in names} <= set(one.get("class").split())
    ]


@pytest.mark.parametrize("protocol", ["disk", "disk-log"])
@pytest.mark.parametrize("world", WORLDS)
def test_the_grid_can_be_read(world, protocol):
    for seed in range(8):
        figure = disks.grid(simulate(protocol=protocol, seed=seed, **WORLDS[world]))
        assert figure.faults == ()


FOUND = [  # by the nightly drawings: two reads of one disk were answered in one moment
    ("disk", "repeating", 10000),
    ("disk", "repeating", 10013),
    ("disk", "three proposers", 10006),
    ("disk-log", "repeating", 10002),
    ("disk-log", "outages", 10009),
]


@pytest.mark.parametrize(("protocol", "storm", "seed"), FOUND)
def test_what_happens_in_one_moment_stands_side_by_side(protocol, storm, seed):
    run = disks.beginning(simulate(protocol=protocol, seed=seed, **storms(protocol)[storm]))
    assert disks.grid(run).faults == ()
    looks = [(one.at, one.disk) for one in disks.looks(run)]
    assert len(set(looks)) < len(looks), "a run in which this can go wrong"
    things = [*disks.cells(run), *disks.looks(run), *disks.turns(run), *disks.deeds(run)]
    places, ends = disks.aside(things, disks.clock(run)), {}
    for thing, at in sorted(places, key=lambda one: one[1]):
        assert at >= ends.get(thing.row, 0) - 0.001
        ends[thing.row] = at + thing.wide


def test_a_vote_is_written_out_where_there_is_room():
    wish = "book saturday"
    figure = disks.grid(simulate(protocol="disk", wishes=[(0, "ann", wish)], proposers=1))
    said = [one.text for one in shapes(figure, "text", "f-accepted", "t-bold")]
    assert text_width(f"1.ann {wish}", 12, "bold") > disks.CELL, "more than a cell must have"
    assert f"1.ann {wish}" in said and figure.faults == ()


@pytest.mark.parametrize("world", ["quiet", "loss", "outages", "crashes"])
def test_the_last_cell_of_a_row_is_what_the_disk_holds_in_the_end(world):
    for seed in range(8):
        run = simulate(protocol="disk", seed=seed, until=80, **WORLDS[world])
        last = {(one.disk, one.owner): one for one in disks.cells(run)}
        held = {
            (name, owner): block
            for name, state in final(run).items()
            if run.role(name) == "disk"
            for owner, block in state.blocks
        }
        assert last.keys() == held.keys()
        for row, block in held.items():
            cell, memory = last[row], block.memory
            assert cell.promise == f"≥ {run.short(memory.promised)}"
            assert cell.votes == ((memory.vote,) if memory.vote else ())
            assert cell.knows == (block.chosen is not None)


def test_a_block_is_never_shown_to_go_back():
    for seed in range(8):
        run = simulate(
            protocol="disk", seed=seed, crash=0.05, loss=0.1, faults=["delay write 1 by 9"]
        )
        for disk in run.of("disk"):
            for owner in run.of("client"):
                mine = [one for one in disks.cells(run) if (one.disk, one.owner) == (disk, owner)]
                rounds = [int(re.search(r"\d+", one.promise)[0]) for one in mine]
                assert rounds == sorted(rounds)


def test_each_answered_read_is_there_with_what_it_meant():
    run = simulate(protocol="disk", seed=1, proposers=2, learners=0)
    looks, means = list(disks.looks(run)), senses(run)
    sent = [one for step in run.steps() for one in step.sent if isinstance(one.message, Blocks)]
    assert len(looks) == len(sent)
    meant = [
        means.heard[n].kind
        for n, step in enumerate(run.records)
        if n in means.heard and isinstance(step.event, Answer) and means.heard[n].kind != "chosen"
    ]
    assert sorted(one.kind for one in looks if one.kind != "plain") == sorted(meant)


def test_what_clients_do_is_there():
    for seed in range(8):
        run = simulate(protocol="disk", seed=seed, crash=0.03, until=60)
        marks = [one.mark for one in disks.deeds(run)]
        done = [any(isinstance(e, Decide) for e in s.effects[: s.done]) for s in run.steps()]
        assert marks.count("knows") == sum(done)
        down = [
            one for one in run.records if isinstance(one, Crash) and one.node in run.of("client")
        ]
        assert marks.count("crash") == len(down)


def test_a_golden_line_for_each_instant_and_a_frame_around_each_vote_for_it():
    for seed in range(8):
        run = simulate(protocol="disk", seed=seed)
        figure, won = disks.grid(run), [one.proposal for one in chosen(run)]
        assert len(shapes(figure, "line", "s-gold")) == len(won) > 0
        votes = [one for one in disks.cells(run) if set(one.votes) & set(won)]
        assert len(shapes(figure, "rect", "s-gold")) == len(votes) >= 2


def test_a_disk_out_of_reach_is_marked():
    run = simulate(protocol="disk", faults=["crash d3 at 4 for 9"])
    caps = [
        one for one in shapes(disks.grid(run), "line", "s-muted") if one.get("stroke-width") == "2"
    ]
    ends = [one for one in caps if float(one.get("y2")) - float(one.get("y1")) == 12]
    assert len(ends) == 2


def test_a_long_run_is_drawn_as_far_as_it_can_be_read():
    figure = disks.grid(simulate(protocol="disk", loss=0.5, seed=3, until=400))
    assert "The run goes on: " in figure.svg and figure.faults == ()
    assert float(ET.fromstring(figure.svg).get("width")) < 1700


def test_it_is_told_in_words_and_the_same_for_a_read_trace():
    run = simulate(protocol="disk", seed=1, proposers=2)
    figure = disks.grid(run)
    desc = ET.fromstring(figure.svg).findtext(SVG + "desc")
    assert "on d1 the block of ben is ≥ 1.ben, 1.ben Ben" in desc and "Ben is chosen" in desc
    assert disks.grid(loads(dumps(run))).svg == figure.svg


def test_a_run_without_disks_has_no_grid():
    with pytest.raises(ValueError, match="a run of static has no disks"):
        disks.grid(simulate())
