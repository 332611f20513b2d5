"""`python -m belfry` is `belfry`."""

from belfry.cli.app import main

if __name__ == "__main__":
    main()
