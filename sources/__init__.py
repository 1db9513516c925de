"""The text sources of lessons and exercises, and the builder that makes notebooks."""
