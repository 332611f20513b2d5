"""Changing an account's settings by name."""

from __future__ import annotations

import pytest

from belfry.accounts.model import AccountSettings
from belfry.accounts.rules import changed_settings
from belfry.errors import BadRequest


def test_named_settings_change_and_the_others_stay() -> None:
    changed = changed_settings(AccountSettings(), {"default_country": "PT", "duplicate_comparison": False})
    assert (changed.default_country, changed.duplicate_comparison) == ("PT", False)
    assert changed.event_names_max == AccountSettings().event_names_max


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"color": "red"}, "color"), ({"event_properties_max": "many"}, "event_properties_max")],
)
def test_an_unknown_name_or_a_wrong_value_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        changed_settings(AccountSettings(), changes)
