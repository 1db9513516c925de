"""The claims themselves: every module here holds the `PROTOCOLS` of one topic."""
