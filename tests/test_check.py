"""Who breaks a rule reads which, at the end of `make test`."""

import importlib
import os
import shutil

import pytest
from books import ROOT


@pytest.fixture
def check(monkeypatch, tmp_path):
    """The tool, in a copy of this repository."""
    for name in ("paxos", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.setenv("COLUMNS", "60")  # so narrow that pytest cuts its lines
    for name in ("PATH", "PYTHONPATH"):  # the tool sets them; put them back after the test
        monkeypatch.setenv(name, os.environ.get(name, ""))
    tool = importlib.import_module("check")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    names = [f"tests/test_{name}.py" for name in ("acceptor", "faults")]
    flags = ["--tb=no", "-p", "no:cacheprovider"]
    monkeypatch.setattr(
        tool, "CHECKS", [("tests", ["python", "-m", "pytest", *flags, *names], "cure: see above")]
    )
    return tool


def test_a_rule_that_no_longer_holds_is_named_last(check, capsys):
    path = check.ROOT / "paxos" / "protocol" / "acceptor.py"
    rule = path.read_text("utf-8")
    assert rule.count("if ballot >= acceptor.promised") == 1
    path.write_text(rule.replace("if ballot >= acceptor", "if ballot > acceptor"), "utf-8")
    assert check.main() == 1
    said = capsys.readouterr().out
    assert "FAILED tests/test_faults.py" in said
    end = said[said.index("Rules that no longer hold") :].splitlines()
    assert end[1:] == [
        "  acceptor: a vote goes to any ballot that no promise shuts out",
        "  acceptor: a replay is the memory at the end and the reply to each request",
        "To see one alone: .venv/bin/python -m pytest tests/test_acceptor.py",
    ]


def test_nothing_is_said_of_rules_that_hold(check, capsys):
    assert check.main() == 0
    assert "Rules" not in capsys.readouterr().out


def test_a_rule_is_named_once_and_not_for_what_only_follows(check):
    said = [
        "FAILED tests/test_acceptor.py::test_no_vote_goes_below_a_promise - assert 1",
        "FAILED tests/test_quorum.py::test_each_phase[1-2]",
        "FAILED tests/test_quorum.py::test_each_phase[2-2] - assert 2",
        "FAILED tests/test_figures.py::test_a_picture - assert 3",
    ]
    assert check.broken_rules(said) == [
        "quorum: each phase",
        "acceptor: no vote goes below a promise",
    ]
