"""What "Disk Paxos" (Gafni, Lamport 2003) and "MetaSync" (Han et al. 2015) say, counted in runs.

Each test names its section. D disks, N processors in the one; services and clients in the other.
"""

from collections import Counter, defaultdict

import pytest
from worlds import befores, happened, of, runs

from paxos.drivers.simulator import simulate
from paxos.outcome import chosen, final, history
from paxos.protocol.ballot import NO_BALLOT
from paxos.protocol.events import Answer, Decide, Send, Timeout
from paxos.protocol.lists import Entry
from paxos.protocol.messages import (
    Accept,
    Append,
    Blocks,
    Fetch,
    Prepare,
    Read,
    Write,
    Written,
)

STILL = {"jitter": 0.0, "learners": 0}


def sent(run, name, since=0.0, until=float("inf")):
    """What a node has sent in a span of time, in message delays: {kind: how many}."""
    return Counter(
        type(one.message).__name__
        for step in run.steps()
        if step.node == name and since <= step.at / run.header.tick < until
        for one in step.sent
    )


def told(run, name):
    """When a client was told of each decision, in message delays."""
    steps = (step for step in run.steps() if step.node == name and happened(step, Decide))
    return [step.at / run.header.tick for step in steps]


def blocks_read(run, name, since, until):
    """Blocks of others that were shown to a client in a span of time."""
    return sum(
        owner != name
        for step in run.steps()
        if step.node == name and since <= step.at / run.header.tick <= until
        if isinstance(step.event, Answer) and isinstance(step.event.message, Blocks)
        for owner, _ in step.event.message.blocks
    )


def busy_disks(clients, disks, protocol="disk-log"):
    """Everybody has written once, far apart; then the last asks for one thing more, at 400."""
    wishes = [(40.0 * number, name, f"a{number}") for number, name in enumerate(WHO[:clients])]
    wishes.append((400.0, WHO[clients - 1], "last"))
    world = {"proposers": clients, "acceptors": disks, "wishes": wishes, "until": 500.0}
    return simulate(protocol=protocol, **STILL, **world)


WHO = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hana")


# Disk Paxos.


def test_a_phase_writes_the_own_block_before_it_reads_those_of_others():
    """Section 3: on each disk, write, then read; what was read before does not count."""
    early = 0
    for run in runs("disk"):
        for before, step in befores(run):
            match step.event:
                case Answer(_, Blocks(blocks)) if run.role(step.node) == "client" and before.block:
                    if dict(blocks).get(step.node) != before.block:
                        assert (step.state, step.effects) == (before, ())
                        early += 1
                case Answer(_, Written(block)) if before.block == block:
                    assert [type(one.message) for one in happened(step, Send)] in ([Read], [])
    assert early > 20


@pytest.mark.parametrize("disks", [1, 3, 5])
def test_a_decision_takes_two_writes_to_each_disk_and_two_reads_of_each(disks):
    """Section 3: phases 1 and 2, each one write and one read of all other blocks, a disk."""
    run = simulate(
        protocol="disk", proposers=1, acceptors=disks, wishes=[(10, "ann", "x")], **STILL
    )
    (when,) = told(run, "ann")
    assert sent(run, "ann", 10, when) == {"Write": 2 * disks, "Read": 2 * disks}


@pytest.mark.parametrize("clients", range(1, 9))
def test_no_ballot_takes_more_than_2d_writes_and_2d_times_n_minus_1_block_reads(clients):
    """Section 3, derived: at most 2D writes and 2D(N - 1) reads of others' blocks."""
    disks = 3
    wishes = [(10 + number / 10, name, name) for number, name in enumerate(WHO[:clients])]
    run = simulate(protocol="disk", proposers=clients, wishes=wishes, **STILL)
    writes, reads = Counter(), Counter()
    for before, step in befores(run):
        if run.role(step.node) == "client" and step.state.member.ballot.round:
            for one in step.sent:  # not counted: the decision, for others to find
                if isinstance(one.message, Write) and not one.message.block.chosen:
                    writes[step.state.member.ballot] += 1
            match step.event:
                case Answer(_, Blocks(blocks)):
                    reads[before.member.ballot] += sum(owner != step.node for owner, _ in blocks)
    assert max(writes.values()) == 2 * disks
    assert clients == 1 or max(reads.values()) > disks * (clients - 1), "both phases"
    assert max(reads.values(), default=0) <= 2 * disks * (clients - 1)


