"""Build the page of some run folders: each training and search, and trainings compared with the first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cifarmlp.errors import ConfigError
from cifarmlp.render.document import Block, Page, Section, Table, Text
from cifarmlp.report.comparison import comparison_section
from cifarmlp.report.origin import relative_path
from cifarmlp.report.search import search_section, search_sentence
from cifarmlp.report.study import study_page
from cifarmlp.report.training import training_section, training_sentence
from cifarmlp.runs.folder import Run, folder_kind, load_run, unique_names
from cifarmlp.search.folder import Search, read_search
from cifarmlp.study.folder import StudyFolder, load_study_folder
from cifarmlp.text import escape

Entry = Run | Search


def build_page(folders: Sequence[Path], beside: Path, title: str = "", text: str = "") -> Page:
    """Build the page of the runs in these folders; beside: the folder that the page will stand in.

    title, text: instead of the page's own title, and before all that it says; blank lines part paragraphs.
    Raises RunFolderError if a folder has no run or a damaged one, ConfigError for studies among other runs.
    """
    page = _build(folders, beside)
    paragraphs = (escape(" ".join(each.split())) for each in re.split(r"\n\s*\n", text))
    words = tuple(Text(each) for each in paragraphs if each)
    return replace(page, title=escape(" ".join(title.split())) or page.title, summary=(*words, *page.summary))


def _build(folders: Sequence[Path], beside: Path) -> Page:
    if any(folder_kind(folder) == "study" for folder in folders):
        return study_page([_load_study(folder) for folder in folders], beside)
    entries = dict(zip(map(escape, unique_names(folders)), map(_load_entry, folders), strict=True))
    runs = {name: entry for name, entry in entries.items() if isinstance(entry, Run)}
    comparison = [comparison_section(runs)] if len(runs) > 1 else []
    sections = [_section(name, entry, beside) for name, entry in entries.items()]
    title = next(iter(entries)) if len(entries) == 1 else f"Report on {len(entries)} runs"
    return Page(title, (_summary(entries),), (*comparison, *sections))


def _load_study(folder: Path) -> StudyFolder:
    if folder_kind(folder) != "study":
        raise ConfigError(f"{folder}: not a study's folder; studies and other runs make two reports")
    return load_study_folder(folder)


def _load_entry(folder: Path) -> Entry:
    return read_search(folder) if folder_kind(folder) == "search" else load_run(folder)


def _summary(entries: Mapping[str, Entry]) -> Block:
    rows = tuple((name, _sentence(entry)) for name, entry in entries.items())
    if len(rows) == 1:
        return Text(rows[0][1])
    return Table("summary", "What they came to.", ("run", "result"), rows)


def _section(name: str, entry: Entry, beside: Path) -> Section:
    target = relative_path(entry.folder, beside)
    if isinstance(entry, Run):
        return training_section(entry, name, target)
    return search_section(entry, name, target)


def _sentence(entry: Entry) -> str:
    return training_sentence(entry) if isinstance(entry, Run) else search_sentence(entry)
