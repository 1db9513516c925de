"""The course itself: lessons, exercises and their checks, claims, and what makes them.

It stands on `course_utils`, the library, which knows nothing of it.
"""
