"""`python -m minidl.run EXPERIMENT.yaml`: the verb that people type most, under a name of its own."""

import sys

from minidl.cli.main import carry_out

if __name__ == "__main__":
    sys.exit(carry_out("run", sys.argv[1:], "python -m minidl.run"))
