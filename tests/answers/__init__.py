"""Banks of answers: right ones that must pass, wrong ones that must fail as they should.

`tNN.py` holds answers written with the checks at hand: RIGHT[task] is a list, WRONG[task]
a list of (answer, key of the property that must fail).
"""
