"""``python -m walktall_host`` is ``walktall``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
