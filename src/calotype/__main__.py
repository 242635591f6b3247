"""`python -m calotype` is the command line."""

from calotype.cli import main

main()
