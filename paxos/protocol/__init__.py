"""The rules: pure functions `step(state, event) -> (state, effects)`.

No clock, no chance, no network. Read in this order: ballot, messages, events, acceptor,
proposer, learner, quorum, static; then blocks and disk, lists and passive, with member;
then votes, log and machine; and safety, which says what must be true of all of them.
"""
