"""Figures: readable, described, the same bytes for the same trace, and honest about it."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from colours import contrast
from fontTools.ttLib import TTFont
from worlds import STORMS

from paxos import trace
from paxos.drivers.simulator import simulate
from paxos.figures import spacetime, theme, views
from paxos.figures.__main__ import FIGURES
from paxos.figures.theme import COLOURS, KINDS, Drawing, text_width
from paxos.outcome import chosen, history
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Decide, Send
from paxos.protocol.messages import Accept, Accepted

ROOT = Path(__file__).parent.parent
SVG = "{http://www.w3.org/2000/svg}"
STORM = {"loss": 0.15, "duplicate": 0.1, "crash": 0.03, "partition": 0.1, "until": 60}
WORLDS = {
    "quiet": {"proposers": 1},
    "the book's": {},
    "five acceptors": {"acceptors": 5, "learners": 2},
    "one acceptor": {"acceptors": 1, "proposers": 1},
    "long words": {"proposers": 1, "wishes": [(0, "ann", "a very long wish indeed, my friend")]},
    "markup": {"proposers": 1, "wishes": [(0, "ann", "<Ann> & co")]},
    "nothing chosen": {"faults": ["drop accept"], "until": 30},
    "two promises in one instant": {"loss": 0.25, "jitter": 0.9, "seed": 10194},
    "eight people": {"proposers": 8, "until": 40},
    **{f"storm {seed}": {**STORM, "seed": seed} for seed in range(12)},
}
DRAW = {"box": views.box, "phases": views.phases, "spacetime": spacetime.draw}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("view", DRAW)
def test_no_text_overlaps_sticks_out_or_lies_across_a_message(view, world):
    figure = DRAW[view](simulate(**WORLDS[world]))
    assert figure.faults == ()


@pytest.mark.parametrize("world", ["quiet", "the book's", "five acceptors", "markup"])
def test_the_four_steps_can_be_read(world):
    assert views.steps(simulate(**WORLDS[world])).faults == ()


def test_a_run_without_a_decision_has_no_four_steps_and_says_so():
    with pytest.raises(ValueError, match="nothing was chosen"):
        views.steps(simulate(**WORLDS["nothing chosen"]))


@pytest.mark.parametrize("seed", range(6))
def test_a_log_and_its_run_can_be_read(seed):
    run = simulate(protocol="log", seed=seed, learners=2, loss=0.1 * (seed % 2))
    assert views.log(run).faults == () and spacetime.draw(run).faults == ()


def planted(**second) -> Drawing:
    sheet = Drawing(200, 100, "title", "desc")
    sheet.text(20, 50, "one")
    sheet.text(**{"x": 120, "y": 50, "words": "two", **second})
    return sheet


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        ({"x": 25}, "'one' overlaps 'two'"),
        ({"x": 190}, "'two' sticks out of the sheet"),
        ({"y": 101}, "'two' sticks out of the sheet"),
    ],
)
def test_a_planted_fault_of_text_is_found(second, fault):
    assert planted().faults() == []
    assert planted(**second).faults() == [fault]


def test_text_across_another_message_is_found_and_across_its_own_is_not():
    sheet = planted()
    number = sheet.message(10, 45, 190, 45, "prepare")
    assert sheet.faults() == ["'one' lies across a message", "'two' lies across a message"]
    sheet = Drawing(200, 100, "title", "desc")
    number = sheet.message(10, 45, 190, 45, "prepare")
    sheet.text(20, 50, "one", line=number)
    assert sheet.faults() == []


@pytest.mark.parametrize("name", FIGURES)
def test_the_committed_figure_is_what_the_code_draws_now(name):
    committed = (ROOT / "_static" / "images" / f"{name}.svg").read_text(encoding="utf-8")
    assert committed == FIGURES[name]().svg, "run `make figures`, look, and commit"


def test_nothing_else_is_committed_as_a_figure():
    names = {path.stem for path in (ROOT / "_static" / "images").iterdir()}
    assert names == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_described_for_those_who_cannot_see_it(name):
    root = ET.fromstring(FIGURES[name]().svg)
    title, desc = root.findtext(SVG + "title"), root.findtext(SVG + "desc")
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title desc"
    assert title and desc and len(desc) > len(title)


def test_the_description_tells_what_happened():
    desc = ET.fromstring(spacetime.draw(simulate()).svg).findtext(SVG + "desc")
    assert "ann wants Ann" in desc and "Ben is chosen, in 1.ben" in desc


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_draws_on_nothing_but_itself(name):
    svg = FIGURES[name]().svg
    assert "var(" not in svg and "href" not in svg and "url(" not in svg
    assert svg.count("http") == 1  # the name of the SVG language


def test_a_read_trace_gives_the_same_bytes_of_figure():
    run = simulate(seed=3, loss=0.1)
    again = trace.loads(trace.dumps(run))
    assert spacetime.draw(run).svg == spacetime.draw(again).svg


@pytest.mark.parametrize(
    ("font", "file"),
    [("regular", "Sans-Regular"), ("bold", "Sans-SemiBold"), ("mono", "Mono-Regular")],
)
def test_the_widths_of_the_theme_are_those_of_the_bundled_font(font, file):
    ttf = TTFont(ROOT / "_static" / "fonts" / f"Paxos{file}.ttf")
    names, units = ttf.getBestCmap(), ttf["head"].unitsPerEm
    for character, width in theme.WIDTHS[font].items():
        assert width == ttf["hmtx"][names[ord(character)]][0] * 1000 / units, character


@pytest.mark.parametrize("theme_number", [0, 1])
@pytest.mark.parametrize("on", ["paper", "panel"])
@pytest.mark.parametrize(
    "name", ["ink", "muted", "lost", *(k for k in KINDS if k not in ("lost", "plain"))]
)
def test_text_has_contrast_in_both_themes(name, on, theme_number):
    """WCAG 2.1, success criterion 1.4.3."""
    assert contrast(COLOURS[name][theme_number], COLOURS[on][theme_number]) >= 4.5


def test_the_site_colours_every_class_that_a_figure_uses():
    site = theme.site_css()
    for drawn in FIGURES.values():
        for name in re.findall(r"\.(px-[sf]-\w+)\{", drawn().svg):
            assert f'html[data-theme="light"] .{name}{{' in site or name == "px-f-none"


def test_words_are_wrapped_and_cut_to_their_width():
    lines = theme.wrap("one two three four", 60, 12)
    assert " ".join(lines) == "one two three four" and len(lines) > 1
    assert all(text_width(line, 12) <= 60 for line in lines)
    assert theme.fit("one two three four", 60, 12).endswith("…")


def test_the_legend_names_the_kinds_of_the_run_and_no_others():
    quiet = spacetime.draw(simulate(proposers=1)).svg
    assert ">accepted<" in quiet and ">refused<" not in quiet and ">lost<" not in quiet
    assert ">lost<" in spacetime.draw(simulate(proposers=1, faults=["drop promise 1 to ann"])).svg


def test_the_phases_say_why_a_ballot_chose_nothing():
    run = simulate()
    ends = [(one.ballot, one.asked, one.chosen, one.end) for one in views.attempts(run)]
    assert ends[0] == ("1.ann", "Ann", False, "1.ben is ahead")
    assert ends[1][:3] == ("1.ben", "Ben", True)
    lost = simulate(proposers=1, faults=["drop accept from ann"], until=10)
    assert views.attempts(lost)[0].end == "all accepts lost"


# What happened is in the figure, and nothing else is.


def drawn(figure, tag, *names) -> list[ET.Element]:
    """The shapes of a kind that have all of these classes."""
    shapes = ET.fromstring(figure.svg).iter(SVG + tag)
    return [
        one for one in shapes if {f"px-{name}" for name in names} <= set(one.get("class").split())
    ]


def crosses(figure) -> int:
    solid = [one for one in drawn(figure, "line", "s-refused") if not one.get("stroke-dasharray")]
    return len(solid) // 2


def arrows(figure) -> int:
    heads = drawn(figure, "polygon")
    return sum(one.get("class") in {f"px-f-{kind}" for kind in KINDS} for one in heads)


FAULTY = {
    f"{name} {seed}": {**storm, "seed": seed, "until": 60.0}
    for name, storm in STORMS.items()
    for seed in range(5)
}


@pytest.mark.parametrize("world", FAULTY)
def test_each_loss_crash_arrival_and_split_is_drawn_once(world):
    run = simulate(**FAULTY[world])
    figure = spacetime.draw(run)
    of = Counter(type(record) for record in run.records)
    in_legend = bool(of[trace.Lost])
    assert crosses(figure) == of[trace.Lost] + in_legend
    crashes = [one for one in drawn(figure, "rect", "f-refused") if one.get("width") == "10"]
    assert len(crashes) == of[trace.Crash] + bool(of[trace.Crash])
    told = [one for step in run.steps() for one in step.effects[: step.done]]
    told = sum(isinstance(one, Decide) for one in told)
    assert len(drawn(figure, "rect", "f-gold")) == told + bool(told)
    assert arrows(figure) == sum(step.received is not None for step in run.steps())
    down = [one for one in drawn(figure, "line", "s-lost") if one.get("stroke-dasharray") == "1 5"]
    assert len(down) == of[trace.Crash]
    lanes = 52 * (len(run.header.nodes) - 1) + 40
    shades = [one for one in drawn(figure, "rect", "f-panel") if float(one.get("width")) == lanes]
    assert len(shades) == of[trace.Cut]


def test_a_node_that_is_down_from_the_start_and_a_split_without_end_are_drawn():
    run = simulate(faults=["crash n1 at 0", "cut ann | n2 n3 from 0 to 300"], until=20)
    figure = spacetime.draw(run)
    assert any(one.get("stroke-dasharray") == "1 5" for one in drawn(figure, "line", "s-lost"))
    assert any(float(one.get("width")) > 300 for one in drawn(figure, "rect", "f-panel"))


@pytest.mark.parametrize("world", FAULTY)
def test_an_acceptor_is_never_shown_to_hold_what_it_did_not_save(world):
    run = simulate(**FAULTY[world])
    shown = [one for one in spacetime.memory(run) if one.voted]
    saved = [vote for _, vote in history(run).votes]
    changes = [step for step in run.steps() if run.role(step.node) == "acceptor"]
    assert len(shown) <= len(saved) <= len(changes)
    assert {one.words for one in shown} == {f"{run.short(v.ballot)} {v.value}" for v in saved}
    assert not any(one.words == "forgot" for one in spacetime.memory(run))


def test_an_acceptor_that_forgets_is_shown_to_forget():
    run = simulate(proposers=1, faults=["crash n1 at 5 for 2"])
    amnesia = [
        replace(one, state=Acceptor()) if isinstance(one, trace.Open) else one
        for one in run.records
    ]
    held = spacetime.memory(trace.Trace(run.header, tuple(amnesia)))
    assert [one.words for one in held if one.node == "n1"][-1] == "forgot"


def test_the_four_steps_show_what_was_lost():
    run = simulate(proposers=1, faults=["drop prepare 1 to n2", "drop accepted 1 to l1"])
    figure = views.steps(run)
    assert crosses(figure) == 2 and chosen(run)[0].proposal.value == "Ann"
    alone = simulate(proposers=1, acceptors=1, faults=["crash n1 after save 2"])
    assert ">nobody heard it<" in views.steps(alone).svg


def test_the_phases_tell_a_lost_question_from_lost_answers():
    def end(*faults):
        return views.attempts(simulate(proposers=1, faults=faults))[0].end

    assert end("drop promise 1 to ann", "drop promise 2 to ann") == "too few answers"
    assert end(*(f"drop prepare 1 to n{n}" for n in (1, 2, 3))) == "all prepares lost"
    assert end(*(f"drop accept 1 to n{n}" for n in (1, 2, 3))) == "all accepts lost"


def test_a_long_run_is_drawn_as_far_as_it_can_be_read():
    run = simulate(loss=1.0, until=2000)
    for figure in (spacetime.draw(run), views.phases(run)):
        assert "The run goes on: " in figure.svg and figure.faults == ()
        assert float(ET.fromstring(figure.svg).get("height")) < 4000


def test_a_ballot_that_its_own_promise_shuts_out_is_shown_as_refused():
    run = simulate(proposers=1, acceptors=1, until=4)
    ballot = views.attempts(run)[0].ballot
    assert views.silence([], set(), ballot) == "refused, promised 1.ann"


def test_two_chosen_values_are_shown_as_two():
    run = simulate(proposers=2, until=4, wishes=[(0, "ann", "Ann"), (0, "ben", "Ben")])
    both = [Accept(Ballot(n, "x"), who) for n, who in ((1, "Ann"), (2, "Ben"))]
    steps = [
        trace.Step(
            5000 + n,
            name,
            vote,
            Acceptor(vote.ballot, vote),
            (Send("sender", Accepted(*vote_of(vote))),),
            1,
        )
        for n, vote in enumerate(both)
        for name in ("n1", "n2")
    ]
    broken = trace.Trace(run.header, (*run.records, *steps))
    figure = views.box(broken)
    assert (
        ">Ann and Ben<" in figure.svg and ">two are chosen<" in figure.svg and figure.faults == ()
    )


def vote_of(vote: Accept) -> tuple[Ballot, object]:
    return vote.ballot, vote.value
