"""The command line: each command is parsed, calls the packages below, and prints. Begin with main.py.

    words -> cli/COMMAND.py (options) -> training, search, ..., report -> cli/screen/COMMAND.py (tables, bars)

A command has two files because of the time that it takes to start. Those here import click and the options,
and all else within the function that is the command: `--help`, a mistyped option and completion wait for
neither NumPy nor matplotlib. Those in `screen` import what they show, and are imported when a command runs.

Rank: the highest. It may import every other package; only `__main__` imports it.
"""
