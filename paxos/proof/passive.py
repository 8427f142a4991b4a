"""Passive Paxos for any number of lists, entries, ballots, values and quorums: moves and invariant.

The text of `static` with lists in the place of acceptors: `a` is a list, `i` and `j` are places in
it. A list only grows at its end. Nobody answers: whoever leads a ballot reads the list up to its
own entry, and folds the acceptor's rule over what it read. Two relations are of the proof and of
nobody's memory: what a list has `left`, and what it `voted` for.

The fold accepts an entry unless it has seen a higher ballot (for a promise: an equal one), whether
or not it accepted that one: a refused entry is never the highest.
"""

from . import static
from .model import Action, Model, Reading, Thing, Truth, few
from .static import (
    asked_first,
    choosable,
    closed,
    honest,
    one_value,
    order,
    prepare,
    propose,
    quorums,
    told_truth,
)

RELATIONS = {  # what each is about, and how to say that it holds
    "asked": ("b", "ballot {b} was prepared"),
    "wished": ("v", "somebody wants {v}"),
    "prepares": ("aib", "in {a}, entry {i} prepares ballot {b}"),
    "left": ("ab", "{a} has left ballot {b}"),
    "promised": ("abcv", "ballot {b} read its promise in {a}, with the vote for {v} in ballot {c}"),
    "proposed": ("bv", "ballot {b} asked for votes for {v}"),
    "accepts": ("aibv", "in {a}, entry {i} asks for votes for {v} in ballot {b}"),
    "voted": ("abv", "{a} voted for {v} in ballot {b}"),
    "decided": ("bv", "somebody was told that {v} is chosen, in ballot {b}"),
}

MISTAKES = {  # what can be left out of the guards: `paxos prove passive --without RULE`
    "count every vote": "whoever reads a list counts entries that its fold refuses",
    "own entry not read": "a client believes a list that does not show the client's own entry",
    "insert anywhere": "an entry gets a place before others that were there",
    **static.MISTAKES,
}
del MISTAKES["accept ignores the promise"]  # here: to count every vote


# What the world is like.


def places(w: Reading) -> Truth:
    """Any two places in a list can be compared."""
    return (
        w.every(lambda i: w.no(w.below(i, i)))
        & w.every(lambda i, j: w.same(i, j) | w.below(i, j) | w.below(j, i))
        & w.every(lambda i, j, k: w.implies(w.below(i, j) & w.below(j, k), w.below(i, k)))
    )


# What a list means to whoever reads it.


def stands(w: Reading, a: Thing, i: Thing, b: Thing) -> Truth:
    """The entry at i in list a is of ballot b."""
    return w.prepares(a, i, b) | w.some(lambda v: w.accepts(a, i, b, v))


def first(w: Reading, a: Thing, i: Thing, b: Thing) -> Truth:
    """Before i stands no ballot as high as b: there a fold promises b."""
    return w.every(lambda j, c: w.implies(w.below(j, i) & w.know(stands, a, j, c), w.below(c, b)))


def counts(w: Reading, a: Thing, i: Thing, b: Thing, v: Thing) -> Truth:
    """The entry at i asks for votes, and no higher ballot stands before it: a fold votes."""
    higher = w.some(lambda j, c: w.below(j, i) & w.below(b, c) & w.know(stands, a, j, c))
    return w.accepts(a, i, b, v) & w.unless("count every vote", w.no(higher))


def end(w: Reading, a: Thing, i: Thing) -> Truth:
    """Place i is behind all entries of list a."""
    behind = w.every(lambda j, b: w.implies(w.know(stands, a, j, b), w.below(j, i)))
    free = w.no(w.some(lambda b: w.know(stands, a, i, b)))
    return free & w.unless("insert anywhere", behind)


# What may happen: moves of `static`, and these.


def append(w: Reading, a: Thing, i: Thing, b: Thing) -> Truth:
    """1a: the question of ballot b gets into list a, sooner or later, once or more often."""
    return w.asked(b) & end(w, a, i)


