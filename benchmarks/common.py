"""What the benchmarks share: the machine, the date, tables, and how to measure a command."""

import datetime
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


class Skipped(Exception):
    """Something is not here, so there is nothing to measure: says what, and the cure."""


def machine() -> dict[str, object]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def rows(header: Sequence[str], *body: Iterable[object]) -> list[str]:
    """A table in Markdown, line by line: the first column to the left, the others to the right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *body]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def write(name: str, table: list[str], results: dict[str, Any], **more: object) -> None:
    """Show a result, and put it where the pages read it, with the machine and the day.

    `page` is what a page shows, line by line: where it was measured, what was not, the table.
    """
    here, day = machine(), datetime.datetime.now(datetime.UTC).date().isoformat()
    where = "Measured on {day}: {cpu}, {cores} cores, {system}, Python {python}."
    skipped = [
        f"* {who} was skipped: {its['skipped']}"
        for who, its in results.items()
        if isinstance(its, dict) and "skipped" in its
    ]
    page = [where.format(day=day, **here), "", *skipped, "", *table]
    print("\n".join(page))
    result = {"date": day, "machine": here, **more, "results": results, "page": page}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, "utf-8")


@dataclass(frozen=True)
class Reading:
    """What commands took, one after the other, each in a new process."""

    wall: float  # seconds on the clock
    cpu: float  # seconds of all cores together
    megabytes: float  # the most that one of their processes had in memory
    each: tuple[float, ...]  # the seconds on the clock of each command
    said: str


def measure(commands: Iterable[Sequence[str]], folder: Path) -> Reading:
    """Run commands in a folder. Raises RuntimeError if one fails."""
    cpu, most, each, said = 0.0, 0, [], ""
    for command in commands:
        with tempfile.TemporaryFile() as output:
            started = time.perf_counter()
            process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
            each.append(time.perf_counter() - started)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said += output.read().decode(errors="replace")
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} gave {process.returncode}:\n{said}")
        cpu += used.ru_utime + used.ru_stime
        most = max(most, used.ru_maxrss)
    return Reading(sum(each), cpu, most / 1024, tuple(each), said)