def test_in_the_steady_state_a_decision_takes_one_write_and_one_read_of_a_majority():
    """Section 1 and 3: while one leads, phase 1 has been carried out for all later instances."""
    run = busy_disks(clients=1, disks=3)
    first, second = told(run, "ann")
    assert sent(run, "ann", 400, second) == {"Write": 3, "Read": 3}
    assert second - 400 == 4.0, "one write and one read, one after the other"
    down = simulate(
        protocol="disk-log",
        proposers=1,
        wishes=[(0, "ann", "x"), (400, "ann", "y")],
        until=500,
        faults=["crash d3 at 0"],
        **STILL,
    )
    assert told(down, "ann")[1] - 400 == 4.0, "and a majority of the disks is enough for it"
    assert first < 400


def test_phase_1_is_carried_out_once_for_all_later_instances():
    """Section 3 (as in the paper's Disk Synod applied to a sequence): the second entry's cost."""
    run = busy_disks(clients=1, disks=3)
    ballots = {one.proposal.ballot for one in chosen(run)}
    assert [one.slot for one in chosen(run)] == [0, 1]
    assert len(ballots) == 1


@pytest.mark.parametrize("clients", [1, 2, 4, 8])
def test_the_blocks_to_be_read_grow_with_the_number_of_processors(clients):
    """MetaSync, section 3.3 on Disk Paxos: O(clients x acceptors)."""
    run = busy_disks(clients, disks=3)
    who = WHO[clients - 1]
    assert blocks_read(run, who, 400, 405) == 3 * (clients - 1)


def test_a_larger_mbal_aborts_the_phase():
    """Section 3: if it reads a larger mbal, it aborts its ballot and starts a higher one."""
    aborted = 0
    for run in runs("disk"):
        for before, step in befores(run):
            match step.event:
                case Answer(_, Blocks(blocks)) if run.role(step.node) == "client":
                    asks = before.member.proposer
                    shown = dict(blocks)
                    fresh = before.block and shown.get(step.node) == before.block
                    known = any(block.chosen for block in shown.values())
                    largest = max((b.memory.promised for b in shown.values()), default=None)
                    if fresh and not known and asks.asking and largest > asks.ballot:
                        assert step.state.member.proposer.phase == "wait"
                        aborted += 1
                case Timeout() if getattr(before, "block", None) and before.member.proposer.waits:
                    assert step.state.member.ballot > before.member.proposer.highest
    assert aborted > 20


def test_phase_2_tries_the_value_of_the_largest_bal_that_was_read():
    """Section 3: its own input only where no block that it read, or its own, has a value."""
    adopted = own = 0
    for run in runs("disk"):
        seen = defaultdict(list)
        for before, step in befores(run):
            if run.role(step.node) != "client" or not before.block:
                continue
            asks, now = before.member.proposer, step.state.member.proposer
            match step.event:
                case Answer(_, Blocks(blocks)) if dict(blocks).get(step.node) == before.block:
                    seen[asks.ballot] += [block.memory.vote for _, block in blocks]
            if (asks.phase, now.phase) == ("prepare", "decide"):
                cast = [vote for vote in seen[now.ballot] if vote]
                bound = max(cast, key=lambda vote: vote.ballot).value if cast else now.wish
                assert now.value == bound
                adopted, own = adopted + bool(cast), own + (not cast)
    assert adopted > 20 and own > 20


def test_a_processor_that_comes_back_reads_its_own_blocks_of_a_majority_first():
    """Section 3, recovery: and it never uses a ballot twice."""
    back = 0
    for run in runs("disk"):
        used = defaultdict(set)
        for before, step in befores(run):
            if run.role(step.node) != "client" or before.block:
                continue
            assert not any(isinstance(one.message, Write) for one in step.sent) or step.state.block
            if step.state.block and step.state.block.memory.promised.round:
                back += 1
                assert len(before.found) + 1 >= run.header.quorums.of - min(
                    run.header.quorums.phase1, run.header.quorums.phase2
                )
        for step in of(run, "client"):
            for one in happened(step, Send):
                if isinstance(one.message, Write) and step.state.member.busy:
                    memory = one.message.block.memory
                    used[memory.promised].add((step.state.member.ballot, memory.vote))
        assert all(len(writes) <= 3 for writes in used.values())
    assert back > 10


def test_disks_do_not_talk_to_each_other_and_neither_do_processors():
    """Section 1: processors that communicate by reading and writing blocks of disks, only."""
    for run in runs("disk") + runs("disk-log"):
        assert parties(run) <= {("client", "disk"), ("disk", "client")}


def parties(run):
    return {(run.role(step.node), run.role(one.to)) for step in run.steps() for one in step.sent}


# MetaSync.


def test_services_never_talk_to_each_other_and_neither_do_clients():
    """Section 3.3: clients communicate through the services, which know nothing of each other."""
    for run in runs("passive") + runs("passive-log"):
        assert parties(run) <= {("client", "list"), ("list", "client")}


