"""One long run, written down: when each service was away, who was killed when, and how the log grew.

    python benchmarks/bench_long_run.py [SEED]

It is the run of tests/test_long_run.py: the same checks, or there is no result.
"""

import sys
import tempfile
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "tests"))

from long_run import NAMES, Told, long_run


def results(run: Told) -> dict[str, object]:
    """What the page draws, to the millisecond: `outages.noted` takes the first four."""
    services = {name: [] for name in run.requests}
    for name, start, end in run.outages:
        services[name].append([round(start, 3), round(end, 3)])
    clients = {name: [] for name in NAMES}
    for name, start, end, killed in run.lives:
        clients[name].append([round(start, 3), round(end, 3), killed])
    assert run.found
    return {
        "took": round(run.took, 3),
        "services": services,
        "clients": clients,
        "decided_at": [one for one in run.decided if one <= run.took],
        "asked": run.entries,
        "decided": run.found.decided,
        "slots": run.slots,
        "requests": run.requests,
        "records": run.found.records,
        "killed": sum(killed for *_, killed in run.lives),
    }


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as home:
        found = results(long_run(Path(home), seed=seed, kills=16, limit=600))
    each = f"{sum(found['requests'].values()) / found['decided']:.1f}"
    counts = [found[name] for name in ("asked", "decided", "slots", "killed", "records")]
    row = [*(f"{one:,}" for one in counts), each, f"{found['took']:.0f}"]
    header = ("entries asked for", "decided", "in slots", "kills", "records verified")
    header = (*header, "requests for each entry", "seconds")
    common.write("long_run", common.rows(header, row), found, seed=seed)


if __name__ == "__main__":
    main()
