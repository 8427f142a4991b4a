"""Disk Paxos for any number of disks, clients, ballots, values and quorums: moves and invariant.

The text of `static` with disks in the place of acceptors: `a` is a disk. On each disk a client owns
a block, and overwrites it: with its ballot, and the last vote that it asked for. `kin` ballots are
those of one client. The blocks of a disk are read one by one, in any order. `r` is a quorum that is
enough to come back from a crash. A client that has come back goes on under its old name; it may
have forgotten what it wrote to disks that it did not read.

Nobody sees the relation `left`: it is of the proof.
"""

from . import static
from .model import Action, Model, Reading, Thing, Truth, few
from .static import (
    asked_first,
    decide,
    one_value,
    order,
    prepare,
    propose,
    quorums,
    told_truth,
    wanted,
)

RELATIONS = {  # what each is about, and how to say that it holds
    "kin": ("bc", "ballots {b} and {c} are of one client"),
    "asked": ("b", "ballot {b} was prepared"),
    "wished": ("v", "somebody wants {v}"),
    "wrote": ("abcv", "to {a}, ballot {b} wrote its block, with the vote for {v} in ballot {c}"),
    "left": ("ab", "{a} has left ballot {b}"),
    "saw": (
        "abdcv",
        "on {a}, ballot {b} found of ballot {d}'s client the vote for {v} in ballot {c}",
    ),
    "promised": ("abcv", "ballot {b} read {a}: nothing higher, and the vote for {v} in ballot {c}"),
    "proposed": ("bv", "ballot {b} asked for votes for {v}"),
    "checked": (
        "abd",
        "on {a}, ballot {b} found, after its vote, nothing higher of ballot {d}'s client",
    ),
    "voted": ("abv", "ballot {b} read {a}: nothing higher; that is a vote for {v}"),
    "over": ("b", "the client of ballot {b} crashed"),
    "missed": ("ab", "back from a crash, the client of ballot {b} read no vote of it in {a}"),
    "decided": ("bv", "somebody was told that {v} is chosen, in ballot {b}"),
}

MISTAKES = {  # what can be left out of the guards: `paxos prove disk --without RULE`
    "read before write": "a client believes what it read before its own block was there",
    "ignore a higher ballot": "in phase 2, a client does not heed a higher ballot that it reads",
    "an old write overtakes": "a block that was written late replaces a newer one",
    "a new ballot drops the vote": "a client that starts a ballot writes a block without its vote",
    "come back too early": "a client back from a crash does not read its blocks on a quorum",
    **static.MISTAKES,
}
del MISTAKES["accept ignores the promise"]  # here: to ignore a higher ballot


# What the world is like.


def clients(w: Reading) -> Truth:
    """Ballots of one client: it does not matter which is named first, or between; none is nobody's."""
    third = w.every(
        lambda b, c, d: w.implies(w.kin(b, c) & w.kin(c, d), w.same(b, d) | w.kin(b, d))
    )
    nobody = w.no(w.some(lambda b: w.kin(b, w.none)))
    return w.every(lambda b, c: w.implies(w.kin(b, c), w.kin(c, b))) & third & nobody


def returns(w: Reading) -> Truth:
    """A quorum to come back meets all that a phase may have been carried out on."""
    first = w.every(lambda p, r: w.one_of(p, lambda a: w.member(a, r)))
    second = w.every(lambda q, r: w.one_of(q, lambda a: w.member(a, r)))
    return first & second


# What stands on a disk, and what a client makes of it.


def own(w: Reading, b: Thing, c: Thing) -> Truth:
    """Both ballots are of one client."""
    return w.same(b, c) | w.kin(b, c)


def newest(w: Reading, a: Thing, b: Thing) -> Truth:
    """The client of ballot b has written nothing of a higher one to a, be it before or after."""
    return w.no(w.some(lambda c, d, v: w.wrote(a, c, d, v) & w.kin(b, c) & w.below(b, c)))


