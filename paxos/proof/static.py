"""Static Paxos for any number of acceptors, ballots, values and quorums: moves and invariant.

In the relational form of "Paxos Made EPR" (Padon and others 2017), in an encoding of our
own. What was ever said or done is a relation, and nothing is ever taken back. Names say what they
range over: `a` acceptors; `b`, `c`, `d` ballots; `u`, `v` values; `p` quorums of phase 1, `q` of
phase 2.
"""

from .model import Action, Model, Reading, Thing, Truth, few

RELATIONS = {  # what each is about, and how to say that it holds
    "asked": ("b", "ballot {b} was prepared"),
    "wished": ("v", "somebody wants {v}"),
    "promised": ("abcv", "{a} promised ballot {b}, and reported its vote for {v} in ballot {c}"),
    "left": ("ab", "{a} has left ballot {b}"),
    "proposed": ("bv", "ballot {b} asked for votes for {v}"),
    "voted": ("abv", "{a} voted for {v} in ballot {b}"),
    "decided": ("bv", "somebody was told that {v} is chosen, in ballot {b}"),
}

MISTAKES = {  # what can be left out of the guards: `paxos prove static --without RULE`
    "accept ignores the promise": "an acceptor votes in a ballot that it has left",
    "adopt any vote": "of the votes that it hears of, a proposer adopts any one",
    "adopt no vote": "a proposer asks for its own wish, whatever it hears of",
    "two values in one ballot": "a ballot asks for votes twice",
    "quorums that do not meet": "those that promised may know nothing of those that voted",
}


# What the world is like.


def order(w: Reading) -> Truth:
    """Any two ballots can be compared, and none is below all of them."""
    return (
        w.every(lambda b: w.no(w.below(b, b)) & w.no(w.below(b, w.none)))
        & w.every(lambda b, c: w.same(b, c) | w.below(b, c) | w.below(c, b))
        & w.every(lambda b, c, d: w.implies(w.below(b, c) & w.below(c, d), w.below(b, d)))
    )


def quorums(w: Reading) -> Truth:
    """Every quorum of phase 1 meets every quorum of phase 2 (Howard and others 2016)."""
    meet = w.every(lambda p, q: w.one_of(p, lambda a: w.member(a, q)))
    first = w.every(lambda p: w.one_of(p, lambda a: w.member(a, p)))  # not empty
    second = w.every(lambda q: w.one_of(q, lambda a: w.member(a, q)))
    return w.unless("quorums that do not meet", meet) & first & second


# What may happen, as guards; what each adds to the relations stands in ACTIONS below.


def prepare(w: Reading, b: Thing, v: Thing) -> Truth:
    """1a: a proposer that wants v prepares ballot b."""
    return w.no(w.same(b, w.none))


def leave(w: Reading, a: Thing, b: Thing) -> Truth:
    """An acceptor saves a promise, and crashes before it can say so."""
    return w.asked(b)


