"""Trainings: one config, with one seed or several, becomes run folders.

    config -> build.py -> loop.py: a record an evaluation -> run.py: metrics.csv, model.npz, result.json
                                                          -> checkpoint.py

Rank: it may import nn, data, config, parallel, render and what they may; search, runs and all above it may
import this package. Import its modules by their paths. Begin with loop.py, then build.py and run.py.
"""
