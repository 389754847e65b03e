"""Output of the commands: tables and results on stdout, progress and messages on stderr.

A module a command, imported when the command runs; it may import every package but `cli`.
"""
