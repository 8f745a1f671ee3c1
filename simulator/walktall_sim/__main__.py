"""``python -m walktall_sim``: the same as the command ``walktall-sim``."""

from walktall_sim.cli import main

if __name__ == "__main__":
    main()