def test_of_a_service_two_things_are_asked():
    """Section 3.3: append, and fetch what was appended."""
    for run in runs("passive"):
        asked = {type(one.message) for step in of(run, "client") for one in step.sent}
        assert asked == {Append, Fetch} or asked == {Fetch}


def test_a_list_has_prepares_and_accepts_in_it_and_no_commit():
    """Figure 4: there is no COMMIT message; who reads the lists knows what is decided."""
    for run in runs("passive"):
        for step in of(run, "client"):
            for one in happened(step, Send):
                if isinstance(one.message, Append):
                    assert isinstance(one.message.entry, Entry)
                    assert isinstance(one.message.entry.content, Prepare | Accept)


def test_our_prepare_carries_no_value():
    """Figure 4: a proposal is accepted with its value; a prepare has a round and nothing else."""
    assert Prepare.__slots__ == ("ballot",)


def one_decision(services=3, clients=1, **options):
    """One who wishes something at 20, when all are online; the others follow."""
    return simulate(
        protocol="passive",
        acceptors=services,
        proposers=clients,
        wishes=[(20, "ann", "x")],
        until=60,
        **STILL,
        **options,
    )


def test_a_decision_takes_four_round_trips():
    """Section 3.3: append and fetch, twice."""
    assert told(one_decision(), "ann") == [20 + 2 * 4]


def test_where_appends_are_conditional_two_round_trips_are_enough():
    """Not in the paper: an append that stands where it was asked to has told all before it."""
    assert told(one_decision(conditional=True), "ann") == [20 + 2 * 2]


@pytest.mark.parametrize("services", [1, 3, 5])
def test_a_decision_takes_two_appends_and_two_fetches_a_service(services):
    """Section 3.3: O(acceptors) messages."""
    run = one_decision(services)
    assert sent(run, "ann", 20, 28) == {"Append": 2 * services, "Fetch": 2 * services}


@pytest.mark.parametrize("clients", range(1, 9))
def test_the_cost_does_not_grow_with_the_number_of_clients(clients):
    """Section 3.3 and figure 9: unlike Disk Paxos, whatever the number of clients."""
    run = one_decision(clients=clients)
    assert sent(run, "ann", 20, 28) == {"Append": 6, "Fetch": 6}
    assert told(run, "ann") == [28.0]


@pytest.mark.parametrize(("down", "decided"), [(1, True), (2, False)])
def test_2f_plus_1_services_survive_f_that_stop(down, decided):
    """Section 3.3: a majority of the services is enough, and less is not."""
    run = one_decision(faults=[f"crash s{number} at 0" for number in range(1, down + 1)])
    assert bool(told(run, "ann")) == decided


def test_a_client_gives_up_where_it_sees_a_larger_round():
    """Figure 4: abort where a larger round is seen, and try again with a larger one, later."""
    aborted = 0
    for run in runs("passive"):
        for before, step in befores(run):
            if run.role(step.node) != "client" or not before.member.proposer.asking:
                continue
            after, asks = step.state, before.member.proposer
            match step.event:
                case Answer(name) if before.view(name) != after.view(name):
                    if after.view(name).memory.promised > asks.ballot:
                        assert not after.member.proposer.asking
                        aborted += 1
    assert aborted > 20


def test_an_accept_counts_unless_a_larger_prepare_stands_before_it():
    """Figure 4: the largest prepare so far, in the order of the list, decides whether it is taken.

    Or, in a fold that keeps the last vote only, a larger accept that was taken.
    """
    counted = Counter()
    for run in runs("passive"):
        votes = set(history(run).votes)
        for name, state in final(run).items():
            largest = NO_BALLOT
            for one in dict.fromkeys(getattr(state, "things", ())):
                its = getattr(one, "content", None)
                if isinstance(its, Accept):
                    counted[its.ballot >= largest] += 1
                    assert ((name, its) in votes) == (its.ballot >= largest)
                    largest = max(largest, its.ballot)
                elif isinstance(its, Prepare):
                    largest = max(largest, its.ballot)
    assert counted[True] > 100 and counted[False] > 20


def test_a_client_that_was_told_nothing_learns_by_reading_alone():
    """Section 3.3: state that the clients derive from the lists, and from nothing else."""
    run = simulate(protocol="passive", proposers=1, learners=3)
    value = chosen(run)[0].proposal.value
    for name in run.of("client"):
        decides = [
            one for step in run.steps() if step.node == name for one in happened(step, Decide)
        ]
        assert {one.value for one in decides} == {value}
    assert not any(sent(run, name)["Append"] for name in run.of("client")[1:])
