"""Disk Paxos: write your own block, then read; come back from your own blocks."""

import pytest
from worlds import A1, A2, B1, B2

from paxos.protocol import disk
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import NO_BALLOT, Ballot
from paxos.protocol.blocks import Block, Disk, store
from paxos.protocol.disk import Processor, start, step
from paxos.protocol.events import Answer, Decide, Opened, Propose, Send, Timeout, Wait
from paxos.protocol.messages import Accept, Blocks, Chosen, Command, InSlot, Read, Write, Written
from paxos.protocol.quorum import Flexible, majority
from paxos.protocol.votes import Votes

THREE = majority(3)
EMPTY = Block(Acceptor())
MINE = Block(Acceptor(A1))  # after phase 1 has begun
VOTED = Block(Acceptor(A1, Accept(A1, "Ann")))  # after phase 2 has begun
BENS = Block(Acceptor(B1, Accept(B1, "Ben")))


def ann(*events, quorums=THREE, many=False):
    """The client after these events, and the effects of the last."""
    me, effects = start("client", "ann", quorums, many=many), ()
    for event in events:
        me, effects = step(me, event)
    return me, effects


def shows(name, **blocks):
    """A disk shows these blocks."""
    return Answer(name, Blocks(tuple(sorted(blocks.items()))))


def writes(effects):
    return [one.message for one in effects if isinstance(one, Send) and one.to == "disks"]


READY = (Opened(), shows("d1"), shows("d2"))
ASKED = (*READY, Propose("Ann"))
PROMISED = (*ASKED, shows("d1", ann=MINE), shows("d2", ann=MINE))


# Coming up, and coming back.


def test_who_opens_reads_its_own_blocks_first():
    me, effects = ann(Opened())
    assert effects == (Send("disks", Read()), Wait("answers", NO_BALLOT))
    assert me.block is None


def test_it_takes_two_of_three_disks_to_be_ready():
    assert ann(Opened(), shows("d1"))[0].block is None
    assert ann(Opened(), shows("d1"), shows("d1"))[0].block is None, "the same disk twice"
    me, _ = ann(*READY)
    assert (me.block, me.found) == (EMPTY, ())


@pytest.mark.parametrize(
    ("quorums", "enough"),
    [(Flexible(4, 3, 2), 3), (Flexible(4, 2, 3), 3), (Flexible(5, 5, 1), 5), (majority(5), 3)],
    ids=str,
)
def test_recovery_meets_every_set_of_disks_that_a_phase_may_have_been_carried_out_on(
    quorums, enough
):
    """With phase 2 on two of four disks, a vote of ours may stand on those two only."""
    reads = [shows(f"d{number}") for number in range(1, enough + 1)]
    assert ann(Opened(), *reads[:-1], quorums=quorums)[0].block is None
    assert ann(Opened(), *reads, quorums=quorums)[0].block == EMPTY


def test_what_one_of_its_disks_has_it_has_promised_and_voted():
    me, _ = ann(Opened(), shows("d1", ann=VOTED), shows("d2", ann=MINE))
    assert me.block == VOTED
    me, _ = ann(Opened(), shows("d1", ann=MINE), shows("d2", ann=VOTED))
    assert me.block == VOTED


def test_its_next_ballot_is_above_all_that_it_has_promised():
    """A ballot that was used before the crash must never be used again."""
    back = (Opened(), shows("d1", ann=VOTED), shows("d2"))
    _, effects = ann(*back, Propose("Ann"))
    assert writes(effects) == [Write("ann", Block(Acceptor(A2, Accept(A1, "Ann"))))]


def test_the_blocks_of_others_are_not_its_own():
    assert ann(Opened(), shows("d1", ben=BENS), shows("d2", ben=BENS))[0].block == EMPTY


def test_who_hears_from_too_few_disks_asks_again():
    _, effects = ann(Opened(), shows("d1"), Timeout(NO_BALLOT))
    assert effects == (Send("disks", Read()), Wait("answers", NO_BALLOT))


