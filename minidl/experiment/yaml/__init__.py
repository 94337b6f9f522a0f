"""From the text of an experiment file to a tree of values with their places."""
