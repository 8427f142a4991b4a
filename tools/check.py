"""Every check of this repository, one after the other, with the time each took. All run even if one fails.

The end of the output is for a newcomer who broke a rule: it says which.
"""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON_FOLDERS = ["paxos", "tests", "tools", "benchmarks", "conf.py"]
TEXT = ["docs", "paxos", "tests", "tools", "benchmarks", "conf.py", "Makefile", "references.bib"]
# Single roles before what is made of them: the first to fail is the one to mend.
RULES = ["ballot", "quorum", "acceptor", "proposer", "learner", "static", "log", "machine"]
MOST = 12  # broken rules that are named at the end: they must stay on the screen
CHECKS: list[tuple[str, list[str], str]] = [
    ("format", ["ruff", "format", "--check", "--quiet", *PYTHON_FOLDERS], "cure: ruff format ."),
    ("lint", ["ruff", "check", "--quiet", *PYTHON_FOLDERS], "cure: often ruff check --fix ."),
    ("types", ["mypy", "--no-error-summary"], "cure: see the lines above"),
    ("spelling", ["codespell", *TEXT], "cure: mend the words, or name them in pyproject.toml"),
    (
        "tests",
        ["python", "-m", "pytest", "--tb=short", "--durations=5", "--durations-min=2"],
        "cure: see above",
    ),
]


def run(command: list[str]) -> tuple[bool, list[str]]:
    """Run a check; its output passes through, and the lines that tell something are kept."""
    program = str(BIN / command[0])
    said: list[bytes] = []
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert isinstance(process.stdout, io.BufferedReader)
        while piece := process.stdout.read1():  # not whole lines: a long row of dots is progress
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
            said.append(piece)
    lines = b"".join(said).decode(errors="replace").splitlines()
    return process.returncode == 0, [line.strip() for line in lines if line.strip()]


def broken_rules(said: list[str]) -> list[str]:
    """The failed tests of the rules, file by file: their names are sentences."""
    failed = [re.match(r"FAILED tests/test_(\w+)\.py::test_(\w+)", line) for line in said]
    found = [(it[1], it[2].replace("_", " ")) for it in failed if it and it[1] in RULES]
    found.sort(key=lambda rule: RULES.index(rule[0]))
    return [f"{rule}: {sentence}" for rule, sentence in dict.fromkeys(found)]


def main() -> int:
    os.environ["PATH"] = str(BIN) + os.pathsep + os.environ.get("PATH", "")
    os.environ["PYTHONPATH"] = str(ROOT)
    rows, failed, said = [], 0, [""]
    for name, command, cure in CHECKS:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        good, said = run(command)
        seconds = time.monotonic() - started
        failed += not good
        rows.append(f"{name:<10} {seconds:7.1f} s   {'passed' if good else 'FAILED   ' + cure}")
    print("\n" + "\n".join([*rows, *said[-1:]]))  # the tests come last
    if broken := broken_rules(said):
        print("\nRules that no longer hold; mend these first, the rest may follow:")
        print("\n".join(f"  {rule}" for rule in broken[:MOST]))
        print(f"  and {len(broken) - MOST} more\n" * (len(broken) > MOST), end="")
        print(
            "To see one alone: .venv/bin/python -m pytest tests/test_"
            + broken[0].split(":")[0]
            + ".py"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
