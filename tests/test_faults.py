"""Faults by script: each form does what its sentence says, and nothing else is a fault."""

import re
from itertools import pairwise

import pytest
from worlds import happened

from paxos.drivers import faults
from paxos.drivers.faults import FaultError, parse
from paxos.drivers.simulator import simulate
from paxos.outcome import chains, chosen, final
from paxos.protocol.events import Distrust
from paxos.trace import Crash, Cut, Heal, Lost, Open

NODES = ("ann", "ben", "n1", "n2", "n3", "l1", "s1")


def run(*script, **options):
    return simulate(faults=script, **{"proposers": 1, "jitter": 0.0, **options})


def records(trace, kind):
    return [record for record in trace.records if isinstance(record, kind)]


def sent(trace):
    """Every message sent: (kind, to, its record)."""
    return {
        one.id: (type(one.message).__name__, one.to) for step in trace.steps() for one in step.sent
    }


def lost(trace):
    return [sent(trace)[record.id] for record in records(trace, Lost)]


def arrived(trace, kind):
    """When the messages of one kind arrived, in message delays."""
    return [
        s.at / trace.header.tick
        for s in trace.steps()
        if sent(trace).get(s.received, "")[:1] == (kind,)
    ]


def test_a_quiet_run_loses_nothing_and_takes_four_message_delays():
    trace = run()
    assert lost(trace) == []
    assert max(chains(trace).values()) == 4


@pytest.mark.parametrize("line", re.findall(r"^    (\S.*?)(?:   |$)", faults.__doc__, re.MULTILINE))
def test_every_form_in_the_help_can_be_read(line):
    assert parse(line, NODES)


def test_one_message_of_a_kind_can_be_dropped():
    assert lost(run("drop promise 2 to ann")) == [("Promise", "ann")]


def test_the_number_counts_only_what_fits_the_line():
    assert lost(run("drop prepare 1 to n3")) == [("Prepare", "n3")]
    assert lost(run("drop promise 1 from n2", "drop prepare 9 to n1")) == [("Promise", "ann")]


def test_sender_and_receiver_may_come_in_either_order():
    assert parse("drop accept from ann to n1", NODES) == parse("drop accept to n1 from ann", NODES)


def test_without_a_number_all_of_a_kind_are_dropped():
    trace = run("drop accept from ann", until=30)
    assert set(lost(trace)) == {("Accept", name) for name in ("n1", "n2", "n3")}
    assert chosen(trace) == []


def test_a_message_can_be_duplicated():
    trace = run("duplicate accept 1 to n2")
    ids = [step.received for step in trace.steps() if step.node == "n2"]
    assert len(ids) == len(set(ids)) + 1
    assert lost(trace) == []


def test_a_message_can_be_late():
    assert arrived(run(), "Accept") == [3.0] * 3
    assert arrived(run("delay accept 1 by 2.5"), "Accept") == [3.0, 3.0, 5.5]


def test_a_node_can_stop_for_a_while():
    trace = run("crash n1 at 0.5 for 10", until=30)
    assert records(trace, Crash) == [Crash(500, "n1")]
    assert [record.at for record in records(trace, Open) if record.node == "n1"] == [0, 10_500]
    assert lost(trace)[0] == ("Prepare", "n1")
    assert not [s for s in trace.steps() if s.node == "n1" and s.at <= 10_500]


def test_a_node_can_stop_for_good():
    trace = run("crash n1 at 0.5", until=50)
    assert [record.at for record in records(trace, Open) if record.node == "n1"] == [0]


def test_a_node_can_stop_after_a_save_before_it_answers():
    trace = run("crash n1 after save 1 for 2", until=30)
    step = next(step for step in trace.steps() if step.node == "n1")
    assert (step.done, step.sent) == (1, ())
    back = next(record for record in records(trace, Open) if record.node == "n1" and record.at)
    assert back.state == step.state


def test_it_can_be_a_later_save():
    trace = run("crash n1 after save 2", until=30)
    assert [step.done for step in trace.steps() if step.node == "n1"] == [2, 1]


def test_the_network_can_be_cut_for_a_while():
    trace = run("cut ann n1 | n2 n3 from 0 to 9", until=40)
    assert records(trace, Cut) == [Cut(0, (("ann", "n1"), ("n2", "n3")))]
    assert records(trace, Heal) == [Heal(9000)]
    assert {record.why for record in records(trace, Lost)} == {"cut off"}
    assert chosen(trace)[0].at > 9000


def test_a_cut_lasts_until_its_own_end():
    trace = run("cut ann | n1 n2 n3 from 0 to 9", partition=1.0, until=60)
    groups = (("ann",), ("n1", "n2", "n3"))
    for cut, following in pairwise(
        record for record in trace.records if isinstance(record, Cut | Heal)
    ):
        if cut == Cut(0, groups):
            assert following == Heal(9000)


def test_two_cuts_at_one_time_are_refused():
    with pytest.raises(ValueError, match="one cut at a time"):
        run("cut ann | n1 from 0 to 9", "cut ann | n2 from 8 to 20")
    assert chosen(run("cut ann | n1 from 0 to 9", "cut ann | n2 from 9 to 20"))