def promise(w: Reading, a: Thing, i: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """1b: b reads list a up to its own entry i. The fold promises; its last vote: in c, for v."""

    def cast(c: Thing, v: Thing) -> Truth:
        return w.some(lambda j: w.below(j, i) & w.know(counts, a, j, c, v))

    own = w.unless("own entry not read", w.prepares(a, i, b))
    higher = w.some(lambda d, u: w.below(c, d) & cast(d, u))
    own &= w.below(c, b)
    return own & first(w, a, i, b) & (w.same(c, w.none) | cast(c, v)) & w.no(higher)


def vote(w: Reading, a: Thing, i: Thing, b: Thing, v: Thing) -> Truth:
    """2b: what ballot b asks for gets into list a, and counts."""
    higher = w.some(lambda j, c: w.below(b, c) & w.know(stands, a, j, c))
    counted = w.unless("count every vote", w.no(higher))
    return w.proposed(b, v) & end(w, a, i) & counted


def late(w: Reading, a: Thing, i: Thing, b: Thing, v: Thing) -> Truth:
    """What ballot b asks for gets into list a, and is refused: too late."""
    higher = w.some(lambda j, c: w.below(b, c) & w.know(stands, a, j, c))
    return w.proposed(b, v) & end(w, a, i) & higher


def decide(w: Reading, b: Thing, v: Thing, q: Thing) -> Truth:
    """Somebody reads the lists of a quorum q, and in each a fold votes for v in b."""
    return w.all_of(q, lambda a: w.some(lambda i: w.know(counts, a, i, b, v)))


ACTIONS = (  # `<b`: for every ballot below b
    Action(prepare, {"asked": "b", "wished": "v"}),
    Action(append, {"prepares": "aib", "left": ("a", "<b")}),
    Action(promise, {"promised": "abcv"}),
    Action(propose, {"proposed": "bv"}),
    Action(vote, {"accepts": "aibv", "voted": "abv", "left": ("a", "<b")}),
    Action(late, {"accepts": "aibv"}),
    Action(decide, {"decided": "bv"}),
)


# What is true at every moment: all that is true in `static`, and of lists:


def one_entry(w: Reading, a: Thing, i: Thing, b: Thing, c: Thing) -> Truth:
    """In one place stands one ballot."""
    return w.implies(stands(w, a, i, b) & stands(w, a, i, c), w.same(b, c))


def closing(w: Reading, a: Thing, i: Thing, b: Thing, c: Thing) -> Truth:
    """Whatever the entry, the list has left every lower ballot."""
    return w.implies(stands(w, a, i, b) & w.below(c, b), w.left(a, c))


def closed_by(w: Reading, a: Thing, b: Thing) -> Truth:
    """A list leaves a ballot by an entry of a higher one."""
    higher = w.some(lambda i, c: w.know(stands, a, i, c) & w.below(b, c))
    return w.implies(w.left(a, b), higher)


def counted(w: Reading, a: Thing, i: Thing, b: Thing, v: Thing) -> Truth:
    """What a fold counts is a vote of the list, whoever folds it, and when."""
    return w.implies(counts(w, a, i, b, v), w.voted(a, b, v))


def found(w: Reading, a: Thing, b: Thing, v: Thing) -> Truth:
    """A vote of the list is what a fold counts."""
    return w.implies(w.voted(a, b, v), w.some(lambda i: w.know(counts, a, i, b, v)))


INVARIANTS = (*static.INVARIANTS, one_entry, closing, closed_by, counted, found)

LEANS = {  # what the proof of each sentence leans on, besides itself; after a move, or after any
    "wanted": (order, quorums, honest, asked_first),
    "one_value": (),
    "asked_first": (),
    "closed": (closing,),
    "honest": (counted,),
    "complete": (closed, closed_by, found, one_entry, order, places),
    "told_truth": (counted,),
    "choosable": (),
    "choosable vote": (closed_by,),
    "choosable propose": (order, quorums, *static.INVARIANTS),
    "one_entry": (),
    "closing": (order,),
    "closed_by": (),
    "counted": (places,),
    "found": (places,),
    "agreement": (order, quorums, told_truth, choosable, asked_first, one_value),
}

MODEL = Model(
    scope="lists, entries, ballots and values",
    relations=RELATIONS,
    mistakes=MISTAKES,
    axioms=(order, quorums, places),
    actions=ACTIONS,
    invariants=INVARIANTS,
    safety=static.SAFETY,
    possible=(static.decision,),
    leans=LEANS,
    worlds=(
        few("l1", 1, 1, promise=["1"], vote=["1"]),
        few("l1", 2, 2, promise=["1"], vote=["1"]),
        few("l12", 1, 1, promise=["2"], vote=["1"]),
        few("l1", 2, 3, promise=["1"], vote=["1"]),
        few("l12", 3, 2, promise=["12"], vote=["1"]),
    ),
)
