"""`paxos check`: what it prints, what it writes, and with which code it leaves."""

import json

import pytest

from paxos import checking
from paxos.cli import main
from paxos.drivers.replay import replay
from paxos.outcome import broken
from paxos.trace import loads

BROKEN, LARGER = "adopt no vote", "a larger ballot ignored"
OTHERS = "the votes of others ignored"


def run(*words):
    return main(["check", *words])


def said(capsys, *words):
    code = run(*words)
    return code, capsys.readouterr().out


def test_a_safe_world_says_how_much_was_seen(capsys):
    code, out = said(capsys, "static", "--rounds", "1")
    assert code == 0
    assert "safe: no schedule breaks agreement, validity, one value per ballot" in out
    assert "reached: a value can be chosen, at depth 7" in out
    assert "3,802 distinct states, 857 of them different by more than names; depth 19" in out


def test_without_a_rule_the_bad_run_is_told(capsys):
    code, out = said(capsys, "static", "--without", BROKEN)
    assert code == 1
    assert "violated: agreement, after 12 steps that have an effect, and no run has fewer" in out
    assert "Ben is CHOSEN TOO" in out
    assert "--counterexample FILE" in out


def test_a_counterexample_is_a_trace_that_can_be_drawn(tmp_path, capsys):
    file, svg = tmp_path / "bad.ndjson", tmp_path / "bad.svg"
    assert run("static", "--without", BROKEN, "--counterexample", str(file)) == 1
    trace = loads(file.read_text(encoding="utf-8"))
    assert broken(trace) == ["agreement"]
    assert replay(trace) != trace
    assert main(["draw", str(file), "-o", str(svg)]) == 0
    assert "CHOSEN" in svg.read_text(encoding="utf-8")
    assert "--counterexample" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "verdict", "invariant"),
    [
        (["static", "--rounds", "1"], 0, "safe", None),
        (["static", "--without", BROKEN], 1, "violated", "agreement"),
        (["static", "--limit", "1000"], 3, "bounded", None),
        (
            ["static", "--without", "accept refuses its own promise"],
            1,
            "violated",
            "a value can be chosen",
        ),
        (["lamport"], 0, "safe", None),
        (["lamport", "--without", BROKEN], 1, "violated", "agreement"),
        (["lamport", "--level", "voting"], 0, "safe", None),
        (["disk"], 0, "safe", None),
        (["disk", "--disks", "2", "--crashes", "1"], 0, "safe", None),
        (["disk", "--without", "read before the write"], 1, "violated", "agreement"),
        (["disk", "--without", BROKEN], 1, "violated", "agreement"),
        (["synod", "--disks", "2"], 0, "safe", None),
        (["synod", "--disks", "1", "--without", OTHERS], 1, "violated", "agreement"),
    ],
    ids=str,
)
def test_the_verdict_as_json(capsys, words, code, verdict, invariant):
    left, out = said(capsys, *words, "--json")
    found = json.loads(out)
    assert (left, found["verdict"], found["invariant"]) == (code, verdict, invariant)
    assert {"states", "classes", "depth", "seconds", "levels", "steps"} <= set(found)


def test_lamports_counts(capsys):
    for words, states, classes, depth in (
        (("--acceptors", "1", "--values", "1"), 25, 25, 9),
        ((), 3921, 443, 17),
        (("--no-symmetry",), 3921, 3921, 17),
        (("--level", "voting"), 599, 77, 11),
        (("--level", "voting", "--no-symmetry"), 599, 599, 11),
        (("--without", "promise the same ballot again"), 30753, 2901, 23),
    ):
        _, out = said(capsys, "lamport", *words, "--json")
        found = json.loads(out)
        assert (found["states"], found["classes"], found["depth"]) == (states, classes, depth)


def test_a_bad_run_of_lamports_model_is_told_step_by_step(capsys):
    code, out = said(capsys, "lamport", "--without", BROKEN)
    assert code == 1
    assert "leader 2  has a quorum; if free, v2" in out
    assert (
        "n3        hears promise" not in out
        and "leader 2  hears promise 2, voted v1 in 1, from" in out
    )
    assert "--counterexample" not in out


def test_at_the_limit_it_never_says_safe(capsys):
    code, out = said(capsys, "static", "--limit", "500")
    assert code == 3
    assert "no violation in the first" in out
    assert "raise --limit" in out
    assert "safe" not in out


