------------------------------- MODULE Paxos -------------------------------
(* The world that `paxos check lamport` checks, for TLC: acceptors answer      *)
(* whatever was ever sent, in any order, and nothing sent is ever forgotten.   *)
(* There are no proposers. Whoever may send a message may do so at any time.   *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Acceptors, Values,
          Count,    \* how many ballots there are: 0 .. Count - 1
          Nothing   \* the value of an acceptor that has not voted

Ballots == 0 .. Count - 1
NoVote == [ballot |-> -1, value |-> Nothing]

\* Larger majorities bind a proposer to nothing more: these are enough.
Majorities == {Q \in SUBSET Acceptors : Cardinality(Q) = Cardinality(Acceptors) \div 2 + 1}

VARIABLES promised,  \* acceptor -> the highest ballot it takes part in
          vote,      \* acceptor -> its last vote
          sent       \* every message ever sent

Init == /\ promised = [a \in Acceptors |-> -1]
        /\ vote = [a \in Acceptors |-> NoVote]
        /\ sent = {}

Say(message) == sent' = sent \cup {message}

(* 1a. To ask twice for one ballot changes nothing: no new state.              *)
Prepare(b) == /\ Say([type |-> "1a", ballot |-> b])
              /\ UNCHANGED <<promised, vote>>

(* 1b. An acceptor promises, and tells its last vote.                          *)
Promise(a) == \E m \in sent :
    /\ m.type = "1a"
    /\ m.ballot > promised[a]
    /\ promised' = [promised EXCEPT ![a] = m.ballot]
    /\ Say([type |-> "1b", ballot |-> m.ballot, acceptor |-> a, vote |-> vote[a]])
    /\ UNCHANGED vote

(* 2a. The highest vote that a majority reports binds the value.               *)
Promises(b) == {m \in sent : m.type = "1b" /\ m.ballot = b}

Allowed(b, v) == \E Q \in Majorities :
    LET heard == {m \in Promises(b) : m.acceptor \in Q}
        cast == {m.vote : m \in heard} \ {NoVote}
    IN  /\ Cardinality(heard) = Cardinality(Q)
        /\ \/ cast = {}
           \/ \E top \in cast : top.value = v /\ \A one \in cast : top.ballot >= one.ballot

Accept(b, v) == /\ ~ \E m \in sent : m.type = "2a" /\ m.ballot = b
                /\ Allowed(b, v)
                /\ Say([type |-> "2a", ballot |-> b, value |-> v])
                /\ UNCHANGED <<promised, vote>>

(* 2b. An acceptor votes. It also promises, or a lower ballot could come after. *)
Accepted(a) == \E m \in sent :
    /\ m.type = "2a"
    /\ m.ballot >= promised[a]
    /\ promised' = [promised EXCEPT ![a] = m.ballot]
    /\ vote' = [vote EXCEPT ![a] = [ballot |-> m.ballot, value |-> m.value]]
    /\ Say([type |-> "2b", ballot |-> m.ballot, acceptor |-> a, value |-> m.value])

Next == \/ \E b \in Ballots : Prepare(b) \/ \E v \in Values : Accept(b, v)
        \/ \E a \in Acceptors : Promise(a) \/ Accepted(a)

Spec == Init /\ [][Next]_<<promised, vote, sent>>

(* Chosen: a majority voted in one and the same ballot.                        *)
Votes(b) == {m \in sent : m.type = "2b" /\ m.ballot = b}
Won == {b \in Ballots : 2 * Cardinality(Votes(b)) > Cardinality(Acceptors)}
Chosen == {m.value : m \in UNION {Votes(b) : b \in Won}}

Agreement == Cardinality(Chosen) <= 1

(* For a configuration with the line SYMMETRY Renamings: states that differ in *)
(* names only count once.                                                      *)
Renamings == Permutations(Acceptors) \cup Permutations(Values)
RenamedAcceptors == Permutations(Acceptors)
=============================================================================
