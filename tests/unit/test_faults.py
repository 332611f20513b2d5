"""Fault points: named places where a test may end the process."""

from __future__ import annotations

import os
import signal

import pytest

from belfry import faults


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: signals.append(number))
    monkeypatch.setattr(faults, "_countdown", {})
    return signals


def test_an_armed_point_kills_the_nth_time_that_it_is_passed(killed: list[int]) -> None:
    faults.arm("pipeline.after_note:2")
    faults.hit("pipeline.after_note")
    faults.hit("pipeline.after_insert")
    assert killed == []
    faults.hit("pipeline.after_note")
    assert killed == [signal.SIGKILL]


def test_nothing_happens_where_nothing_is_armed(killed: list[int]) -> None:
    for point in faults.POINTS:
        faults.hit(point)
    assert killed == []


def test_an_unknown_point_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"pipeline\.after_note"):
        faults.arm("pipeline.nowhere")
