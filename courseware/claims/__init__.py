"""The course's claims: measured over seeds by one command, kept in a file with hashes.

`course claims` measures them; lessons read the file with `load_claim`;
tests measure one seed again, and refuse figures whose weights, data or code (all that
the measurement reaches: see `dependencies`) have changed since.
"""

from courseware.claims.stored import (
    PROTOCOLS,
    Claim,
    load_claim,
    load_photographs,
)

__all__ = ["PROTOCOLS", "Claim", "load_claim", "load_photographs"]
