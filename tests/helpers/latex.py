"""LaTeX, where it is installed."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from cifarmlp.render.document import Table
from cifarmlp.render.latex import latex

ENGINE = shutil.which("pdflatex") or shutil.which("tectonic")
needs_latex = pytest.mark.skipif(ENGINE is None, reason="needs pdflatex or tectonic")


def log_of(tables: Iterable[Table], place: Path) -> str:
    """What LaTeX says of a document with these tables, and nothing but inputenc's defaults. Fails with it."""
    text = "\n\\clearpage\n".join(map(latex, tables))
    document = f"\\documentclass{{article}}\n\\begin{{document}}\n{text}\\end{{document}}\n"
    (place / "main.tex").write_text(document, encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in str(ENGINE) else ["--keep-logs"]
    command = [str(ENGINE), *options, "main.tex"]
    done = subprocess.run(command, cwd=place, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stdout[-1500:].decode(errors="replace")
    return (place / "main.log").read_text(errors="replace")
