"""The rules: pure functions `step(state, event) -> (state, effects)`.

No clock, no chance, no network. Read in this order: ballot, messages, acceptor,
proposer, learner, quorum, static, log, machine.
"""
