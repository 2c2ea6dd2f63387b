"""``python -m bayescausal`` is the command line."""

import sys

from bayescausal.presentation.cli import main

if __name__ == "__main__":
    sys.exit(main())
