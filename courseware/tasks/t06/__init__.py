"""Exercise 06: rates by depth, a tutorial's bug, weight decay, range test, warm-up."""
