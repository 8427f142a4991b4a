"""The map shows every state and every move once, and says so to those who cannot see it."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from types import SimpleNamespace

import pytest

from paxos.drivers import lamport
from paxos.figures import render, statespace
from paxos.figures.statespace import Place, score
from paxos.figures.theme import KINDS
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Accepted, Prepare, Promise

SVG = "{http://www.w3.org/2000/svg}"
BADGES = [look.badge for look in KINDS.values() if look.badge]
STEPS = ("prepare", "promise", "accept", "accepted")
COUNTS, CHOSEN = (1, 2, 7, 12, 29, 1072), (0, 0, 0, 0, 9, 1072)


def place(low, high):
    """The state of one acceptor in which each of two ballots has taken so many steps."""
    lines = tuple(" ".join([*BADGES[:done], *["· "] * (4 - done)]) for done in (low, high))
    return Place(lines, low + high + 1, 4 in (low, high))


def smallest():
    """One acceptor, one value, two ballots. What it promised to the higher shuts the lower out."""
    at = sorted(
        ((low, high) for low in range(5) for high in range(5)), key=lambda it: (sum(it), -it[0])
    )
    moves = [
        (at.index((low, high)), STEPS[(low, high)[turn]], at.index((low + 1 - turn, high + turn)))
        for low, high in at
        for turn in (0, 1)
        if (low, high)[turn] < 4 and (turn or high < 2 or low in (0, 2))
    ]
    return [place(*one) for one in at], moves


PLACES, MOVES = smallest()
WORLD = lamport.whole(acceptors=1, values=1, ballots=2)
REAL = statespace.places(WORLD[0]), WORLD[1]


@pytest.fixture(scope="module")
def drawn():
    return statespace.figure(PLACES, MOVES, "The smallest world")


def shapes(figure, tag, *names):
    """The shapes of a kind that have exactly these classes."""
    for one in ET.fromstring(figure.svg).iter(SVG + tag):
        if {f"px-{name}" for name in names} == set(one.get("class", "").split()):
            yield one


def heads(figure):
    return Counter(kind for kind in KINDS for _ in shapes(figure, "polygon", f"f-{kind}"))


def test_the_smallest_world_is_the_published_one():
    assert len(PLACES) == 25 and max(one.depth for one in PLACES) == 9 and len(MOVES) == 34


def test_the_running_code_reaches_these_places_by_these_moves():
    real, moves = REAL
    assert sorted(real, key=repr) == sorted(PLACES, key=repr)
    told = {(PLACES[start], kind, PLACES[end]) for start, kind, end in MOVES}
    assert {(real[start], kind, real[end]) for start, kind, end in moves} == told
    assert len(moves) == len(MOVES)


def test_nothing_on_the_map_overlaps_or_is_cut_off(drawn):
    assert drawn.faults == ()


def test_the_map_fits_the_page_without_shrinking(drawn):
    assert float(ET.fromstring(drawn.svg).get("width")) <= 700


def test_each_move_is_drawn_once_in_its_colour_and_line(drawn):
    wanted = Counter(kind for _, kind, _ in MOVES)
    assert heads(drawn) == wanted
    for kind, many in wanted.items():
        paths = list(shapes(drawn, "path", f"s-{kind}", "f-none"))
        assert [one.get("stroke-dasharray") or "" for one in paths] == [KINDS[kind].dash] * many


def test_a_move_told_twice_is_drawn_once():
    twice = statespace.figure(PLACES, [*MOVES, *MOVES], "Twice")
    assert heads(twice) == Counter(kind for _, kind, _ in MOVES)


def test_an_arrow_leads_from_row_to_row_and_from_place_to_place():
    graph = render.layout(statespace.dot(PLACES, MOVES))
    names = {one["_gvid"]: one["name"] for one in graph["objects"]}
    y = {one["name"]: float(one["pos"].split(",")[1]) for one in graph["objects"] if "pos" in one}
    edges = {(names[one["tail"]], names[one["head"]]) for one in graph["edges"] if "class" in one}
    assert edges == {("start", "p0"), *((f"p{a}", f"p{b}") for a, _, b in MOVES)}
    for number, one in enumerate(PLACES):
        assert y[f"p{number}"] == pytest.approx(y[f"row{one.depth}"])


@pytest.mark.parametrize(("places", "moves"), [(PLACES, MOVES), REAL], ids=["by hand", "run"])
def test_a_step_of_the_first_ballot_leads_left_and_one_of_the_second_right(places, moves):
    graph = render.layout(statespace.dot(places, moves))
    x = {one["name"]: float(one["pos"].split(",")[0]) for one in graph["objects"] if "pos" in one}
    for start, _, end in moves:
        first = places[start].lines[0] != places[end].lines[0]
        assert (x[f"p{end}"] < x[f"p{start}"]) == first


def test_the_gaps_are_the_moves_that_a_promise_forbids():
    found = statespace.gaps(PLACES, MOVES)
    assert len(found) == 6
    for start, end in found:
        low, high = PLACES[start].lines
        assert "1b" in high and PLACES[end].lines[1] == high
        assert low.split().count("·") in (1, 3), "the acceptor would have to answer ballot 1"


def test_the_chosen_places_and_no_others_are_marked(drawn):
    stars = list(shapes(drawn, "polygon", "s-ink", "f-gold"))
    assert len(stars) == sum(one.chosen for one in PLACES) + 1, "one more, in the legend"
    none = statespace.figure([Place(("one",), 1, False)], [], "Nothing yet")
    assert not list(shapes(none, "polygon", "s-ink", "f-gold"))


def test_the_first_place_is_marked(drawn):
    assert ">start<" in drawn.svg and "start -> p0 " in statespace.dot(PLACES, MOVES)


def test_the_legend_names_the_kinds_on_the_map_and_no_others(drawn):
    assert all(f">{kind}<" in drawn.svg for kind in (*STEPS, "chosen"))
    few = statespace.figure(PLACES[:2], MOVES[:1], "One move").svg
    assert ">prepare<" in few and ">promise<" not in few and ">chosen<" not in few


def test_the_map_is_told_to_those_who_cannot_see_it(drawn):
    desc = ET.fromstring(drawn.svg).findtext(SVG + "desc")
    assert "25 states in 9 rows of 1, 2, 3, 4, 5, 4, 3, 2, 1" in desc
    assert "34 arrows" in desc and "10 prepare, 7 promise, 10 accept, 7 accepted" in desc
    assert "chosen in 9 states" in desc and "leads out of 3" in desc


def test_the_same_map_gives_the_same_bytes(drawn):
    assert statespace.figure(*smallest(), "The smallest world").svg == drawn.svg


def test_every_step_is_written_in_its_colour(drawn):
    for look in KINDS.values():
        if look.badge:
            texts = [
                one.text for one in shapes(drawn, "text", f"f-{look.name}", "t-mono") if one.text
            ]
            assert len(texts) == sum(" ".join(one.lines).count(look.badge) for one in PLACES)
            assert set(texts) == {look.badge}


def test_the_score_tells_how_far_each_ballot_has_come():
    one, two = Ballot(1, "a"), Ballot(2, "a")
    sent = [Prepare(one), Promise(one, None), Prepare(two), Accept(one, "v"), Accepted(one, "v")]
    assert score(sent, [one, two]) == ("1a 1b 2a 2b", "1a ·  ·  · ")
    assert score([], [one]) == ("·  ·  ·  · ",)


def test_states_become_places_in_their_order():
    one, two = Ballot(1, "a"), Ballot(2, "a")
    begin = SimpleNamespace(sent=(), depth=1, chosen=False)
    asked = SimpleNamespace(sent=(Prepare(two),), depth=2, chosen=False)
    voted = SimpleNamespace(sent=(Prepare(two), Accepted(one, "v")), depth=3, chosen=True)
    none = "·  ·  ·  · "
    assert statespace.places([begin, asked, voted]) == [
        Place((none, none), 1, False),
        Place((none, "1a ·  ·  · "), 2, False),
        Place(("·  ·  ·  2b", "1a ·  ·  · "), 3, True),
    ]


@pytest.mark.parametrize(
    ("places", "moves", "says"),
    [
        ([], [], "no places"),
        ([place(0, 0)] * 61, [], "more than 60 cannot be read"),
        ([place(0, 0)], [(0, "prepare", 1)], "a move from 0 to 1"),
        ([place(0, 0), place(1, 0)], [(0, "guess", 1)], "'guess' is no kind of message"),
    ],
)
def test_what_cannot_be_drawn_is_refused(places, moves, says):
    with pytest.raises(ValueError, match=says):
        statespace.dot(places, moves)


# Planted faults: each of the checks above can fail.


def test_a_place_too_small_for_its_text_is_found(monkeypatch):
    monkeypatch.setattr(statespace, "text_width", lambda *them: 8.0)
    assert any("overlaps" in fault for fault in statespace.figure(PLACES, MOVES, "t").faults)


def test_a_forgotten_move_is_missed():
    assert heads(statespace.figure(PLACES, MOVES[1:], "t")) != Counter(it[1] for it in MOVES)
    assert len(statespace.gaps(PLACES, MOVES[1:])) == 7


# The bars of a larger world.


@pytest.fixture(scope="module")
def bars():
    return statespace.per_depth(COUNTS, CHOSEN, "Six depths")


def test_a_bar_is_as_long_as_its_count_and_gold_as_far_as_chosen(bars):
    assert bars.faults == ()
    grey, gold = (
        [float(one.get("width")) for one in shapes(bars, "rect", f"f-{colour}")]
        for colour in ("lost", "gold")
    )
    assert len(grey) == len(COUNTS) and grey[-1] == gold[-1] == statespace.BAR
    assert grey[4] == pytest.approx(statespace.BAR * 29 / 1072, abs=0.01)
    assert gold[0] == pytest.approx(grey[4] * 9 / 29, abs=0.01)
    assert grey[0] == 1.5, "never so short that it is not seen"
    assert len(gold) == sum(map(bool, CHOSEN))


def test_every_count_stands_beside_its_bar(bars):
    words = re.findall(r">([\d,–]+)</text>", bars.svg)
    rows = [words[at : at + 3] for at in range(0, len(words), 3)]
    assert rows == [
        [f"{depth}", f"{count:,}", f"{few:,}" if few else "–"]
        for depth, (count, few) in enumerate(zip(COUNTS, CHOSEN, strict=True), 1)
    ]


def test_the_bars_are_told_and_always_the_same(bars):
    assert "depth 6: 1,072, chosen in 1,072" in ET.fromstring(bars.svg).findtext(SVG + "desc")
    assert statespace.per_depth(COUNTS, CHOSEN, "Six depths").svg == bars.svg


@pytest.mark.parametrize("wrong", [(COUNTS, CHOSEN[1:]), ((), ()), ((1, 2), (0, 3))])
def test_counts_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="depth"):
        statespace.per_depth(*wrong, "t")
