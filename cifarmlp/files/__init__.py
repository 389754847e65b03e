"""Files on disk: written whole or not at all, read only if they are what they should be.

    writing   numbered folders, locks, atomic writes of text, JSON, CSV and arrays
    reading   regular files of a bounded size, JSON by a model, CSV row by row
    pictures  Matplotlib with our own settings, and failures to draw that cost no result

On the rank above `errors` and `text`, below everything else.
"""

from cifarmlp.files.pictures import forgive, import_matplotlib, own_settings, write_png
from cifarmlp.files.reading import (
    MOST_ARRAYS,
    MOST_CSV,
    MOST_JSON,
    open_regular,
    read_bytes,
    read_json,
    read_rows,
)
from cifarmlp.files.writing import (
    claim,
    disk_errors,
    folders,
    is_locked,
    lock,
    make_folder,
    nan_to_null,
    set_aside,
    sha256,
    sync_folder,
    write,
    write_arrays,
    write_json,
    write_rows,
    write_text,
)

__all__ = [
    "MOST_ARRAYS",
    "MOST_CSV",
    "MOST_JSON",
    "claim",
    "disk_errors",
    "folders",
    "forgive",
    "import_matplotlib",
    "is_locked",
    "lock",
    "make_folder",
    "nan_to_null",
    "open_regular",
    "own_settings",
    "read_bytes",
    "read_json",
    "read_rows",
    "set_aside",
    "sha256",
    "sync_folder",
    "write",
    "write_arrays",
    "write_json",
    "write_png",
    "write_rows",
    "write_text",
]
