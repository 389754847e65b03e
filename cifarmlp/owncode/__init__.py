"""One's own code against a case with known answers: which quantity is wrong first, and by which mistake.

    config -> draw_case -> CASE.npz -> somebody's program -> MINE.npz -> diagnose_answers -> table, mistakes

It imports `config` and the packages below it; only `cli` imports it. Begin with `reference.py`, the equations
of a network as plain NumPy, written for reading; `mistakes.py` has a function for each known mistake, which
replaces one of these equations; `answers.py` reads what somebody saved; `diagnose.py` finds the mistakes.
"""
