"""The page about trials tells of every trial, and of tests that exist."""

from __future__ import annotations

import re

import pytest

from support.docs import DOCS, ROOT

PAGE = (DOCS / "reliability.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`((?:unit|integration|acceptance|conformance)/[\w/.]+(?:::\w+)?)`", PAGE)))
TRIALS = [*(f"R{number}" for number in range(1, 18)), *(f"S{number}" for number in range(1, 21))]


@pytest.mark.parametrize("test", TESTS)
def test_a_named_test_exists(test: str) -> None:
    path, _, name = test.partition("::")
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text


@pytest.mark.parametrize("trial", TRIALS)
def test_every_trial_was_tried_or_has_a_reason(trial: str) -> None:
    (row,) = re.findall(rf"^\| {trial} \|.*$", PAGE, re.MULTILINE)
    assert "not tried: " in row or re.search(r"`\w+/[\w/.:]+`", row) or "the same as R1" in row
