"""The benchmark of real folders: all programs in it decide. No test looks at a time."""

import json
import subprocess
import sys

import pytest
from books import ROOT

FOLDER = ROOT / "benchmarks"
RESULT = FOLDER / "results" / "disk.json"
PROGRAMS = {"disk", "log", "one", "link", "lock", "sqlite", "write"}


def run(code, tmp_path):
    command = [sys.executable, "-c", f"import json, bench_disk\n{code}"]
    done = subprocess.run(
        command, cwd=FOLDER, env={"FOLDER": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_program_decides_alone_and_at_once(tmp_path):
    said = run("print(json.dumps(bench_disk.measure(1, alone=2, at_once=2)))", tmp_path)
    results = json.loads(said)
    assert set(results) == PROGRAMS
    assert all(one["alone"] > 0 and one["at_once"] > 0 for one in results.values())
    assert list(tmp_path.iterdir()) == []


def test_who_is_told_something_else_is_an_error_not_a_result(tmp_path):
    """What each process wants is what it is told: no decision at all."""
    said = run(
        """
make = lambda *_: lambda which, name, value: value
try:
    bench_disk.rate(make, bench_disk.CROWD, 1)
except RuntimeError as error:
    print(error)""",
        tmp_path,
    )
    assert "two were told different things" in said


def test_what_was_written_down_is_of_every_program():
    if not RESULT.exists():
        pytest.skip("disk.json is not written yet: make bench")
    results = json.loads(RESULT.read_text("utf-8"))["results"]
    assert set(results) == PROGRAMS
    assert all(one["alone"] and one["at_once"] for one in results.values())
