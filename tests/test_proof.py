"""The proof for any number of nodes: it is complete, and each part of it can fail."""

import json
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import z3
from test_cli import call

from paxos.proof import checks, solver, static
from paxos.proof.model import SORTS, Finite

ACTIONS = [action.name for action in static.ACTIONS]
COUNT = 65  # 8 invariants, at the start and after 6 actions; 2 goals; 7 things that are possible


@cache
def whole():
    """The proof as it stands."""
    return list(solver.prove())


# The checks.


def test_every_check_is_proved():
    assert checks.verdict(whole()) == "proved", checks.report(whole())


def test_the_checks_are_all_that_induction_needs():
    asked = Counter(check.when for check in whole())
    every = dict.fromkeys(["start", *ACTIONS], len(static.INVARIANTS))
    assert asked == every | {"always": len(static.SAFETY), "possible": len(ACTIONS) + 1}
    assert len({(check.when, check.claim) for check in whole()}) == COUNT


@pytest.mark.parametrize("seed", range(1, 8))
def test_the_verdict_does_not_hang_on_a_seed(seed):
    found = list(solver.prove(seed))
    assert checks.verdict(found) == "proved", checks.report(found)
    assert sum(check.seconds for check in found) < 10


def test_a_proof_is_not_empty_for_its_actions_are_possible():
    possible = {it.claim: it.example for it in whole() if it.when == "possible"}
    assert set(possible) == {*ACTIONS, "decision"} and all(possible.values())
    assert "somebody was told that Ann is chosen, in ballot 1" in possible["decision"]
    assert "ballot 2 asked for votes for Ann" in possible["decision"]


def test_an_action_that_can_never_happen_is_noticed(monkeypatch):
    never = replace(
        static.ACTIONS[4], guard=lambda w, a, b, v: w.proposed(b, v) & w.voted(a, w.none, v)
    )
    never.guard.__name__ = "vote"
    monkeypatch.setattr(static, "ACTIONS", (*static.ACTIONS[:4], never, static.ACTIONS[5]))
    found = [check for check in solver.prove() if check.verdict != "proved"]
    assert [(check.when, check.claim) for check in found] == [("possible", "vote")]


@pytest.mark.parametrize(
    ("goal", "facts"),
    [
        (static.agreement, [("decided", 1, "Ann"), ("decided", 2, "Ben")]),
        (static.agreement, [("decided", 1, "Ann"), ("decided", 1, "Ben")]),
        (static.validity, [("decided", 1, "Ann"), ("wished", "Ben")]),
        (static.told_truth, [("decided", 1, "Ann"), ("voted", "n1", 1, "Ann")]),
        (
            static.told_truth,
            [("decided", 1, "Ann"), ("voted", "n1", 1, "Ann"), ("voted", "n2", 2, "Ann")],
        ),
    ],
)
def test_a_goal_is_false_where_a_promise_of_consensus_is_broken(goal, facts):
    """A goal that is always true would be proved, and worthless."""
    domain = solver.few(2, [], [frozenset({"n1", "n2"})])
    assert not checks.always(goal, Finite(lambda *fact: fact in facts, 0, domain=domain))
    right = [("decided", 1, "Ann"), ("wished", "Ann")]
    right += [("voted", who, 1, "Ann") for who in ("n1", "n2")]
    assert checks.always(goal, Finite(lambda *fact: fact in right, 0, domain=domain))


# What dies of a mistake.

BROKEN = {
    "accept ignores the promise": {("vote", "complete"), ("vote", "choosable")},
    "adopt any vote": {("propose", "choosable")},
    "adopt no vote": {("propose", "choosable")},
    "two values in one ballot": {("propose", "one_value")},
    "quorums that do not meet": {("propose", "choosable")},
}


@pytest.mark.parametrize("mistake", static.MISTAKES)
def test_with_a_mistake_the_invariant_is_not_inductive(mistake):
    bad = [check for check in solver.prove(mistake=mistake) if check.verdict != "proved"]
    assert {(check.when, check.claim) for check in bad} == BROKEN[mistake]
    assert all(check.verdict == "refuted" and check.example for check in bad)


def test_a_counterexample_is_told_in_words():
    mistake = "accept ignores the promise"
    verdict, example = solver.answer("vote", static.complete, mistake=mistake)
    assert verdict == "refuted"
    assert example == (
        "enough to promise: n1",
        "enough to vote: n1",
        "somebody wants Ann",
        "n1 promised ballot 2, and reported no vote",
        "n1 has left ballot 1",
        "ballot 1 asked for votes for Ann",
        "then vote: n1 voted for Ann in ballot 1",
        "now false: A promise hides no vote between the one that it reports and its own ballot.",
    )


@pytest.mark.parametrize("claim", static.INVARIANTS, ids=lambda claim: claim.__name__)
def test_no_invariant_is_idle(claim, monkeypatch):
    """Without any one of them, something can no longer be proved."""
    rest = tuple(one for one in static.INVARIANTS if one is not claim)
    monkeypatch.setattr(static, "INVARIANTS", rest)
    assert checks.verdict(solver.prove()) != "proved"


# Unknown is not proved.


def test_no_time_gives_no_verdict():
    found = list(solver.prove(timeout=1e-6))
    assert {check.verdict for check in found} == {"unknown"}