def test_an_alarm_of_the_reading_means_nothing_once_ready():
    me, _ = ann(*READY)
    assert step(me, Timeout(NO_BALLOT)) == (me, ())


def test_a_wish_that_comes_before_it_is_ready_is_kept():
    me, effects = ann(Opened(), Propose("Ann"))
    assert (me.wishes, effects) == (("Ann",), ())
    me, effects = step(step(me, shows("d1"))[0], shows("d2"))
    assert me.wishes == ()
    assert writes(effects) == [Write("ann", MINE)]


def test_nothing_is_written_before_it_is_ready():
    for events in ((Opened(), Propose("Ann")), (Opened(), shows("d1"), Propose("Ann"))):
        assert writes(ann(*events)[1]) == []


# A phase.


def test_phase_1_writes_a_promise_into_its_own_block_on_every_disk():
    _, effects = ann(*ASKED)
    assert effects == (Send("disks", Write("ann", MINE)), Wait("answers", A1))


def test_a_disk_is_read_after_the_write_is_there():
    _, effects = ann(*ASKED, Answer("d1", Written(MINE)))
    assert effects == (Send("sender", Read()),)


def test_only_what_was_read_after_the_own_write_counts():
    """Two who read before they write miss each other, and both get their wish."""
    me, _ = ann(*ASKED)
    for old in (shows("d1"), shows("d1", ben=EMPTY), shows("d1", ann=EMPTY)):
        assert step(me, old) == (me, ())


def test_a_majority_of_disks_ends_phase_1():
    _, effects = ann(*PROMISED)
    assert writes(effects) == [Write("ann", VOTED)]


def test_one_disk_twice_ends_nothing():
    _, effects = ann(*ASKED, shows("d1", ann=MINE), shows("d1", ann=MINE))
    assert effects == ()


def test_the_value_of_the_largest_ballot_is_taken_over():
    """Section 3: inp of the block with the largest bal, of all blocks read."""
    lower = Block(Acceptor(A1, Accept(A1, "Cleo")))
    mine = Block(Acceptor(A2))
    events = (
        *ASKED,
        Timeout(A1),
        shows("d1", ann=mine, ben=BENS),
        shows("d2", ann=mine, cleo=lower),
    )
    _, effects = ann(*events)
    assert writes(effects) == [Write("ann", Block(Acceptor(A2, Accept(A2, "Ben"))))]


def test_ones_own_vote_of_a_former_ballot_binds_too():
    voted = Block(Acceptor(A2, Accept(A1, "Ann")))
    back = (Opened(), shows("d1", ann=VOTED), shows("d2"), Propose("something else"))
    _, effects = ann(*back, shows("d1", ann=voted), shows("d2", ann=voted))
    assert writes(effects) == [Write("ann", Block(Acceptor(A2, Accept(A2, "Ann"))))]


@pytest.mark.parametrize("phase", [ASKED, PROMISED], ids=["phase 1", "phase 2"])
def test_a_larger_mbal_ends_a_phase(phase):
    """Section 3: abort, and come back with a larger number."""
    me, _ = ann(*phase)
    me, effects = step(me, shows("d3", ann=me.block, ben=Block(Acceptor(B1))))
    assert effects == (Wait("rival", A1),)
    _, effects = step(me, Timeout(A1))
    assert writes(effects)[0].block.memory.promised == Ballot(2, "ann")


def test_a_smaller_mbal_ends_nothing():
    me, _ = step(start("client", "ben", THREE), Opened())
    for event in (shows("d1"), shows("d2"), Propose("Ben")):
        me, _ = step(me, event)
    mine = Block(Acceptor(B1))
    for name in ("d1", "d2"):
        me, effects = step(me, shows(name, ann=MINE, ben=mine))
    assert writes(effects) == [Write("ben", BENS)]


