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
from paxos.proof.checks import MODELS
from paxos.proof.model import SORTS, Finite, few

ACTIONS = [action.name for action in static.ACTIONS]
COUNT = 65  # 8 invariants, at the start and after 6 actions; 2 goals; 7 things that are possible
COUNTS = {"static": COUNT, "disk": 223, "passive": 114}
NIGHTLY = [pytest.mark.nightly]
protocols = pytest.mark.parametrize("name", MODELS)


@cache
def whole(name="static"):
    """The proof as it stands."""
    return list(solver.prove(MODELS[name]))


# The checks.


@protocols
def test_every_check_is_proved(name):
    assert checks.verdict(whole(name)) == "proved", checks.report(MODELS[name], whole(name))


@protocols
def test_the_checks_are_all_that_induction_needs(name):
    model = MODELS[name]
    asked = Counter(check.when for check in whole(name))
    actions = [action.name for action in model.actions]
    every = dict.fromkeys(["start", *actions], len(model.invariants))
    assert asked == every | {"always": len(model.safety), "possible": len(actions) + 1}
    assert len({(check.when, check.claim) for check in whole(name)}) == COUNTS[name]


SEEDS = [
    pytest.param(name, seed, marks=NIGHTLY if name != "static" and seed > 2 else [])
    for name in MODELS
    for seed in range(1, 8)
]


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_the_verdict_does_not_hang_on_a_seed(name, seed):
    found = [
        (when, claim.__name__, solver.answer(MODELS[name], when, claim, seed)[0])
        for when, claim in checks.questions(MODELS[name])
        if when != "possible"  # an example is one, whatever the seed
    ]
    assert {verdict for _, _, verdict in found} == {"proved"}, found


@protocols
def test_a_proof_is_not_empty_for_its_actions_are_possible(name):
    possible = {it.claim: it.example for it in whole(name) if it.when == "possible"}
    actions = {action.name for action in MODELS[name].actions}
    assert set(possible) == {*actions, "decision"} and all(possible.values())
    assert "somebody was told that Ann is chosen, in ballot 1" in possible["decision"]
    assert "ballot 2 asked for votes for Ann" in possible["decision"]


@protocols
def test_what_a_sentence_leans_on_is_true_of_the_model(name):
    """Only what is proved, or taken for granted, may be supposed."""
    model = MODELS[name]
    known = {*model.axioms, *model.invariants}
    for when, claim in checks.questions(model):
        assert known >= {*model.supposed(when, claim)} or when in ("start", "possible")
    claims = [
        f"{claim.__name__} {when}".removesuffix(" always")
        for when, claim in checks.questions(model)
    ]
    named = {*claims, *(claim.split()[0] for claim in claims)}
    assert named >= {*model.leans}  # none is misspelt


def test_an_action_that_can_never_happen_is_noticed():
    never = replace(
        static.ACTIONS[4], guard=lambda w, a, b, v: w.proposed(b, v) & w.voted(a, w.none, v)
    )
    never.guard.__name__ = "vote"
    model = replace(static.MODEL, actions=(*static.ACTIONS[:4], never, static.ACTIONS[5]))
    found = [check for check in solver.prove(model) if check.verdict != "proved"]
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
    domain = few("n12", 2, promise=[], vote=["12"])
    assert not checks.always(goal, Finite(lambda *fact: fact in facts, 0, domain=domain))
    right = [("decided", 1, "Ann"), ("wished", "Ann")]
    right += [("voted", who, 1, "Ann") for who in ("n1", "n2")]
    assert checks.always(goal, Finite(lambda *fact: fact in right, 0, domain=domain))


# What dies of a mistake.

NO_VALUE = {
    "adopt any vote": {("propose", "choosable")},
    "adopt no vote": {("propose", "choosable")},
    "two values in one ballot": {("propose", "one_value")},
    "quorums that do not meet": {("propose", "choosable")},
}
BROKEN = {
    "static": {
        "accept ignores the promise": {("vote", "complete"), ("vote", "choosable")},
        **NO_VALUE,
    },
    "disk": {
        "read before write": {("look", "stored")},
        "ignore a higher ballot": {("check", "crossed"), ("check", "shut")},
        "an old write overtakes": {("check", it) for it in ("kept", "crossed", "shut")},
        "a new ballot drops the vote": {("write", "kept")},
        "come back too early": {("write", "kept")},
        **NO_VALUE,
    },
    "passive": {
        "count every vote": {
            ("promise", "complete"),
            ("vote", "choosable"),
            ("late", "counted"),
        },
        "own entry not read": {("promise", "closed"), ("promise", "complete")},
        "insert anywhere": {("append", "found"), ("vote", "found"), ("late", "counted")},
        **NO_VALUE,
    },
}


