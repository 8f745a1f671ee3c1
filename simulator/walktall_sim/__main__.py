"""``python -m walktall_sim``: the same as the command ``walktall-sim``."""

if __name__ == "__main__":
    # Not above: the processes of a sweep load this file too.
    from walktall_sim.cli import main

    main()
