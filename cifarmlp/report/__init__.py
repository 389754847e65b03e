"""Reports: what the page of runs, searches and studies says.

    folders -> build_page -> Page (sections of text, tables, figures) -> write_page -> report.html

Begin with `build`. `training`, `search`, `comparison` and `study` (with `verdicts`) are a section or a page
each, `origin` says where a run comes from, and `write` puts a page and the files beside it on disk; `render`
turns it into HTML. May import study and all below it; only api and cli import it.
"""
