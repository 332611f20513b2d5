"""Date columns: every declared format, in the account's time zone (engagement 1.5)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.imports.dates import date_reader, is_format

LISBON = ZoneInfo("Europe/Lisbon")
NOON = int(dt.datetime(2025, 7, 4, 12, tzinfo=LISBON).timestamp())
EVENING = int(dt.datetime(2025, 7, 4, 21, 5, 6, tzinfo=LISBON).timestamp())


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("dd/MM/yyyy", "04/07/2025", NOON),
        ("dd/MM/yyyy", "4/7/2025", NOON),
        ("dd/MM/yyyy HH:mm:ss", "04/07/2025 21:05:06", EVENING),
        ("dd/MM/yyyy HH:mm:ss", "04/07/2025", NOON),
        ("dd/MM/yyyy", "04/07/2025 21:05:06", EVENING),
        ("MM/dd/yyyy", "07/04/2025", NOON),
        ("yyyy/dd/MM", "2025/04/07", NOON),
        ("yyyy/MM/dd", "2025/07/04", NOON),
        ("yyyy-MM-dd", "2025-07-04", NOON),
        ("dd.MM.yyyy", "04.07.2025", NOON),
        ("dd MMM yyyy", "04 Jul 2025", NOON),
        ("dd MMM yyyy HH:mm", "4 july 2025 12:00", NOON),
        ("yyyyMMddHHmmss", "20250704210506", EVENING),
        ("unix time", str(NOON), NOON),
        ("unix", f"{NOON}123", NOON),
        ("dd/MM/yyyy", "07/13/2025", None),
        ("dd/MM/yyyy", "2025-07-04", None),
        ("dd/MM/yyyy", "29/02/2025", None),
        ("dd/MM/yyyy", "00/00/0000", None),
        ("dd/MM/yyyy HH:mm:ss", "04/07/2025 25:00:00", None),
        ("dd MMM yyyy", "04 Foo 2025", None),
        ("unix", "soon", None),
        ("dd/MM/yyyy", "x" * 10_000, None),
    ],
)
def test_a_text_is_read_by_the_format_of_its_column(form: str, text: str, seconds: int | None) -> None:
    assert date_reader(form, "Europe/Lisbon")(text) == seconds


@pytest.mark.parametrize("form", ["dd/MM", "yyyy", "", "dd/MM/yyyy HH", "MMM dd yyyy", "dd/MM/yyyy HH:mm:ss Z", "%Y"])
def test_a_format_that_is_not_known_is_refused_with_those_that_are(form: str) -> None:
    assert not is_format(form)
    with pytest.raises(BadRequest, match="dd/MM/yyyy"):
        date_reader(form, "UTC")


EARLIEST, LATEST = dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis wants naive ones


@given(st.datetimes(EARLIEST, LATEST), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_what_a_format_writes_it_reads(moment: dt.datetime, timezone: str) -> None:
    seconds = int(moment.replace(microsecond=0, tzinfo=ZoneInfo(timezone)).timestamp())
    for form, pattern in (("dd/MM/yyyy HH:mm:ss", "%d/%m/%Y %H:%M:%S"), ("yyyyMMddHHmmss", "%Y%m%d%H%M%S")):
        assert date_reader(form, timezone)(f"{moment:{pattern}}") == seconds


@given(st.text(max_size=30))
def test_no_text_is_more_than_no_date(text: str) -> None:
    for form in ("dd/MM/yyyy HH:mm:ss", "dd MMM yyyy", "yyyyMMddHHmmss", "unix"):
        date_reader(form, "UTC")(text)
