"""The group of all commands, and what becomes of their errors."""

import os
import sys
from io import TextIOWrapper

import click
from click.shell_completion import shell_complete

from cifarmlp import __version__
from cifarmlp.cli import (
    configs,
    data,
    engine,
    models,
    owncode,
    range_test,
    report,
    runs,
    search,
    study,
    train,
)
from cifarmlp.cli.options import INTERRUPTED
from cifarmlp.errors import CifarmlpError, RunFolderError, show_warnings_as_lines
from cifarmlp.text import escape

COMPLETION = "_CIFARMLP_COMPLETE"  # as click's scripts for shells set it
CLOSED_PIPE = INTERRUPTED + 13  # as shells have it, for SIGPIPE


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cifarmlp")
def commands() -> None:
    """Experiments with fully connected networks on CIFAR-10, from YAML configs, in NumPy.

    Start with: cifarmlp train quickstart
    """


for command in (
    train.train,
    engine.gradcheck,
    owncode.case,
    owncode.diagnose,
    range_test.range_test,
    search.search,
    study.study,
    report.report,
    runs.compare,
    runs.runs,
    runs.evaluate,
    models.predict,
    models.export,
    data.data,
    configs.configs,
    engine.bench,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line: an error becomes one line on stderr and the exit code that goes with it."""
    show_warnings_as_lines()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show must not end a command
    if instruction := os.environ.get(COMPLETION):
        sys.exit(shell_complete(commands, {}, "cifarmlp", COMPLETION, instruction))
    try:
        with commands.make_context("cifarmlp", sys.argv[1:]) as context:  # not its `main`, which hides EPIPE
            commands.invoke(context)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)  # here before a command watches for it, or where none has to
        sys.exit(130)
    except CifarmlpError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        _exit_as_by_sigpipe()
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {error.strerror or error}", RunFolderError.exit_code)
    except MemoryError as error:
        needed = f"{error}; " if str(error) else ""
        _fail(f"out of memory: {needed}use a smaller network.hidden or batch_size, or free memory", 1)


def _exit_as_by_sigpipe() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())  # else Python complains at exit about what it could not flush
    sys.exit(CLOSED_PIPE)


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        click.echo(f"error: {escape(line)}", err=True)
    sys.exit(code)
