"""The rule of MetaSync's code, the paper's and the repairs: each verdict, and why it can be believed."""

from dataclasses import replace
from functools import cache

import pytest

from paxos.drivers import checker, metasync
from paxos.drivers.metasync import RULES, Client, Fetched, Shelf, Size, View, metasync_world
from paxos.drivers.metasync_story import Story, faults, short, verdicts
from paxos.drivers.nodes import BEYOND, Node
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Prepare

OWN = "figure 4, own prepare"
VERDICTS = {
    Size("code", 1): "safe",
    Size("code", 2): "violated",
    Size("fixed", 2): "safe",
    Size("figure 4", 2): "safe",
    Size("fixed", 2, lost=1): "violated",
    Size("fixed", 1, failed=1): "violated",
    Size("figure 4", 2, lost=1): "violated",
    Size(OWN, 1, lost=1): "safe",
    Size(OWN, 1, lost=2): "safe",
}
LARGE = {Size(OWN, 2): "safe", Size(OWN, 2, lost=1): "safe", Size("fixed", 2, failed=1): "violated"}


@cache
def found(size):
    return checker.check(metasync_world(size), limit=3_000_000)


def judge(size, verdict):
    assert found(size).verdict == verdict
    if verdict == "violated":
        assert found(size).invariant == metasync.AGREEMENT
        assert metasync.REACHABLE in found(size).reached


@pytest.mark.parametrize("size", VERDICTS, ids=str)
def test_the_verdict_is_that_of_another_program(size):
    judge(size, VERDICTS[size])


@pytest.mark.nightly
@pytest.mark.parametrize("size", LARGE, ids=str)
def test_the_verdict_of_a_larger_world(size):
    judge(size, LARGE[size])


# The run that breaks the code.


def test_the_shortest_run_tells_two_values_and_one_of_them_is_not_chosen():
    story = Story(Size("code"), found(Size("code")).run)
    ann, ben = story.readings_of().values()
    assert (ann.told, ben.told) == ("Ann", "Ben")
    assert {vote.value for vote in story.chosen()} == {"Ben"}
    last = {look.where: short(look.view.votes[-1]) for look in ann.looks}
    assert sorted(last.values()) == ["1.ann Ann", "2.ann Ann"], "one value, two ballots"
    assert story.told()["ann"] == ("is told Ann", False)
    assert story.told()["ben"] == ("is told Ben", True)


def test_with_one_comparison_changed_the_same_run_ends_well():
    story = Story(Size("fixed", 3), found(Size("code")).run)
    assert [one.told for one in story.readings_of().values()] == ["", "Ben"]
    assert [one.told for one in story.go_on().readings_of().values()] == ["Ben", "Ben"]


def test_with_its_own_prepare_missing_nobody_is_overruled():
    run = found(Size("figure 4", 2, lost=1)).run
    assert {one.told for one in Story(Size("figure 4", 2, lost=1), run).readings} >= {"Ann", "Ben"}
    story = Story(Size(OWN, 2, lost=1), run).go_on()
    assert [one.told for one in story.readings_of().values()] == ["Ann", "Ann"]


@pytest.mark.parametrize("size", [one for one, v in VERDICTS.items() if v == "violated"], ids=str)
def test_a_story_has_all_that_happened_and_the_faults_are_few(size):
    run = found(size).run
    story = Story(size, run)
    assert sum(map(len, story.lists.values())) == sum(move.node in story.lists for move in run)
    lost = [line for its in story.lists.values() for line in its if line.taken is None]
    failed = [look for one in story.readings for look in one.looks if look.failed]
    assert len(lost) == size.lost and len(failed) == size.failed
    for where, lines in story.lists.items():  # the fold again, from what stands in the list
        view = View()
        for entry, taken in lines:
            after = view if taken is None else metasync.fold(RULES[size.rule], view, entry)
            assert (after != view) == bool(taken)
            view = after
        assert story.states[where].view == view
    for one in story.readings:
        for look in one.looks:
            before = [line.entry for line in story.lists[look.where][: look.upto]]
            assert look.failed or one.asked in before, "who reads has appended before"
    assert story.table().count("\n") == len(story.readings) + 1


def test_the_table_of_verdicts_says_what_was_found():
    sizes = (Size("code", 1), Size("code", 2), Size("fixed", 2, lost=1))
    rows = verdicts({size: found(size) for size in sizes}).splitlines()[2:]
    assert rows[0] == f"| the code | 1 | nothing | safe, {found(sizes[0]).states:,} states |"
    assert f"**violated**, {found(sizes[1]).length} steps" in rows[1]
    assert "one append is lost" in rows[2]
    many = [faults(Size(lost=2)), faults(Size(failed=1)), faults(Size(failed=3))]
    assert many == ["2 appends are lost", "one failed fetch counts", "3 failed fetches count"]


# Mistakes, planted.


def test_a_fix_that_compares_only_the_round_is_caught(monkeypatch):
    def careless(rule, view, mine):
        return any(vote.ballot.round == mine.ballot.round for vote in view.votes)

    monkeypatch.setattr(metasync, "accepted", careless)
    assert checker.check(metasync_world(Size("fixed", 1))).verdict == "violated"


