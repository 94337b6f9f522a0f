"""Declarations: what is configured, from plain data to objects, and what is wrong with the data."""
