"""Exercise 05: schedules, BatchNorm, waking in an optimiser, curves, LP-FT, causes."""
