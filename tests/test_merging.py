"""From what each client wrote down to the run of all: the lists that stand between the lines."""

from collections import Counter
from dataclasses import replace

import pytest
from stripped import stripped
from worlds import befores

from paxos.drivers.merging import NoRun, live, merge
from paxos.drivers.replay import replay
from paxos.drivers.simulator import simulate
from paxos.outcome import broken, final, logs
from paxos.protocol.events import Answer, Opened, Save, Timeout
from paxos.protocol.kinds import PROTOCOLS
from paxos.protocol.lists import Amiss, Entry
from paxos.protocol.messages import Append, Appended, Entries, Fetch
from paxos.trace import Crash, Open, Step, Trace, dumps, loads, told
from paxos.verifying import verify

STORM = {"loss": 0.15, "duplicate": 0.15, "crash": 0.03, "partition": 0.05, "outages": 0.05}
BAD = {"lost_appends": 0.1, "stale_reads": 0.15, "jitter": 0.9, "until": 120}
WORLDS = {
    "quiet": {"told": True},
    "storm": {"told": True, **STORM, **BAD},
    "not told": {**STORM, **BAD},
    "conditional": {"conditional": True},  # no live client appends so
    "litter": {"told": True, "faults": ["junk s1 at 4", "poison s1 at 30"]},
}
OF_LISTS = ["one-list", "passive-log", "passive"]


def entered(run):
    """What stands in the lists at the end."""
    return {name: its.things for name, its in final(run).items() if hasattr(its, "things")}


@pytest.mark.parametrize("protocol", OF_LISTS)
@pytest.mark.parametrize("storm", WORLDS)
def test_what_the_lists_did_can_be_told_from_what_their_clients_wrote_down(storm, protocol):
    """And what comes out is a run: whoever the lists are taken from, and whatever happened to them."""
    merged = 0
    for seed in range(60):
        run = simulate(protocol=protocol, seed=seed, **WORLDS[storm])
        parts = stripped(run)
        if not parts:
            continue
        merged += 1
        whole = merge(parts)
        found = verify(whole)
        assert found.nodes == Counter(role for _, role in run.header.nodes)
        again = told(whole)
        assert broken(again) == [], seed
        for name, things in entered(again).items():
            their = entered(run)[name]
            assert [one for one in things if "nobody saw" not in str(one)] == [
                mine
                for mine, its in zip(their, things, strict=False)
                if "nobody saw" not in str(its)
            ], seed
        for theirs, mine in zip(logs(run)[-1:], logs(again)[-1:], strict=True):
            # Whoever stopped in the middle of a step had written it down as a whole.
            assert mine[1][: len(theirs[1])] == theirs[1], seed
    assert merged >= 48


def test_a_merged_run_is_a_trace_like_any_other():
    for protocol in OF_LISTS:
        for seed in range(12):
            run = simulate(protocol=protocol, seed=seed, **WORLDS["storm"])
            if not (parts := stripped(run)):
                continue
            whole = merge([loads(dumps(one), states=False) for one in parts])
            assert loads(dumps(whole), states=False) == whole
            full = loads(dumps(whole))
            assert full == told(whole) and verify(full) == verify(whole)
            for before, step in befores(full):
                rule = PROTOCOLS[protocol].steps[full.role(step.node)]
                assert rule(before, step.event) == (step.state, step.effects)
            saved = [one.state for s in full.steps() for one in s.effects if isinstance(one, Save)]
            assert saved and None not in saved


def test_in_a_quiet_world_nothing_is_amiss_and_the_simulator_follows():
    for seed in range(20):
        run = simulate(protocol="passive-log", seed=seed, told=True)
        whole = told(merge(stripped(run)))
        assert not [one for one in whole.steps() if isinstance(one.event, Amiss)]
        assert replay(whole) == whole


def test_an_old_answer_is_found_and_no_more_than_there_are():
    found = truth = 0
    for seed in range(60):
        run = simulate(protocol="passive-log", seed=seed, told=True, stale_reads=0.3, learners=0)
        asked = [one.event for one in run.steps() if isinstance(one.event, Amiss)]
        heard = [one.event for one in merge(stripped(run)).steps() if isinstance(one.event, Amiss)]
        assert all(one.behind > 0 for one in heard)
        assert len(heard) <= len(asked)
        found, truth = found + len(heard), truth + len(asked)
    assert truth > 500 and found > truth / 10, (
        "where nobody can tell, an old answer is an early one"
    )


