"""The benchmarks: what they wrote down is complete, and what is missing is named, never invented.

No test looks at a time.
"""

import importlib
import json
import re
import sys
from types import ModuleType

import pytest
from books import ROOT

FOLDER = ROOT / "benchmarks"
WRITTEN = sorted((FOLDER / "results").glob("*.json"))
SIZES = {"3921": {3921, 443, 857}, "185369": {185369, 17153, 34113}}  # the others: up to names


@pytest.fixture
def benchmark(monkeypatch):
    """Import a script of that folder, and forget it afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    known = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def results(name):
    path = FOLDER / "results" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not written yet: make bench")
    return json.loads(path.read_text("utf-8"))["results"]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_result_says_when_and_where_it_was_measured(path):
    result = json.loads(path.read_text("utf-8"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", result["date"])
    assert set(result["machine"]) == {"cpu", "cores", "system", "python"}
    assert all(result["machine"].values())
    assert result["date"] in result["page"][0]
    assert result["machine"]["cpu"] in result["page"][0]


@pytest.mark.parametrize("name", ["checker", "simulator"])
def test_who_is_compared_has_numbers_or_a_reason(name):
    for one in results(name).values():
        if "skipped" in one:
            assert "cure: " in one["skipped"]
        elif name == "checker":
            assert all(one[size]["seconds"] and one[size]["megabytes"] for size in SIZES)
        else:
            assert one["decisions_per_second"] and one["messages_per_decision"] >= 18


def test_every_checker_counted_the_same_world():
    for name, one in results("checker").items():
        for size, fine in SIZES.items():
            if size in one:
                exact = fine if "symmetry" in name else {int(size)}
                assert one[size]["states"] in exact


def test_a_checker_that_is_not_here_is_skipped_with_the_cure(benchmark, monkeypatch):
    checker = benchmark("bench_checker")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("TLA2TOOLS", raising=False)
    peers = {name: one for name, one in checker.PROGRAMS.items() if not name.startswith("paxos")}
    found = checker.compare(peers, rounds=1)
    assert set(found) == {"spin", "tlc", "tlc, all cores", "tlc, symmetry"}
    assert all("cure: " in one["skipped"] and len(one) == 1 for one in found.values())


def test_a_wrong_count_is_an_error(benchmark):
    checker = benchmark("bench_checker")
    lie = [sys.executable, "-c", "print(12)"]
    liar = checker.Program("liar", lambda world, folder: [lie], int)
    with pytest.raises(RuntimeError, match="liar found 12 states"):
        checker.once(liar, checker.WORLDS[0])


def test_what_is_read_from_the_checkers(benchmark):
    checker = benchmark("bench_checker")
    spin = "State-vector 44 byte, depth reached 24, errors: {}\n   185369 states, stored\n"
    assert checker.spin_counted(spin.format(0)) == 185369
    assert checker.spin_counted(spin.format(1)) == -1
    tlc = "{}\n9 states generated, 7 distinct states found, {} states left on queue.\n"
    clean = "Model checking completed. No error has been found."
    assert checker.tlc_counted(tlc.format(clean, 0)) == 7
    assert checker.tlc_counted(tlc.format(clean, 1)) == -1
    assert checker.tlc_counted(tlc.format("Invariant Agreement is violated.", 0)) == -1
    assert checker.paxos_counted('{"verdict": "safe", "states": 7}') == 7
    assert checker.paxos_counted('{"verdict": "unsafe", "states": 7}') == -1


def test_a_library_that_is_not_here_is_skipped_with_the_cure(benchmark, tmp_path):
    simulator = benchmark("bench_simulator")
    found, ready = simulator.contenders(str(tmp_path))
    assert set(ready) == {"simulator", "bare steps"}
    assert all("cure: " in found[name]["skipped"] for name in simulator.PEERS)


def test_what_ours_is_measured_on(benchmark):
    simulator = benchmark("bench_simulator")
    assert simulator.by_bare_steps("x") == simulator.in_the_simulator("0") == 21
    assert all(map(simulator.all_learn, range(10)))


def test_the_patch_orders_none_as_python_2_did(benchmark):
    simulator = benchmark("bench_simulator")
    source = "def older(a, last_pn):\n    return a > last_pn, a <= last_pn\n"
    module = simulator.load(simulator.patched(source))
    assert isinstance(module, ModuleType)
    assert module.older(1, None) == (True, False)
    assert module.older(None, None)[0] is False
    assert module.older(1, 2) == (False, True)
