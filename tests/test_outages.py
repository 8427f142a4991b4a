"""The picture of a long run: readable, and true to the traces."""

import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest
from stripped import stripped

from paxos.drivers.merging import merge
from paxos.drivers.simulator import simulate
from paxos.figures import outages
from paxos.outcome import final
from paxos.protocol.machine import commands
from paxos.trace import Crash, Open

SVG = "{http://www.w3.org/2000/svg}"
FAULTS = ["crash s2 at 30 for 40", "crash s3 at 90 for 30", "crash ann at 20 for 15"]
WISHES = [(4 + 6 * n, ("ann", "ben")[n % 2], f"entry {n}") for n in range(25)]


@cache
def parts(faults=tuple(FAULTS), protocol="passive-log"):
    run = simulate(protocol=protocol, told=True, proposers=2, wishes=WISHES, faults=faults, seed=1)
    return run, stripped(run)


def drawn(figure, tag, *names):
    shapes = ET.fromstring(figure.svg).iter(SVG + tag)
    return [
        one for one in shapes if {f"px-{name}" for name in names} <= set(one.get("class").split())
    ]


def crosses(figure):
    return len(drawn(figure, "line", "s-refused")) // 2 - 1  # and the legend's


def rings(figure):
    return (
        len([one for one in drawn(figure, "rect", "s-ink", "f-paper") if one.get("rx") == "4"]) - 1
    )


@pytest.mark.parametrize("width", [360, 740, 1100])
def test_the_figure_can_be_read_wide_and_narrow(width):
    _, own = parts()
    for figure in (outages.draw(*own, width=width), outages.draw(merge(own), width=width)):
        assert figure.faults == ()
        root = ET.fromstring(figure.svg)
        assert float(root.get("width")) == width
        sizes = {float(one.get("font-size")) for one in root.iter(SVG + "text")}
        assert min(sizes) >= 11
        for one in root.iter(SVG + "rect"):
            assert float(one.get("x")) + float(one.get("width")) <= width
        assert "/*dark*/" in figure.svg


def test_a_kill_is_a_cross_and_a_return_a_ring():
    run, own = parts()
    figure = outages.draw(*own)
    killed = sum(isinstance(one, Crash) and run.role(one.node) == "client" for one in run.records)
    opened = sum(isinstance(one, Open) and run.role(one.node) == "client" for one in run.records)
    assert killed == 1 and crosses(figure) == killed
    assert rings(figure) == opened - len(run.of("client")) == 1
    assert crosses(outages.draw(*parts(())[1])) == rings(outages.draw(*parts(())[1])) == 0


def test_the_traces_of_clients_and_the_one_they_amount_to_are_the_same_picture():
    _, own = parts()
    shown = outages.seen(own, {}), outages.seen([merge(own)], {})
    assert shown[0].killed == shown[1].killed and shown[0].clients == shown[1].clients
    assert shown[0].decided == shown[1].decided


def test_a_service_that_answers_nobody_has_a_gap_as_long_as_it_was_away():
    run = outages.seen(parts()[1], {})
    assert run.services["s1"] == []
    for name, start, end in (("s2", 30_000, 70_000), ("s3", 90_000, 120_000)):
        assert any(a < (start + end) / 2 < b for a, b in run.services[name])
        for a, b in run.services[name]:
            assert start - 3000 <= a < b <= end + 15_000
    figure = outages.draw(*parts()[1])
    gaps = sum(len(its) for its in run.services.values())
    dots = [one for one in drawn(figure, "line", "s-lost") if one.get("stroke-dasharray") == "1 5"]
    assert len(dots) == gaps + 1
    bars = drawn(figure, "rect", "s-ink", "f-line")
    assert len(bars) == 3 + gaps + 1


def test_what_is_known_of_the_outages_is_drawn_instead():
    figure = outages.draw(*parts()[1], outages={"s1": [(5, 10), (-3, 1), (900, 1000)]})
    dots = [one for one in drawn(figure, "line", "s-lost") if one.get("stroke-dasharray") == "1 5"]
    assert len(dots) == 2 + 1
    assert "s1 is out of reach from 0.0 to 1.0 s, from 5.0 to 10.0 s." in figure.svg
    assert "s2 is always within reach" in figure.svg


def test_one_step_for_each_entry_when_somebody_is_told_of_it_first():
    run, own = parts()
    seen = outages.seen(own, {})
    log = max((its.member.log for its in final(run).values() if hasattr(its, "member")), key=len)
    assert len(seen.decided) == len(commands(log)) >= 24
    assert seen.decided == sorted(seen.decided)
    figure = outages.draw(*own)
    (way,) = [one.get("d") for one in ET.fromstring(figure.svg).iter(SVG + "path")
              if re.fullmatch(r"M[\d.,]+(H[\d.]+V[\d.]+)+H[\d.]+", one.get("d"))]  # fmt: skip
    heights = [float(one) for one in re.findall(r"V([\d.]+)", way)]
    assert heights == sorted(heights, reverse=True) and len(heights) >= 15
    assert f">{len(seen.decided)}<" in figure.svg


def test_the_description_says_it_for_those_who_do_not_see_it():
    figure = outages.draw(*parts()[1], names={"s2": "SQLite"})
    told = re.search(r'<desc id="desc">(.*?)</desc>', figure.svg)[1]
    assert "s1 is always within reach." in told and "SQLite is out of reach from 3" in told
    assert re.search(r"ann is killed at \d+\.\d s\. ", told) and "ben is never killed." in told
    assert re.search(r"After \d+\.\d s 2\d entries are decided\.$", told)
    assert ">SQLite<" in figure.svg and ">s2<" not in figure.svg


def test_one_list_and_one_decision_are_drawn_too():
    for protocol in ("one-list", "passive"):
        run = simulate(protocol=protocol, told=True, learners=0)
        figure = outages.draw(run)
        assert figure.faults == () and outages.seen([run], {}).decided
    with pytest.raises(ValueError, match="no clients of lists"):
        outages.draw(simulate())
    with pytest.raises(ValueError, match="no clients of lists"):
        outages.draw()


@pytest.mark.parametrize(("long", "step"), [(100, 0.01), (9_000, 1), (25_000, 4), (600_000, 60)])
def test_the_times_are_round_and_not_too_many(long, step):
    found = outages.moments(long, 600)
    assert found[0] == 0 and found[-1] <= long / 1000
    assert len(found) <= 12 and found[1] >= step


def test_a_run_is_drawn_from_what_was_noted_of_it_too():
    run = outages.seen(parts()[1], {})
    away = {name: [(a / 1000, b / 1000) for a, b in its] for name, its in run.services.items()}
    lives = {
        name: [(a / 1000, b / 1000, b in run.killed[name]) for a, b in its]
        for name, its in run.clients.items()
    }
    decided = [one / 1000 for one in run.decided]
    figure = outages.noted(run.long / 1000, away, lives, decided)
    assert figure.svg == outages.draw(*parts()[1]).svg
    assert crosses(figure) == 1
