"""minidl beside other libraries on the same work; not installed, run as `python -m benchmarks` from the checkout."""
