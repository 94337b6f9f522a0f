"""A run of an experiment, and what is asked of one afterwards."""
