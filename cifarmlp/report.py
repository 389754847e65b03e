"""Run folders as one report: each training and search, and trainings compared with the first of them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cifarmlp import (
    page,
    report_comparison,
    report_run,
    report_search,
    report_study,
    saved,
    search,
    study_folder,
    tables,
)
from cifarmlp import runs as run_folders
from cifarmlp.document import Block, Page, Section, Table, Text
from cifarmlp.errors import ConfigError
from cifarmlp.saved import Run
from cifarmlp.search_folder import Search
from cifarmlp.study_folder import StudyFolder

Entry = Run | Search


def page_of(folders: Sequence[Path], beside: Path) -> Page:
    """A report of the runs in these folders; its page will stand in the folder `beside`.

    Raises RunFolderError where a folder holds no run or a damaged one, ConfigError for studies among others.
    """
    if any(saved.kind(folder) == "study" for folder in folders):
        return report_study.page_of([_study(folder) for folder in folders], beside)
    entries = dict(zip(titles(folders), map(_entry, folders), strict=True))
    runs = {name: entry for name, entry in entries.items() if isinstance(entry, Run)}
    compared = [report_comparison.section(runs)] if len(runs) > 1 else []
    sections = [_section(name, entry, beside) for name, entry in entries.items()]
    title = next(iter(entries)) if len(entries) == 1 else f"Report on {len(entries)} runs"
    return Page(title, (_summary(entries),), (*compared, *sections))


def _summary(entries: Mapping[str, Entry]) -> Block:
    rows = tuple((name, _sentence(entry)) for name, entry in entries.items())
    if len(rows) == 1:
        return Text(rows[0][1])
    return Table("summary", "What they came to.", ("run", "result"), rows)


def write(document: Page, output: Path, form: tables.Form | None, figures: bool) -> list[Path]:
    """The page as one HTML file; where asked for, its tables and figures beside it. Returns what was written.

    Raises RunFolderError where that can't be.
    """
    refuse_others(output)
    run_folders.write_text(output, page.html(document))
    written = tables.write_tables(document, output.parent, form) if form else []
    written += tables.write_figures(document, output.parent) if figures else []
    return [output, *written]


def refuse_others(output: Path) -> None:
    """Raises ConfigError where the file is there already and is no report of ours."""
    if not output.exists():
        return
    with run_folders.told(output), output.open("rb") as file:
        if page.STAMP not in file.read(4096):
            raise ConfigError(f"{output}: exists already and is no report; give another name with --output")


def _study(folder: Path) -> StudyFolder:
    if saved.kind(folder) != "study":
        raise ConfigError(f"{folder}: not a study's folder; studies and other runs make two reports")
    return study_folder.read(folder)


def _entry(folder: Path) -> Entry:
    what = saved.kind(folder)
    if what == "search":
        return search.read(folder)
    return saved.read(folder)


def titles(folders: Sequence[Path]) -> list[str]:
    """The folders' names; where two have the same, their paths. A path given twice is numbered."""
    names = [folder.resolve().name or str(folder) for folder in folders]
    paths = [
        name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)
    ]
    return [path if paths.count(path) == 1 else f"{path} ({i})" for i, path in enumerate(paths, 1)]


def _section(name: str, entry: Entry, beside: Path) -> Section:
    target = os.path.relpath(entry.folder.resolve(), beside.resolve())
    if isinstance(entry, Run):
        return report_run.section(entry, name, target)
    return report_search.section(entry, name, target)


def _sentence(entry: Entry) -> str:
    return report_run.sentence(entry) if isinstance(entry, Run) else report_search.sentence(entry)
