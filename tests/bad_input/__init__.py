"""What happens when a public callable gets what it cannot take: a table of calls."""