def test_a_majority_of_disks_decides_and_the_decision_is_written_for_all():
    me, effects = ann(*PROMISED, shows("d1", ann=VOTED), shows("d2", ann=VOTED))
    known = Block(VOTED.memory, Chosen(A1, "Ann"))
    assert effects == (Send("disks", Write("ann", known)), Decide(A1, "Ann"))
    assert me.block == known


def test_a_vote_is_counted_only_where_it_was_read_back():
    """A disk that still shows the block of phase 1 has no vote."""
    _, effects = ann(*PROMISED, shows("d1", ann=VOTED), shows("d2", ann=MINE))
    assert effects == ()


def test_whose_flag_says_chosen_is_believed():
    known = Block(BENS.memory, Chosen(B1, "Ben"))
    _, effects = ann(*ASKED, shows("d1", ann=MINE, ben=known))
    assert Decide(B1, "Ben") in effects
    assert writes(effects) == [Write("ann", Block(Acceptor(A1), Chosen(B1, "Ben")))]


def test_who_knows_needs_no_answer_to_what_it_tells_the_others():
    me, _ = ann(*PROMISED, shows("d1", ann=VOTED), shows("d2", ann=VOTED))
    assert step(me, Answer("d1", Written(me.block))) == (me, ())


def test_who_knows_tells_a_user_who_asks():
    me, _ = ann(*PROMISED, shows("d1", ann=VOTED), shows("d2", ann=VOTED))
    assert step(me, Propose("again"))[1] == (Decide(A1, "Ann"),)


def test_a_phase_that_hears_too_little_is_begun_again_above():
    _, effects = ann(*PROMISED, Timeout(A1))
    assert writes(effects) == [Write("ann", Block(Acceptor(A2, Accept(A1, "Ann"))))]


# What comes late.

LATE = Block(Acceptor(B2, Accept(B2, "Cleo")))  # nobody else writes into our block: a former life


def test_a_late_write_of_a_former_life_is_found_and_owned():
    """It was on its way when we crashed, and on no disk that we read."""
    me, effects = ann(*ASKED, Answer("d3", Written(LATE)))
    assert effects == ()
    assert me.block.memory == LATE.memory
    _, effects = step(me, Timeout(A1))
    assert writes(effects)[0].block.memory == Acceptor(Ballot(3, "ann"), Accept(B2, "Cleo"))


def test_what_was_voted_late_is_not_overwritten_by_the_ballot_in_progress():
    me, _ = ann(*ASKED, Answer("d3", Written(LATE)))
    for name in ("d1", "d2"):
        me, effects = step(me, shows(name, ann=me.block))
    assert writes(effects) == [], "no vote below the promise that was found"
    assert me.block.memory == LATE.memory


def test_what_a_former_life_had_asked_must_not_be_heard():
    """Why drivers drop it: ann was told "Ann" in ballot 1, and votes for "Ben" in ballot 1."""
    told = (*PROMISED, shows("d1", ann=VOTED), shows("d2", ann=VOTED))
    assert Decide(A1, "Ann") in ann(*told)[1]
    read_when_she_opened = (shows("d1"), shows("d2"))
    read_in_phase_1 = (shows("d1", ann=MINE), shows("d2", ann=MINE))
    _, effects = ann(Opened(), *read_when_she_opened, Propose("Ben"), *read_in_phase_1)
    assert writes(effects) == [Write("ann", Block(Acceptor(A1, Accept(A1, "Ben"))))]


def test_an_older_write_that_comes_late_says_nothing_new():
    me, _ = ann(*PROMISED)
    assert step(me, Answer("d1", Written(MINE))) == (me, ())


