"""Helpers of the tests, importable by their worker processes, too."""
