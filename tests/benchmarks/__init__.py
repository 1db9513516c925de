"""Benchmarks, run by hand: each prints ratios to a named alternative in the same run."""
