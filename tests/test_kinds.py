"""The kinds of Paxos: what each is made of, and which votes an eye that sees all sees cast."""

import pytest
from worlds import A1, A2, B1, LOGS, befores, runs

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.alone import Entered
from paxos.protocol.ballot import NO_BALLOT
from paxos.protocol.blocks import Block, Disk, store
from paxos.protocol.kinds import PROTOCOLS, Kind, cast, fit, voted
from paxos.protocol.lists import Amiss, Entry, Genesis, List, View, keep, read
from paxos.protocol.member import blank
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Append,
    Command,
    Fetch,
    InSlot,
    Prepare,
    Promise,
    Read,
    Refused,
    Write,
)
from paxos.protocol.quorum import majority
from paxos.protocol.votes import Votes, fold
from paxos.trace import kept

VOTE = Accept(A1, "Ann")
GENESIS = Genesis("s1", ("s1",))


def seen(step, before, event):
    """The votes that this step casts."""
    after, effects = step(before, event)
    said = [one.message for one in effects if hasattr(one, "message")]
    return list(cast(after, event, said))


def written(memory, **others):
    disk = Disk(tuple((name, Block(its)) for name, its in others.items()))
    return seen(store, disk, Write("ann", Block(memory)))


def appended(content, *entries, at=None):
    return seen(keep, List((GENESIS, *entries)), Append(Entry("ann", 9, content), at))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_role_has_rules_a_start_and_a_state(name):
    kind = PROTOCOLS[name]
    assert isinstance(kind, Kind)
    assert list(kind.steps) == list(kind.states)
    for role, state in kind.states.items():
        mine = kind.start(role, "x", majority(3), ("s1", "s2", "s3"))
        assert isinstance(mine, state)
        for _, view in getattr(mine, "views", ()):
            assert view.memory == kind.memory() == blank(mine.member)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_who_asks_who_remembers_and_who_listens(name):
    kind = PROTOCOLS[name]
    memory = name.removesuffix("-log")
    of = {"disk": "disk", "passive": "list", "one-list": "list"}
    assert kind.remembers == of.get(memory, "acceptor")
    assert kind.asks == ("client" if memory in of else "proposer")
    assert kind.listens == ("learner" if kind.asks == "proposer" else None)
    assert kind.many == (name in LOGS)


def test_only_who_remembers_saves():
    for name, kind in PROTOCOLS.items():
        for run in runs(name)[::5]:
            for step in run.steps():
                saves = any(type(effect).__name__ == "Save" for effect in step.effects)
                assert not saves or run.role(step.node) == kind.remembers


# The votes of an acceptor.


def test_an_acceptor_that_says_accepted_has_voted():
    assert list(voted(VOTE, [Accepted(A1, "Ann")])) == [(None, VOTE)]
    assert list(voted(InSlot(3, VOTE), [InSlot(3, Accepted(A1, "Ann"))])) == [(3, VOTE)]


@pytest.mark.parametrize("request_", [VOTE, Prepare(A1)])
def test_one_that_says_anything_else_has_not(request_):
    for said in ([], [Refused(A1, B1)], [Promise(A1, None)]):
        assert list(voted(request_, said)) == []


# Of a disk: a block that was written, unless a higher ballot was there.


def test_a_disk_votes_for_what_is_written():
    assert written(Acceptor(A1, VOTE)) == [(None, VOTE)]
    assert written(Acceptor(A1, VOTE), ben=Acceptor(B1)) == []
    assert written(Acceptor(B1, Accept(B1, "x")), ben=Acceptor(A1)) == [(None, Accept(B1, "x"))]


def test_a_promise_written_into_a_block_is_no_vote():
    assert written(Acceptor(A1)) == []
    assert written(Acceptor(A2, VOTE)) == [], "a vote of a former ballot, written again"


def test_a_write_that_came_late_is_no_vote():
    assert written(Acceptor(A1, VOTE), ann=Acceptor(A2)) == []


def test_a_read_is_no_vote():
    disk, _ = store(Disk(), Write("ann", Block(Acceptor(A1, VOTE))))
    assert seen(store, disk, Read()) == []


def test_the_votes_of_a_log_on_a_disk_have_their_slots():
    both = Votes(A1, ((0, VOTE), (2, VOTE)))
    assert written(both) == [(0, VOTE), (2, VOTE)]
    assert written(Votes(A2, ((0, VOTE), (1, Accept(A2, "x"))))) == [(1, Accept(A2, "x"))]


# Of a list: what its fold accepts.


def test_a_list_votes_for_what_is_appended_and_accepted():
    assert appended(VOTE) == [(None, VOTE)]
    assert appended(VOTE, Entry("ben", 0, Prepare(B1))) == []
    assert appended(VOTE, Entry("ann", 0, Prepare(A1))) == [(None, VOTE)]
    assert appended(InSlot(2, VOTE)) == [(2, VOTE)]


def test_what_is_not_there_is_no_vote():
    assert appended(VOTE, at=7) == []
    lost = Amiss(Append(Entry("ann", 9, VOTE)))
    assert seen(keep, List((GENESIS,)), lost) == []
    assert seen(keep, List((GENESIS, Entry("ann", 9, VOTE))), Fetch(0)) == []


def test_what_every_reader_skips_or_no_reader_reaches_is_no_vote():
    assert appended(VOTE, Entry("ann", 9, VOTE)) == [], "a repeat"
    assert appended(VOTE, Entry("zoe", 0, "of a newer version")) == []
    assert seen(keep, List((GENESIS,)), Append("junk")) == []
    assert appended("of a newer version") == []


def test_where_one_list_is_the_log_an_entry_is_chosen_where_it_stands():
    x, y = Command("ann", 0, "x"), Command("ben", 0, "y")
    assert appended(x) == [(0, Accept(NO_BALLOT, (x,)))]
    assert appended(y, "junk", Entry("ann", 0, x)) == [(1, Accept(NO_BALLOT, (y,)))]
    assert appended(y, Entry("ann", 9, y)) == [], "a repeat"


def test_of_each_request_it_is_known_to_what_memory_it_is():
    assert fit(Prepare(A1)) == fit(VOTE) == Acceptor()
    assert fit(InSlot(3, VOTE)) == fit(InSlot(3, Prepare(A1))) == Votes()
    assert fit(Command("ann", 0, "x")) == Entered()
    for odd in ("junk", Append("x"), InSlot(3, "x"), InSlot(3, Promise(A1, None)), None):
        assert fit(odd) is None


@pytest.mark.parametrize("protocol", ["passive", "passive-log", "one-list"])
def test_the_votes_seen_in_a_run_are_those_that_a_reader_of_each_list_counts(protocol):
    """Two ways to the same votes: as each entry came, and by one fold of the list at the end."""
    for run in runs(protocol)[::4]:
        for name in run.of("list"):
            steps = [(old, s) for old, s in befores(run) if s.node == name and kept(s)]
            if not steps:
                continue
            each = [
                vote
                for _, s in steps
                for vote in cast(
                    s.state, s.event, [e.message for e in s.effects if hasattr(e, "to")]
                )
            ]
            assert each == list(counted(steps[-1][1].state, protocol))


def counted(final, protocol):
    memory = PROTOCOLS[protocol].memory()
    view, _ = read(View(final.things[0], memory), 0, final.things)
    assert not view.trouble
    taken = set()
    for thing in final.things:
        if isinstance(thing, Entry) and (thing.author, thing.number) not in taken:
            taken.add((thing.author, thing.number))
            memory, said = fold(memory, thing.content)
            yield from voted(thing.content, said)
    assert memory == view.memory