def test_the_clocks_of_the_clients_need_not_agree():
    """Each of another day: cause and effect are enough."""
    for seed in range(30):
        parts = stripped(simulate(protocol="passive-log", seed=seed, told=True))
        for number, one in enumerate(parts):
            late = tuple(replace(it, at=it.at + 86_400_000 * (-number % 3)) for it in one.records)
            parts[number] = Trace(one.header, late)
        whole = merge(parts)
        assert verify(whole).decided == 3
        assert [one.at for one in whole.records] == sorted(one.at for one in whole.records)


def test_who_was_killed_and_came_back_crashed_and_opened():
    run = simulate(protocol="passive-log", told=True, faults=["crash ann at 9 for 9"])
    whole = merge(stripped(run))
    kinds = [type(one).__name__ for one in whole.records if getattr(one, "node", "") == "ann"]
    assert kinds.count("Crash") == 1 and kinds.count("Open") == 2
    at = next(n for n, one in enumerate(whole.records) if isinstance(one, Crash))
    assert whole.records[at].at <= 9000
    back = next(one for one in whole.records[at:] if isinstance(one, Open))
    assert (back.node, back.at) == ("ann", 18000)


def test_two_of_one_name_at_once_get_two_names():
    run = simulate(protocol="passive-log", told=True, proposers=2, learners=0)
    parts = [alias(one, "ann") for one in stripped(run)]
    whole = merge(parts)
    assert whole.of("client") == ["ann", "ann~2"]
    assert verify(whole).decided == 2


def alias(trace, name):
    """The same by a client of another name."""
    nodes = ((name, "client"), *trace.header.nodes[1:])
    records = tuple(replace(one, node=name) for one in trace.records)
    return Trace(replace(trace.header, nodes=nodes), records)


# What nobody has written down.


def test_the_entries_of_one_whose_trace_is_missing_landed_by_themselves():
    run = simulate(protocol="passive-log", told=True, seed=2)
    parts = [one for one in stripped(run) if one.of("client") != ["ben"]]
    whole = merge(parts)
    found = verify(whole)
    assert found.decided == 3 and found.unseen > 0 and found.nodes["client"] == 3
    authors = {
        one.event.entry.author
        for one in whole.steps()
        if isinstance(one.event, Append) and one.received is None
    }
    assert len(authors) == 1 and not authors & set(whole.names)


TWICE = ["duplicate append 1", "drop appended 2"]


def test_an_entry_that_a_service_has_twice_was_asked_for_once():
    run = simulate(protocol="one-list", told=True, proposers=1, faults=TWICE)
    whole = merge(stripped(run))
    appends = [one for one in whole.steps() if isinstance(one.event, Append)]
    assert [one.received is None for one in appends] == [False, True]
    assert appends[0].event.entry == appends[1].event.entry
    assert verify(whole).unseen == 1 and broken(told(whole)) == []


def test_an_append_of_which_nobody_heard_is_where_others_saw_it():
    run = simulate(protocol="one-list", told=True, faults=["drop appended from s1"])
    whole = merge(stripped(run))
    appends = [one for one in whole.steps() if isinstance(one.event, Append)]
    assert {type(one.event.message) for one in whole.steps() if isinstance(one.event, Answer)} == {
        Entries
    }
    assert len(appends) == 3 and all(one.received for one in appends)


# What cannot be.


def parts_of(**world):
    return stripped(simulate(protocol="passive-log", told=True, **world))


def heard(trace, kind):
    return next(
        n
        for n, one in enumerate(trace.records)
        if isinstance(one, Step)
        and isinstance(one.event, Answer)
        and isinstance(one.event.message, kind)
        and (kind is Appended or len(one.event.message.entries) > 1)
    )


def altered(trace, number, message):
    records = list(trace.records)
    event = replace(records[number].event, message=message)
    records[number] = replace(records[number], event=event)
    return Trace(trace.header, tuple(records))


def test_two_orders_in_one_list_are_no_run():
    parts = parts_of()
    at = heard(parts[1], Entries)
    shown = parts[1].records[at].event.message
    other = replace(shown, entries=(*shown.entries[:-1], Entry("zoe", 0, "x")))
    with pytest.raises(NoRun, match="two orders: ben saw another entry"):
        merge([parts[0], altered(parts[1], at, other), *parts[2:]])


