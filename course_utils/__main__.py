"""`python -m course_utils` says where the commands are."""

import sys

if __name__ == "__main__":
    sys.exit(
        "The commands of the course are `course COMMAND`: `course --help` lists them."
    )
