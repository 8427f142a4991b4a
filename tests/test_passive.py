"""Passive Paxos: a client appends, then fetches; and an entry that is not there was never asked."""

from functools import reduce

import pytest
from worlds import A1, A2, B1

from paxos.protocol import passive
from paxos.protocol.ballot import NO_BALLOT
from paxos.protocol.events import Answer, Decide, Distrust, Opened, Propose, Send, Timeout, Wait
from paxos.protocol.lists import Entry, Genesis, List
from paxos.protocol.messages import (
    Accept,
    Append,
    Appended,
    Command,
    Entries,
    Fetch,
    InSlot,
    Prepare,
)
from paxos.protocol.passive import start, step
from paxos.protocol.quorum import majority

LISTS = ("s1", "s2", "s3")
ASK, VOTE = Entry("ann", 0, Prepare(A1)), Entry("ann", 1, Accept(A1, "Ann"))
RIVAL = Entry("ben", 0, Prepare(B1))
BENS = RIVAL, Entry("ben", 1, Accept(B1, "Ben"))


def genesis(name):
    return Genesis(name, LISTS)


def shows(name, *entries):
    """This list shows all that it has: its genesis and these."""
    return Answer(name, Entries(0, (genesis(name), *entries)))


def ann(*events, **options):
    """The client after these events, and the effects of the last."""
    me, effects = start("client", "ann", majority(3), LISTS), ()
    if options.pop("conditional", False):
        me = passive.replace(me, conditional=True)
    for event in events:
        me, effects = step(me, event)
    return me, effects


def sends(effects):
    """What is sent: {list: message}."""
    return {one.to: one.message for one in effects if isinstance(one, Send)}


def to_all(message):
    return dict.fromkeys(LISTS, message)


ONLINE = (Opened(), shows("s1"), shows("s2"))
ASKED = (*ONLINE, Propose("Ann"))
PROMISED = (*ASKED, shows("s1", ASK), shows("s2", ASK))
DECIDED = (*PROMISED, shows("s1", ASK, VOTE), shows("s2", ASK, VOTE))


# Offline and online.


def test_who_opens_asks_every_list_what_is_new():
    me, effects = ann(Opened())
    assert effects == (*(Send(name, Fetch(0)) for name in LISTS), Wait("news", NO_BALLOT))
    assert me.state == "offline"


def test_it_takes_a_majority_of_lists_to_be_online():
    assert ann(Opened(), shows("s1"))[0].state == "offline"
    assert ann(Opened(), shows("s1"), shows("s1"))[0].state == "offline", "the same list twice"
    assert ann(*ONLINE)[0].state == "follower"


def test_a_wish_made_offline_is_kept_and_asked_for_nowhere():
    me, effects = ann(Opened(), Propose("Ann"), Propose("more"))
    assert (me.wishes, effects, me.state) == (("Ann", "more"), (), "offline")


def test_a_wish_made_offline_is_asked_for_as_soon_as_enough_lists_answer():
    me, effects = ann(Opened(), Propose("Ann"), shows("s1"))
    assert effects == ()
    me, effects = step(me, shows("s3"))
    assert sends(effects) == to_all(Append(ASK))
    assert (me.wishes, me.state) == ((), "proposer")


def test_who_knows_the_decision_tells_it_offline_too():
    """One list was heard before it was cut off, another after: enough to know, not to be online.

    There is no alarm any more, so a wish that is kept would be kept for ever.
    """
    seen = (*ONLINE, shows("s1", *BENS), Timeout(NO_BALLOT), Timeout(NO_BALLOT))
    me, effects = ann(*seen, shows("s2", *BENS))
    assert (me.state, effects) == ("offline", (Decide(B1, "Ben"),))
    assert step(me, Propose("Ann")) == (me, (Decide(B1, "Ben"),))