def stands(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """This block was written to a, and not overwritten: none is newer."""
    phase2 = w.no(w.same(b, c)) & w.some(lambda u: w.wrote(a, b, b, u))
    latest = w.unless("an old write overtakes", w.know(newest, a, b) & w.no(phase2))
    return w.wrote(a, b, c, v) & latest


def shown(w: Reading, a: Thing, b: Thing, d: Thing, c: Thing, v: Thing) -> Truth:
    """On a, the block of d's client is not above b, and its vote is in c, for v. No block: none."""
    there = w.some(lambda e, f, u: w.wrote(a, e, f, u) & w.know(own, d, e))
    block = w.some(lambda e: w.know(stands, a, e, c, v) & w.know(own, d, e) & w.no(w.below(b, e)))
    return block | (w.same(c, w.none) & w.no(there))


def unread(w: Reading, b: Thing) -> Truth:
    """On none of a quorum's disks did its client, back from a crash, read the vote of b."""
    return w.some(lambda r: w.all_of(r, lambda a: w.missed(a, b)))


def forgotten(w: Reading, b: Thing) -> Truth:
    """A crash cost the vote of b."""
    return w.over(b) & w.know(unread, b)


# What may happen: moves of `static`, and these.


def write(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """1a, 2a: the block of ballot b gets to disk a; c = b in phase 2.

    It takes no vote from the disk, but one that its client has forgotten in a crash.
    """
    phase1 = w.below(c, b) & (w.same(c, w.none) | w.proposed(c, v))
    phase2 = w.same(c, b) & w.proposed(b, v)

    def lost(d: Thing, u: Thing) -> Truth:
        between = w.kin(b, d) & w.below(c, d) & w.below(d, b)
        excused = w.over(d) & w.unless("come back too early", w.know(unread, d))
        return w.wrote(a, d, d, u) & between & w.no(excused)

    keeps = w.unless("a new ballot drops the vote", w.no(w.some(lost)))
    return w.asked(b) & (phase1 | phase2) & keeps


def look(w: Reading, a: Thing, b: Thing, d: Thing, c: Thing, v: Thing) -> Truth:
    """1b: on disk a, where its own block stands, b reads the block of d's client: nothing higher."""
    mine = w.some(lambda e, u: w.below(e, b) & w.know(stands, a, b, e, u))
    after = w.unless("read before write", mine)
    return w.no(w.same(d, w.none)) & after & w.below(c, b) & w.know(shown, a, b, d, c, v)


def promise(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """1b: b has read everybody's block on a; the highest vote is in c, for v."""
    highest = w.same(c, w.none) | w.some(lambda d: w.saw(a, b, d, c, v))
    return w.below(c, b) & w.every(lambda d: w.know(low, a, b, c, d)) & highest


def low(w: Reading, a: Thing, b: Thing, c: Thing, d: Thing) -> Truth:
    """On a, b read the block of d's client, and its vote is not above c."""
    read = w.some(lambda e, f, u: w.saw(a, b, e, f, u) & w.know(own, d, e) & w.no(w.below(c, f)))
    return w.same(d, w.none) | read


def check(w: Reading, a: Thing, b: Thing, d: Thing) -> Truth:
    """2b: on disk a, where its vote stands, b reads the block of d's client: nothing higher."""
    mine = w.some(lambda u: w.know(stands, a, b, b, u))
    quiet = w.some(lambda f, u: w.know(shown, a, b, d, f, u))
    return w.no(w.same(d, w.none)) & mine & w.unless("ignore a higher ballot", quiet)


def vote(w: Reading, a: Thing, b: Thing, v: Thing) -> Truth:
    """2b: b has read everybody's block on a, and its client has not crashed."""
    return w.wrote(a, b, b, v) & w.every(lambda d: w.know(heeded, a, b, d)) & w.no(w.over(b))


def heeded(w: Reading, a: Thing, b: Thing, d: Thing) -> Truth:
    """On a, after its vote, b read the block of d's client."""
    return w.same(d, w.none) | w.some(lambda e: w.checked(a, b, e) & w.know(own, d, e))


def crash(w: Reading, b: Thing, v: Thing) -> Truth:
    """The client of b, which has asked for votes, forgets all."""
    return w.proposed(b, v)


def miss(w: Reading, a: Thing, b: Thing) -> Truth:
    """Back from a crash, the client of b reads its own block on a, and that vote is not there."""
    return w.over(b) & w.no(w.some(lambda v: w.wrote(a, b, b, v)))


ACTIONS = (  # `<c<b`: for every ballot between; `*`: for every disk
    Action(prepare, {"asked": "b", "wished": "v"}),
    Action(write, {"wrote": "abcv"}),
    Action(look, {"saw": "abdcv"}),
    Action(promise, {"promised": "abcv", "left": ("a", "<c<b")}),
    Action(propose, {"proposed": "bv"}),
    Action(check, {"checked": "abd"}),
    Action(vote, {"voted": "abv"}),
    Action(decide, {"decided": "bv"}),
    Action(crash, {"over": "b", "left": ("*", "b")}),
    Action(miss, {"missed": "ab"}),
)


# What is true at every moment: most of what is true in `static`, and of disks:


def closed(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, d: Thing) -> Truth:
    """What promised a ballot has left those between it and the vote that it reports."""
    return w.implies(w.promised(a, b, c, v) & w.below(c, d) & w.below(d, b), w.left(a, d))


def closed_by(w: Reading, a: Thing, d: Thing) -> Truth:
    """A disk leaves a ballot by a promise, or because its client crashed."""
    between = w.some(lambda b, c, v: w.promised(a, b, c, v) & w.below(c, d) & w.below(d, b))
    return w.implies(w.left(a, d), w.over(d) | between)


def sincere(w: Reading, a: Thing, b: Thing, d: Thing, c: Thing, v: Thing) -> Truth:
    """For the vote that is read a lower ballot has asked."""
    asked = w.same(c, w.none) | w.proposed(c, v)
    return w.implies(w.saw(a, b, d, c, v), w.below(c, b) & asked)


def honest(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """For the vote that a promise reports a lower ballot has asked."""
    asked = w.same(c, w.none) | w.proposed(c, v)
    return w.implies(w.promised(a, b, c, v), w.below(c, b) & asked)


def complete(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, d: Thing, u: Thing) -> Truth:
    """A promise hides no vote above the one that it reports, but one that a crash has cost."""
    between = w.below(c, d) & w.below(d, b)
    return w.implies(w.promised(a, b, c, v) & between & w.voted(a, d, u), w.know(forgotten, d))


def truthful(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """A block is of a ballot, and the vote in it was asked for."""
    asked = w.same(c, w.none) | w.proposed(c, v)
    return w.implies(w.wrote(a, b, c, v), w.no(w.same(b, w.none)) & asked)


def stored(w: Reading, a: Thing, b: Thing, d: Thing, c: Thing, v: Thing) -> Truth:
    """In phase 1, a client reads after it has written."""
    return w.implies(w.saw(a, b, d, c, v), w.some(lambda e, u: w.wrote(a, b, e, u)))


def written(w: Reading, a: Thing, b: Thing, d: Thing, v: Thing) -> Truth:
    """In phase 2 too; and a vote counts after it was written."""
    vote = w.no(w.same(d, w.none)) & w.some(lambda u: w.wrote(a, b, b, u))
    return w.implies(w.checked(a, b, d), vote) & w.implies(w.voted(a, b, v), w.wrote(a, b, b, v))


def believed(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing) -> Truth:
    """So a promise was read after the block of its ballot was written."""
    return w.implies(w.promised(a, b, c, v), w.some(lambda d, u: w.wrote(a, b, d, u)))


def crossed(
    w: Reading, a: Thing, b: Thing, d: Thing, c: Thing, v: Thing, e: Thing, f: Thing, u: Thing
) -> Truth:
    """Of two that write and then read, one reads the other; but for a vote that a crash has cost."""
    between = w.know(own, d, e) & w.below(c, e) & w.below(e, b)
    missed = (w.checked(a, e, f) & w.know(own, f, b)) | w.voted(a, e, u)
    return w.implies(w.saw(a, b, d, c, v) & between & missed, w.know(forgotten, e))


def shut(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, e: Thing, f: Thing) -> Truth:
    """Below a promise, nobody can find any more that all is quiet."""
    between = w.below(c, e) & w.below(e, b)
    quiet = w.checked(a, e, f) & w.know(own, f, b)
    return w.implies(w.promised(a, b, c, v) & between & quiet, w.know(forgotten, e))


def kept(w: Reading, a: Thing, b: Thing, c: Thing, v: Thing, d: Thing, e: Thing, u: Thing) -> Truth:
    """No block takes its client's own vote from a disk, but one that a crash has cost."""
    between = w.kin(b, d) & w.below(c, d) & w.below(d, b)
    counts = w.checked(a, d, e) | w.voted(a, d, u)
    return w.implies(w.wrote(a, b, c, v) & between & counts, w.know(forgotten, d))


def ended(w: Reading, a: Thing, b: Thing, v: Thing) -> Truth:
    """Where a client that came back found no vote, there is none, and never will be."""
    gone = w.over(b) & w.no(w.voted(a, b, v))
    return w.implies(w.over(b), w.left(a, b)) & w.implies(w.missed(a, b), gone)


def prepared(w: Reading, b: Thing, v: Thing) -> Truth:
    """A ballot that asks for votes has its block on a quorum."""
    there = w.some(lambda p: w.all_of(p, lambda a: w.some(lambda c, u: w.wrote(a, b, c, u))))
    return w.implies(w.proposed(b, v), there)


def choosable(w: Reading, b: Thing, c: Thing, u: Thing, v: Thing, q: Thing) -> Truth:
    """Once a ballot asks for a value, no other is choosable in a lower one, or that asked too."""
    lower = w.below(b, c) & w.no(w.same(b, w.none))
    lost = w.one_of(q, lambda a: w.left(a, b) & w.no(w.voted(a, b, v)))
    named = w.some(lambda x: w.proposed(b, x) & w.no(w.same(x, v)))
    return w.implies(lower & w.proposed(c, u) & w.no(w.same(u, v)), lost | named)


INVARIANTS = (
    wanted,
    one_value,
    asked_first,
    told_truth,
    truthful,
    stored,
    written,
    sincere,
    honest,
    believed,
    kept,
    crossed,
    shut,
    complete,
    closed,
    closed_by,
    ended,
    prepared,
    choosable,
)


# What all this is for: what it is for in `static`, and that no ballot is used twice.


def remembered(w: Reading, b: Thing, v: Thing, r: Thing) -> Truth:
    """Whoever comes back from a crash reads of every ballot in which it has asked for votes."""
    seen = w.one_of(r, lambda a: w.some(lambda c, u: w.wrote(a, b, c, u)))
    return w.implies(w.proposed(b, v), seen)


SAFETY = (*static.SAFETY, remembered)

REPORTS = (wanted, one_value, asked_first, closed, honest, complete, ended)
LEANS = {  # what the proof of each sentence leans on, besides itself; after a move, or after any
    "wanted": (order, quorums, honest),
    "one_value": (),
    "asked_first": (truthful,),
    "told_truth": (),
    "truthful": (order, wanted),
    "stored": (),
    "written": (),
    "sincere": (truthful,),
    "honest": (sincere,),
    "believed": (order, clients, stored),
    "kept": (),
    "kept write": (written,),
    "kept check": (order, clients),
    "kept vote": (truthful,),
    "crossed": (),
    "crossed look": (order, clients, written, kept),
    "crossed check": (order, clients, stored),
    "crossed vote": (order, clients, sincere),
    "shut": (),
    "shut promise": (order, clients, crossed),
    "shut check": (order, clients, believed),
    "complete": (),
    "complete promise": (order, clients, crossed),
    "complete vote": (order, clients, shut),
    "closed": (),
    "closed_by": (),
    "ended": (written,),
    "prepared": (),
    "prepared propose": (believed,),
    "choosable": (),
    "choosable vote": (order, clients, closed_by, shut),
    "choosable propose": (order, quorums, returns, *REPORTS),
    "agreement": (order, quorums, wanted, told_truth, choosable, asked_first, one_value),
    "remembered": (returns, prepared),
}

MODEL = Model(
    scope="disks, clients, ballots and values",
    relations=RELATIONS,
    mistakes=MISTAKES,
    axioms=(order, quorums, clients, returns),
    actions=ACTIONS,
    invariants=INVARIANTS,
    safety=SAFETY,
    possible=(static.decision,),
    leans=LEANS,
    worlds=(
        few("d1", 1, promise=["1"], vote=["1"], recover=["1"]),
        few("d1", 2, promise=["1"], vote=["1"], recover=["1"]),
        few("d12", 2, promise=["2"], vote=["1"], recover=["12"]),
        few("d1", 3, promise=["1"], vote=["1"], recover=["1"]),
        few("d12", 3, promise=["12"], vote=["1"], recover=["1"]),
    ),
)
