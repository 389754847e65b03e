"""The press: numbers and words in, figures, tables and pages out.

    rows of metrics.csv, of trials.csv, an evaluation -> curves, overlay, trials, evaluation -> Figure
    Page of Sections of Blocks (document) -> page: one HTML file, figures as inline SVG (svg)
                                          -> markdown, latex: a file a table

Rank of `nn`, `data`, `config` and `parallel`: imports `errors`, `text`, `stats` and `files` only, and is
imported by `training` and everything above. It knows no run and writes no file. Begin with document.py.
Nothing is re-exported here, as matplotlib is slow to import.
"""

from cifarmlp.files.pictures import import_matplotlib

import_matplotlib()  # before the modules of this package do, as it may take more than an import
