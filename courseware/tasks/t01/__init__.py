"""Exercise 01: preprocessing, top k, filters for grey pictures, checkpoints, eval."""
