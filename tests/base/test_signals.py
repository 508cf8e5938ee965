"""Requests to stop: nested ones pass them on, and nothing is lost between them."""

from __future__ import annotations

import signal

import pytest

from assay.base.signals import StopRequest

KINDS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_only_noted_and_the_handlers_come_back(kind: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in KINDS]
    with StopRequest() as stop:
        assert not stop.requested
        signal.raise_signal(kind)
        assert stop.requested
    assert [signal.getsignal(one) for one in KINDS] == before


def test_a_second_ctrl_c_interrupts() -> None:
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_nested_one_passes_the_request_on(kind: signal.Signals) -> None:
    with StopRequest() as outer:
        with StopRequest(), StopRequest() as inner:
            signal.raise_signal(kind)
            assert inner.requested
        assert outer.requested


def test_a_nested_one_begins_with_what_was_requested() -> None:
    with StopRequest() as outer:
        signal.raise_signal(signal.SIGTERM)
        with StopRequest() as inner:
            assert inner.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert outer.requested