@pytest.mark.parametrize("said", [z3.unknown, z3.sat], ids=str)
def test_nothing_is_proved_unless_the_solver_finds_that_there_is_no_counterexample(
    said, monkeypatch
):
    monkeypatch.setattr(z3.Solver, "check", lambda *_: said)
    monkeypatch.setattr(solver, "example", lambda *_: ())
    for when, claim in checks.questions():
        assert solver.answer(when, claim) == ("unknown", ())


def test_a_solver_that_gives_up_gives_no_example(monkeypatch):
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    assert solver.answer("possible", static.decision) == ("unknown", ())


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (["proved", "proved"], "proved"),
        (["proved", "unknown"], "unknown"),
        (["unknown", "refuted", "proved"], "refuted"),
        ([], "unknown"),
    ],
)
def test_one_answer_that_is_missing_spoils_the_proof(answers, verdict):
    assert checks.verdict(replace(whole()[0], verdict=one) for one in answers) == verdict


# The command.


def test_the_command_shows_the_table_and_says_proved(capsys):
    code, out, err = call(capsys, "prove", "static")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["start", *ACTIONS]
    assert out.count("✓") == COUNT + 1 and out.count("✗") == out.count("?") == 1  # the legend
    assert f"proved, for any number of acceptors, ballots and values: {COUNT} of" in out


def test_the_command_says_refuted_and_why(capsys):
    code, out, _ = call(capsys, "prove", "static", "--without", "two values in one ballot")
    assert code == 1 and "then propose: ballot 1 asked for votes for Ben" in out
    assert out.count("✗") == 2 and f"refuted: 1 of {COUNT} checks" in out


def test_the_command_never_calls_unknown_proved(capsys):
    code, out, _ = call(capsys, "prove", "static", "--timeout", "0.000001")
    assert code == 3 and "proved:" not in out and "Unknown is no proof" in out


def test_the_command_writes_json(capsys):
    code, out, _ = call(
        capsys, "prove", "static", "--json", "--seed", "3", "--without", "two values in one ballot"
    )
    said = json.loads(out)
    assert code == 1 and list(said) == ["verdict", "seconds", "checks"]
    bad = [(it["when"], it["claim"]) for it in said["checks"] if it["verdict"] != "proved"]
    assert (said["verdict"], bad) == ("refuted", [("propose", "one_value")])
    assert len(said["checks"]) == COUNT and said["seconds"] > 0


@pytest.mark.parametrize(
    "words",
    [
        ["disk"],
        ["static", "--without", "luck"],
        ["static", "--timeout", "0"],
        ["static", "--timeout", "nan"],
        ["static", "--seed", "-1"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_exit_code_2(capsys, words):
    code, out, err = call(capsys, "prove", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_without_the_solver_the_command_names_the_cure(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "paxos.proof.solver")
    monkeypatch.delattr("paxos.proof.solver")
    monkeypatch.setitem(sys.modules, "z3", None)
    code, out, err = call(capsys, "prove", "static")
    assert (code, out) == (2, "") and "pip install z3-solver" in err


# The model's text.


def test_every_word_of_the_model_is_known():
    """A word that is misspelt, or about things in another order, would be one more relation, of
    which nobody knows anything."""
    sorts = {name: [SORTS[letter] for letter in its] for name, (its, _) in static.RELATIONS.items()}
    sorts |= {f"of {kind}": ["acceptor", kind] for kind in ("promisers", "voters")}
    sorts |= {"below": ["ballot", "ballot"], "none": []}
    w = solver.AnyNumber(solver.relation, z3.Const("none", z3.DeclareSort("ballot")))
    found = set()
    for when, claim in checks.questions():
        found |= words(checks.formula(when, claim, w))
    ranges = dict.fromkeys(sorts, "Bool") | {"none": "ballot"}
    assert found == {(name, *its, ranges[name]) for name, its in sorts.items()}


def words(formula):
    """Every relation and constant in a formula, with the sorts that it is about, and its own."""
    found, queue = set(), [formula]
    while queue:
        it = queue.pop()
        queue += [it.body()] if z3.is_quantifier(it) else it.children()
        if z3.is_app(it) and it.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            its = [str(it.decl().domain(i)) for i in range(it.decl().arity())]
            found.add((it.decl().name(), *its, str(it.sort())))
    return found


def test_the_solver_must_answer_all_but_what_is_about_propose():
    """There no sort leads back to itself ("Paxos Made EPR"); so the page says."""
    w = solver.AnyNumber(solver.relation, z3.Const("none", z3.DeclareSort("ballot")))
    loose = set()
    for when, claim in checks.questions():
        goal = z3.Goal()
        goal.add(checks.formula(when, claim, w))
        found = [words(one) for one in z3.Tactic("nnf")(goal)[0]]  # with Skolem functions
        leads = {
            (sort, to) for its in found for _, *sorts, to in its if to != "Bool" for sort in sorts
        }
        while more := {(a, d) for a, b in leads for c, d in leads if b == c} - leads:
            leads |= more
        if any(a == b for a, b in leads):
            loose.add(claim.__name__ if when == "possible" else when)
    assert loose == {"propose"}


def test_an_example_that_python_does_not_confirm_is_none(monkeypatch):
    monkeypatch.setattr(solver, "fewest", lambda *_: [])
    with pytest.raises(AssertionError, match="no example"):
        solver.answer("possible", static.decision)
