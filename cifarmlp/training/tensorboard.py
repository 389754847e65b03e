"""Event files for TensorBoard, beside metrics.csv and of the same numbers, as float32.

tensorboardX writes them, which the extra `tensorboard` brings: NumPy and protobuf are all that it needs.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from cifarmlp import files
from cifarmlp.errors import ConfigError

EVENTS = "events.out.tfevents.*"  # a name that TensorBoard looks for
Row = Mapping[str, float]


def import_tensorboard() -> tuple[Any, Any]:
    """Return the writer of event files and the module of their messages.

    Raises ConfigError if tensorboardX is not installed.
    """
    try:
        writer = import_module("tensorboardX.event_file_writer")
        return writer.EventsWriter, import_module("tensorboardX.proto.event_pb2")
    except ImportError as error:
        message = "--tensorboard needs tensorboardX: pip install 'cifarmlp[tensorboard]'"
        raise ConfigError(message) from error


@contextmanager
def write_events(folder: Path, rows: Sequence[Row]) -> Iterator[Callable[[Row], None]]:
    """Begin a run folder's event file with these rows of metrics.csv; yield the function that adds one.

    A row is on disk when the function returns, its columns as the tags. The file takes the place of an
    earlier one, which may have rows from after the checkpoint that a training was resumed from.
    Raises ConfigError as `import_tensorboard`, RunFolderError if the file can't be written.
    """
    open_writer, messages = import_tensorboard()
    with files.disk_errors(folder):
        for path in folder.glob(EVENTS):
            path.unlink()
        writer = open_writer(str(folder / "events"))
        begun = messages.SessionLog(status=messages.SessionLog.START)  # at it TensorBoard drops later steps
        writer.write_event(messages.Event(step=0, wall_time=time.time(), session_log=begun))

    def add(row: Row) -> None:
        with files.disk_errors(folder):
            writer.write_event(_event(row, messages))
            writer.flush()

    try:
        for row in rows:
            add(row)
        yield add
    finally:
        with files.disk_errors(folder):
            writer.close()


def _event(row: Row, messages: Any) -> Any:
    event = messages.Event(step=int(row["step"]), wall_time=time.time())
    for tag, value in row.items():
        if tag != "step":
            event.summary.value.add(tag=tag, simple_value=value)
    return event
