"""`python -m cifarmlp` is `cifarmlp`."""

from cifarmlp.cli import main

main()
