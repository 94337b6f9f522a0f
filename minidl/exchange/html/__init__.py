"""A trained model as one HTML page that runs it: without a server, without a network."""

from minidl.exchange.html.page import Sample, page, write_page

__all__ = ["Sample", "page", "write_page"]