def test_who_hears_from_too_few_lists_is_offline_and_goes_on_asking():
    for events, timer in (((*ONLINE, Timeout(NO_BALLOT), shows("s1")), NO_BALLOT), (ASKED, A1)):
        me, effects = ann(*events, Timeout(timer))
        assert me.state == "offline"
        assert set(sends(effects)) == set(LISTS)
        assert all(isinstance(one, Fetch) for one in sends(effects).values())
        assert effects[-1] == Wait("news", timer)


def test_a_proposal_that_was_cut_off_goes_on_above_when_the_lists_are_back():
    me, _ = ann(*ASKED, Timeout(A1), shows("s1"), shows("s2"))
    assert me.state == "proposer"
    _, effects = step(me, Timeout(A1))
    assert sends(effects) == to_all(Append(Entry("ann", 1, Prepare(A2))))


def test_an_answer_that_is_none_brings_nobody_online():
    behind = Answer("s2", Entries(3, (ASK,)))
    assert ann(Opened(), shows("s1"), behind)[0].state == "offline"


# Follower and proposer.


def test_a_follower_reads_and_appends_nothing():
    for events in (ONLINE, (*ONLINE, Timeout(NO_BALLOT)), (*ONLINE, shows("s3", *BENS))):
        _, effects = ann(*events)
        assert not any(isinstance(one, Append) for one in sends(effects).values())


def test_a_follower_asks_again_for_what_is_new_from_the_last_thing_it_knows():
    _, effects = ann(*ONLINE, shows("s3", ASK), Timeout(NO_BALLOT))
    assert sends(effects) == {"s1": Fetch(0), "s2": Fetch(0), "s3": Fetch(1)}


def test_a_follower_learns_the_decision_of_others():
    me, effects = ann(*ONLINE, shows("s1", *BENS), shows("s3", *BENS))
    assert Decide(B1, "Ben") in effects
    assert me.state == "follower"


def test_phase_1_appends_one_request_to_every_list():
    me, effects = ann(*ASKED)
    assert effects == (*(Send(name, Append(ASK)) for name in LISTS), Wait("answers", A1))
    assert me.state == "proposer"


def test_a_majority_of_lists_with_our_prepare_ends_phase_1():
    assert ann(*PROMISED[:-1])[1] == ()
    assert sends(ann(*PROMISED)[1]) == to_all(Append(VOTE))


def test_a_majority_of_lists_with_our_vote_decides():
    assert ann(*DECIDED[:-1])[1] == ()
    me, effects = ann(*DECIDED)
    assert effects == (Decide(A1, "Ann"),)
    assert me.state == "follower"


def test_the_value_of_the_highest_vote_in_the_lists_is_taken_over():
    """MetaSync, section 3.3: the accepted proposal with the highest number."""
    after = [Entry("ann", 1, Prepare(A2))]
    events = (*ASKED, shows("s3", RIVAL), Timeout(A1), shows("s1", ASK, *BENS, *after))
    _, effects = ann(*events, shows("s2", ASK, *after))
    assert sends(effects) == to_all(Append(Entry("ann", 2, Accept(A2, "Ben"))))


def test_a_decision_ends_the_reading():
    me, _ = ann(*DECIDED)
    assert step(me, Timeout(NO_BALLOT)) == (me, ())


def test_who_knows_tells_a_user_who_asks():
    me, _ = ann(*DECIDED)
    assert step(me, Propose("again")) == (me, (Decide(A1, "Ann"),))


def test_an_alarm_for_another_ballot_than_ours_starts_none():
    me, _ = ann(*ASKED, shows("s1"), shows("s2"))
    after, effects = step(me, Timeout(NO_BALLOT))
    assert after.member == me.member
    assert {type(one) for one in sends(effects).values()} == {Fetch}


# Dropping a proposal.


@pytest.mark.parametrize("phase", [ASKED, PROMISED], ids=["phase 1", "phase 2"])
def test_a_proposal_is_dropped_where_a_larger_number_appears(phase):
    """The outline: a client drops its proposal. It need not stand behind our own entry."""
    me, effects = ann(*phase, shows("s3", RIVAL))
    assert effects == (Wait("rival", A1),)
    assert me.member.proposer.phase == "wait"