def test_faults_are_written_into_the_header():
    assert run("drop promise 2 to ann").header.faults == ("drop promise 2 to ann",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "cannot read the fault"),
        ("burn n1", "cannot read the fault"),
        ("drop", "cannot read the fault"),
        ("drop promise three to ann", "cannot read the fault"),
        ("drop promise from n1 to ann from n2", "cannot read the fault"),
        ("crash n1 at 1" + 400 * "0", "cannot read the fault"),
        (
            "drop rumour 1 to ann",
            "no message is a 'rumour'; use prepare, accept, write, read, append",
        ),
        ("drop promise 1 to zoe", "no node is called 'zoe'; there are ann, ben"),
        ("drop promise 1 from zoe", "no node is called 'zoe'"),
        ("drop promise 0 to ann", "messages are counted from 1"),
        ("drop promise 1 by 3", "`delay` needs a `by TIME` above 0"),
        ("delay accept", "`delay` needs a `by TIME` above 0"),
        ("crash n1 after save 0", "saves are counted from 1"),
        ("crash n9 at 4", "no node is called 'n9'"),
        ("crash n9 after save 1", "no node is called 'n9'"),
        ("crash n1 at -4", "cannot read the fault"),
        ("cut ann | zoe from 2 to 9", "no node is called 'zoe'"),
        ("cut ann n1 from 2 to 9", "two groups"),
        ("cut ann n1 | from 2 to 9", "two groups"),
        ("cut ann | ann n1 from 2 to 9", "two groups"),
        ("cut ann | ben from 9 to 2", "an end after its start"),
    ],
)
def test_a_line_that_is_no_fault_is_refused_with_the_reason(line, reason):
    with pytest.raises(FaultError, match=reason):
        parse(line, NODES)


@pytest.mark.parametrize("node", ["ann", "l1"])
def test_who_never_saves_cannot_crash_after_a_save(node):
    with pytest.raises(ValueError, match="only acceptors do"):
        run(f"crash {node} after save 1")


def test_what_is_dropped_never_arrives_even_if_it_was_doubled():
    trace = run("drop accept", duplicate=1.0, until=30)
    assert not chosen(trace) and not arrived(trace, "Accept")
    assert not arrived(run(loss=1.0, duplicate=1.0, until=30), "Prepare")


def test_a_lost_message_leaves_every_other_as_it_was():
    def took(trace):
        when = {one.id: step.at for step in trace.steps() for one in step.sent}
        return {
            (s.node, type(s.event).__name__): s.at - when[s.received]
            for s in trace.steps()
            if s.received and s.at < 2000
        }

    plain, lossy = took(run(jitter=0.9)), took(run("drop prepare 1 to n1", jitter=0.9))
    assert lossy.items() < plain.items()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (("crash n1 at 4 for 10", "crash n1 at 6"), "one crash of n1 at a time"),
        (("crash n1 at 4", "crash n1 at 60 for 1"), "one crash of n1 at a time"),
        (("drop accept from n1",), "n1 never sends that; proposers do"),
        (("delay promise from ann by 2",), "ann never sends that; acceptors do"),
        (("junk n1 at 4",), "n1 is no list, where things could land"),
        (("poison ann at 4",), "ann is no list"),
    ],
)
def test_a_script_that_cannot_come_true_is_refused(script, says):
    with pytest.raises(FaultError, match=says):
        run(*script)


def test_saves_are_counted_as_they_are_made():
    for seed in range(60):
        trace = run("crash n1 after save 2 for 1", seed=seed, crash=0.2, until=40)
        saves = 0
        for record in trace.records:
            if isinstance(record, Crash) and record.node == "n1" and saves == 2:
                break
            if getattr(record, "node", "") == "n1" and not isinstance(record, Crash | Open):
                done = record.effects[: record.done]
                saves += sum(type(effect).__name__ == "Save" for effect in done)
                assert saves < 3, f"seed {seed} has a third save before the crash"


def test_the_network_goes_on_splitting_while_a_wish_is_still_to_come():
    trace = run(wishes=[(30, "ann", "Ann")], partition=1.0, until=29)
    assert len(records(trace, Cut)) > 2


# Disks and lists.


def listed(*script, **options):
    return run(*script, protocol="passive", learners=0, **options)


def test_junk_lands_in_one_list_and_changes_nothing():
    trace = listed("junk s1 at 1.5")
    assert "junk" in final(trace)["s1"].things and "junk" not in final(trace)["s2"].things
    assert [one.proposal.value for one in chosen(trace)] == ["Ann"]
    assert not [step for step in trace.steps() if happened(step, Distrust)]


def test_poison_stops_the_reader_of_that_list_and_of_no_other():
    trace = listed("poison s1 at 0.9")
    (told,) = [told for step in trace.steps() for told in happened(step, Distrust)]
    assert told == Distrust("s1", "a newer version wrote to it")
    assert [one.proposal.value for one in chosen(trace)] == ["Ann"]


@pytest.mark.parametrize(
    ("protocol", "script", "kinds"),
    [
        ("disk", ("drop write 1", "drop read 2"), ["Write", "Read"]),
        ("disk", ("drop written 1", "drop blocks 1"), ["Written", "Blocks"]),
        ("passive", ("drop append 1", "drop fetch 1"), ["Append", "Fetch"]),
        ("passive", ("drop appended 1", "drop entries 1"), ["Appended", "Entries"]),
    ],
)
def test_the_messages_of_disks_and_lists_can_be_dropped(protocol, script, kinds):
    trace = run(*script, protocol=protocol, learners=0)
    assert sorted(kind for kind, _ in lost(trace)) == sorted(kinds)


@pytest.mark.parametrize(("protocol", "role"), [("disk", "disk"), ("passive", "list")])
def test_a_client_of_a_memory_never_saves(protocol, role):
    with pytest.raises(ValueError, match=f"only {role}s do"):
        run("crash ann after save 1", protocol=protocol)
