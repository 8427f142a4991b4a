"""What "Paxos Made Simple" (Lamport 2001) says, held against runs of the rules.

Each test names its section. `runs()` are some hundred runs with loss, repeats, crashes and cuts;
where the world of one acceptor is small, every sequence of requests is tried instead.
"""

from dataclasses import fields
from itertools import combinations, product

from worlds import A1, A2, B1, B2, befores, happened, of, runs

from paxos.drivers.simulator import simulate
from paxos.outcome import chosen, history
from paxos.protocol import acceptor
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.events import Answer, Decide, Propose, Save, Send
from paxos.protocol.machine import commands
from paxos.protocol.machine import run as board
from paxos.protocol.messages import Accept, Accepted, Prepare, Promise, Refused

BALLOTS = (A1, B1, A2, B2)
REQUESTS = [Prepare(b) for b in BALLOTS] + [Accept(b, b.proposer) for b in BALLOTS]


def votes(run):
    """Every (acceptor, vote) of a run."""
    return history(run).votes


def proposals(run):
    """Every proposal that was issued: an accept request that left its proposer."""
    return {
        effect.message
        for step in of(run, "proposer")
        for effect in happened(step, Send)
        if isinstance(effect.message, Accept)
    }


def lives(length):
    """Every sequence of requests to one acceptor: (requests, states, replies)."""
    for requests in product(REQUESTS, repeat=length):
        states, replies = [Acceptor()], []
        for request in requests:
            state, effects = acceptor.step(states[-1], request)
            states.append(state)
            replies.append(next(e.message for e in effects if isinstance(e, Send)))
        yield requests, states, replies


# 2.1 The problem.


def test_only_a_value_that_has_been_proposed_may_be_chosen():
    """2.1, first safety requirement."""
    for run in runs():
        wishes = {step.event.value for step in run.steps() if isinstance(step.event, Propose)}
        assert {one.proposal.value for one in chosen(run)} <= wishes


def test_only_a_single_value_is_chosen():
    """2.1, second safety requirement."""
    for run in runs():
        assert len({one.proposal.value for one in chosen(run)}) <= 1


def test_nobody_learns_that_a_value_is_chosen_unless_it_is():
    """2.1, third safety requirement: at that moment, not only in the end."""
    for run in runs():
        indexes = {one.proposal: one.index for one in chosen(run)}
        for index, step in enumerate(run.records):
            for told in happened(step, Decide) if hasattr(step, "effects") else ():
                assert indexes[Accept(told.ballot, told.value)] < index


# 2.2 Choosing a value.


def test_p1_an_acceptor_accepts_the_first_proposal_that_it_receives():
    """2.2, P1: else a single proposer's single value might not be chosen."""
    for ballot in BALLOTS:
        after, _ = acceptor.step(Acceptor(), Accept(ballot, "v"))
        assert after.vote == Accept(ballot, "v")


def test_p1a_it_accepts_a_proposal_iff_it_has_not_answered_a_higher_prepare():
    """2.2, P1a, over every life of four requests."""
    for requests, states, replies in lives(4):
        promised = [r.ballot for r in replies[:-1] if isinstance(r, Promise)]
        voted = [r.ballot for r in replies[:-1] if isinstance(r, Accepted)]
        last = requests[-1]
        if isinstance(last, Accept):
            free = not any(ballot > last.ballot for ballot in promised + voted)
            assert (states[-1].vote == last and isinstance(replies[-1], Accepted)) == free


def test_p2a_every_higher_vote_is_for_the_chosen_value():
    """2.2, P2a: a vote in a higher ballot than that of a chosen proposal has its value."""
    for run in runs():
        for one in chosen(run):
            later = {vote.value for _, vote in votes(run) if vote.ballot > one.proposal.ballot}
            assert later <= {one.proposal.value}


def test_p2b_every_higher_proposal_has_the_chosen_value():
    """2.2, P2b: nobody even asks for another value in a higher ballot (so P2a, so P2)."""
    for run in runs():
        for one in chosen(run):
            later = {p.value for p in proposals(run) if p.ballot > one.proposal.ballot}
            assert later <= {one.proposal.value}


def test_p2c_a_quorum_explains_every_proposal():
    """2.2, P2c: some quorum voted for nothing lower, or last for this very value."""
    for run in runs():
        for proposal in proposals(run):
            lower = [(who, vote) for who, vote in votes(run) if vote.ballot < proposal.ballot]
            size = run.header.quorums.phase1
            assert any(
                explains(quorum, lower, proposal.value)
                for quorum in combinations(run.of("acceptor"), size)
            )


def explains(quorum, lower, value):
    cast = [vote for who, vote in lower if who in quorum]
    return not cast or max(cast, key=lambda vote: vote.ballot).value == value


def test_a_proposal_has_one_number_and_one_value():
    """2.2: different proposals have different numbers."""
    for run in runs():
        asked = proposals(run)
        assert len(asked) == len({proposal.ballot for proposal in asked})


