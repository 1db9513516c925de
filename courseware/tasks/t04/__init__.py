"""Exercise 04: freezing, features, a tutorial's bug, likeness, BatchNorm, caching."""
