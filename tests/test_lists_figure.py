"""Lists side by side: every entry, reader and verdict is drawn once, and can be read."""

import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from worlds import storms

from paxos.drivers.simulator import simulate
from paxos.figures import lists, theme
from paxos.figures.lists import Column, Mark, View
from paxos.protocol.events import Decide
from paxos.protocol.lists import Entry

SVG = "{http://www.w3.org/2000/svg}"


def column(name="s1", count=3, **views):
    kinds = ("prepare", "accept")
    marks = [
        Mark(f"{n}.ann", ("ann", "ben")[n % 2], kinds[n % 2], (True, False, None)[n % 3])
        for n in range(count)
    ]
    return Column(name, tuple(marks), {who: View(*one) for who, one in views.items()})


THREE = [column("s1", ann=("1.ann Ann", 2)), column("s2", 9, ben=("no vote", 9)), column("s3", 0)]
TOLD = {"ann": ("is told Ann", False), "ben": ("is told Ben", True)}
SHEETS = {
    "three lists": (THREE, TOLD),
    "nothing yet": ([column("s1", 0)], {}),
    "nobody reads": ([column("s1"), column("s2")], {}),
    "two read the same": ([column("s1", ann=("x", 3), ben=("y", 3))], TOLD),
    "not told": (THREE, {"ann": ("tries again", None)}),
    "seven lists": ([column(f"s{n}", 12, ann=("1.ann Ann", n)) for n in range(7)], TOLD),
    "ten and more": ([column("s1", 25), column("s2", 3)], {}),
    "many authors": (
        [Column("s1", tuple(Mark("1.x", f"who {n}", "prepare") for n in range(9)))],
        {},
    ),
    "long words": (
        [
            Column(
                "a service with a very long name",
                (Mark("1.ann a very long wish indeed, my friend", "ann", "accept", True, True),),
                {"ann": View("1.ann a very long wish indeed, my friend", 1)},
            )
        ],
        {"ann": ("is told a very long wish indeed, and many words more than have room", False)},
    ),
    "notes": ([Column("s1", (Mark("1.ann", "ann", "accept", False, note="below 1.ben"),))], {}),
}


@pytest.mark.parametrize("sheet", SHEETS)
def test_no_text_overlaps_or_sticks_out(sheet):
    assert lists.draw(*SHEETS[sheet], title="Lists").faults == ()