def test_a_prepare_is_answered_with_a_promise_and_the_highest_vote_so_far():
    """2.2, the two answers (a) and (b) to a prepare request; phase 1b."""
    for requests, _, replies in lives(4):
        if isinstance(replies[-1], Promise):
            cast = [
                request
                for request, reply in zip(requests, replies, strict=True)
                if isinstance(reply, Accepted)
            ]
            assert replies[-1].vote == max(cast, key=lambda vote: vote.ballot, default=None)


def test_a_proposer_asks_for_votes_only_after_a_quorum_of_promises():
    """2.2, phase 2a: and it asks for the value of the highest vote among them, if there is one."""
    for run in runs():
        heard = {}
        for step in of(run, "proposer"):
            match step.event:
                case Answer(who, Promise(ballot, vote)):
                    heard.setdefault(ballot, {})[who] = vote
            for sent in happened(step, Send):
                if isinstance(sent.message, Accept):
                    promises = heard[sent.message.ballot]
                    assert len(promises) == run.header.quorums.phase1
                    cast = [vote for vote in promises.values() if vote]
                    value = max(cast, key=lambda vote: vote.ballot).value if cast else None
                    assert sent.message.value == (value or step.state.wish)


def test_an_acceptor_remembers_only_two_things():
    """2.2: the highest proposal it accepted, and the highest prepare it answered."""
    assert [field.name for field in fields(Acceptor)] == ["promised", "vote"]
    for _, states, replies in lives(3):
        answered = [r.ballot for r in replies if isinstance(r, Promise | Accepted)]
        accepted = [r.ballot for r in replies if isinstance(r, Accepted)]
        assert states[-1].promised == max(answered, default=Acceptor().promised)
        assert getattr(states[-1].vote, "ballot", None) == max(accepted, default=None)


def test_a_request_may_be_ignored_without_harm():
    """2.2: an acceptor may ignore any request. Here every request to one of three is ignored."""
    trace = simulate(faults=["drop prepare to n3", "drop accept to n3"])
    assert not [step for step in trace.steps() if step.node == "n3"]
    assert len({one.proposal.value for one in chosen(trace)}) == 1


def test_a_refused_proposer_is_told_and_gives_its_ballot_up():
    """2.2, the optimisation: tell a proposer that someone has begun a higher ballot."""
    told = 0
    for run in runs():
        for before, step in befores(run):
            match step.event:
                case Answer(_, Refused(ballot, rival)) if ballot == before_ballot(before):
                    if before.phase in ("prepare", "decide") and rival > ballot:
                        told += 1
                        assert (step.state.phase, step.state.highest) == ("wait", rival)
    assert told > 20


def before_ballot(state):
    return getattr(state, "ballot", None)


def test_a_proposal_can_be_abandoned_in_the_middle():
    """2.2: correctness holds though a proposer forgets its proposal at any time."""
    for time in range(8):
        trace = simulate(seed=time, faults=[f"crash ann at {time / 2}", "crash ben at 3 for 1"])
        assert len({one.proposal.value for one in chosen(trace)}) == 1


# 2.3 Learning a chosen value.


def test_every_vote_is_told_to_every_learner():
    """2.3: votes times learners messages, the price of learning as early as can be."""
    trace = simulate(proposers=1, learners=3)
    told = [one.to for step in of(trace, "acceptor") for one in step.sent if one.to[0] == "l"]
    assert sorted(told) == sorted(["l1", "l2", "l3"] * 3)


def test_a_value_can_be_chosen_and_no_learner_know():
    """2.3: messages get lost, and then only another proposal can find out."""
    deaf = [f"drop accepted to {name}" for name in ("l1", "ann")]
    trace = simulate(proposers=1, faults=["crash ann at 4", *deaf], until=20)
    assert chosen(trace)
    assert not [step for step in trace.steps() if happened(step, Decide)]


def test_a_new_proposal_finds_out_what_was_chosen():
    """2.3: the second proposer wanted something else, and learns what it cannot change."""
    deaf = [f"drop accepted to {name}" for name in ("l1", "ann")]
    wishes = [(0, "ann", "Ann"), (10, "ben", "Ben")]
    trace = simulate(proposers=2, wishes=wishes, faults=["crash ann at 4", *deaf], until=30)
    [told] = [told for step in of(trace, "proposer") for told in happened(step, Decide)]
    assert told.value == chosen(trace)[0].proposal.value == "Ann"


# 2.4 Progress.


def duel(backoff):
    """Two proposers of equal patience: each comes between the two phases of the other."""
    wishes, slow = [(0, "ann", "Ann"), (3, "ben", "Ben")], ["delay accept by 2.5"]
    options = {"jitter": 0.0, "wishes": wishes, "faults": slow, "until": 500}
    return simulate(seed=0, proposers=2, backoff=backoff, **options)


