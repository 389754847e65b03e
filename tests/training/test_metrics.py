"""metrics.csv read back: rows, or damage."""

from pathlib import Path

import pytest

from cifarmlp.training.metrics import COLUMNS, read_metrics

ROW = dict(zip(COLUMNS, ["80", "1", "0.1", "2.5", "2.0", "0.25"], strict=True))
WHOLE = f"{','.join(ROW)}\n{','.join(ROW.values())}\n"


def test_rows_are_read_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(WHOLE)
    assert read_metrics(tmp_path) == ([{name: float(text) for name, text in ROW.items()}], [])


def test_no_file_is_no_damage(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "metrics.csv is damaged: there is no row in it"),
        ("a,b\n", "metrics.csv is damaged: there is no row in it"),
        (WHOLE.splitlines()[0], "metrics.csv is damaged: there is no row in it"),
        ("a,b\n1,2\n", "metrics.csv is damaged: line 2: there is no column 'step'"),
        (WHOLE.replace("0.25", "1.25"), "metrics.csv is damaged: line 2: train_accuracy: 1.25 cannot have"),
        (WHOLE.replace("2.5", "x"), "metrics.csv is damaged: line 2: train_cost: 'x' is no number"),
    ],
)
def test_damage_is_told(text: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    rows, (line,) = read_metrics(tmp_path)
    assert rows == []
    assert line.startswith(fault)
