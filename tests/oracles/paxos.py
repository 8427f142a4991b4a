"""An oracle: the states of Lamport's Paxos, written from the published model and sharing no code.

Messages are a growing set. `explore` is as slow as it is plain; it is for small worlds.
"""

from itertools import combinations

NONE = -1


def explore(acceptors, values, ballots):
    """(distinct states, depth), by breadth first."""
    first = (((NONE, NONE, None),) * acceptors, frozenset())  # (maxBal, maxVBal, maxVal) each
    found, front, depth = {first}, [first], 0
    while front:
        depth += 1
        following = {new for state in front for new in steps(*state, values, ballots)} - found
        found |= following
        front = list(following)
    return len(found), depth


def steps(people, sent, values, ballots):
    for b in range(ballots):
        yield people, sent | {("1a", b)}
        if not any(one[:2] == ("2a", b) for one in sent):
            for v in range(values):
                if free(people, sent, b, v):
                    yield people, sent | {("2a", b, v)}
    for one in sent:
        for a, (promised, ballot, value) in enumerate(people):
            if one[0] == "1a" and one[1] > promised:
                now, said = (one[1], ballot, value), ("1b", a, one[1], ballot, value)
            elif one[0] == "2a" and one[1] >= promised:
                now, said = (one[1], one[1], one[2]), ("2b", a, one[1], one[2])
            else:
                continue
            yield (*people[:a], now, *people[a + 1 :]), sent | {said}


def free(people, sent, b, v):
    """Does some quorum's answers in ballot b leave value v free, or force it?"""
    answers = [one for one in sent if one[0] == "1b" and one[2] == b]
    for quorum in combinations(range(len(people)), len(people) // 2 + 1):
        mine = [one for one in answers if one[1] in quorum]
        if len(mine) == len(quorum):
            last = max(one[3] for one in mine)
            if last == NONE or any(one[3:] == (last, v) for one in mine):
                return True
    return False