def test_two_proposers_can_keep_issuing_proposals_none_of_which_is_chosen():
    """2.4: each takes the promise away from the other, for as long as one cares to watch."""
    trace = duel("fixed")
    assert chosen(trace) == []
    assert max(step.state.ballot.round for step in of(trace, "proposer")) > 100


def test_chance_ends_the_duel():
    """2.4: with Fischer, Lynch and Paterson, an election must use randomness or real time."""
    assert chosen(duel("random"))


def test_a_single_proposer_that_reaches_a_majority_succeeds():
    """2.4: if a distinguished proposer is the only one to try, and a majority works."""
    for seed in range(30):
        trace = simulate(seed=seed, proposers=1, faults=["crash n2 at 0"])
        assert [one.proposal.ballot.round for one in chosen(trace)] == [1]


# 2.5 The implementation.


def test_an_answer_is_on_stable_storage_before_it_is_sent():
    """2.5: an acceptor records its intended response before it actually sends it."""
    for run in runs():
        for step in of(run, "acceptor"):
            kinds = [type(effect) for effect in step.effects]
            if isinstance(step.effects[0], Save):
                assert kinds.index(Save) < kinds.index(Send)
                assert step.effects[0].state == step.state
            else:
                assert type(step.effects[0].message) is Refused


def test_no_two_proposals_are_ever_issued_with_the_same_number():
    """2.5: proposers choose from disjoint sets; here each life of each has an identity."""
    for run in runs():
        owners = {}
        for step in of(run, "proposer"):
            for sent in happened(step, Send):
                ballot = sent.message.ballot
                assert ballot.proposer == step.state.identity
                assert owners.setdefault(ballot.proposer, step.node) == step.node


def test_each_proposer_tries_higher_and_higher_numbers():
    """2.5: it remembers the highest number it has tried (here: until it is somebody else)."""
    for run in runs():
        last = {}
        for step in of(run, "proposer"):
            for sent in happened(step, Send):
                if isinstance(sent.message, Prepare):
                    ballot = sent.message.ballot
                    assert ballot > last.get(step.state.identity, acceptor.NO_BALLOT)
                    last[step.state.identity] = ballot


# 3 Implementing a state machine.


def test_three_machines_fed_by_the_log_end_alike():
    """3: the value chosen by the i-th instance is the i-th command, for every server."""
    trace = simulate(protocol="log", proposers=3, learners=3)
    last = {step.node: step.state for step in of(trace, "learner")}
    boards = {board(command.text for command in commands(its.log)) for its in last.values()}
    assert len(last) == 3
    assert len(boards) == 1
    assert dict(boards.pop())["saturday"] in ("Ann", "Ben", "Cleo")


def two_entries():
    """A leader that has an entry in the log gets a second one into it, long after."""
    wishes = [(0, "ann", "book saturday Ann"), (20, "ann", "book sunday Ann")]
    return simulate(protocol="log", proposers=1, learners=0, jitter=0, wishes=wishes)


def test_the_leader_executes_phase_1_for_all_instances_at_once():
    """3: using the same proposal number for all of them; an acceptor answers with one message."""
    trace = two_entries()
    asked = [one.message.content for s in of(trace, "proposer") for one in happened(s, Send)]
    assert [type(one).__name__ for one in asked] == ["Prepare", "Accept", "Accept"]


def test_the_cost_of_an_entry_is_that_of_phase_2():
    """3: phase 2 has the minimum possible cost of any algorithm for agreement."""
    trace = two_entries()
    first, second = chosen(trace)
    assert (first.slot, second.slot, second.at) == (0, 1, 21_000), (
        "one message delay after the wish"
    )


def test_a_new_leader_fills_the_gaps_with_commands_that_do_nothing():
    """3: the instances it does not know, below those it does; else later commands wait for ever."""
    deaf = [f"drop accept 2 to {name}" for name in ("n1", "n2", "n3")]
    wishes = [(0, "ann", "a"), (10, "ann", "b"), (10.1, "ann", "c"), (20, "ben", "d")]
    trace = simulate(
        protocol="log",
        proposers=2,
        wishes=wishes,
        jitter=0,
        faults=["crash ann at 11.2", *deaf],
    )
    decided = {one.slot: one.proposal.value for one in chosen(trace)}
    assert [tuple(c.text for c in decided[slot]) for slot in sorted(decided)] == [
        ("a",),
        (),
        ("c",),
        ("d",),
    ]


def test_no_value_is_put_over_one_that_may_be_chosen():
    """3: in an instance where phase 1 finds a value, that value is proposed again."""
    wishes = [(0, "ann", "a"), (10, "ann", "b"), (20, "ben", "d")]
    trace = simulate(
        protocol="log", proposers=2, wishes=wishes, jitter=0, faults=["crash ann at 11.2"]
    )
    values = {(one.slot, tuple(c.text for c in one.proposal.value)) for one in chosen(trace)}
    assert values == {(0, ("a",)), (1, ("b",)), (2, ("d",))}