def test_a_smaller_number_drops_nothing():
    me = start("client", "ben", majority(3), LISTS)
    for event in (Opened(), shows("s1"), shows("s2"), Propose("Ben")):
        me, _ = step(me, event)
    me, effects = step(me, shows("s3", ASK))
    assert (effects, me.member.proposer.phase) == ((), "prepare")


def test_one_who_dropped_its_proposal_comes_again_above():
    _, effects = ann(*ASKED, shows("s3", RIVAL), Timeout(A1))
    above = Prepare(B1.above("ann"))
    assert sends(effects) == to_all(Append(Entry("ann", 1, above)))


def test_one_who_dropped_its_proposal_is_not_offline_for_that():
    me, _ = ann(*ASKED, shows("s3", RIVAL), Timeout(A1))
    assert me.state == "proposer"


# The own entry, and nothing else.


def test_an_append_that_was_acknowledged_and_lost_never_counts():
    """It is asked for by fetching; and what is fetched has no such entry in it."""
    me, effects = ann(*ASKED, Answer("s1", Appended(ASK)), Answer("s2", Appended(ASK)))
    assert sends(effects) == {"s2": Fetch(0)}
    for name in LISTS:
        me, effects = step(me, shows(name))
        assert effects == ()
    assert me.member.proposer.phase == "prepare", "no promise, whatever the lists have acknowledged"


def test_a_vote_that_was_acknowledged_and_lost_decides_nothing():
    me, _ = ann(*PROMISED, *(Answer(name, Appended(VOTE)) for name in LISTS))
    for name in LISTS:
        me, effects = step(me, shows(name, ASK))
        assert effects == ()
    assert not me.member.settled


def test_anothers_entry_is_no_promise_of_ours():
    me, _ = ann(*ASKED, shows("s1", Entry("cleo", 0, Prepare(A1))), shows("s2"))
    assert [one for one, _ in me.member.proposer.promises] == ["s1"], (
        "of that ballot, whoever asked"
    )
    me, _ = ann(*ASKED, shows("s1", Entry("cleo", 0, Prepare(NO_BALLOT.above("aaa")))), shows("s2"))
    assert me.member.proposer.promises == ()


# One append, one fetch, or less.


def test_after_an_append_its_list_is_fetched():
    _, effects = ann(*ASKED, Answer("s1", Appended(ASK)))
    assert sends(effects) == {"s1": Fetch(0)}


def test_where_the_end_is_known_the_append_says_where_to_stand():
    _, effects = ann(*ASKED, conditional=True)
    assert sends(effects) == {"s1": Append(ASK, 1), "s2": Append(ASK, 1), "s3": Append(ASK, 0)}


def test_an_append_where_it_was_asked_to_stand_needs_no_fetch():
    """All that stands before it is known: the reply is, too."""
    me, effects = ann(*ASKED, Answer("s1", Appended(ASK, 1)), conditional=True)
    assert effects == ()
    _, effects = step(me, Answer("s2", Appended(ASK, 1)))
    places = {"s1": 2, "s2": 2, "s3": 0}
    assert sends(effects) == {name: Append(VOTE, at) for name, at in places.items()}


def test_an_append_whose_place_lies_beyond_what_is_known_needs_a_fetch():
    _, effects = ann(*ASKED, Answer("s1", Appended(ASK, 3)), conditional=True)
    assert sends(effects) == {"s1": Fetch(0)}


def test_where_another_was_faster_it_is_appended_wherever_the_end_is_and_fetched():
    me, effects = ann(*ASKED, Answer("s1", Appended(ASK, None, False)), conditional=True)
    assert effects == (Send("s1", Append(ASK)),)
    _, effects = step(me, Answer("s1", Appended(ASK)))
    assert sends(effects) == {"s1": Fetch(0)}


# Lists that are not used any more.

OTHER = Answer("s1", Entries(0, (Genesis("s7", LISTS),)))


