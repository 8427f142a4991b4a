"""The third step of the README works as it is written."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from paxos.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(language: str, folder: Path) -> str:
    """The one block of code in this language, in a folder of its own."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert "/tmp/" in found
    return found.replace("/tmp/", f"{folder}/")


def test_the_python_lines_and_the_commands_share_a_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("paxos.demo.PAUSE", 0.05)
    code = block("python", tmp_path)
    script = [sys.executable, "-W", "error", "-c", code]
    out = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    assert out == "0 laptop book saturday Ann\n"
    told = []
    for line in block("sh", tmp_path).splitlines():
        words = shlex.split(line, comments=True)
        if words[0] != "paxos":
            subprocess.run(words, check=True)
            continue
        words += ["--seconds", "1.5"] if "demo" in words else []
        words += ["--name", "phone"] if "log" in words else []
        assert main(words[1:]) == 0
        told.append(capsys.readouterr().out)
    append, read, status, demo, create, decide = told
    assert append == "1\n"
    assert read == "laptop\tbook saturday Ann\nphone\tbook sunday Ben\n"
    assert status.count(" yes ") == 2 and status.count(" no ") == 1
    assert "is gone; 2 of 3 answer" in demo and "the same for both" in demo
    assert "3 disks" in create and decide == "Ann\n"


@pytest.mark.parametrize(
    "line",
    [one for one in re.findall(r"^    paxos (.*)$", README, re.MULTILINE) if "prove" not in one],
)
def test_a_command_of_the_second_step_is_understood(line):
    from paxos.cli import parser

    assert parser().parse_args(shlex.split(line, comments=True))
