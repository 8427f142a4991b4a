"""What a decision costs, as counted in runs, is what the papers say it costs."""

import pytest

from paxos import costs
from paxos.drivers.simulator import simulate

MEMORIES = (1, 3, 5)


def each(names):
    return pytest.mark.parametrize("name", names)


@pytest.mark.parametrize("memories", MEMORIES)
@pytest.mark.parametrize("clients", costs.CLIENTS)
def test_passive_paxos_costs_the_same_whatever_the_number_of_clients(clients, memories):
    """Han et al. 2015, section 3.3: two appends and two fetches on each list."""
    bill = costs.one_decision("Passive Paxos", clients, memories)
    assert (bill.clients, bill.memories) == (clients, memories)
    assert (bill.changes, bill.looks) == (2 * memories, 2 * memories)
    assert bill.messages == 2 * bill.requests == 8 * memories


@pytest.mark.parametrize("memories", MEMORIES)
@pytest.mark.parametrize("clients", costs.CLIENTS)
def test_disk_paxos_reads_the_block_of_every_other_client(clients, memories):
    """Gafni, Lamport 2003, section 3: two phases, in each one write and the blocks of all others."""
    bill = costs.one_decision("Disk Paxos", clients, memories)
    assert bill.changes == bill.looks == 2 * memories
    assert bill.foreign == 2 * memories * (clients - 1)


@each(["Disk Paxos", "Passive Paxos"])
def test_a_memory_that_only_stores_takes_at_least_four_round_trips(name):
    """Han et al. 2015, section 3.3. Acceptors that answer take two."""
    assert costs.one_decision(name, 3).round_trips == 4
    assert costs.one_decision("Static Paxos", 3).round_trips == 2


@pytest.mark.parametrize("memories", MEMORIES)
def test_an_append_where_the_end_is_known_needs_no_fetch(memories):
    bill = costs.one_decision("Passive Paxos, conditional append", 4, memories)
    assert (bill.changes, bill.looks, bill.round_trips) == (2 * memories, 0, 2)


def test_static_paxos_stores_nothing_elsewhere():
    bill = costs.one_decision("Static Paxos", 5)
    assert (bill.requests, bill.messages, bill.changes, bill.looks, bill.foreign) == (
        6,
        12,
        0,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("name", "requests", "trips"),
    [
        ("log over acceptors", 3, 1),
        ("log over disks", 6, 2),
        ("log over lists", 6, 2),
        ("log over lists, conditional append", 3, 1),
    ],
)
@pytest.mark.parametrize("clients", (1, 3, 8))
def test_one_more_entry_of_a_log_needs_phase_2_only(name, requests, trips, clients):
    bill = costs.next_entry(name, clients)
    assert (bill.requests, bill.round_trips, bill.later) == (requests, trips, 0)
    assert bill.foreign == (3 * (clients - 1) if name == "log over disks" else 0)


def test_one_list_alone_needs_one_append_and_one_fetch():
    alone, known = costs.one_list(), costs.one_list(conditional=True)
    assert (alone.changes, alone.looks, alone.messages, alone.round_trips) == (1, 1, 4, 2)
    assert (known.changes, known.looks, known.messages, known.round_trips) == (1, 0, 2, 1)


def test_what_comes_after_the_decision_is_counted_apart():
    later = {name: costs.one_decision(name, 3).later for name in costs.ONE}
    assert later["Static Paxos"] == later["Passive Paxos"] == 0
    assert later["Disk Paxos"] > 0  # the decision flag
    assert later["Passive Paxos, conditional append"] == 2  # the third list was asked too early


def test_a_run_in_which_nobody_is_told_has_no_cost():
    with pytest.raises(ValueError, match="ann was not told"):
        costs.bill("Static Paxos", simulate(loss=1.0), "ann", 0)


def test_the_clients_that_died_were_there():
    """Were they not, Disk Paxos would find no block to read, and its price would be no price."""
    world = {**costs.ONE["Static Paxos"], "proposers": 4}
    *dead, asker = costs.in_order(world)
    assert len({*dead, asker}) == 4
    seen = costs.one_decision("Passive Paxos", 4)
    assert seen.foreign > costs.one_decision("Passive Paxos", 1).foreign


@each(costs.ONE)
def test_a_crowd_costs_more_ballots_and_messages(name):
    lonely, crowded = costs.crowd(name, 1, seeds=3), costs.crowd(name, 5, seeds=3)
    assert lonely.ballots == 1
    assert crowded.ballots > 2 and crowded.messages > 2 * lonely.messages


def test_the_table_has_a_row_for_each_price():
    lines = costs.table().splitlines()
    assert "| Static Paxos | 1 to 8 | 6 | – | – | – | 2 | 0 |" in lines
    assert "| Disk Paxos | 1 to 8 | 12 | 6 | 6 | 0, 6, 12, …, 42 | 4 | 3 |" in lines
    assert "| Passive Paxos | 1 to 8 | 12 | 6 | 6 | 0, 3 | 4 | 0 |" in lines
    assert len({line.count("|") for line in lines}) == 1
    assert sum(line.startswith("| Disk Paxos") for line in lines) == 1
    assert costs.table() == "\n".join(lines)


def test_the_other_tables_are_as_wide_as_their_heads():
    for text in (costs.log_table(range(1, 3)), costs.crowd_table((1, 3), seeds=2)):
        assert len({line.count("|") for line in text.splitlines()}) == 1
        assert len(text.splitlines()) > len(costs.ONE)