def test_where_names_are_remembered_the_count_is_a_lower_bound(capsys):
    _, out = said(capsys, "static", "--rounds", "1", "--acceptors", "2", "--no-shortcuts")
    assert "at least" in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["static", "--without", "be nice"], "no rule is called 'be nice'."),
        (["static", "--rounds", "0"], "Use at least 1"),
        (["static", "--proposers", "0"], "0 proposers"),
        (["static", "--limit", "0"], "--limit 0"),
        (["static", "--counterexample", ""], "--counterexample wants the name of a file"),
        (["static", "--counterexample", "-"], "--counterexample wants the name of a file"),
        (["static", "--without", "adopt"], "Did you mean 'adopt no vote'"),
        (["lamport", "--without", "promise not saved before the reply"], "check static instead"),
        (["lamport", "--without", "a ballot used twice"], "check static instead"),
        (["static", "--phase1", "1"], "can miss each other"),
        (["disk", "--clients", "2", "--values", "3"], "each comes from a client"),
        (["lamport", "--without", LARGER], "check static instead"),
        (["synod", "--without", BROKEN], "check disk instead"),
        (["synod", "--without", LARGER], "check disk instead"),
        (["synod", "--without", "back without reading"], "check disk instead"),
        (["synod", "--disks", "0"], "0 disks: use 1 to 9"),
        (["lamport", "--ballots", "0"], "0 ballots: use 1 to 99"),
        (["lamport", "--without", "votes kept for the next ballot"], "check static instead"),
        (["lamport", "--level", "voting", "--without", BROKEN], "has no rule to break"),
    ],
    ids=str,
)
def test_a_mistake_of_the_caller_says_what_to_do(capsys, words, complaint):
    assert run(*words) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["nothing"], ["static", "--rounds", "many"], ["static", "--ro", "1"]]
)
def test_misuse_is_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as left:
        run(*words)
    assert left.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    where = tmp_path / "no folder" / "bad.ndjson"
    assert run("static", "--without", BROKEN, "--counterexample", str(where)) == 2
    assert f"cannot write {where}" in capsys.readouterr().err


def test_voting_needs_a_clone(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(checking, "VOTING", tmp_path / "voting.py")
    assert run("lamport", "--level", "voting") == 2
    assert "run this in a clone" in capsys.readouterr().err


def test_long_searches_show_their_progress(monkeypatch, capsys):
    monkeypatch.setattr(checking, "EVERY", 0.0)
    monkeypatch.setattr("paxos.drivers.checker.PULSE", 0.0)
    assert run("static", "--acceptors", "2") == 0
    line = capsys.readouterr().err.splitlines()[0]
    for word in ("states visited", "a second", "depth", "waiting"):
        assert word in line


def test_help_lists_the_rules(capsys):
    with pytest.raises(SystemExit) as left:
        run("static", "--help")
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert "accept ignores the promise" in out
    assert "exit code: 0 safe, 1 violated, 2 a mistake of the caller, 3 the limit" in out


@pytest.mark.parametrize("rule", ["accept does not raise the promise", "adopt the oldest vote"])
def test_lamports_model_gets_the_ballots_that_a_rule_needs(rule, capsys):
    assert run("lamport", "--without", rule) == 1
    assert "3 acceptors, 2 values, 3 ballots" in capsys.readouterr().out


def test_the_world_is_named(capsys):
    assert run("static", "--without", "quorums that do not meet") == 1
    assert (
        "the world: 2 proposers, 3 acceptors, 1 round, 1 promise needed" in capsys.readouterr().out
    )


def test_where_there_is_no_bad_run_nothing_is_written(tmp_path, capsys):
    file = tmp_path / "bad.ndjson"
    assert run("static", "--acceptors", "1", "--counterexample", str(file)) == 0
    assert not file.exists()
    assert "no bad run" in capsys.readouterr().err


def test_a_bad_run_over_disks_is_a_file_that_can_be_followed(tmp_path, capsys):
    file = tmp_path / "bad.ndjson"
    assert run("disk", "--without", LARGER, "--counterexample", str(file)) == 1
    assert "BROKEN: agreement" in capsys.readouterr().out
    trace = loads(file.read_text(encoding="utf-8"))
    assert "agreement" in broken(trace)
    assert replay(trace) != trace


def test_a_bad_run_of_the_model_is_told_with_the_names_of_disks(capsys):
    assert run("synod", "--disks", "2", "--without", OTHERS) == 1
    out = capsys.readouterr().out
    for words in ("p1   prepares 1.p1", "writes d1", "writes d2", "is told v1", "is told v2"):
        assert words in out


def test_a_search_can_be_stopped(monkeypatch, capsys):
    def stop(*_, **how):
        how["progress"](type("Seen", (), {"classes": 7, "seconds": 1.0, "depth": 2, "queue": 1})())
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "check", stop)
    assert run("static") == 130
    assert "stopped after 7 states: no verdict" in capsys.readouterr().err


def test_a_rule_of_another_memory_is_refused_and_not_called_safe(capsys):
    assert main(["check", "disk", "--without", "own entry not required"]) == 2
    assert "no rule of disk: use `paxos check passive" in capsys.readouterr().err