def test_every_mistake_is_tried():
    assert {name: [*its] for name, its in BROKEN.items()} == {
        name: [*model.mistakes] for name, model in MODELS.items()
    }


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, it) for name, its in BROKEN.items() for it in its]
)
def test_with_a_mistake_the_invariant_is_not_inductive(name, mistake):
    model = MODELS[name]
    for when, claim in BROKEN[name][mistake]:
        one = next(it for it in model.invariants if it.__name__ == claim)
        verdict, told = solver.answer(model, when, one, mistake=mistake)
        assert verdict == "refuted" and told[-1] == f"now false: {one.__doc__}"


@pytest.mark.parametrize("mistake", static.MISTAKES)
def test_nothing_else_dies_of_a_mistake_in_static_paxos(mistake):
    """The solver must answer there; where it may give up, nobody knows what else dies."""
    bad = [it for it in solver.prove(static.MODEL, mistake=mistake) if it.verdict != "proved"]
    assert {(check.when, check.claim) for check in bad} == BROKEN["static"][mistake]


@pytest.mark.parametrize(
    ("model", "when", "claim", "mistake", "told"),
    [
        (
            static.MODEL,
            "vote",
            static.complete,
            "accept ignores the promise",
            (
                "enough to promise: n1",
                "enough to vote: n1",
                "somebody wants Ann",
                "n1 promised ballot 2, and reported no vote",
                "n1 has left ballot 1",
                "ballot 1 asked for votes for Ann",
                "then vote: n1 voted for Ann in ballot 1",
            ),
        ),
    ],
)
def test_a_counterexample_is_told_in_words(model, when, claim, mistake, told):
    verdict, example = solver.answer(model, when, claim, mistake=mistake)
    assert verdict == "refuted"
    assert example == (*told, f"now false: {claim.__doc__}")


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        pytest.param(name, it, marks=NIGHTLY if name != "static" else [])
        for name, model in MODELS.items()
        for it in model.invariants
    ],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_no_invariant_is_idle(name, claim):
    """Without any one of them, something can no longer be proved."""
    model = MODELS[name]
    rest = [it for it in model.invariants if it is not claim]
    leans = {key: [it for it in its if it is not claim] for key, its in model.leans.items()}
    model = replace(model, invariants=rest, leans=leans, worlds=())
    asked = [(when, it) for when, it in checks.questions(model) if when != "possible"]
    assert any(solver.answer(model, *it, timeout=2)[0] != "proved" for it in asked)


# Unknown is not proved.


def test_no_time_gives_no_verdict():
    found = list(solver.prove(static.MODEL, timeout=1e-6))
    assert {check.verdict for check in found} == {"unknown"}


@pytest.mark.parametrize("said", [z3.unknown, z3.sat], ids=str)
def test_nothing_is_proved_unless_the_solver_finds_that_there_is_no_counterexample(
    said, monkeypatch
):
    monkeypatch.setattr(z3.Solver, "check", lambda *_: said)
    monkeypatch.setattr(solver, "example", lambda *_: ())
    for when, claim in checks.questions(static.MODEL):
        assert solver.answer(static.MODEL, when, claim) == ("unknown", ())


def test_a_solver_that_gives_up_gives_no_example(monkeypatch):
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    assert solver.answer(static.MODEL, "possible", static.decision) == ("unknown", ())


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
        ["log"],
        ["static", "--without", "luck"],
        ["static", "--without", "count every vote"],
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


@protocols
def test_every_word_of_the_model_is_known(name):
    """A word that is misspelt, or about things in another order, would be one more relation, of
    which nobody knows anything."""
    model, order = MODELS[name], {"ballot", "place"} if name == "passive" else {"ballot"}
    known = {
        (relation, *(SORTS[letter] for letter in its), "Bool")
        for relation, (its, _) in model.relations.items()
    }
    quorums = ["promisers", "voters", *(["returners"] if name == "disk" else [])]
    known |= {(f"of {kind}", "acceptor", kind, "Bool") for kind in quorums}
    known |= {("below", sort, sort, "Bool") for sort in order} | {("none", "ballot")}
    w = solver.AnyNumber(solver.relation, z3.Const("none", z3.DeclareSort("ballot")))
    found = set()
    for when, claim in checks.questions(model):
        found |= words(checks.formula(model, when, claim, w, model.supposed(when, claim)))
    assert found == known


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
    for when, claim in checks.questions(static.MODEL):
        goal = z3.Goal()
        goal.add(checks.formula(static.MODEL, when, claim, w))
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
        solver.answer(static.MODEL, "possible", static.decision)