def promise(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """1b: a promises b, and reports its last vote: in c, for v. No vote: c is none."""
    true = w.below(c, b) & (w.voted(a, c, v) | w.same(c, w.none))
    hidden = w.some(lambda d, u: w.voted(a, d, u) & w.below(c, d) & w.below(d, b))
    return w.asked(b) & w.no(w.left(a, b)) & true & w.no(hidden)


def propose(w: Reading, b: Thing, v: Thing, p: Thing, c: Thing) -> Truth:
    """2a: a quorum p promised b; the highest vote that it reports, in c, binds."""

    def low(d: Thing) -> Truth:
        return w.unless("adopt any vote", w.no(w.below(c, d)))

    fresh = w.no(w.some(lambda u: w.proposed(b, u)))
    heard = w.all_of(p, lambda a: w.some(lambda d, u: w.promised(a, b, d, u) & low(d)))
    bound = w.no(w.same(c, w.none)) & w.one_of(p, lambda a: w.promised(a, b, c, v))
    silent = w.all_of(p, lambda a: w.some(lambda u: w.promised(a, b, w.none, u)))
    free = w.wished(v) & w.unless("adopt no vote", silent)
    return w.unless("two values in one ballot", fresh) & heard & (bound | free)


def vote(w: Reading, a: Thing, b: Thing, v: Thing) -> Truth:
    """2b: a votes for what b asks, unless it has left b."""
    return w.proposed(b, v) & w.unless("accept ignores the promise", w.no(w.left(a, b)))


def decide(w: Reading, b: Thing, v: Thing, q: Thing) -> Truth:
    """Somebody hears that a quorum q voted for v in b."""
    return w.all_of(q, lambda a: w.voted(a, b, v))


ACTIONS = (  # `<b`: for every ballot below b
    Action(prepare, {"asked": "b", "wished": "v"}),
    Action(leave, {"left": ("a", "<b")}),
    Action(promise, {"promised": "abcv", "left": ("a", "<b")}),
    Action(propose, {"proposed": "bv"}),
    Action(vote, {"voted": "abv", "left": ("a", "<b")}),
    Action(decide, {"decided": "bv"}),
)


# What is true at every moment. The sentence is what a person should remember.


def wanted(w: Reading, b: Thing, v: Thing) -> Truth:
    """Nobody asks for votes for a value that nobody wanted."""
    return w.implies(w.proposed(b, v), w.wished(v) & w.no(w.same(b, w.none)))


def one_value(w: Reading, b: Thing, u: Thing, v: Thing) -> Truth:
    """A ballot asks for votes for one value only."""
    return w.implies(w.proposed(b, u) & w.proposed(b, v), w.same(u, v))


def asked_first(w: Reading, a: Thing, b: Thing, v: Thing) -> Truth:
    """Whoever votes was asked to."""
    return w.implies(w.voted(a, b, v), w.proposed(b, v))


def closed(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, d: Thing) -> Truth:
    """Whoever promised a ballot has left every lower one."""
    return w.implies(w.promised(a, b, c, v) & w.below(d, b), w.left(a, d))


def honest(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """The vote that a promise reports was cast, in a lower ballot."""
    cast = w.same(c, w.none) | w.voted(a, c, v)
    return w.implies(w.promised(a, b, c, v), w.below(c, b) & cast)


def complete(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, d: Thing, u: Thing) -> Truth:
    """A promise hides no vote between the one that it reports and its own ballot."""
    between = w.below(c, d) & w.below(d, b)
    return w.implies(w.promised(a, b, c, v) & between, w.no(w.voted(a, d, u)))


def told_truth(w: Reading, b: Thing, v: Thing) -> Truth:
    """Whoever is told that a value is chosen is told the truth."""
    won = w.some(lambda q: w.all_of(q, lambda a: w.voted(a, b, v)))
    return w.implies(w.decided(b, v), won)


def choosable(w: Reading, b: Thing, c: Thing, u: Thing, v: Thing, q: Thing) -> Truth:
    """Once a ballot asks for a value, no other is choosable in a lower one."""
    other = w.below(b, c) & w.proposed(c, u) & w.no(w.same(u, v))
    lost = w.one_of(q, lambda a: w.left(a, b) & w.no(w.voted(a, b, v)))
    return w.implies(other, lost)


INVARIANTS = (wanted, one_value, asked_first, closed, honest, complete, told_truth, choosable)


# What all this is for; `told_truth` above is the third promise of consensus.


def agreement(w: Reading, b: Thing, c: Thing, u: Thing, v: Thing) -> Truth:
    """No two different values are ever decided."""
    return w.implies(w.decided(b, u) & w.decided(c, v), w.same(u, v))


def validity(w: Reading, b: Thing, v: Thing) -> Truth:
    """A decided value is one that somebody wanted."""
    return w.implies(w.decided(b, v), w.wished(v))


SAFETY = (agreement, validity)


def decision(w: Reading, b: Thing, c: Thing, v: Thing) -> Truth:
    """Somebody was told, and a higher ballot asks for votes again: a world in which it can be."""
    return w.decided(b, v) & w.below(b, c) & w.proposed(c, v)


MAJORITIES = ("12", "13", "23")
MODEL = Model(
    scope="acceptors, ballots and values",
    relations=RELATIONS,
    mistakes=MISTAKES,
    axioms=(order, quorums),
    actions=ACTIONS,
    invariants=INVARIANTS,
    safety=SAFETY,
    possible=(decision,),
    worlds=(
        few("n1", 1, promise=["1"], vote=["1"]),
        few("n1", 2, promise=["1"], vote=["1"]),
        few("n12", 1, promise=["2"], vote=["1"]),
        few("n12", 3, promise=["12"], vote=["1"]),
        few("n123", 3, promise=MAJORITIES, vote=MAJORITIES),
    ),
)
