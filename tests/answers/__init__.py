"""Banks of answers: right ones that must pass, wrong ones that must fail as they should.

`tNN.py` holds answers written with the checks at hand: RIGHT[task] is a list, WRONG[task]
a list of (answer, key of the property that must fail). `blind_….py` hold answers written
from the text of the tasks alone, by someone who had not seen the checks: at least a third
of each bank.
"""
