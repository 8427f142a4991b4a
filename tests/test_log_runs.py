"""A log in whole runs: over acceptors, over disks and over lists."""

from collections import Counter, defaultdict

import pytest
from worlds import LOGS, happened, runs

from paxos.drivers.simulator import simulate
from paxos.outcome import broken, chosen, final
from paxos.protocol.alone import Alone
from paxos.protocol.events import Send
from paxos.protocol.log import Writer
from paxos.protocol.machine import commands
from paxos.protocol.machine import run as board
from paxos.protocol.messages import Accept, Append, InSlot, Write

VOTED = [name for name in LOGS if name != "one-list"]  # there nobody asks for votes


def logs(run):
    """The log that each reader ended with."""
    knows = (getattr(state, "member", state) for state in final(run).values())
    return [one.log for one in knows if isinstance(one, Writer | Alone)]


def asks(run):
    """Every vote that was asked for: (slot, request), as acceptors, disks and lists get to see it."""
    for one in run.steps():
        for effect in happened(one, Send):
            match effect.message:
                case InSlot(slot, Accept() as its):
                    yield slot, its
                case Append(entry) if isinstance(entry.content, InSlot):
                    if isinstance(entry.content.content, Accept):
                        yield entry.content.slot, entry.content.content
                case Write(_, block):
                    yield from block.memory.votes


@pytest.mark.parametrize("protocol", LOGS)
def test_all_logs_are_beginnings_of_one_log(protocol):
    for run in runs(protocol):
        longest = max(logs(run), key=len)
        assert all(longest[: len(one)] == one for one in logs(run)), run.header


@pytest.mark.parametrize("protocol", LOGS)
def test_no_slot_breaks_an_invariant(protocol):
    for run in runs(protocol):
        assert broken(run) == [], run.header


@pytest.mark.parametrize("protocol", LOGS)
def test_every_slot_is_decided_for_one_value(protocol):
    for run in runs(protocol):
        values = {(one.slot, one.proposal.value) for one in chosen(run)}
        assert len(values) == len({slot for slot, _ in values})


@pytest.mark.parametrize("protocol", VOTED)
def test_nothing_is_asked_for_twice_in_one_ballot_and_slot(protocol):
    everything = 0
    for run in runs(protocol):
        values = defaultdict(set)
        for slot, its in asks(run):
            values[slot, its.ballot].add(its.value)
        assert all(len(one) == 1 for one in values.values()), run.header
        everything += len(values)
    assert everything > len(runs(protocol))


@pytest.mark.parametrize("protocol", LOGS)
def test_every_wish_of_a_quiet_world_gets_into_the_log_once(protocol):
    for seed in range(20):
        run = simulate(protocol=protocol, seed=seed)
        texts = Counter(command.text for command in commands(max(logs(run), key=len)))
        assert texts == Counter(f"book saturday {who}" for who in ("Ann", "Ben", "Cleo"))


@pytest.mark.parametrize("protocol", LOGS)
def test_machines_fed_by_different_readers_show_beginnings_of_one_history(protocol):
    for run in runs(protocol):
        longest = max(logs(run), key=len)
        boards = [board(c.text for c in commands(longest[:end])) for end in range(len(longest) + 1)]
        for one in logs(run):
            assert board(command.text for command in commands(one)) == boards[len(one)]


@pytest.mark.parametrize("protocol", VOTED)
def test_while_one_leads_each_entry_costs_phase_2_only(protocol):
    wishes = [(20.0 * number, "ann", f"set day {number}") for number in range(5)]
    run = simulate(protocol=protocol, proposers=1, wishes=wishes, learners=0)
    assert len(commands(max(logs(run), key=len))) == 5
    assert {its.ballot.round for _, its in asks(run)} == {1}


@pytest.mark.parametrize("protocol", LOGS)
def test_a_client_that_comes_late_catches_up(protocol):
    early = [(3.0 * number, "ann", f"set day {number}") for number in range(4)]
    run = simulate(
        protocol=protocol,
        proposers=2,
        learners=0,
        wishes=[*early, (60, "ben", "set day last")],
        faults=[f"cut ben | {CUT[protocol]} from 0 to 55"],
    )
    anns, bens = map(texts, logs(run))
    assert bens == [f"set day {number}" for number in (*range(4), "last")]
    assert anns in (bens, bens[:4]), "ann has nothing to say, and may not have listened any more"


CUT = {"log": "ann n1 n2 n3", "disk-log": "d1 d2 d3", "passive-log": "s1 s2 s3", "one-list": "s1"}


def texts(log):
    return [command.text for command in commands(log)]


@pytest.mark.parametrize("protocol", LOGS)
def test_a_takeover_between_two_slots_forgets_neither(protocol):
    """Ann stops in the middle of two slots; ben goes on where she was, for every seed."""
    for seed in range(40):
        run = simulate(
            protocol=protocol,
            seed=seed,
            proposers=2,
            learners=0,
            wishes=[(0, "ann", "a"), (8, "ann", "b"), (9, "ann", "c"), (14, "ben", "d")],
            faults=[f"crash ann at {9 + seed / 8}"],
        )
        assert broken(run) == []
        decided = {one.slot: one.proposal.value for one in chosen(run)}
        mine = final(run)["ben"]
        kept = getattr(mine, "member", mine).log
        assert "d" in texts(kept)
        assert all(kept[slot] == value for slot, value in decided.items() if slot < len(kept))
