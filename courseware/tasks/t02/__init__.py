"""Exercise 02: comparing models, median and percentiles, Pareto front, budgets."""
