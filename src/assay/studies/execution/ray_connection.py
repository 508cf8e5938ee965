"""The connection to Ray: to a cluster, to the one of this process, or to one that is started here."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from assay.studies.execution.processes import keep_server
from assay.studies.execution.ray_share import Share


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to Ray that ends as it began, and leaves SIGTERM to whom it was.

    Args:
        address: of a cluster, or ``auto`` for the one of this machine; None starts Ray here. Where this process is
            connected already, that connection is used and kept.

    Raises:
        ValueError: no Ray at the address.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
            ray.init("local", include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
        else:
            _join(address)
        yield
    finally:
        ray.shutdown()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _join(address: str) -> None:
    import ray

    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
    except OSError:
        raise ValueError(f"no Ray cluster at {address}; start one with `ray start --head`") from None


def _knock(address: str) -> None:
    """Raises ``OSError`` where nobody listens at ``HOST:PORT``; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def remote(function: Callable[..., Any], share: Share, *, retries: int) -> Any:
    """Return a Ray task that calls the function.

    Args:
        function: sees the GPUs that Ray has set aside for the call; its runs share the worker's fork server.
        share: what Ray sets aside for a call.
        retries: how often Ray repeats a call whose worker is lost.
    """
    import ray

    task: Any = ray.remote(lambda *arguments: _call_at_worker(function, share.gpus, arguments))
    return task.options(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=retries, retry_exceptions=False)


def _call_at_worker(function: Callable[..., Any], gpus: float, arguments: Sequence[Any]) -> Any:
    keep_server()
    with only_given_gpus(gpus):
        return function(*arguments)


@contextlib.contextmanager
def only_given_gpus(gpus: float) -> Iterator[None]:
    """Hide all GPUs from a task that has asked for none: Ray leaves those in sight that it has not given to it."""
    if gpus:
        yield
        return
    name = "CUDA_VISIBLE_DEVICES"
    before = os.environ.get(name)
    os.environ[name] = ""
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
