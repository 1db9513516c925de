"""Exercise 03: a convolution's work, unseen heads, hooks, the memory of training."""
