"""Where data comes from: built-in names, files and downloads, and the rows of a table in each of their formats."""

from minidl.data.sources.source import decode_text, find_file, read_bytes, read_file, read_text, unreadable
from minidl.data.sources.table_file import read_table

__all__ = ["decode_text", "find_file", "read_bytes", "read_file", "read_table", "read_text", "unreadable"]
