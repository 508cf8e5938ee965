"""Items are made ahead by another thread, in their order, and nothing of them is lost or left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import torch

from assay.data.ahead import has_free_cores, made_ahead

CPU = torch.device("cpu")


def test_an_item_is_made_while_the_one_before_it_is_used() -> None:
    second_is_made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        second_is_made.set()
        yield 2

    made = made_ahead(items())
    assert next(made) == 1
    assert second_is_made.wait(30)
    assert list(made) == [2]


def test_the_order_stays_and_no_thread_is_left() -> None:
    before = threading.active_count()
    assert list(made_ahead(iter(range(50)))) == list(range(50))
    assert list(made_ahead(iter(()))) == []
    stopped = made_ahead(iter(range(50)))
    assert next(stopped) == 0
    stopped.close()
    assert threading.active_count() == before


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("cat.png: cut off")

    made = made_ahead(items())
    assert next(made) == 1
    with pytest.raises(ValueError, match=r"cat\.png: cut off"):
        next(made)


@pytest.mark.parametrize(("cores", "is_free"), [(1, False), (2, True), (3, True)])
def test_a_thread_more_needs_its_core(cores: int, is_free: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(cores)), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert has_free_cores(CPU) is is_free
    assert not has_free_cores(torch.device("cuda"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert not has_free_cores(CPU)
