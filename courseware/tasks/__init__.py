"""The checks of the exercises: a folder an exercise, two files a task."""
