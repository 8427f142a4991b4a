"""The page on broken rules: every mutation is on it, and the red ring is where the rules say no."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import STORMS

from paxos.drivers.simulator import simulate
from paxos.figures import spacetime
from paxos.figures.parting import Parting, parting
from paxos.mutations import BY_NAME, MUTATIONS, bad_run, difference, simulated
from paxos.outcome import broken
from paxos.trace import Open, Step

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "what-breaks.md").read_text(encoding="utf-8")
QUICK = ["accept ignores the promise", "promise hides the vote", "adopt no vote"]
PARTINGS = {
    "accept ignores the promise": ("n1", "refused 1.ann, promised 1.ben"),
    "promise to whoever asks": ("n2", "refused 1.ann, promised 1.ben"),
    "promise hides the vote": ("n1", "promise 1.ben, voted Ann in 1.ann"),
    "promise not saved before the reply": ("n2", "saves first"),
    "a vote forgotten after restart": ("n3", "saves first"),
    "adopt no vote": ("ben", "accept 1.ben, Ann"),
    "votes kept for the next ballot": ("ann", "accepted: none"),
    "one acceptor counted twice": ("ann", "says nothing"),
    "read before the write": ("ann", "says nothing"),
    "the votes of others ignored": ("ben", "promises: d1 1.ann Ann"),
    "an old write overtakes": ("d1", "written accept 1.ann, Ann"),
    "back without reading": ("ben", "reads its blocks first"),
}


def slug(name):
    return name.replace(" ", "-")


# The page.


def test_every_mutation_has_its_section_its_change_and_its_run():
    targets = re.findall(r"^\(([a-z0-9-]+)\)=$", PAGE, re.MULTILINE)
    assert targets == [slug(name) for name in BY_NAME], "in the order of the table"
    shown = re.findall(r'difference\("(.+?)"\)', PAGE)
    assert set(shown) == set(BY_NAME)
    figures = set(re.findall(r"(?:name|:name:):? run-([a-z0-9-]+)$", PAGE, re.MULTILINE))
    twins = {"adopt-any-vote"}  # its shortest run is that of its neighbour, and the page checks it
    assert figures == set(targets) - twins


def test_every_answer_but_the_first_is_folded_away():
    folded = re.findall(r"^:::\{dropdown\} .*\?\n:class-container: px-puzzle$", PAGE, re.MULTILINE)
    assert len(folded) == len(MUTATIONS) - 2  # the first is open, and two share one


# The change of the source.


@pytest.mark.parametrize("name", BY_NAME)
def test_a_change_is_shown_as_lines_of_the_source(name):
    first, *lines, last = difference(name).split("\n")
    assert (first, last) == ("```diff", "```")
    file = ROOT / "paxos" / f"{BY_NAME[name].module.replace('.', '/')}.py"
    source = {line.strip() for line in file.read_text(encoding="utf-8").splitlines()}
    assert {line[1:].strip() for line in lines if line[:1] in " -"} <= source | {""}
    assert {line[:1] for line in lines} & {"+", "-"}
    assert min(len(line[1:]) - len(line[1:].lstrip()) for line in lines if line.strip()) == 0


# Where a run parts from the rules.


@pytest.mark.parametrize("name", PARTINGS)
def test_a_bad_run_parts_from_the_rules_where_its_rule_is_broken(name):
    run = bad_run(name)
    bad = parting(run)
    assert (run.records[bad.number].node, bad.rule) == PARTINGS[name]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_of_the_rules_never_parts_from_them(seed):
    for world in STORMS.values():
        run = simulate(**world | {"seed": seed})
        if run.header.protocol == "static":
            assert parting(run) is None


def test_an_identity_that_comes_back_is_noticed():
    run = simulate(proposers=1, faults=["crash ann at 2 for 1"])
    again = [n for n, one in enumerate(run.records) if isinstance(one, Open) and n > 4]
    assert parting(run) is None and len(again) == 1
    records = list(run.records)
    records[again[0]] = replace(records[again[0]], state=records[0].state)
    assert parting(replace(run, records=tuple(records[: again[0] + 1]))) == Parting(
        again[0], "comes back as another"
    )


def test_an_acceptor_that_refuses_what_it_promised_chooses_nothing():
    run = simulated("accept refuses its own promise", proposers=1, until=20)
    assert not broken(run) and parting(run).rule == "accepted 1.ann, Ann"
    assert not any(step.state.phase == "done" for step in run.steps() if step.node == "ann")


# The diagram.


@pytest.mark.parametrize("name", QUICK)
def test_the_wrong_step_is_ringed_and_the_lie_is_written(name):
    run = bad_run(name)
    plain, marked = spacetime.draw(run), spacetime.draw(run, parting(run))
    assert marked.faults == ()
    ring = r'rx="[68]" class="px-s-refused px-f-none"'  # one in the run, one beside the words
    assert (len(re.findall(ring, plain.svg)), len(re.findall(ring, marked.svg))) == (0, 2)
    for words in ("ann is told Ann", "ben is told Ben"):
        assert f">{words}<" in plain.svg
    assert "the rule for" in marked.svg and "the rule for" not in plain.svg


def test_where_nobody_is_deceived_the_diagram_says_nothing_of_it():
    run = simulate()
    assert any(isinstance(one, Step) for one in run.records)
    assert "is told" not in spacetime.draw(run).svg