def test_a_fix_that_trusts_any_vote_of_its_own_is_caught(monkeypatch):
    def careless(rule, view, mine):
        return any(vote.ballot.proposer == mine.ballot.proposer for vote in view.votes)

    monkeypatch.setattr(metasync, "accepted", careless)
    assert checker.check(metasync_world(Size("fixed", 2))).verdict == "violated"


def test_a_rule_that_takes_any_prepare_for_its_own_is_caught(monkeypatch):
    monkeypatch.setattr(metasync, "own_prepare", lambda view, ballot: view != View())
    assert checker.check(metasync_world(Size(OWN, 1, lost=1))).verdict == "violated"


def test_a_fold_that_takes_every_vote_is_caught(monkeypatch):
    fold = metasync.fold

    def careless(rule, view, entry):
        if isinstance(entry, Accept):
            return replace(view, votes=(*view.votes, entry))
        return fold(rule, view, entry)

    monkeypatch.setattr(metasync, "fold", careless)
    assert checker.check(metasync_world(Size("figure 4", 1))).verdict == "violated"


# What the model leaves out, it may leave out.


def whole(size):
    """The same world with lists that keep their entries, so that none is taken for another."""
    world, rule = metasync_world(size), RULES[size.rule]

    def keep(state, event):
        entries, shelf = state
        result = metasync.keep(rule, shelf, event)
        return result if result is BEYOND else (((*entries, event[1]), result[0]), result[1])

    def losses(state, event):
        entries, shelf = state
        for done, after, effects in metasync.losses(size, shelf, event):
            yield done, ((*entries, ("lost", event[1])), after), effects

    shelf = Node(((), Shelf()), keep, crashes=losses, address=metasync.ALL, hears=metasync.CLIENTS)
    return replace(world, nodes={**world.nodes, **dict.fromkeys(metasync.LISTS, shelf)})


@pytest.mark.parametrize(
    "size",
    [Size(rule, 1, lost) for rule in RULES for lost in (0, 1)] + [Size("fixed", 1, failed=1)],
    ids=str,
)
def test_lists_that_keep_their_entries_give_the_same_verdict_at_the_same_depth(size):
    small, large = found(size), checker.check(whole(size))
    assert (small.verdict, small.depth) == (large.verdict, large.depth)
    assert small.states < large.states
    assert small.reached == large.reached


@pytest.mark.parametrize("size", [Size("code", 1), Size("fixed", 1, lost=1)], ids=str)
def test_the_short_cuts_of_the_checker_change_nothing(size):
    small, world = found(size), metasync_world(size)
    large = checker.check(world, symmetry=False)
    assert (small.verdict, small.length) == (large.verdict, large.length)
    assert small.states == large.states or small.verdict == "violated"  # where it stops, differs


def test_no_answer_is_forgotten_that_matters():
    world = metasync_world(Size("code", 1))
    clients = {name: replace(world.nodes[name], forgets=False) for name in metasync.CLIENTS}
    long_way = checker.check(
        replace(world, nodes={**world.nodes, **clients}), symmetry=False, shortcuts=False
    )
    assert long_way.verdict == found(Size("code", 1)).verdict
    assert long_way.states > found(Size("code", 1)).states


def test_an_accept_without_its_prepare_stops_every_reader_of_the_code():
    ann, vote = Ballot(1, "ann"), Accept(Ballot(1, "ann"), "Ann")
    view = metasync.fold(RULES["code"], View(), vote)
    assert view.stuck and not view.votes
    assert metasync.fold(RULES["code"], view, Prepare(ann)) == view, "and it stays so"
    assert metasync.fold(RULES["figure 4"], View(), vote).votes == (vote,)


def test_figure_4_keeps_every_vote_and_the_code_the_last():
    votes = tuple(Accept(Ballot(n, "ann"), "Ann") for n in (1, 2))
    entries = [part for vote in votes for part in (Prepare(vote.ballot), vote)]
    for rule, kept in (("figure 4", votes), ("code", votes[1:])):
        view = View()
        for entry in entries:
            view = metasync.fold(RULES[rule], view, entry)
        assert view.votes == kept and view.promised == votes[1].ballot


def test_a_client_counts_only_what_was_fetched_after_its_append():
    me = Client(1, "prepare", "", 1)
    assert metasync.waits(me, "s1", Fetched(View(), 1))
    assert not metasync.waits(me, "s1", Fetched(View(), 0))
    assert not metasync.waits(replace(me, heard=(("s1", View()),)), "s1", Fetched(View(), 1))


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (Size("wrong"), "no rule is called"),
        (Size(rounds=0), "at least 1"),
        (Size(lost=1, failed=1), "not both"),
        (Size(lost=-1), "no fewer than 0"),
    ],
)
def test_a_world_that_cannot_be_is_refused(size, why):
    with pytest.raises(ValueError, match=why):
        metasync_world(size)
