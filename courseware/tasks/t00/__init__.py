"""Lesson and exercise 00: the shape of a batch, counting parameters, accuracy."""
