"""Exercise 10: shared nets, masked losses, learnt weights, gradients that conflict."""
