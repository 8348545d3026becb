"""`python -m agents.endpoint`."""

import sys

from agents.endpoint.cli import main

if __name__ == "__main__":
    sys.exit(main())
