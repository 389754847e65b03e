"""A client of a Dask cluster, whose workers must give the same results as this process."""

import asyncio
import logging
import sys
import warnings
from typing import TYPE_CHECKING

import numpy as np

from cifarmlp import __version__
from cifarmlp.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

CONNECT = 4.0  # seconds for the scheduler to answer, and again for a first worker to be there
NOISY = ["distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application", "asyncio"]


def connect(address: str) -> "Client":
    """Return a client of the Dask scheduler at `address`, after checking that its workers match this process.

    Raises ConfigError where Dask is not installed, the address is malformed, no scheduler answers, it has no
    workers, or one of them has another version of Python, NumPy or cifarmlp.
    """
    _greet(address)
    from distributed import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about versions: those that matter are compared below
        client = Client(address, timeout=CONNECT, set_as_default=False)
    try:
        _check_workers(client)
    except BaseException:
        client.close()
        raise
    return client


def size(cluster: "Client") -> int:
    """Number of items that the cluster works on at a time."""
    return sum(cluster.nthreads().values())


def versions() -> dict[str, str]:
    """Versions in the calling process of all that decides the bits of a result."""
    return {"Python": _minor(sys.version), "NumPy": np.__version__, "cifarmlp": __version__}


def _greet(address: str) -> None:
    # Before there is a Client, which waits for ever where something other than Dask listens.
    try:
        kind = asyncio.run(_kind(address))
    except ImportError as error:
        raise ConfigError("a cluster needs Dask: pip install 'cifarmlp[cluster]'") from error
    except (ValueError, TypeError) as error:
        if "ssl_context" in str(error):
            words = "TLS needs certificates: name them in distributed.comm.tls of Dask's configuration"
            raise ConfigError(f"{address}: {words}") from error
        raise ConfigError(f"{address!r} is no address of a Dask scheduler; give tcp://HOST:PORT") from error
    except Exception as error:
        raise ConfigError(f"{address}: no Dask scheduler answers; start one there: dask scheduler") from error
    if kind != "Scheduler":
        raise ConfigError(f"{address}: a Dask {kind.lower()} answers; give the address of its scheduler")


async def _kind(address: str) -> str:
    from distributed import Security, rpc

    for name in NOISY:  # errors of ours replace their messages
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    security = Security().get_connection_args("client")
    async with asyncio.timeout(CONNECT), rpc(address, connection_args=security) as server:
        return str((await server.identity())["type"])


def _check_workers(client: "Client") -> None:
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError as error:
        raise ConfigError(f"{address}: no workers there; start some with: dask worker {address}") from error
    known = client.get_versions()  # Python's first: another version may not even load our code
    for where, there in {"the scheduler": known["scheduler"], **known["workers"]}.items():
        _compare(where, {"Python": _minor(there["host"]["python"])})
    for where, answer in [_ask_scheduler(client), *client.run(versions, on_error="return").items()]:
        if isinstance(answer, Exception):
            raise ConfigError(f"{where} cannot load cifarmlp {__version__} ({answer}); install it there")
        _compare(where, answer)


def _ask_scheduler(client: "Client") -> tuple[str, dict[str, str] | Exception]:
    try:
        return "the scheduler", client.run_on_scheduler(versions)
    except Exception as error:
        return "the scheduler", error


def _compare(where: str, there: dict[str, str]) -> None:
    here = versions()
    for name, version in there.items():
        if version != here[name]:
            raise ConfigError(
                f"{where} has {name} {version} but this process {here[name]}, and results would differ; "
                f"install {name} {here[name]} there"
            )


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
