"""What an answer means (integrations 4.4), and that no secret is shown on the way (trial S17)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.connectors.model import SendFailure
from belfry.connectors.secret import Secret, redact
from belfry.connectors.signature import new_signing_secret, signature
from belfry.connectors.webhook import BasicAuth, BearerAuth, WebhookTemplate, secrets_of
from belfry.connectors.webhook_outcome import DETAIL_BYTES_MAX, classify
from belfry.ids import SequentialIds
from belfry.outbound import AddressRefused, NoAnswer, OutboundError, OutboundResponse, TooLarge, Unreachable

NOW_MS = 1_795_608_000_000
CANARY = "canary-90e3"


def answered(status: int, body: bytes = b"", **headers: str) -> OutboundResponse:
    return OutboundResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        *[(status, None) for status in (200, 201, 202, 204, 299)],
        *[(status, SendFailure.REJECTED) for status in (300, 301, 302, 303, 304, 307, 308)],
        *[(status, SendFailure.REJECTED) for status in (400, 402, 404, 405, 409, 410, 413, 422, 451, 499, 600, 999)],
        *[(status, SendFailure.MISCONFIGURED) for status in (401, 403, 407)],
        *[(status, SendFailure.THROTTLED) for status in (408, 425, 429)],
        *[(status, SendFailure.UNKNOWN) for status in (500, 501, 502, 503, 504, 599)],
    ],
)
def test_each_status_has_its_class(status: int, failure: SendFailure | None) -> None:
    outcome = classify(answered(status), now_ms=NOW_MS)
    assert (outcome.failure, outcome.status) == (failure, status)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (Unreachable("x"), SendFailure.UNREACHABLE),
        (NoAnswer("x"), SendFailure.UNKNOWN),
        (AddressRefused("x"), SendFailure.MISCONFIGURED),
        (TooLarge("x"), SendFailure.REJECTED),
        (OutboundError("x"), SendFailure.UNKNOWN),
    ],
)
def test_each_way_of_having_no_answer_has_its_class(error: OutboundError, failure: SendFailure) -> None:
    outcome = classify(error, now_ms=NOW_MS)
    assert (outcome.failure, outcome.status, outcome.detail) == (failure, None, "x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 999_999_999.0),
        ("Wed, 25 Nov 2026 12:00:10 GMT", 10.0),
        ("Wed, 25 Nov 2026 11:59:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 12:00:10", 10.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    outcome = classify(answered(429, retry_after=value), now_ms=NOW_MS)
    assert outcome.failure is SendFailure.THROTTLED
    assert outcome.retry_after_s == seconds


def test_503_with_retry_after_was_not_taken() -> None:
    assert classify(answered(503, retry_after="5"), now_ms=NOW_MS).failure is SendFailure.THROTTLED


class TestDetail:
    def test_it_holds_status_and_the_first_kibibyte(self) -> None:
        outcome = classify(answered(500, b"e" * 5000), now_ms=NOW_MS)
        assert outcome.detail == "HTTP 500: " + "e" * DETAIL_BYTES_MAX

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", "HTTP 500"),
            (b"a\r\nb\x00\x1b[31m", "HTTP 500: a  b  [31m"),
            (b"\xff\xfe", "HTTP 500: \ufffd\ufffd"),
            ("é".encode() * 2000, "HTTP 500: " + "é" * 512),
        ],
        ids=["nothing", "line breaks and control characters", "not UTF-8", "cut between characters"],
    )
    def test_it_is_one_line_of_text(self, body: bytes, expected: str) -> None:
        assert classify(answered(500, body), now_ms=NOW_MS).detail == expected

    def test_a_compressed_body_is_not_shown(self) -> None:
        outcome = classify(answered(500, b"\x1f\x8b", content_encoding="gzip"), now_ms=NOW_MS)
        assert outcome.detail == "HTTP 500: (a body in gzip)"

    @given(st.binary(max_size=200), st.integers(100, 999))
    def test_any_answer_has_an_outcome(self, body: bytes, status: int) -> None:
        outcome = classify(answered(status, body), now_ms=NOW_MS)
        assert len(outcome.detail.encode()) <= DETAIL_BYTES_MAX + len("HTTP 500: ")


class TestSecrets:
    TEMPLATE = WebhookTemplate(
        name="x",
        url=f"https://x.example/?key={CANARY}-url",
        auth=BasicAuth("user", Secret(f"{CANARY}-password")),
        headers=(("X-Api-Key", f"{CANARY}-header"), ("Authorization-2", f"Bearer {CANARY}-token")),
        signing_secrets=(Secret(f"{CANARY}-signing"),),
    )

    @pytest.mark.parametrize("text", [str, repr, "{}".format, lambda secret: f"{secret!r} {secret:>20}"])
    def test_no_way_of_formatting_shows_one(self, text: object) -> None:
        assert callable(text)
        assert CANARY not in text(Secret(CANARY))

    def test_encoding_and_pickling_do_not_either(self) -> None:
        with pytest.raises(TypeError):
            msgspec.json.encode(Secret(CANARY))
        with pytest.raises(TypeError):
            pickle.dumps(Secret(CANARY))

    def test_a_definition_does_not_show_its_secrets(self) -> None:
        bearer = msgspec.structs.replace(self.TEMPLATE, auth=BearerAuth(Secret(CANARY)))
        assert CANARY not in f"{self.TEMPLATE!r} {self.TEMPLATE.auth!r} {bearer!r} {bearer.auth!r}"

    def test_a_provider_that_echoes_our_credentials_does_not_bring_them_into_the_detail(self) -> None:
        basic = base64.b64encode(f"user:{CANARY}-password".encode()).decode()
        echoed = f"Basic {basic} {CANARY}-password {CANARY}-header Bearer {CANARY}-token {CANARY}-signing"
        padding = b"x" * (DETAIL_BYTES_MAX - 20)
        for body in (echoed.encode(), padding + echoed.encode()):
            detail = classify(answered(401, body), now_ms=NOW_MS, secrets=secrets_of(self.TEMPLATE)).detail
            assert CANARY not in detail
            assert basic not in detail

    def test_redaction_is_by_value_in_every_spelling(self) -> None:
        secret = "a/b c+d=="
        spellings = [secret, "a%2Fb%20c%2Bd%3D%3D", base64.b64encode(secret.encode()).decode()]
        assert redact(" | ".join(spellings), [secret]) == "*** | *** | ***"
        assert redact("short: ab", ["ab"]) == "short: ab"
        assert redact("long then short: secret-long secret", ["secret", "secret-long"]) == "long then short: *** ***"

    def test_equality_is_of_the_value(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a")}) == 1
        assert not Secret("")


class TestSignature:
    def test_it_is_what_the_standard_says(self) -> None:
        """The example of standardwebhooks.com."""
        secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        made = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_a_secret_of_ones_own_signs_as_it_is(self) -> None:
        expected = base64.b64encode(hmac.digest(b"own words", b"id.1.body", hashlib.sha256)).decode()
        assert signature([Secret("own words")], "id", 1, b"body") == f"v1,{expected}"
        assert signature([Secret("whsec_not base64!")], "id", 1, b"body").startswith("v1,")

    def test_a_new_secret_has_the_form_that_libraries_expect(self) -> None:
        made = new_signing_secret(SequentialIds()).reveal()
        assert made.startswith("whsec_")
        assert len(base64.b64decode(made.removeprefix("whsec_"))) == 24
