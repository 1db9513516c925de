"""Exercise 09: the loss and its reduction, a moved teacher, temperature, answers kept."""
