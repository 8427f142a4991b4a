"""The activity diagram says what the source says and what the runs did."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from paxos.drivers.simulator import simulate
from paxos.figures import activity
from paxos.figures.__main__ import many_runs
from paxos.figures.cases import watched
from paxos.protocol import acceptor, proposer, static
from paxos.protocol.kinds import PROTOCOLS
from paxos.protocol.messages import Chosen

KIND = PROTOCOLS["static"]
PARTS = ("main", "retry")
FAULTS = {"loss": 0.1, "duplicate": 0.1, "crash": 0.02, "partition": 0.02, "proposers": 3}


@pytest.fixture(scope="module")
def traces():
    calm = [simulate(seed=seed) for seed in range(10)]
    scripted = [simulate(seed=seed, faults=["crash l1 at 4 for 3"]) for seed in range(3)]
    return [*calm, *scripted, *(simulate(seed=seed, **FAULTS) for seed in range(40))]


def edited(module, monkeypatch, folder, *changes):
    """A copy of a role with its source changed, put in the place of the role."""
    source = inspect.getsource(module)
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} is not once in {module.__name__}"
        source = source.replace(old, new)
    path = Path(folder) / "edited.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("paxos.protocol.edited", path)
    copy = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "paxos.protocol.edited", copy)
    spec.loader.exec_module(copy)
    role = module.__name__.rpartition(".")[2]
    monkeypatch.setitem(static.STEPS, role, copy.step)


def labels(dot):
    """Every text of a drawing, its lines joined."""
    found = re.findall(r'[^x]label="((?:[^"\\]|\\.)*)"', dot)
    plain = (re.sub(r"\\[nlr]", " ", text).replace('\\"', '"').strip() for text in found)
    return [text for text in plain if text]


def places(dot):
    """name -> (class, left, bottom, right, top)."""
    node = re.compile(
        r'^  (\w+) \[class="?([\w ]+)"?,.*pos="([\d.]+),([\d.]+)", width=([\d.]+), height=([\d.]+)'
    )
    found = {}
    for line in dot.splitlines():
        if it := node.match(line):
            x, y, wide, tall = float(it[3]), float(it[4]), float(it[5]) * 36, float(it[6]) * 36
            found[it[1]] = it[2], x - wide, y - tall, x + wide, y + tall
    return found


def test_every_case_of_the_protocol_is_taken(traces):
    assert activity.untaken(traces) == []


def test_every_case_of_a_passive_client_and_of_what_is_in_it_is_taken():
    assert activity.untaken(many_runs("passive")) == []
    calm = activity.untaken([simulate(protocol="passive", seed=1)])
    assert "list: say yes, and lose it" in calm and "proposer: 1a: prepare" not in calm


def test_a_case_that_is_not_taken_is_named():
    assert "acceptor: refuse" in activity.untaken([simulate(seed=0, proposers=1, acceptors=1)])


def test_only_a_case_for_a_message_of_another_protocol_may_be_left_out():
    rules = watched()
    assert {case.label for rule in rules.values() for case in rule.foreign} == {"somebody knows"}
    assert not any(isinstance(Chosen(None, None), one) for one in get_args(KIND.messages))


def test_the_table_counts_every_step_once(traces):
    table = activity.transitions(traces)
    assert sum(row.count for row in table) == sum(1 for trace in traces for _ in trace.steps())
    assert len({(row.case.role, row.case.number) for row in table}) >= 15
    assert [row.case.role for row in table] == sorted(
        (row.case.role for row in table), key=activity.ROLES.index
    )


def test_the_table_knows_phases_and_effects(traces):
    rows = [row for row in activity.transitions(traces) if row.case.label == "2a: ask for votes"]
    assert {(row.event, row.before, row.effects, row.after) for row in rows} == {
        ("Promise", "prepare", ("Send Accept", "Wait answers"), "decide")
    }


def test_a_guard_in_the_figure_is_the_guard_in_the_source(traces):
    shown = labels(activity.dot(traces, "main")) + labels(activity.dot(traces, "retry"))
    drawn = [case for rule in watched().values() for case in rule.cases if case.guard]
    unseen = {case.label for case in drawn if f"[{case.guard}]" not in shown}
    assert unseen <= {"too late", "known already", "chosen"}
    assert "[ballot > promised]" in shown


def test_an_edited_guard_changes_the_figure(monkeypatch, tmp_path):
    before = activity.dot([simulate(seed=7)])
    guard = "ballot >= acceptor.promised"
    edited(acceptor, monkeypatch, tmp_path, (guard, f"{guard} and ballot.round < 99"))
    after = activity.dot([simulate(seed=7)])
    assert "[ballot >= promised]" in labels(before)
    assert "[ballot >= promised and ballot.round < 99]" in labels(after)


def test_an_edited_comment_changes_the_figure(monkeypatch, tmp_path):
    edited(acceptor, monkeypatch, tmp_path, ("# 2b: vote", "# 2b: say yes"))
    assert any(text.startswith("2b: say yes") for text in labels(activity.dot([simulate(seed=7)])))


def test_a_run_made_by_other_rules_is_refused(monkeypatch, tmp_path):
    old = simulate(seed=7)
    edited(acceptor, monkeypatch, tmp_path, ("promised=ballot, vote=request", "vote=request"))
    with pytest.raises(ValueError, match="made by other rules"):
        activity.dot([old])


def test_a_role_without_a_match_is_refused(monkeypatch):
    monkeypatch.setitem(static.STEPS, "acceptor", proposer.prepare)
    with pytest.raises(ValueError, match="step of the acceptor cannot be read"):
        activity.dot([simulate(seed=7, until=0)])


def test_a_log_is_refused():
    with pytest.raises(ValueError, match="of 'static' cannot be drawn from runs of 'log'"):
        activity.dot([simulate(protocol="log", seed=1)])


def test_what_did_not_happen_is_not_drawn():
    with pytest.raises(ValueError, match="nothing for the part 'retry'"):
        activity.dot([simulate(seed=1, proposers=1)], "retry")
    with pytest.raises(ValueError, match="no steps"):
        activity.dot([])


def test_the_badges_go_down_the_page(traces):
    boxes = activity.dot(traces)
    heights = [
        float(re.search(rf'label="{badge}: .*?pos="[\d.]+,([\d.]+)"', boxes)[1])
        for badge in ("1a", "1b", "2a", "2b")
    ]
    chosen = float(re.search(r'label="chosen.*?pos="[\d.]+,([\d.]+)"', boxes)[1])
    assert [*heights, chosen] == sorted([*heights, chosen], reverse=True)


@pytest.mark.parametrize("part", PARTS)
def test_a_figure_can_be_read(traces, part):
    dot = activity.dot(traces, part)
    assert 5 <= sum(it[0].startswith("action") for it in places(dot).values()) <= activity.MOST
    figure = activity.figure(traces, part)
    assert figure.faults == ()
    width = float(re.search(r'width="([\d.]+)"', figure.svg)[1])
    smallest = min(map(float, re.findall(r'font-size="([\d.]+)"', figure.svg)))
    badge = 10.5  # one size for the badges of all figures
    assert smallest >= badge
    sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg)} - {badge}
    assert min(sizes) * 700 / width >= 11


@pytest.mark.parametrize("part", PARTS)
def test_shapes_keep_apart_and_arrows_keep_off_them(traces, part):
    dot = activity.dot(traces, part)
    shapes = {name: it[1:] for name, it in places(dot).items() if it[0] != "lane"}
    for name, (left, low, right, high) in shapes.items():
        for other, (a, b, c, d) in shapes.items():
            apart = right <= a or c <= left or high <= b or d <= low
            assert name == other or apart, f"{name} lies on {other}"
    for start, end, pos in re.findall(r'^  (\w+) -> (\w+) \[.*?pos="([^"]*)"', dot, re.MULTILINE):
        points = [tuple(map(float, one.split(",")[-2:])) for one in pos.split()[1:]]
        for (x1, y1), (x2, y2) in pairwise(points):
            for name, (left, low, right, high) in shapes.items():
                beside = max(x1, x2) <= left or min(x1, x2) >= right
                beside = beside or max(y1, y2) <= low or min(y1, y2) >= high
                assert name in (start, end) or beside, f"{start} -> {end} runs over {name}"


@pytest.mark.parametrize("part", PARTS)
def test_the_figure_is_told_in_words(traces, part):
    svg = activity.figure(traces, part).svg
    assert f'<title id="title">{activity.TITLES[part]}</title>' in svg
    words = activity.description(traces, part)
    assert "proposer, on" in words
    assert activity.caption(traces, part).startswith(
        f"Drawn from {sum(row.count for row in activity.transitions(traces)):,} calls of `step` in 53 runs"
    )


def test_the_caption_counts_what_is_not_shown(traces):
    idle = sum(
        row.count
        for row in activity.transitions(traces)
        if row.case.label in ("too late", "nothing to do", "known already")
    )
    assert f"; {idle:,} changed nothing and are not shown" in activity.caption(traces)


@pytest.mark.parametrize("part", PARTS)
def test_one_run_is_drawn_as_well_as_many(part):
    drawn = 0
    for seed in range(30):
        size = {"acceptors": (1, 3, 5)[seed % 3], "learners": seed % 3}
        trace = simulate(seed=seed, proposers=1 + seed % 4, loss=0.3, crash=0.1, **size)
        try:
            figure = activity.figure([trace], part)
        except ValueError as error:
            assert "nothing for the part" in str(error)
            continue
        assert figure.faults == (), f"seed {seed}"
        drawn += 1
    assert drawn > 15


def test_the_same_bytes_for_every_hash_seed():
    code = (
        "from paxos.drivers.simulator import simulate\n"
        "from paxos.figures import activity\n"
        "runs = [simulate(seed=seed, loss=0.2, crash=0.05) for seed in range(9)]\n"
        "for part in ('main', 'retry'):\n"
        "    print(activity.dot(runs, part), activity.caption(runs, part))\n"
        "    print(activity.description(runs, part), activity.figure(runs, part).svg)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_a_tracer_is_left_alone():
    def tracer(*_):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        activity.transitions([simulate(seed=1)])
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
