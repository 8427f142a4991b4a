"""An oracle: Lamport's Voting, the level above Paxos, where acceptors vote and nothing is sent.

It has no `step` and shares nothing with the package: acceptors raise their ballot, and vote where a
quorum shows that it is safe. From the module `Voting` of "How to Win a Turing Award" (Lamport), in
our own words. TLC records 599 states (77 up to renaming), depth 11, for 3 acceptors, 2 values and 2
ballots, and 6,752 states, depth 16, for 3 ballots.
"""

from itertools import combinations, permutations

NONE = -1


def explore(acceptors=3, values=2, ballots=2, symmetry=True):
    """Every state, breadth first: {"states", "classes", "depth", "levels", "agreement"}."""
    first = tuple((NONE, frozenset()) for _ in range(acceptors))  # (highest ballot, votes) each
    found, front, levels, agreement = {canonical(first, values)}, [first], [], True
    everything = {first}
    while front:
        levels.append(len(front))
        following = []
        for state in front:
            agreement = agreement and len(chosen(state)) <= 1
            for new in successors(state, values, ballots):
                found.add(canonical(new, values))
                if new not in everything:
                    everything.add(new)
                    following.append(new)
        front = following
    return {
        "states": len(everything),
        "classes": len(found) if symmetry else len(everything),
        "depth": len(levels),
        "levels": levels,
        "agreement": agreement,
    }


def quorums(state):
    return combinations(range(len(state)), len(state) // 2 + 1)


def successors(state, values, ballots):
    for a, (highest, votes) in enumerate(state):
        for ballot in range(highest + 1, ballots):
            yield (*state[:a], (ballot, votes), *state[a + 1 :])
        for ballot in range(max(highest, 0), ballots):
            for value in range(values):
                if may_vote(state, a, ballot, value):
                    mine = (ballot, votes | {(ballot, value)})
                    yield (*state[:a], mine, *state[a + 1 :])


def may_vote(state, a, ballot, value):
    """Once in a ballot, for the value that others voted for in it, and only if that is safe."""
    if any(b == ballot for b, _ in state[a][1]):
        return False
    if any(b == ballot and v != value for _, votes in state for b, v in votes):
        return False
    return any(shows_safe(state, quorum, ballot, value) for quorum in quorums(state))


def shows_safe(state, quorum, ballot, value):
    """Can nothing but this value ever be chosen below this ballot, as these acceptors show?"""
    if any(state[a][0] < ballot for a in quorum):
        return False
    cast = {vote for a in quorum for vote in state[a][1] if vote[0] < ballot}
    last = max((b for b, _ in cast), default=NONE)
    return last == NONE or (last, value) in cast


def chosen(state):
    """The values for which some quorum voted in one ballot."""
    cast = {vote for _, votes in state for vote in votes}
    return {
        vote[1]
        for vote in cast
        for quorum in quorums(state)
        if all(vote in state[a][1] for a in quorum)
    }


def canonical(state, values):
    """One form for all states that differ only by the names of acceptors and values."""
    forms = (
        sorted((highest, sorted((b, names[v]) for b, v in votes)) for highest, votes in state)
        for names in permutations(range(values))
    )
    return repr(min(forms))
