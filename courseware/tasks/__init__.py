"""The checks of the exercises, one module an exercise."""
