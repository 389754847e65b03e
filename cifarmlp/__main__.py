"""`python -m cifarmlp` is `cifarmlp`."""

from cifarmlp.cli.main import main

main()
