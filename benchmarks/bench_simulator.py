"""Decisions a second: three nodes that start afresh, both phases, until all three have learned.

    python benchmarks/bench_simulator.py

Our simulator keeps a record of all that happens. The libraries beside it keep none, so our bare
`step` functions are measured too, driven by the same kind of queue as theirs.

The libraries are looked for in this Python, or where PEERS says. Install them apart, because one
of them is imported by the name of our own package:

    pip install --no-deps --target FOLDER essential-paxos composable-paxos
    PEERS=FOLDER python benchmarks/bench_simulator.py
"""

import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from importlib import metadata
from statistics import median
from types import ModuleType
from typing import Any

import common

from paxos.drivers.simulator import simulate
from paxos.outcome import final
from paxos.protocol import acceptor, learner, proposer
from paxos.protocol.events import Answer, Propose, Send
from paxos.protocol.quorum import majority

NODES = ("a", "b", "c")
ROUNDS, SECONDS = 5, 1.0
CURE = "pip install --no-deps --target FOLDER {}, then PEERS=FOLDER make bench"
PATCH = "comparisons with None written out, as Python 2 ordered them"
Decide = Callable[[str], int]  # decides on a value, and tells how many messages that took


# Ours.


def in_the_simulator(value: str) -> int:
    """The whole driver: virtual time, latencies by chance, timers, and a record of each step."""
    trace = simulate(seed=int(value), proposers=1, learners=3)
    return sum(len(step.sent) for step in trace.steps())


def all_learn(seed: int) -> bool:
    """Does everybody know in the end? Asked apart, so that it costs the measured run nothing."""
    trace = simulate(seed=seed, proposers=1, learners=3)
    nodes, who = final(trace), [*trace.of("proposer"), *trace.of("learner")]
    told = [nodes[name] for name in who]
    return len(told) == 4 and all(
        node.phase == "done" if isinstance(node, proposer.Proposer) else node.chosen
        for node in told
    )


def by_bare_steps(value: str) -> int:
    """The same rules, a queue, and nothing else. Messages of one node to itself count as well."""
    quorums = majority(len(NODES))
    state: dict[tuple[str, str], Any] = {}
    for name in NODES:
        state["proposer", name] = proposer.Proposer(name, quorums)
        state["acceptor", name] = acceptor.Acceptor()
        state["learner", name] = learner.Learner(quorums)
    steps: Any = {"proposer": proposer.step, "acceptor": acceptor.step, "learner": learner.step}
    queue = deque[Any]([("proposer", "a", "", Propose(value))])
    count = -1  # the wish is no message
    while queue:
        role, name, sender, event = queue.popleft()
        count += 1
        state[role, name], effects = steps[role](state[role, name], event)
        for effect in effects:
            if not isinstance(effect, Send):
                continue
            if effect.to == "acceptors":
                queue.extend(("acceptor", node, name, effect.message) for node in NODES)
            elif effect.to == "learners":
                news = Answer(name, effect.message)
                queue.extend(("learner", node, name, news) for node in NODES)
            else:
                queue.append(("proposer", sender, name, Answer(name, effect.message)))
    assert all(state["learner", name].chosen.value == value for name in NODES)
    return count


# The libraries.


def find(name: str, file: str, folder: str) -> tuple[str, str]:
    """The version of an installed library, and the source of its one file that matters."""
    path = [folder] if folder else sys.path
    for found in metadata.distributions(name=name, path=path):
        return found.version, found.locate_file(file).read_text(encoding="utf-8")
    raise common.Skipped(f"not installed; cure: {CURE.format(name)}")


def load(source: str) -> ModuleType:
    module = ModuleType("peer")
    exec(source, module.__dict__)
    return module


def patched(source: str) -> str:
    """In Python 2 None was lower than everything; Python 3 refuses to compare it."""
    last = r"(self\.promised_id|self\.last_accepted_id|self\.highest_accepted_id|last_pn)"
    source = re.sub(
        rf"([\w.]+) (>=?) {last}\b", r"(\1 is not None and (\3 is None or \1 \2 \3))", source
    )
    return re.sub(rf"([\w.]+) <= {last}\b", r"(\2 is not None and \1 <= \2)", source)