def test_what_was_acknowledged_stands_there():
    parts = parts_of()
    at = heard(parts[0], Appended)
    said = parts[0].records[at].event.message
    with pytest.raises(NoRun, match=r"two orders|two were told"):
        merge([altered(parts[0], at, replace(said, position=said.position + 1)), *parts[1:]])


def test_an_effect_before_its_cause_is_no_run():
    """Ben knows of an entry of ann, who asks for it only when she has heard of ben's answer."""
    parts = parts_of(proposers=2, learners=0, wishes=[(4, "ann", "x"), (40, "ben", "y")])
    first = next(
        one
        for one in parts[1].records
        if isinstance(one, Step)
        and isinstance(one.event, Answer)
        and any(getattr(it, "author", "") != "" for it in getattr(one.event.message, "entries", ()))
    )
    late = next(one for one in parts[0].records if isinstance(one, Step) and one.sent)
    assert first and late
    records = list(parts[0].records)
    asks = [n for n, one in enumerate(records) if isinstance(one, Step) and appends(one)]
    moved = [*records[: asks[0]], *records[asks[0] + 1 :], records[asks[0]]]
    moved = [replace(one, at=records[-1].at) for one in moved]
    with pytest.raises(NoRun, match=r"never asked|no order fits"):
        merge([Trace(parts[0].header, tuple(moved)), parts[1]])


def appends(step):
    return any(isinstance(one.message, Append) for one in step.sent)


def test_an_answer_that_was_never_asked_for_is_no_run():
    parts = parts_of()
    records = list(parts[0].records)
    records.insert(2, replace(records[heard(parts[0], Entries)], received=99, sent=()))
    with pytest.raises(NoRun, match="ann heard an answer to what it never asked of 's"):
        merge([Trace(parts[0].header, tuple(records)), *parts[1:]])


def test_only_traces_of_one_log_can_be_merged():
    one, other = parts_of(seed=1), parts_of(seed=2)
    opened = one[1].records[0]
    views = tuple(
        (name, replace(its, genesis=replace(its.genesis, log="bus")))
        for name, its in opened.state.views
    )
    bus = replace(opened, state=replace(opened.state, views=views))
    with pytest.raises(NoRun, match="these traces are of 2 logs"):
        merge([one[0], Trace(one[1].header, (bus, *one[1].records[1:]))])
    with pytest.raises(NoRun, match="different lists"):
        merge([one[0], stripped(simulate(protocol="one-list"))[0]])
    with pytest.raises(NoRun, match="the same identity"):
        merge([one[0], one[0]])
    with pytest.raises(NoRun, match="nothing has happened"):
        merge([Trace(other[0].header)])


def test_what_one_client_wrote_down_is_told_from_a_whole_run():
    run = simulate(protocol="passive-log", told=True)
    assert not live(run) and all(map(live, stripped(run)))
    assert not live(simulate())


def test_the_first_look_is_written_before_it_is_answered():
    """The format: a step is there before its requests are sent, with no state."""
    part = parts_of()[0]
    first = part.records[1]
    assert (first.event, first.state, first.received) == (Opened(), None, None)
    assert [one.message for one in first.sent] == [Fetch(0)] * 3
    assert not any(isinstance(one.event, Timeout) for one in part.records[1:2])


def test_a_long_run_is_merged_in_time_that_grows_with_it():
    """By counting steps, not seconds: the work for each record does not grow with the run."""
    from paxos.drivers import ordering

    counts = []
    for many in (30, 120):
        wishes = [(4 + 12 * n, ("ann", "ben")[n % 2], f"{n}") for n in range(many)]
        run = simulate(
            protocol="passive-log", told=True, proposers=2, learners=0, wishes=wishes, until=3000
        )
        parts, pushed = stripped(run), Counter()
        real = ordering.heapq.heappush

        def push(*args, real=real, pushed=pushed):
            pushed["pushes"] += 1
            return real(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ordering.heapq, "heappush", push)
            whole = merge(parts)
        counts.append(pushed["pushes"] / len(whole.records))
    assert counts[1] <= counts[0] * 1.2
