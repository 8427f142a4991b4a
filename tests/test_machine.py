"""The machine: the same commands in the same order give the same board."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.protocol.machine import apply, run
from paxos.protocol.machine import commands as entries
from paxos.protocol.messages import Command

words = st.sampled_from(["set", "book", "clear", "saturday", "sunday", "ann", "ben"])
commands = st.lists(words, max_size=4).map(" ".join)


def test_set_holds_a_value():
    assert run(["set saturday ann", "set saturday ben"]) == (("saturday", "ben"),)


def test_the_first_booking_stands():
    assert run(["book saturday ann", "book saturday ben"]) == (("saturday", "ann"),)


def test_a_cleared_name_can_be_booked_again():
    assert run(["book saturday ann", "clear saturday", "book saturday ben"]) == (
        ("saturday", "ben"),
    )


def test_clearing_what_is_free_is_no_harm():
    assert apply((), "clear saturday") == ()


def test_the_board_is_in_order_of_name():
    assert run(["set sunday ben", "set saturday ann"]) == (("saturday", "ann"), ("sunday", "ben"))


@pytest.mark.parametrize("command", ["", "dance", "set saturday", "set a b c", "book a", "clear"])
def test_a_command_nobody_knows_leaves_the_board_alone(command):
    assert apply((("saturday", "ann"),), command) == (("saturday", "ann"),)


@given(st.lists(commands))
def test_no_command_can_stop_a_machine(log):
    assert run(log) == run(log)


@given(st.lists(commands), st.lists(commands))
def test_a_board_can_be_carried_on_from(first, rest):
    assert run(rest, run(first)) == run([*first, *rest])


A, B, A_AGAIN = Command("ann", 0, "a"), Command("ben", 0, "b"), Command("ann", 1, "a")


def test_the_entries_of_a_log_are_those_of_its_slots_in_order():
    assert entries(((A, B), (), (A_AGAIN,))) == (A, B, A_AGAIN)


def test_a_command_that_was_decided_twice_counts_once_at_its_first_place():
    """A client that changed its ballot may have asked for it in two slots, and got both."""
    assert entries(((A,), (B, A), (A_AGAIN, B))) == (A, B, A_AGAIN)


def test_an_empty_log_and_a_log_of_no_ops_have_no_entries():
    assert entries(()) == entries(((), ())) == ()
