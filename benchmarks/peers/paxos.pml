/* The world that `paxos check lamport` checks, for Spin: acceptors answer
   whatever was ever sent, in any order, and nothing sent is ever forgotten.
   There are no proposers. Whoever may send a message may do so at any time.

       spin -a -DACCEPTORS=3 -DVALUES=2 -DBALLOTS=3 paxos.pml
       cc -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -w20

   From 1 to 3 acceptors and values, from 2 to 4 ballots. One process, and one
   d_step for each action, so that a state of Spin is a state of the model and
   nothing else. There is no order to reduce in a single process: -DNOREDUCE.
*/

#ifndef ACCEPTORS
#define ACCEPTORS 3
#endif
#ifndef VALUES
#define VALUES 2
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif

/* A vote is one number, so that a vote in a higher ballot is a higher number. */
#define NO_VOTE 0
#define VOTE(b, v) (1 + (b) * VALUES + (v))
#define VALUE_OF(vote) (((vote) - 1) % VALUES)

byte promised[ACCEPTORS];           /* 1 + the highest ballot it takes part in */
byte vote[ACCEPTORS];               /* its last vote */

/* Every message ever sent. An acceptor promises and votes at most once in a
   ballot, and a ballot asks for one value, so a place for each is enough. */
bit  prepare[BALLOTS];              /* 1a */
byte promise[ACCEPTORS * BALLOTS];  /* 1b: 1 + the vote it reports */
byte accept[BALLOTS];               /* 2a: 1 + the value */
bit  accepted[ACCEPTORS * BALLOTS]; /* 2b, for the value of its ballot */

#define AT(a, b) ((a) * BALLOTS + (b))

/* 1a. To ask twice for one ballot would change nothing. */
#define PREPARE(b) \
    :: d_step { !prepare[b] -> prepare[b] = 1 }

/* 1b. An acceptor promises, and tells its last vote. */
#define PROMISE(a, b) \
    :: d_step { prepare[b] && promised[a] < 1 + b -> \
        promised[a] = 1 + b; promise[AT(a, b)] = 1 + vote[a] }

/* 2a. The highest vote that a majority reports binds the value. */
#define FIRST(i, j, b) promise[AT(i, b)]
#define OTHER(i, j, b) promise[AT(j, b)]
#define TOP(i, j, b) (FIRST(i, j, b) > OTHER(i, j, b) -> FIRST(i, j, b) : OTHER(i, j, b))
#define BOTH(i, j, b, v) (FIRST(i, j, b) && OTHER(i, j, b) && \
    (TOP(i, j, b) == 1 + NO_VOTE || VALUE_OF(TOP(i, j, b) - 1) == v))

#if ACCEPTORS == 1
#define ALLOWED(b, v) BOTH(0, 0, b, v)
#define VOTERS(b) accepted[AT(0, b)]
#elif ACCEPTORS == 2
#define ALLOWED(b, v) BOTH(0, 1, b, v)
#define VOTERS(b) (accepted[AT(0, b)] + accepted[AT(1, b)])
#else
#define ALLOWED(b, v) (BOTH(0, 1, b, v) || BOTH(0, 2, b, v) || BOTH(1, 2, b, v))
#define VOTERS(b) (accepted[AT(0, b)] + accepted[AT(1, b)] + accepted[AT(2, b)])
#endif

#define ACCEPT(b, v) \
    :: d_step { !accept[b] && ALLOWED(b, v) -> accept[b] = 1 + v }

/* 2b. An acceptor votes. It also promises, or a lower ballot could come after.
   Only a vote can make a value chosen, so only here must agreement be judged. */
#define ACCEPTED(a, b) \
    :: d_step { accept[b] && promised[a] <= 1 + b && !accepted[AT(a, b)] -> \
        promised[a] = 1 + b; vote[a] = VOTE(b, accept[b] - 1); accepted[AT(a, b)] = 1; \
        assert(AGREES(b)) }

/* Chosen: a majority voted in one and the same ballot. */
#define CHOSEN(b) (2 * VOTERS(b) > ACCEPTORS)
#define AGREE(b, c) (!CHOSEN(b) || !CHOSEN(c) || accept[b] == accept[c])
#if BALLOTS == 2
#define AGREES(b) (AGREE(b, 0) && AGREE(b, 1))
#elif BALLOTS == 3
#define AGREES(b) (AGREE(b, 0) && AGREE(b, 1) && AGREE(b, 2))
#else
#define AGREES(b) (AGREE(b, 0) && AGREE(b, 1) && AGREE(b, 2) && AGREE(b, 3))
#endif

#if ACCEPTORS == 1
#define EACH_ACCEPTOR(b) PROMISE(0, b) ACCEPTED(0, b)
#elif ACCEPTORS == 2
#define EACH_ACCEPTOR(b) PROMISE(0, b) ACCEPTED(0, b) PROMISE(1, b) ACCEPTED(1, b)
#else
#define EACH_ACCEPTOR(b) PROMISE(0, b) ACCEPTED(0, b) PROMISE(1, b) ACCEPTED(1, b) \
    PROMISE(2, b) ACCEPTED(2, b)
#endif

#if VALUES == 1
#define EACH_VALUE(b) ACCEPT(b, 0)
#elif VALUES == 2
#define EACH_VALUE(b) ACCEPT(b, 0) ACCEPT(b, 1)
#else
#define EACH_VALUE(b) ACCEPT(b, 0) ACCEPT(b, 1) ACCEPT(b, 2)
#endif

#define IN_BALLOT(b) PREPARE(b) EACH_VALUE(b) EACH_ACCEPTOR(b)

active proctype Paxos() {
end:                                /* it is no mistake if nothing is left to do */
    do
    IN_BALLOT(0)
    IN_BALLOT(1)
#if BALLOTS > 2
    IN_BALLOT(2)
#endif
#if BALLOTS > 3
    IN_BALLOT(3)
#endif
    od
}
