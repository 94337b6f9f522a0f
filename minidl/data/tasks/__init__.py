"""What may be learnt from the rows of a table, one task a file, and how its answers are read."""
