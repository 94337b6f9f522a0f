"""The libraries that do the work, one a file; each is imported only in the process that runs it."""