def test_a_distrusted_list_is_reported_once():
    me, effects = ann(Opened(), OTHER)
    assert effects == (Distrust("s1", "it is another list"),)
    assert step(me, OTHER)[1] == ()
    assert step(me, shows("s1"))[1] == ()


def test_a_distrusted_list_is_asked_for_nothing():
    _, effects = ann(Opened(), OTHER, Timeout(NO_BALLOT))
    assert set(sends(effects)) == {"s2", "s3"}
    _, effects = ann(Opened(), OTHER, shows("s2"), shows("s3"), Propose("Ann"))
    assert set(sends(effects)) == {"s2", "s3"}


def test_with_too_few_lists_left_nothing_is_decided_for_ever():
    rewritten = Answer("s1", Entries(0, (genesis("s1"), RIVAL)))
    me, effects = ann(*PROMISED, rewritten, Answer("s2", Entries(0, (genesis("s2"), RIVAL))))
    assert effects == (Distrust("s2", "what was read before has changed"),)
    assert me.member.proposer.phase == "decide"
    me, effects = step(me, shows("s3", ASK, VOTE))
    assert not any(isinstance(one, Decide) for one in effects)
    me, effects = step(me, Timeout(A1))
    assert (me.state, set(sends(effects))) == ("offline", {"s3"})


def test_what_stood_before_an_entry_of_a_newer_version_still_counts():
    newer = Entry("zoe", 0, "of a newer version")
    me, effects = ann(*PROMISED, shows("s1", ASK, VOTE, newer))
    assert effects == (Distrust("s1", "a newer version wrote to it"),)
    _, effects = step(me, shows("s2", ASK, VOTE))
    assert effects == (Decide(A1, "Ann"),)


# A log.


def writer(*events, me=None):
    opened = start("client", "ann", majority(3), LISTS, many=True)
    return reduce(lambda before, event: step(before[0], event), events, (me or opened, ()))


def slotted(number, slot, request):
    return Entry("ann", number, InSlot(slot, request))


def batch(number, text):
    return (Command("ann", number, text),)


FIRST = slotted(0, 0, Prepare(A1)), slotted(1, 0, Accept(A1, batch(0, "Ann")))
LEADING = (*ASKED, shows("s1", *FIRST[:1]), shows("s2", *FIRST[:1]))
ONE = (*LEADING, shows("s1", *FIRST), shows("s2", *FIRST))


def test_the_second_entry_of_a_log_costs_phase_2_only():
    me, effects = writer(*ONE)
    assert Decide(A1, InSlot(0, batch(0, "Ann"))) in effects
    _, effects = writer(Propose("more"), me=me)
    assert sends(effects) == to_all(Append(slotted(2, 1, Accept(A1, batch(1, "more")))))


def test_entries_for_two_slots_sent_at_once_stand_one_behind_the_other():
    me = passive.replace(writer(*ASKED)[0], conditional=True)
    me, _ = writer(*(Propose(str(number)) for number in range(16)), me=me)
    me, effects = writer(shows("s1", *FIRST[:1]), shows("s2", *FIRST[:1]), me=me)
    asked = [(one.to, one.message.at) for one in effects if isinstance(one, Send)]
    assert asked == [("s1", 2), ("s2", 2), ("s3", 0), ("s1", 3), ("s2", 3), ("s3", 1)]


def test_who_reads_a_log_never_has_read_enough():
    me, effects = writer(*ONE)
    assert effects[-1] == Wait("news", NO_BALLOT)
    _, effects = writer(Timeout(NO_BALLOT), me=me)
    assert {type(one) for one in sends(effects).values()} == {Fetch}


def test_each_role_opens_with_what_stands_there_for_all():
    assert start("list", "s1", majority(3), LISTS) == List((genesis("s1"),))
    me = start("client", "ann", majority(3), LISTS)
    assert [(name, view.genesis) for name, view in me.views] == [(n, genesis(n)) for n in LISTS]
    assert (me.identity, me.state, me.conditional) == ("ann", "offline", False)
