"""A run in words: over disks and lists too, where only whoever knows the rules sees an answer."""

import re

import pytest

from paxos.drivers.simulator import PROTOCOLS, simulate
from paxos.figures.telling import COLOURS, GREY, REFUSED, said, tell
from paxos.outcome import chosen
from paxos.protocol.events import Decide
from paxos.trace import text

QUIET = {"proposers": 1, "learners": 0, "jitter": 0, "wishes": [(4, "ann", "Ann")]}
MEMORIES = [name for name in PROTOCOLS if name not in ("static", "log")]
STORM = {"loss": 0.1, "duplicate": 0.1, "crash": 0.03, "outages": 0.2, "until": 60}


def words(node, **world):
    """What is told of one node."""
    return [words for _, who, words, _ in said(simulate(**QUIET | world)) if who == node]


def test_a_phase_on_disks_is_told_as_a_write_and_what_was_read_then():
    assert words("ann", protocol="disk") == [
        "wants Ann",
        "write prepare 1.ann → d1 d2 d3",
        "reads d1: promise 1.ann, no vote yet",
        "reads d2: promise 1.ann, no vote yet",
        "write accept 1.ann, Ann → d1 d2 d3",
        "reads d3: promise 1.ann, no vote yet",
        "reads d1: accepted 1.ann, Ann",
        "reads d2: accepted 1.ann, Ann",
        "write Ann is chosen → d1 d2 d3",
        "knows that Ann is chosen",
        "reads d3: accepted 1.ann, Ann",
    ]
    assert words("d3", protocol="disk") == [
        "ann's block: prepare 1.ann",
        "ann's block: accept 1.ann, Ann",
        "ann's block: Ann is chosen",
    ]


def test_a_phase_on_lists_is_told_as_an_append_and_what_was_read_then():
    assert words("ann", protocol="passive") == [
        "is online",
        "wants Ann",
        "append prepare 1.ann → s1 s2 s3",
        "reads s1: promise 1.ann, no vote yet",
        "reads s2: promise 1.ann, no vote yet",
        "append accept 1.ann, Ann → s1 s2 s3",
        "reads s3: promise 1.ann, no vote yet",
        "reads s1: accepted 1.ann, Ann",
        "reads s2: accepted 1.ann, Ann",
        "knows that Ann is chosen",
        "reads s3: accepted 1.ann, Ann",
    ]
    assert words("s3", protocol="passive") == [
        "at 1: promise 1.ann, no vote yet",
        "at 2: accepted 1.ann, Ann",
    ]


@pytest.mark.parametrize("protocol", MEMORIES)
def test_the_answers_told_are_those_that_the_client_acts_on(protocol):
    """Nobody asks for votes before a quorum of promises was told, nor knows before one of votes."""
    for seed in range(25):
        run = simulate(protocol=protocol, seed=seed, **STORM)
        answers: dict[tuple[str, str, str], set[str]] = {}
        for _, who, line, _ in said(run):
            for answer, ballot in re.findall(r"(promise|accepted) (\S+?),", line):
                if place := re.match(r"reads (\w+): ", line):
                    answers.setdefault((who, answer, ballot), set()).add(place[1])
            for ballot in re.findall(r"^(?:write|append) .*accept (\S+?),.* → .* ", line):
                assert len(answers[who, "promise", ballot]) >= 2, (seed, line)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_decision_is_told_and_every_line_has_its_colour(protocol):
    for seed in range(25):
        run = simulate(protocol=protocol, seed=seed, **STORM)
        lines = list(said(run))
        assert {paint for *_, paint in lines} <= {None, GREY, *COLOURS.values()}
        told = [line for _, _, line, _ in lines if line.startswith("knows that ")]
        decided = [one for step in run.steps() for one in step.effects[: step.done]]
        decided = [one.value for one in decided if isinstance(one, Decide)]
        assert told == [f"knows that {text(value)} is chosen" for value in decided]
        assert sum(line.startswith("* ") for _, _, line, _ in lines) == len(chosen(run))
        assert "\x1b[" in tell(run, colour=True) and "\x1b[" not in tell(run)


def test_what_goes_wrong_with_a_list_is_told():
    lost = words("s1", protocol="passive", lost_appends=1, until=8)
    assert lost == ["confirms prepare 1.ann and loses it"]
    assert "reads s1: promise 1.ann, no vote yet" not in words(
        "ann", protocol="passive", lost_appends=1
    )
    stale = words("ann", protocol="passive", stale_reads=0.5, until=60)
    assert any("behind what it has seen" in line for line in stale)
    dirty = {"protocol": "passive", "faults": ["junk s1 at 1", "poison s1 at 3"], "seed": 2}
    assert words("s1", **dirty)[:2] == [
        "at 1: something else, skipped",
        "at 2: an entry of a newer version, readers stop here",
    ]
    assert words("s1", **dirty)[2] == "at 3: prepare 1.ann, nobody reads on"
    assert "uses s1 no more: a newer version wrote to it" in words("ann", **dirty)


def test_an_entry_that_arrives_twice_counts_once():
    lines = words("s1", protocol="passive", faults=["duplicate append 1 to s1"])
    assert lines[:2] == [
        "at 1: promise 1.ann, no vote yet",
        "at 2: prepare 1.ann again, skipped",
    ]


def test_who_is_out_of_reach_is_told_and_who_is_offline():
    away = ["crash s1 at 1 for 60", "crash s2 at 1 for 60"]
    assert words("s1", protocol="passive", faults=away)[0] == "is out of reach"
    ann = words("ann", protocol="passive", faults=["crash s1 at 0 for 9", "crash s2 at 0 for 9"])
    assert ann[2:4] == ["wants Ann", "is offline, and keeps it"] and "is online" in ann
    lines = words("ann", protocol="disk", wishes=[(0, "ann", "Ann")])
    assert lines[1] == "must read its own blocks first"


def test_a_write_that_comes_late_does_not_overtake():
    faults = ["delay write 1 to d1 by 8"]
    lines = words("d1", protocol="disk", faults=faults)
    assert "keeps ann's newer block, not prepare 1.ann" in lines


def test_a_refusal_is_told_by_the_block_that_stands_in_the_way():
    run = simulate(protocol="disk", seed=1, proposers=2)
    refused = [(who, line) for _, who, line, paint in said(run) if paint == REFUSED]
    assert refused == [
        ("ann", f"reads {disk}: refused 1.ann, promised 1.ben") for disk in ("d2", "d1", "d3")
    ]


def test_an_entry_of_a_newer_version_in_the_list_of_a_log_is_no_vote():
    run = simulate(protocol="passive-log", seed=7, faults=["poison s2 at 6"])
    assert "CHOSEN TOO" not in tell(run) and "in slot 0" in tell(run)