RUNS = {
    f"{protocol} {name} {seed}": {"protocol": protocol, "seed": seed, **world}
    for protocol in ("passive", "passive-log")
    for name, world in {
        "quiet": {},
        "five": {"acceptors": 5, "proposers": 2},
        "storm": {
            "duplicate": 0.2,
            "loss": 0.1,
            "lost_appends": 0.2,
            "stale_reads": 0.2,
            "until": 60,
        },
    }.items()
    for seed in range(3)
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_can_be_read_at_any_moment(name):
    run = simulate(**RUNS[name])
    for at in (None, 0, run.records[-1].at // 3, run.records[-1].at // 2):
        assert lists.of_trace(run, at).faults == ()


FOUND = [  # by the nightly drawings: what a reader saw in two lists ran into each other
    ("crashing", 10003),
    ("splitting", 10000),
    ("all at once", 10001),
    ("five acceptors", 10002),
    ("flexible", 10005),
    ("outages", 10008),
    ("bad services", 10000),
]


@pytest.mark.parametrize(("storm", "seed"), FOUND)
def test_what_is_read_stays_under_its_list(storm, seed):
    run = simulate(protocol="passive-log", seed=seed, **storms("passive-log")[storm])
    assert lists.of_trace(run).faults == ()


def test_who_is_told_again_after_a_crash_is_quoted_once():
    run = simulate(protocol="passive-log", seed=10003, **storms("passive-log")["crashing"])
    steps = [one for one in run.steps() if one.node == "ann"]
    told = [e.value for s in steps for e in s.effects[: s.done] if isinstance(e, Decide)]
    assert len(told) > len(set(told)), "a run in which it matters"
    words, true = lists.outcome(run, "ann")
    assert true and words.count("(slot ") == len(set(told)) == 4


def test_a_vote_of_a_log_is_read_with_its_slot():
    run = simulate(protocol="passive-log", seed=1)
    for one in (lists.column(run, where, run.of("client")) for where in run.of("list")):
        labels = {f"{mark.label} {mark.note}" for mark in one.entries if mark.kind == "accept"}
        votes = {view.text for view in one.views.values()} - {"no vote"}
        assert votes and votes <= labels


@pytest.mark.parametrize("name", RUNS)
def test_each_entry_of_a_run_is_drawn_once_and_nothing_else(name):
    run = simulate(**RUNS[name])
    columns = [lists.column(run, where, run.of("client")) for where in run.of("list")]
    for one in columns:
        things = [
            thing
            for thing in lists.client(run, one.name).things
            if not isinstance(thing, lists.lists.Genesis)
        ]
        assert sum(mark.taken is not None for mark in one.entries) == len(things)
        lost = [
            step
            for step in run.steps()
            if step.node == one.name
            and isinstance(step.event, lists.lists.Amiss)
            and isinstance(step.event.request, lists.Append)
        ]
        assert sum(mark.taken is None for mark in one.entries) == len(lost)
        assert all(isinstance(thing, Entry) for thing in things)
        for view in one.views.values():
            assert 0 <= view.upto <= len(one.entries)
    stars = Counter(mark.label for one in columns for mark in one.entries if mark.chosen)
    assert all(count >= run.header.quorums.phase2 for count in stars.values())


def test_what_a_client_was_told_is_what_is_written():
    run = simulate(protocol="passive", proposers=2, seed=3)
    told = [e for s in run.steps() if s.node == "ann" for e in s.effects if isinstance(e, Decide)]
    assert lists.outcome(run, "ann") == (f"is told {told[0].value}", True)
    before = run.records[: next(n for n, r in enumerate(run.records) if told[0] in effects(r))]
    assert lists.outcome(type(run)(run.header, before), "ann") == ("is told nothing yet", None)


def effects(record):
    return getattr(record, "effects", ())


def shapes(figure, tag, *names):
    return [
        one
        for one in ET.fromstring(figure.svg).iter(SVG + tag)
        if {f"px-{name}" for name in names} <= set(one.get("class").split())
    ]


def dashes(figure, dash):
    return [one for one in shapes(figure, "rect") if one.get("stroke-dasharray") == dash]


def test_taken_refused_and_lost_differ_without_colour():
    marks = (
        Mark("1.ann", "ann", "prepare"),
        Mark("1.ben", "ben", "prepare", False),
        Mark("2.ben", "ben", "prepare", None),
    )
    figure = lists.draw([Column("s1", marks)], {}, "Lists")
    assert len(dashes(figure, "2 3")) == len(dashes(figure, "1 4")) == 1
    numbers = [
        text.text for text in shapes(figure, "text", "f-muted") if text.get("font-size") == "11"
    ]
    assert numbers == ["1", "2"], "what never arrived has no number"
    assert figure.svg.count(lists.NEVER) >= 1


def test_a_lie_has_a_ring_and_says_so():
    figure = lists.draw(THREE, TOLD, "Lists")
    rings = [one for one in shapes(figure, "rect", "s-refused") if one.get("rx") == "8"]
    assert len(rings) == 1 and "is told Ann: not chosen" in figure.svg
    honest = lists.draw(THREE, {"ben": TOLD["ben"]}, "Lists")
    assert "not chosen" not in honest.svg


def test_it_is_described_for_those_who_cannot_see_it():
    root = ET.fromstring(lists.draw(THREE, TOLD, "Three lists").svg)
    title, desc = root.findtext(SVG + "title"), root.findtext(SVG + "desc")
    assert title == "Three lists"
    assert "List s1: prepare 0.ann; accept 1.ann, refused; prepare 2.ann, never arrived." in desc
    assert "ann reads 1.ann Ann in s1, and is told Ann, which is not chosen." in desc


def test_columns_can_be_made_from_plain_tuples():
    rows = [("s1", [("1.ann", "ann", "prepare", False)], {"ann": ("no vote", 1)})]
    made = Column("s1", (Mark("1.ann", "ann", "prepare", False),), {"ann": View("no vote", 1)})
    assert lists.columns(rows) == (made,)


def test_three_lists_of_short_names_fit_a_phone():
    marks = tuple(Mark("2.ann Ann", who, "accept", True, True) for who in ("ann", "ben"))
    three = [Column(f"s{n}", marks, {"ann": View("2.ann Ann", 2)}) for n in (1, 2, 3)]
    width = float(ET.fromstring(lists.draw(three, TOLD, "Lists").svg).get("width"))
    assert width * 0.8 <= 340, "at four fifths of its size it has room beside the margins"


def test_the_site_colours_every_class():
    site = theme.site_css()
    for name in re.findall(r"\.(px-[sf]-\w+)\{", lists.draw(THREE, TOLD, "Lists").svg):
        assert f'html[data-theme="light"] .{name}{{' in site or name == "px-f-none"


@pytest.mark.parametrize("protocol", ["passive", "passive-log"])
def test_what_a_newer_version_wrote_is_drawn_and_said(protocol):
    run = simulate(protocol=protocol, faults=["poison s1 at 4", "junk s2 at 4"])
    drawn = lists.of_trace(run)
    assert "newer version" in drawn.svg and "not ours" in drawn.svg and not drawn.faults
