"""Proofs for any number of acceptors, ballots and values.

`static` is the text of the model, `model` gives it its meaning, `seen` recognises steps of
the running code in it, `solver` proves it.
"""
