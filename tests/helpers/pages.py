"""Contents of a page with mischief in them."""

from matplotlib.figure import Figure

from cifarmlp.render.document import Cell, Table

HOSTILE = "<script>alert(1)</script> \" ' & ]]> --> </style>"


def figure() -> Figure:
    """Two lines of sixty points in each of two panels."""
    drawn = Figure(figsize=(9, 3))
    for panel in drawn.subplots(1, 2):
        panel.plot(range(60), [i % 7 for i in range(60)], ".-", color="#1f5fa8", label="train <b>")
        panel.plot(range(60), [i % 5 for i in range(60)], ".--", color="#d9730d", label="validation")
        panel.set(xlabel="step", ylabel=r"$10^{2}$")
        panel.legend()
    return drawn


def table(*rows: tuple[Cell, ...], caption: str = "Words.") -> Table:
    """A table of these rows."""
    return Table("a table", caption, ("name", "accuracy", "verdict", "where"), rows)
