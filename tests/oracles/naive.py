"""An oracle: a world of nodes enumerated without any table, symmetry or short cut.

`look` finds every state and the shortest way to a violation; `follow` takes a run step by step. They
share nothing with the search but what a world is.
"""

from collections import deque

from paxos.drivers.nodes import BEYOND


class TooLarge(Exception):
    """More states than are worth enumerating."""


def look(world, cap):
    """{"states", "depth", "steps" and "effects" to the nearest violation or None, "reached"}."""
    names = list(world.nodes)
    first = (tuple((world.nodes[name].state, frozenset(), frozenset()) for name in names), 0)
    depth, queue, edges, steps, reached = {first: 1}, deque([first]), {}, None, set()
    if bad(world, names, first):
        steps = 0
    while queue:
        state = queue.popleft()
        record = on_record(names, state)
        reached |= {name for name, holds in world.sometimes.items() if holds(record)}
        edges[state] = list(successors(world, names, state))
        for new, _, broken in edges[state]:
            if new not in depth:
                depth[new] = depth[state] + 1
                queue.append(new)
                if len(depth) > cap:
                    raise TooLarge
            if steps is None and (broken or bad(world, names, new)):
                steps = depth[state]
    return {
        "states": len(depth),
        "depth": max(depth.values()),
        "steps": steps,
        "effects": fewest(world, names, first, edges) if steps is not None else None,
        "reached": reached,
    }


def fewest(world, names, first, edges):
    """The fewest steps with an effect that lead to a violation; one that breaks a rule has one."""
    far, queue, best = {first: 0}, deque([first]), 0 if bad(world, names, first) else None
    while queue:
        state = queue.popleft()
        for new, cost, broken in edges[state]:
            length = far[state] + (cost or bool(broken))
            if broken or bad(world, names, new):
                best = length if best is None else min(best, length)
            if length < far.get(new, length + 1):
                far[new] = length
                (queue.append if cost else queue.appendleft)(new)
    return best


def successors(world, names, state):
    """(state after, 1 if the step has an effect, step invariants broken)."""
    columns, crashes = state
    for i, name in enumerate(names):
        node, now = world.nodes[name], columns[i][0]
        events = [
            (other, message)
            for other in (names if node.hears is None else node.hears)
            for to, message in columns[names.index(other)][1]
            if to in (name, node.address or name)
        ]
        events += [("", one) for one in node.alone(now)]
        for event in events:
            if (result := node.step(now, event)) is not BEYOND:
                after, effects = result
                broken = [rule for rule, holds in node.kept.items() if not holds(now, after)]
                yield grown(state, i, after, effects, 0), int(bool(effects)), broken
        for event in [None, *events] if crashes < world.crashes else []:
            for _, after, effects in node.crashes(now, event):
                new = grown(state, i, after, effects, 1)
                if new[0] != columns:
                    yield new, 1, []


def grown(state, i, after, effects, crash):
    (columns, crashes), sent = (
        state,
        {one for one in effects if isinstance(one, tuple) and len(one) == 2},
    )
    _, before, said = columns[i]
    mine = (after, before | sent, said | ({*effects} - sent))
    return (*columns[:i], mine, *columns[i + 1 :]), crashes + crash


def on_record(names, state):
    return {name: column[2] for name, column in zip(names, state[0], strict=True)}


def bad(world, names, state):
    record = on_record(names, state)
    return [name for name, holds in world.always.items() if not holds(record)]


def follow(world, run):
    """(what is broken at the end, steps with an effect); AssertionError for what is no run."""
    names = list(world.nodes)
    state = (tuple((world.nodes[name].state, frozenset(), frozenset()) for name in names), 0)
    broken, effectful = bad(world, names, state), 0
    for name, event, done in run:
        assert not broken, "the run goes on after its violation"
        i, node = names.index(name), world.nodes[name]
        now = state[0][i][0]
        if event and event[0]:
            mine = (name, node.address or name)
            sent = state[0][names.index(event[0])][1]
            assert any((to, event[1]) in sent for to in mine), "never sent"
        elif event:
            assert event[1] in list(node.alone(now)), "not of its own accord"
        if done is None:
            after, effects = node.step(now, event)
            broken = [rule for rule, holds in node.kept.items() if not holds(now, after)]
        else:
            after, effects = next(one[1:] for one in node.crashes(now, event) if one[0] == done)
            broken = []
        effectful += bool(effects or broken) or done is not None
        state = grown(state, i, after, effects, int(done is not None))
        broken += bad(world, names, state)
    assert state[1] <= world.crashes, "too many crashes"
    return broken, effectful
