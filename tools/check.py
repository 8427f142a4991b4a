"""Every check of this repository, one after the other, with the time each took. All run even if one fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON_FOLDERS = ["paxos", "tests", "tools", "benchmarks", "conf.py"]
TEXT = ["docs", "paxos", "tests", "tools", "benchmarks", "conf.py", "Makefile", "references.bib"]
CHECKS: list[tuple[str, list[str], str]] = [
    ("format", ["ruff", "format", "--check", "--quiet", *PYTHON_FOLDERS], "cure: ruff format ."),
    ("lint", ["ruff", "check", "--quiet", *PYTHON_FOLDERS], "cure: often ruff check --fix ."),
    ("types", ["mypy", "--no-error-summary"], "cure: see the lines above"),
    ("spelling", ["codespell", *TEXT], "cure: mend the words, or name them in pyproject.toml"),
    ("tests", ["python", "-m", "pytest", "--durations=5", "--durations-min=2"], "cure: see above"),
]


def run(command: list[str]) -> tuple[bool, str]:
    """Run a check; its output passes through, and the last line that tells something is kept."""
    program = str(BIN / command[0])
    last = ""
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode == 0, last


def main() -> int:
    os.environ["PATH"] = str(BIN) + os.pathsep + os.environ.get("PATH", "")
    os.environ["PYTHONPATH"] = str(ROOT)
    rows, failed, closing = [], 0, ""
    for name, command, cure in CHECKS:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        good, last = run(command)
        seconds = time.monotonic() - started
        failed += not good
        rows.append(f"{name:<10} {seconds:7.1f} s   {'passed' if good else 'FAILED   ' + cure}")
        closing = last if name == "tests" else closing
    print("\n" + "\n".join(rows))
    print(closing)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
