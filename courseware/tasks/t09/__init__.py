"""Exercise 09: the loss and its reduction, a moved teacher, temperature, answers kept.

`None` is what nobody has filled in: as a measurement (09.5, 09.6) it says nothing, and the
answer alone is judged; as a prediction (09.7) it is an open answer.
"""
