"""Addresses and numbers in one form."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from belfry.intake import contacts
from belfry.intake.contacts import email_of, phone_of

ADDRESSES = [
    ("a@example.org", "a@example.org"),
    ("A.B+c@Example.ORG", "a.b+c@example.org"),
    ("a@shop.test", "a@shop.test"),
    ("a@mail.local", "a@mail.local"),
    ("a@x.invalid", "a@x.invalid"),
    ("用户@例子.公司", "用户@例子.公司"),
    ("a@xn--fsqu00a.xn--55qx5d", "a@例子.公司"),
    ("o'neil@example.org", "o'neil@example.org"),
    ("a@localhost", None),
    ("a@b", None),
    ("a..b@example.org", None),
    ("a@example.org.", None),
    ("a@-example.org", None),
    ("a@ex_ample.org", None),
    ("a@[127.0.0.1]", None),
    ("a@b@example.org", None),
    ("a@.", None),
    ("x" * 250 + "@example.org", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES, ids=[case[0][:30] for case in ADDRESSES])
def test_an_address_is_kept_in_lower_case(text: str, address: str | None) -> None:
    assert email_of(text) == address


@settings(deadline=None)
@given(st.from_regex(contacts._COMMON_EMAIL, fullmatch=True).filter(lambda text: len(text) <= 60))
def test_what_is_taken_without_asking_the_library_is_what_the_library_takes_unchanged(text: str) -> None:
    try:
        valid = validate_email(text + ".example", check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        pytest.fail(f"{text}: {error}")
    assert valid.normalized == text + ".example"


NUMBERS = [
    ("+351912345678", None, "+351912345678"),
    ("+351 912-345.678", None, "+351912345678"),
    ("+1 (415) 555-0100", None, "+14155550100"),
    ("+1234567890", None, "+1234567890"),
    ("+4407911123456", None, "+447911123456"),
    ("+390612345678", None, "+390612345678"),
    ("+1234567", None, None),
    ("+1234567890123456", None, None),
    ("+99912345678", None, None),
    ("+٣٥١٩١٢٣٤٥٦٧٨", None, None),
    ("00351912345678", None, None),
    ("912345678", None, None),
    ("912345678", "PT", "+351912345678"),
    ("00351912345678", "PT", "+351912345678"),
    ("+447911123456", "PT", "+447911123456"),
    ("4155550100", "US", "+14155550100"),
    ("223", "PT", None),
    ("912345678", "ZZ", None),
]


@pytest.mark.parametrize(("text", "country", "number"), NUMBERS)
def test_a_number_is_kept_in_its_international_form(text: str, country: str | None, number: str | None) -> None:
    assert phone_of(text, country) == number
