"""The command `paxos service`: what it prints, how it exits, and what a report does not tell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paxos import cli, storing
from paxos.services import conformance, registry
from paxos.services.contract import ServiceError
from paxos.services.memory import Memory
from paxos.services.promises import PROMISES

ROOT = Path(__file__).parent.parent
FEW = ("--processes", "3", "--names", "10")


def check(*arguments):
    return cli.main(["service", "check", *FEW, *arguments])


def test_the_table_has_every_service_and_fits_a_terminal(capsys):
    assert cli.main(["service", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    for one in registry.OFFERS.values():
        (line,) = [line for line in lines if line.startswith(one.example + " ")]
        assert line.endswith("installed")


def test_what_is_missing_is_said_with_its_cure(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dropbox", None)
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setattr(registry.shutil, "which", lambda program: None)
    assert cli.main(["service", "list"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("dropbox:")]
    assert line.endswith("missing")
    assert "pip install 'passive-paxos[az,dropbox,gs,s3]'" in out
    assert "the program git" in out


def test_a_list_that_keeps_its_word_is_not_refuted_and_never_said_to_be_right(capsys):
    assert check("memory:here") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(PROMISES.values())
    assert all(": not refuted in " in line or line.endswith(": not tried") for line in lines)
    assert sum(": not refuted in " in line for line in lines) > 10
    assert "paxos: race\n" in err


@pytest.mark.parametrize("names", [20, pytest.param(200, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("url", ["memory:", "file://{}/list", "sqlite://{}/list.db"])
def test_our_own_lists_are_not_refuted(url, names, tmp_path):
    count = 4 if names == 20 else 8
    report = conformance.examine(url.format(tmp_path), processes=count, names=names)
    assert {name: report.verdicts[name].evidence[:3] for name in report.refuted} == {}
    assert not report.cut and not report.errors
    for name in set(PROMISES) - {"once"}:  # in memory nothing is ever on its way
        assert report.verdicts[name].tries, name


def test_an_append_that_vanishes_is_refuted_with_evidence(monkeypatch, capsys):
    append = Memory.append

    async def forgets(self, entry, at=None):
        position = await append(self, entry, at)
        if position == 9:
            self.things.pop()
        return position

    monkeypatch.setattr(Memory, "append", forgets)
    assert check("memory:here") == 1
    out = capsys.readouterr().out
    assert f"{PROMISES['stays']}: refuted (" in out or f"{PROMISES['winner']}: refuted (" in out


def test_errors_are_told_with_their_author_and_are_no_proof(monkeypatch, capsys):
    async def fails(self, entry, at=None):
        raise ServiceError("no room", "service", retry=True)

    monkeypatch.setattr(Memory, "append", fails)
    assert check("memory:here", "--timeout", "3") == 2
    out, err = capsys.readouterr()
    assert "by fault of the service, a retry may help: no room" in out
    assert "no append was acknowledged" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing:/there"], "no service is called"),
        (["file://host/path"], "names another machine"),
        (["memory:x", "--names", "0"], "a name"),
        (["memory:x", "--processes", "1"], "two processes"),
        (["memory:x", "--timeout", "0"], "some seconds"),
        (["memory:x", "--report", "/no/such/folder/file"], "cannot write"),
        (["memory:x", "--report", "."], "cannot write"),
    ],
)
def test_a_mistake_of_the_caller_exits_with_two(arguments, said, capsys):
    assert cli.main(["service", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_report_does_not_name_the_place(tmp_path, capsys):
    place, file = tmp_path / "secretive", tmp_path / "report.md"
    assert check(f"file://{place}", "--report", str(file)) == 0
    text = file.read_text()
    assert text.startswith("# `file:` on 20")
    assert "secretive" not in text and str(tmp_path) not in text
    for said in ("Python", "p50 in ms", "| append, alone | ", "| fetch | ", *PROMISES.values()):
        assert said in text
    assert not list(place.iterdir())  # what was tried is removed


def test_a_report_does_not_repeat_what_an_error_says(tmp_path):
    errors = {("denied to https://me:secret@host", "credentials", False): 3}
    report = conformance.Report("s3", "s3://mine/check", False, 8, 200)
    report.errors.update(errors)
    text = storing.markdown(report)
    assert "| 3 | credentials | does not help |" in text
    assert "secret" not in text and "mine" not in text


def test_make_live_asks_for_a_url():
    its = {key: value for key, value in os.environ.items() if key not in ("URL", "MAKEFLAGS")}
    done = subprocess.run(["make", "live"], cwd=ROOT, env=its, capture_output=True, text=True)
    assert done.returncode == 2
    assert "make live URL=" in done.stderr
