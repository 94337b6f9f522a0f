"""Where data comes from: built-in names, files and downloads, and the rows of a table in each of their formats."""

from minidl.data.sources.source import decode_text, find_file, read_file, read_source, read_text, unreadable

__all__ = ["decode_text", "find_file", "read_file", "read_source", "read_text", "unreadable"]
