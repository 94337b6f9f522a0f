"""The command line: a verb is a file here, with `add_arguments` and `run`."""