def test_a_flag_of_another_ballot_is_owned_so_that_the_next_write_is_taken():
    """A life that was told of ballot 1 left its flag on d1, the next one that of ballot 2 on d2.

    Then d1 is gone. Without this nothing that we write to d2 would ever be taken.
    """
    first, second = (Block(VOTED.memory, Chosen(ballot, "Ann")) for ballot in (A1, A2))
    me, _ = ann(Opened(), shows("d1", ann=first), shows("d3", ann=VOTED), Propose("Ann"))
    d2 = Disk((("ann", second),))
    _, (late,) = store(d2, Write("ann", me.block))
    me, _ = step(me, Answer("d2", late.message))
    me, effects = step(me, Timeout(me.member.ballot))
    d2, taken = store(d2, *writes(effects))
    assert taken[-1].message == Written(me.block)
    _, effects = step(me, Answer("d2", Blocks(d2.blocks)))
    assert Decide(A2, "Ann") in effects


def test_before_it_is_ready_nothing_that_was_written_is_heard():
    me, _ = ann(Opened())
    assert step(me, Answer("d1", Written(MINE))) == (me, ())


# A log on disks.


def batch(*texts, first=0):
    return tuple(Command("ann", number, text) for number, text in enumerate(texts, first))


def test_a_log_writes_all_its_votes_into_one_block():
    asked = Block(Votes(A1))
    events = (*ASKED, shows("d1", ann=asked), shows("d2", ann=asked))
    me, effects = ann(*events, many=True)
    first = (0, Accept(A1, batch("Ann")))
    assert writes(effects) == [Write("ann", Block(Votes(A1, (first,))))]
    _, effects = step(me, Propose("more"))
    second = (1, Accept(A1, batch("more", first=1)))
    assert writes(effects) == [Write("ann", Block(Votes(A1, (first, second))))]


def test_one_read_answers_for_all_slots_that_are_asked():
    asked = Block(Votes(A1))
    events = [*ASKED, Propose("more"), shows("d1", ann=asked), shows("d2", ann=asked)]
    me, _ = ann(*events, Propose("last"), many=True)
    told = []
    for name in ("d1", "d2"):
        me, effects = step(me, shows(name, ann=me.block))
        told += [one.value.slot for one in effects if isinstance(one, Decide)]
    assert told == [0, 1]


def test_the_number_of_a_command_is_not_used_again_after_a_crash():
    """Or a second wish with the words of the first would be taken for the first."""
    done = Block(Votes(A1, ((0, Accept(A1, batch("x", "y"))),)))
    me, _ = ann(Opened(), shows("d1", ann=done), shows("d2", ann=done), Propose("x"), many=True)
    assert me.member.pending == (Command("ann", 2, "x"),)


def test_what_is_found_late_does_not_take_numbers_back():
    late = Block(Votes(A2, ((0, Accept(A2, batch("x"))),)))
    me, _ = ann(*READY, Propose("a"), Propose("b"), Answer("d3", Written(late)), many=True)
    me, _ = step(me, Propose("x"))
    assert me.member.pending[-1] == Command("ann", 2, "x")


def test_the_number_of_anothers_command_is_no_matter():
    bens = (Command("ben", 7, "z"),)
    mine = Block(Votes(A1, ((0, Accept(A1, bens)),)))
    me, _ = ann(Opened(), shows("d1", ann=mine), shows("d2"), Propose("x"), many=True)
    assert me.member.pending == (Command("ann", 0, "x"),)


def test_a_decision_in_a_slot_raises_no_flag():
    """The flag says that all is over; a log never is."""
    asked = Block(Votes(A1))
    me, _ = ann(*ASKED, shows("d1", ann=asked), shows("d2", ann=asked), many=True)
    for name in ("d1", "d2"):
        me, effects = step(me, shows(name, ann=me.block))
    assert effects[0].value == InSlot(0, batch("Ann"))
    assert me.block.chosen is None


def test_each_role_opens_with_nothing():
    assert start("disk", "d1", THREE) == Disk()
    me = start("client", "ann", THREE)
    assert isinstance(me, Processor)
    assert (me.name, me.block, me.member.proposer.identity) == ("ann", None, "ann")
    assert set(disk.STEPS) == {"client", "disk"}
