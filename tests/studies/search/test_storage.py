"""Where trials are kept, by the storage's address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from optuna.storages import JournalStorage

from assay.studies.search.storage import exclusive, full_address, open_storage


def test_a_journal(tmp_path: Path) -> None:
    assert isinstance(open_storage(full_address(str(tmp_path / "trials.journal"))), JournalStorage)
    assert (tmp_path / "trials.journal").exists()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_sqlite(tmp_path: Path, form: str) -> None:
    path = tmp_path / "trials.db"
    assert open_storage(full_address(form.format(path))).get_all_studies() == []
    assert path.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("trials.txt", r"storage trials.txt: expected a file that ends in .journal, .log, .db"),
        ("postgresql+pg8000://me:secret@host/db", r"storage postgresql\+pg8000://host/db: the package pg8000 is not"),
        ("nosuch://me:secret@host/db", r"storage nosuch://host/db: cannot be opened"),
        ("sqlite:////no/such/folder/trials.db", r"cannot be opened \(unable to open database file"),
    ],
)
def test_mistakes(address: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        open_storage(full_address(address))
    assert "secret" not in str(caught.value)


def test_files_are_named_by_their_whole_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert full_address("trials.log") == str(tmp_path / "trials.log")
    assert full_address("trials.db") == full_address("sqlite:///trials.db") == f"sqlite:///{tmp_path}/trials.db"
    assert full_address("postgresql://host/db") == "postgresql://host/db"


def test_files_take_turns(tmp_path: Path) -> None:
    address = full_address(str(tmp_path / "new" / "trials.db"))
    with exclusive(address):
        assert (tmp_path / "new" / "trials.db.turn").exists()
    assert isinstance(exclusive("postgresql://host/db"), nullcontext)


def test_a_new_database_is_opened_by_one_after_another(tmp_path: Path) -> None:
    address = full_address(str(tmp_path / "trials.db"))
    with ThreadPoolExecutor(4) as pool:
        with exclusive(address):
            opened = [pool.submit(open_storage, address) for _ in range(4)]
            with pytest.raises(TimeoutError):
                opened[0].result(timeout=0.5)
            assert not (tmp_path / "trials.db").exists()
        assert [storage.result().get_all_studies() for storage in opened] == [[]] * 4