def essential(library: ModuleType) -> Decide:
    """essential-paxos: nodes call a messenger of ours, which puts what they say into a queue."""

    class Node(library.Proposer, library.Acceptor, library.Learner):  # type: ignore
        quorum_size = 2

        def __init__(self, name: str, queue: deque[Any]) -> None:
            self.proposer_uid, self.queue, self.messenger = name, queue, self

        def send_prepare(self, ballot: Any) -> None:
            self.queue.extend((node, "recv_prepare", self.proposer_uid, ballot) for node in NODES)

        def send_promise(self, to: str, *promise: Any) -> None:
            self.queue.append((to, "recv_promise", self.proposer_uid, *promise))

        def send_accept(self, *vote: Any) -> None:
            name = self.proposer_uid
            self.queue.extend((node, "recv_accept_request", name, *vote) for node in NODES)

        def send_accepted(self, *vote: Any) -> None:
            name = self.proposer_uid
            self.queue.extend((node, "recv_accepted", name, *vote) for node in NODES)

        def on_resolution(self, ballot: Any, value: Any) -> None:
            pass

    def decide(value: str) -> int:
        queue, count = deque[Any](), 0
        nodes = {name: Node(name, queue) for name in NODES}
        nodes["a"].set_proposal(value)
        nodes["a"].prepare()
        while queue:
            to, what, *content = queue.popleft()
            count += 1
            getattr(nodes[to], what)(*content)
        assert all(node.final_value == value for node in nodes.values())
        return count

    return decide


def composable(library: ModuleType) -> Decide:
    """composable-paxos: each message received returns the message to send."""

    def decide(value: str) -> int:
        nodes = {name: library.PaxosInstance(name, 2) for name in NODES}
        nodes["a"].propose_value(value)
        ask, count = nodes["a"].prepare(), 0
        queue = deque([(name, ask) for name in NODES])
        while queue:
            to, message = queue.popleft()
            count += 1
            answer = nodes[to].receive(message)
            if isinstance(answer, library.Promise):
                queue.append((answer.proposer_uid, answer))
            elif isinstance(answer, library.Accept | library.Accepted):
                queue.extend((name, answer) for name in NODES)
        assert all(node.final_value == value for node in nodes.values())
        return count

    return decide


PEERS = {
    "essential-paxos": ("paxos/essential.py", essential),
    "composable-paxos": ("composable_paxos.py", composable),
}


def peer(name: str, folder: str) -> tuple[dict[str, str], Decide]:
    """A library, ready to decide: as it is, or patched where it fails, which the result says."""
    file, driver = PEERS[name]
    version, source = find(name, file, folder)
    try:
        decide = driver(load(source))
        decide("0")
        return {"version": version}, decide
    except TypeError as error:
        said = {"version": version, "as shipped": f"TypeError: {error}", "patched": PATCH}
    decide = driver(load(patched(source)))
    decide("0")
    return said, decide


# The measurement.


def rate(decide: Decide) -> float:
    """Decisions a second, over about a second."""
    started, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < SECONDS:
        for _ in range(20):
            decide(str(done))
            done += 1
    return done / spent


def contenders(folder: str) -> tuple[dict[str, dict[str, Any]], dict[str, Decide]]:
    results: dict[str, dict[str, Any]] = {"simulator": {}, "bare steps": {}}
    ready: dict[str, Decide] = {"simulator": in_the_simulator, "bare steps": by_bare_steps}
    for name in PEERS:
        try:
            results[name], ready[name] = peer(name, folder)
        except common.Skipped as reason:
            results[name] = {"skipped": str(reason)}
    return results, ready


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    ours = {
        "simulator": "ours: `simulate`, with its trace",
        "bare steps": "ours: the bare `step` functions",
    }
    body = []
    for name, one in results.items():
        title = " ".join([ours.get(name, name), one.get("version", "")]).strip()
        title += " (patched)" if "patched" in one else ""
        numbers = (f"{one['decisions_per_second']:,}", one["messages_per_decision"])
        body.append((title, *numbers) if "skipped" not in one else (title, "skipped", ""))
    return common.rows(("program", "decisions a second", "messages for each"), *body)


def main() -> None:
    assert all(map(all_learn, range(100)))
    results, ready = contenders(os.environ.get("PEERS", ""))
    rates: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits all
        for name, decide in ready.items():
            rates[name].append(rate(decide))
    for name, decide in ready.items():
        # The best, as in the other benchmarks: the rest of the machine can only have slowed us.
        results[name]["decisions_per_second"] = round(max(rates[name]))
        results[name]["median"] = round(median(rates[name]))
        results[name]["messages_per_decision"] = decide("0")
    common.write("simulator", table(results), results, rounds=ROUNDS)


if __name__ == "__main__":
    main()
