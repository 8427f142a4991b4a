"""The rules. Pure functions `step(state, event) -> (state, effects)`: no clock, no chance, no network.

Read in this order: ballot, messages, acceptor, proposer, learner, quorum, static, log, machine.
"""
