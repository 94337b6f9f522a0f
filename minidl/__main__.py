"""`python -m minidl VERB ...`, and the console script `minidl`."""

import sys

from minidl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
