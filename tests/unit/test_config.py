"""Settings: read once, the later source wins, a wrong value is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from belfry.config import ConfigError, Settings, describe, load


def test_defaults_serve_a_laptop() -> None:
    settings = load()
    assert settings == Settings()
    assert settings.relational_url().startswith("sqlite:///")
    assert settings.host == "127.0.0.1"


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "belfry.toml"
    file.write_text('port = 1000\nregion = "in1"\nlog_level = "debug"\n')
    settings = load(str(file), {"BELFRY_PORT": "2000", "BELFRY_REGION": "sg1", "PATH": "/bin"}, {"port": 3000})
    assert (settings.port, settings.region, settings.log_level) == (3000, "sg1", "debug")


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load(None, {"BELFRY_PORT": "2000"}, {"port": None}).port == 2000


def test_lists_in_variables_are_comma_separated() -> None:
    settings = load(None, {"BELFRY_OUTBOUND_ALLOW": "127.0.0.1:1, localhost:2", "BELFRY_WEBHOOK_RETRY_DELAYS_S": "1,2"})
    assert settings.outbound_allow == ["127.0.0.1:1", "localhost:2"]
    assert settings.webhook_retry_delays_s == [1.0, 2.0]


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://u:p@127.0.0.1/belfry\n")
    assert load(None, {"BELFRY_RELATIONAL_DSN_FILE": str(file)}).relational_dsn == "postgresql://u:p@127.0.0.1/belfry"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        pytest.param({"BELFRY_PORT": "eighty"}, "port", id="not a number"),
        pytest.param({"BELFRY_PORT": "70000"}, "port", id="out of range"),
        pytest.param({"BELFRY_LOG_LEVEL": "loud"}, "log_level", id="not of the closed set"),
        pytest.param({"BELFRY_REGION": "Europe!"}, "region", id="wrong form"),
        pytest.param({"BELFRY_RECORDS_MAX": "1001"}, "records_max", id="beyond what the wire format allows"),
        pytest.param({"BELFRY_UPLOAD_REQUESTS_MAX": "14"}, "upload_requests_max", id="below what clients count on"),
        pytest.param({"BELFRY_LOG_RETENTION_HOURS": "5"}, "log_retention_hours", id="two settings that do not fit"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_setting(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load(None, environment)


def test_an_unknown_setting_in_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "belfry.toml"
    file.write_text("prot = 80\n")
    with pytest.raises(ConfigError, match="prot"):
        load(str(file))


@pytest.mark.parametrize("text", ["port = ", "\x00", "[[["])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "belfry.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"belfry\.toml"):
        load(str(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load(str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigError, match="BELFRY_RELATIONAL_DSN_FILE"):
        load(None, {"BELFRY_RELATIONAL_DSN_FILE": str(tmp_path / "nowhere")})


def test_every_setting_has_a_sentence() -> None:
    assert all(sentence.endswith((".", "...")) for _, _, _, sentence in describe())
