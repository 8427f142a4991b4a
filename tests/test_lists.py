"""A list, and how it is read: one order, one fold, and nothing taken for an answer that is none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import A1, A2, B1

from paxos.protocol import acceptor
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.events import Save, Send
from paxos.protocol.lists import Amiss, Entry, Genesis, List, View, alone, keep, read
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Append,
    Appended,
    Entries,
    Fetch,
    InSlot,
    Prepare,
    Promise,
    Promises,
    Refused,
)
from paxos.protocol.votes import Votes

GENESIS = Genesis("s1", ("s1", "s2", "s3"))
OPEN = View(GENESIS, Acceptor())
ASK = Entry("ann", 0, Prepare(A1))
VOTE = Entry("ann", 1, Accept(A1, "Ann"))
BENS = Entry("ben", 0, Prepare(B1))
NEWER = Entry("newer", 0, "of a newer version")


# A list.


def things(*entries):
    return List((GENESIS, *entries))


def said(mine, request):
    return keep(mine, request)[1][-1]


def test_what_is_appended_stands_at_the_end_for_good():
    now, effects = keep(things(ASK), Append(VOTE))
    assert now == things(ASK, VOTE)
    assert effects == (Save(now), Send("sender", Appended(VOTE)))


@pytest.mark.parametrize(("at", "done"), [(2, True), (1, False), (3, False)])
def test_a_conditional_append_is_done_only_where_it_then_stands(at, done):
    now, effects = keep(things(ASK), Append(VOTE, at))
    assert now == (things(ASK, VOTE) if done else things(ASK))
    assert effects[-1] == Send("sender", Appended(VOTE, at if done else None, done))
    assert (len(effects) == 2) == done, "what is refused is not saved"


def test_only_of_a_conditional_append_the_place_is_known():
    assert said(things(), Append(ASK)).message.position is None


@pytest.mark.parametrize("after", range(4))
def test_a_fetch_shows_all_from_there_on_and_changes_nothing(after):
    mine = things(ASK, VOTE)
    now, effects = keep(mine, Fetch(after))
    assert (now, effects) == (mine, (Send("sender", Entries(after, mine.things[after:])),))


def test_the_same_thing_can_be_appended_twice():
    assert keep(things(ASK), Append(ASK))[0] == things(ASK, ASK)


def test_a_lost_append_is_acknowledged_like_any_other():
    now, effects = keep(things(), Amiss(Append(ASK)))
    assert now == things()
    assert effects == (said(things(), Append(ASK)),), "who asked cannot tell"


def test_a_stale_answer_is_the_list_as_it_was():
    mine = things(ASK, VOTE)
    assert said(mine, Amiss(Fetch(1), 1)) == Send("sender", Entries(1, (ASK,)))
    assert said(mine, Amiss(Fetch(1), 9)) == Send("sender", Entries(1, ()))


def test_whatever_else_is_asked_of_a_list_is_the_callers_mistake():
    with pytest.raises(ValueError, match="a list cannot"):
        keep(things(), Prepare(A1))


# Reading it.


def seen(*entries):
    """The view of one who has read so far."""
    view, replies = read(OPEN, 0, (GENESIS, *entries))
    assert replies is not None
    return view


def test_each_request_is_answered_by_the_list_as_it_was_there():
    """By the reply at its own entry, never by the state at the end of the list."""
    view, replies = read(OPEN, 0, (GENESIS, ASK, VOTE, BENS))
    assert replies == [Promise(A1, None), Accepted(A1, "Ann"), Promise(B1, VOTE.content)]
    assert view.memory == Acceptor(B1, VOTE.content)
    assert view.end == 4


def test_a_request_below_a_promise_is_refused_at_its_entry():
    assert read(OPEN, 0, (GENESIS, BENS, VOTE))[1] == [Promise(B1, None), Refused(A1, B1)]


def test_what_was_read_before_is_not_answered_again():
    view, replies = read(seen(ASK), 1, (ASK, VOTE))
    assert replies == [Accepted(A1, "Ann")]
    assert view == seen(ASK, VOTE)


def test_an_answer_with_nothing_new_is_an_answer():
    assert read(seen(ASK), 1, (ASK,)) == (seen(ASK), [])
    assert read(seen(ASK), 2, ()) == (seen(ASK), [])


def test_a_reader_asks_for_the_last_thing_it_knows_and_what_follows():
    assert OPEN.fetch == Fetch(0)
    assert seen(ASK, VOTE).fetch == Fetch(2)


def test_a_list_begins_with_its_genesis():
    for first in (Genesis("s2", GENESIS.lists), Genesis("s1", ("s1",)), ASK, "junk"):
        view, replies = read(OPEN, 0, (first, ASK))
        assert (view.trouble, replies) == ("it is another list", None)
        assert view.memory == Acceptor()


def test_a_list_with_nothing_in_it_is_no_trouble_and_no_answer():
    """Not even its genesis: whoever counts it as heard would append to it, whatever list it is."""
    assert read(OPEN, 0, ()) == (OPEN, None)


def test_an_entry_shown_again_is_skipped():
    """A request that was asked twice would be refused the second time, by its own promise."""
    view, replies = read(OPEN, 0, (GENESIS, ASK, ASK, VOTE))
    assert replies == [Promise(A1, None), Accepted(A1, "Ann")]
    assert view.end == 4


def test_an_entry_shown_again_is_skipped_in_a_later_answer_too():
    assert read(seen(ASK, VOTE), 3, (ASK,))[1] == []


def test_it_is_author_and_number_that_make_an_entry_the_same():
    """Under an id that is taken, other words are skipped: the first one counts."""
    odd = Entry("ann", 0, Prepare(A2))
    assert read(seen(ASK), 2, (odd,))[1] == []
    assert read(seen(ASK), 2, (Entry("ann", 7, Prepare(A2)),))[1] == [Promise(A2, None)]


@pytest.mark.parametrize("thing", ["junk", 7, None, ("a", 1), GENESIS], ids=repr)
def test_whatever_is_not_of_us_is_skipped(thing):
    view, replies = read(OPEN, 0, (GENESIS, thing, ASK))
    assert replies == [Promise(A1, None)]
    assert (view.end, view.trouble) == (3, "")


def test_an_entry_of_a_newer_version_stops_the_reader():
    """It might be a promise. Whoever read on without it could take it back."""
    view, replies = read(seen(ASK), 2, (NEWER, VOTE))
    assert view.trouble == "a newer version wrote to it"
    assert view.memory == Acceptor(A1)
    assert replies == []


@pytest.mark.parametrize(
    ("memory", "content"),
    [
        (Acceptor(), InSlot(0, Prepare(A1))),
        (Votes(), Prepare(A1)),
        (Votes(), InSlot(0, "something new")),
        (Votes(), InSlot(0, InSlot(0, Prepare(A1)))),
        (Acceptor(), Accepted(A1, "Ann")),
    ],
    ids=repr,
)
def test_an_entry_that_no_memory_of_this_kind_can_be_asked_stops_the_reader(memory, content):
    """One decision is not a log. Whoever could write such an entry could else stop every reader."""
    view, replies = read(View(GENESIS, memory), 0, (GENESIS, Entry("zoe", 0, content)))
    assert (view.trouble, replies) == ("a newer version wrote to it", [])
    assert view.memory == memory


def test_what_stands_before_an_entry_of_a_newer_version_still_counts():
    """Else the answer to it would depend on who fetched when."""
    view, replies = read(OPEN, 0, (GENESIS, ASK, VOTE, NEWER, BENS))
    assert replies == [Promise(A1, None), Accepted(A1, "Ann")]
    assert (view.trouble, view.memory) == (
        "a newer version wrote to it",
        Acceptor(A1, VOTE.content),
    )


def test_who_has_stopped_reads_no_more():
    view, _ = read(seen(ASK), 2, (NEWER,))
    assert read(view, 2, (VOTE,)) == (view, None)
    assert read(view, 0, (GENESIS, ASK)) == (view, None)


def test_an_answer_that_shows_less_than_was_seen_is_none():
    """Behind: an old answer says nothing of now. Ask again; nobody is to blame."""
    before = seen(ASK, VOTE, BENS)
    assert read(before, 1, (ASK, VOTE)) == (before, None)
    assert read(before, 0, ()) == (before, None)


def test_an_answer_to_a_question_beyond_the_end_is_none():
    assert read(OPEN, 1, (ASK,)) == (OPEN, None)


@pytest.mark.parametrize("shown", [(VOTE, BENS), (BENS,), (VOTE,), (BENS, VOTE, ASK)], ids=range(4))
def test_who_shows_something_else_where_something_stood_is_distrusted_for_good(shown):
    """A promise may be gone. To go on reading would be to take part in breaking it."""
    before = seen(ASK, VOTE)
    view, replies = read(before, 1, shown)
    assert (view.trouble, replies) == ("what was read before has changed", None)
    assert view.memory == before.memory
    assert read(view, 1, (ASK, VOTE)) == (view, None)


def test_a_log_is_read_slot_by_slot():
    view = View(GENESIS, Votes())
    first = Entry("ann", 0, InSlot(0, Prepare(A1)))
    second = Entry("ann", 1, InSlot(3, Accept(A1, "x")))
    _, replies = read(view, 0, (GENESIS, first, second))
    assert replies == [InSlot(0, Promises(A1, ())), InSlot(3, Accepted(A1, "x"))]


# The same for all readers.

content = st.sampled_from([Prepare(A1), Prepare(B1), Prepare(A2), Accept(A1, "a"), Accept(B1, "b")])
entry = st.builds(Entry, st.sampled_from(["ann", "ben"]), st.integers(0, 3), content)
anything = entry | st.sampled_from(["junk", GENESIS, NEWER])
lists = st.lists(anything, max_size=9).map(lambda things: (GENESIS, *things))


def follow(things, ends):
    """What one makes of a list who has fetched it when it was as long as this, and this."""
    view, replies = OPEN, []
    for end in ends:
        after = view.fetch.after
        view, more = read(view, after, things[after:end])
        replies += more or []
    return view, replies


@given(lists, st.data())
def test_whatever_the_chunks_in_which_it_is_fetched_the_fold_is_the_same(things, data):
    ends = sorted(data.draw(st.lists(st.integers(0, len(things)), max_size=6)))
    assert follow(things, [*ends, len(things)]) == follow(things, [len(things)])


@given(lists, st.data())
def test_answers_that_come_late_twice_or_behind_leave_no_mark(things, data):
    """Whatever a service shows that it once was: the fold is that of the longest answer."""
    view, best = OPEN, 0
    for _ in range(data.draw(st.integers(1, 6))):
        after = data.draw(st.integers(0, len(things)))
        end = data.draw(st.integers(after, len(things)))
        before = view
        view, _ = read(view, after, things[after:end])
        best = max(best, view.end)
        assert view.end >= before.end
        assert view.trouble in ("", "a newer version wrote to it")
    assert view == follow(things, [view.end + bool(view.trouble)])[0]


@given(st.lists(entry, max_size=8, unique_by=lambda one: (one.author, one.number)))
def test_a_list_without_repeats_is_an_acceptor_that_was_asked_this(entries):
    view, replies = read(OPEN, 0, (GENESIS, *entries))
    memory, told = acceptor.replay([one.content for one in entries])
    assert (view.memory, tuple(replies)) == (memory, told)


@given(lists)
def test_promises_only_rise_along_a_list(things):
    promises = [follow(things, [end])[0].memory.promised for end in range(1, len(things) + 1)]
    assert all(one <= other for one, other in pairwise(promises))


# One list that never fails.


def test_where_one_list_never_fails_it_is_the_log_and_the_first_entry_wins():
    book = Entry("ann", 0, "book saturday Ann")
    late = Entry("ben", 0, "book saturday Ben")
    assert alone((GENESIS, book, late)) == ("book saturday Ann", "book saturday Ben")


def test_what_was_appended_again_after_a_timeout_is_in_that_log_once():
    book, other = Entry("ann", 0, "a"), Entry("ben", 0, "b")
    assert alone((GENESIS, book, other, book)) == ("a", "b")


def test_what_is_no_entry_is_not_in_that_log():
    assert alone((GENESIS, "junk", Entry("ann", 0, "a"))) == ("a",)


def test_what_was_appended_to_the_wrong_log_counts_in_none():
    strangers = [
        Entry("zoe", number, request, log="boat")
        for number, request in enumerate((Prepare(B1), Accept(B1, "Boat")))
    ]
    view, replies = read(OPEN, 0, (GENESIS, *strangers, ASK, VOTE))
    assert replies == [Promise(A1, None), Accepted(A1, "Ann")]
    assert view.memory.vote == Accept(A1, "Ann") and not view.trouble
