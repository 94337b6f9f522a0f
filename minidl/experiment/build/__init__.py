"""From a tree of values to data, model, optimizer and trainer."""
