"""The storage of a search's trials, with which it can go on later and be shared by several hosts."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

_JOURNAL_ENDINGS, _SQLITE_ENDINGS = (".journal", ".log"), (".db", ".sqlite", ".sqlite3")
_SQLITE = "sqlite:///"
_WAIT_SECONDS = 60


def full_address(text: str) -> str:
    """Return a storage's address in a form that is valid in any folder, and on any host that sees its file.

    Args:
        text: a file that ends in .journal or .log (a journal, safe on network file systems too), one that ends
            in .db, .sqlite or .sqlite3, or a database's address (``postgresql://user@host/name``, ``sqlite:///...``).

    Raises:
        ValueError: the text is none of these.
    """
    if "://" in text and not text.startswith(_SQLITE):
        return text
    path = Path(text.removeprefix(_SQLITE)).expanduser().absolute()
    if text.startswith(_SQLITE) or path.suffix in _SQLITE_ENDINGS:
        return f"{_SQLITE}{path}"
    if path.suffix in _JOURNAL_ENDINGS:
        return str(path)
    endings = ", ".join((*_JOURNAL_ENDINGS, *_SQLITE_ENDINGS))
    raise ValueError(f"storage {text}: expected a file that ends in {endings}, or postgresql://user@host/name")


def open_storage(address: str) -> BaseStorage:
    """Open or create the storage at a full address; raise ``ValueError`` if that fails or a driver is missing."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # otherwise it reports every step
    if "://" not in address:
        # The lock that Optuna takes by default is a symbolic link, which needs special rights on Windows.
        return JournalStorage(JournalFileBackend(address, lock_obj=JournalFileOpenLock(address)))
    shown = re.sub(r"//[^/@]*@", "//", address)  # without the password
    # SQLite locks the whole file while another process writes; by default it waits 5 s.
    options = {"connect_args": {"timeout": _WAIT_SECONDS}} if address.startswith(_SQLITE) else {}
    try:
        with _turn(address):  # two processes that make the tables of a new file at once would both fail
            return RDBStorage(address, engine_kwargs=options)
    except ImportError as error:
        driver = getattr(error.__cause__ or error, "name", None) or "its driver"
        raise ValueError(f"storage {shown}: the package {driver} is not installed: pip install {driver}") from None
    except (SQLAlchemyError, ValueError) as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise ValueError(f"storage {shown}: cannot be opened ({reason})") from None


def exclusive(address: str) -> AbstractContextManager[object]:
    """Return a context that one process at a time can enter.

    Without it SQLite and a journal could give a queued trial to two processes; PostgreSQL locks it by itself.
    """
    if "://" not in (file := address.removeprefix(_SQLITE)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    return _turn(address)


def _turn(address: str) -> AbstractContextManager[object]:
    file = address.removeprefix(_SQLITE)
    if "://" in file or not Path(file).parent.is_dir():
        return nullcontext()
    return FileLock(f"{file}.turn")  # another file than Optuna's own lock, which is taken within
