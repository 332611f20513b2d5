"""Variables in the relational store, on each engine."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.errors import BadRequest
from belfry.ids import AccountId
from belfry.remote_config import rules
from belfry.remote_config.actions import RemoteConfig
from belfry.remote_config.model import Definition, Value, VariableType
from belfry.storage.relational import Database

SHOP, OTHER = AccountId("SHO-P00-0001"), AccountId("OTH-ER0-0002")


def number(default: Value) -> Definition:
    return Definition(type=VariableType.NUMBER, default=default)


@pytest.fixture
def config(database: Database, clock: ManualClock) -> RemoteConfig:
    return RemoteConfig(database, clock)


def test_a_definition_takes_effect_when_it_is_published(config: RemoteConfig) -> None:
    config.define(SHOP, {"a": number(1)})
    assert config.defaults(SHOP) == {}
    assert config.publish(SHOP) == 1
    config.define(SHOP, {"a": number(2), "b": number(0.5)})
    assert config.defaults(SHOP) == {"a": 1}
    assert config.publish(SHOP) == 2
    assert config.defaults(SHOP) == {"a": 2, "b": 0.5}
    assert config.publish(SHOP) == 0


def test_each_type_comes_back_as_it_was(config: RemoteConfig) -> None:
    given = {
        "text": Definition(type=VariableType.STRING, default="none", description="what"),
        "yes": Definition(type=VariableType.BOOLEAN, default=True),
        "count": number(3),
    }
    config.define(SHOP, given)
    config.publish(SHOP)
    assert {one.name: one.published for one in config.list_variables(SHOP)} == given
    assert config.defaults(SHOP)["yes"] is True


def test_deleting_is_at_once_and_unknown_names_do_no_harm(config: RemoteConfig) -> None:
    config.define(SHOP, {"a": number(1), "b": number(2), "c": number(3)})
    config.define(OTHER, {"a": number(1)})
    config.publish(SHOP)
    config.delete(SHOP, ["a", "unknown"])
    assert config.defaults(SHOP) == {"b": 2, "c": 3}
    config.delete(SHOP, None)
    assert config.list_variables(SHOP) == []
    assert len(config.list_variables(OTHER)) == 1


def test_definitions_are_kept_all_or_none(config: RemoteConfig) -> None:
    config.define(SHOP, {"promo": number(1)})
    with pytest.raises(BadRequest, match="promo is a variable"):
        config.define(SHOP, {"x": number(1), "promo.banner": number(1)})
    assert [one.name for one in config.list_variables(SHOP)] == ["promo"]


def test_an_account_has_so_many_variables(config: RemoteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "VARIABLES_MAX", 2)
    config.define(SHOP, {"a": number(1), "b": number(1)})
    config.define(SHOP, {"a": number(2)})
    with pytest.raises(BadRequest, match="The account would have 3 variables, at most 2"):
        config.define(SHOP, {"c": number(1)})


def test_publishing_and_deleting_touch_one_account(config: RemoteConfig) -> None:
    for account in (SHOP, OTHER):
        config.define(account, {"a": number(1)})
    config.publish(SHOP)
    assert (config.defaults(SHOP), config.defaults(OTHER)) == ({"a": 1}, {})
