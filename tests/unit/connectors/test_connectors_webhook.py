"""The webhook connector: definition and users to request (partner integrations 4.1 to 4.4)."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from belfry.connectors.model import ProfileView, liquid_values
from belfry.connectors.secret import Secret, decode_secret, encode_secret
from belfry.connectors.signature import signature
from belfry.connectors.webhook import (
    BasicAuth,
    BearerAuth,
    CallTooLarge,
    ContentType,
    Method,
    Recipient,
    WebhookTemplate,
    build_request,
    build_trial_request,
    call_key,
    messages_per_call,
)
from belfry.connectors.webhook_body import CallFacts, Switches
from belfry.connectors.webhook_check import check
from belfry.ids import AccountId, MessageId, ProfileId

FACTS = CallFacts(account_id=AccountId("ACME"), campaign_id=1790001111, attempt=2, now_ms=1_767_225_620_000)
SECRET = Secret("whsec_" + base64.b64encode(b"k" * 24).decode())


class Texts(msgspec.Struct, frozen=True):
    """What `content` would have rendered."""

    url: str = "https://ops.acme.example/hooks/cart"
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    key_values: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


PLAIN = Texts()


def view(**changed: Any) -> ProfileView:
    known: dict[str, Any] = {
        "profile_id": ProfileId(1),
        "identity": "u-77",
        "all_identities": ("u-77", "ana@example.org"),
        "email": "ana@example.org",
        "phone": "+34600111222",
        "name": "Ana",
        "object_id": "__g3f",
        "push_token": "tok",
        "properties": {"tier": "gold", "score": 308, "Name": "Ana", "Tz": "Europe/Madrid", "DOB": "$D_631152000"},
        "subscriptions": {"push": True, "webpush": False, "email": True, "sms": True, "whatsapp": False},
    }
    return ProfileView(**{**known, **changed})


def recipient(number: int = 1, texts: Texts = PLAIN, **changed: Any) -> Recipient:
    return Recipient(MessageId(f"b1{number:040d}"), view(**changed), texts)


def template(**changed: Any) -> WebhookTemplate:
    return WebhookTemplate(**{"name": "Cart", "url": "https://ops.acme.example/hooks/cart", **changed})


def headers_of(made: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in made.headers}


class TestRequest:
    def test_the_default_body_holds_what_the_specification_shows(self) -> None:
        texts = Texts(key_values=(("offer", "A1"),))
        made = build_request(template(key_values=(("offer", "A1"),)), [recipient(texts=texts)], FACTS)
        assert json.loads(made.body or b"") == {
            "targetId": 1790001111,
            "key_values": {"offer": "A1"},
            "profiles": [
                {
                    "identity": "u-77",
                    "all_identities": ["u-77", "ana@example.org"],
                    "objectId": "__g3f",
                    "email": "ana@example.org",
                    "phone": "+34600111222",
                    "name": "Ana",
                    "key_values": {"offer": "A1"},
                    "systemProfileData": {
                        "webPushSubscription": "Unsubscribed",
                        "mobilePushSubscription": "Subscribed",
                        "emailSubscription": "Subscribed",
                        "smsSubscription": "Subscribed",
                        "whatsappSubscription": "Unsubscribed",
                        "timezone": "Europe/Madrid",
                        "age": "36 years 0 months",
                    },
                    "profileData": {"tier": "gold", "score": 308, "Tz": "Europe/Madrid", "DOB": "$D_631152000"},
                    "push_token": "tok",
                }
            ],
            "message_id": ["b1" + "1".zfill(40)],
            "account_id": "ACME",
            "sent_at": FACTS.now_ms,
            "attempt": 2,
        }

    @pytest.mark.parametrize(
        ("switches", "expected"),
        [
            pytest.param(Switches(), {"identity": "u-77"}, id="missing values are left out"),
            pytest.param(Switches(nulls=True), {"identity": "u-77", "email": None}, id="or are null"),
            pytest.param(Switches(legacy_casing=True), {"Identity": "u-77"}, id="older casing"),
        ],
    )
    def test_switches_of_a_profile(self, switches: Switches, expected: dict[str, Any]) -> None:
        made = build_request(template(switches=switches), [recipient(email=None, push_token=None)], FACTS)
        entry = json.loads(made.body or b"")["profiles"][0]
        assert {name: entry[name] for name in ("identity", "Identity", "email", "Email") if name in entry} == expected

    def test_a_single_object_is_an_object_only_when_asked_and_alone(self) -> None:
        asked = template(switches=Switches(ct_single_object=True), messages_per_call_max=2)
        alone = json.loads(build_request(asked, [recipient()], FACTS).body or b"")
        both = json.loads(build_request(asked, [recipient(1), recipient(2)], FACTS).body or b"")
        assert isinstance(alone["profiles"], dict)
        assert isinstance(both["profiles"], list)

    def test_strict_ct_sends_none_of_our_own_keys(self) -> None:
        made = build_request(template(switches=Switches(strict_ct=True)), [recipient()], FACTS)
        assert set(json.loads(made.body or b"")) == {"targetId", "key_values", "profiles"}

    def test_a_custom_body_is_sent_as_it_was_rendered(self) -> None:
        made = build_request(template(body="…"), [recipient(texts=Texts(body=b'{"x":1}'))], FACTS)
        assert made.body == b'{"x":1}'
        assert headers_of(made)["content-type"] == "application/json"

    def test_plain_text_says_so(self) -> None:
        asked = template(body="Hi", content_type=ContentType.TEXT)
        made = build_request(asked, [recipient(texts=Texts(body=b"Hi"))], FACTS)
        assert headers_of(made)["content-type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("method", [Method.GET, Method.DELETE])
    def test_get_and_delete_have_no_body_and_key_values_in_the_query(self, method: Method) -> None:
        texts = Texts(query=(("src", "belfry"),), key_values=(("offer", "A & 1"),))
        made = build_request(template(method=method), [recipient(texts=texts)], FACTS)
        assert made.body is None
        assert made.url.endswith("?src=belfry&offer=A%20%26%201")
        assert "content-type" not in headers_of(made)

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://x.example/a", "https://x.example/a?src=b"),
            ("https://x.example/a?c=d", "https://x.example/a?c=d&src=b"),
            ("https://x.example/a?", "https://x.example/a?src=b"),
            ("https://x.example/a#f", "https://x.example/a?src=b"),
        ],
    )
    def test_query_key_values_are_added_to_the_url(self, url: str, expected: str) -> None:
        made = build_request(template(), [recipient(texts=Texts(url=url, query=(("src", "b"),)))], FACTS)
        assert made.url == expected

    @pytest.mark.parametrize(
        ("auth", "expected"),
        [
            (BasicAuth("u", Secret("p")), "Basic dTpw"),
            (BasicAuth("ü", Secret("p:q")), "Basic w7w6cDpx"),
            (BearerAuth(Secret("tok")), "Bearer tok"),
        ],
    )
    def test_authentication(self, auth: Any, expected: str) -> None:
        assert headers_of(build_request(template(auth=auth), [recipient()], FACTS))["authorization"] == expected

    def test_own_headers_go_along_and_may_replace_the_defaults(self) -> None:
        texts = Texts(headers=(("X-Key", "v"), ("Content-Type", "application/vnd.x+json"), ("User-Agent", "mine")))
        made = build_request(template(), [recipient(texts=texts)], FACTS)
        names = [name.lower() for name, _ in made.headers]
        assert headers_of(made)["x-key"] == "v"
        assert headers_of(made)["content-type"] == "application/vnd.x+json"
        assert names.count("content-type") == names.count("user-agent") == 1

    def test_the_message_id_is_the_idempotency_key_at_every_try(self) -> None:
        first, second = (
            headers_of(build_request(template(), [recipient()], msgspec.structs.replace(FACTS, attempt=n, now_ms=n)))
            for n in (1, 2)
        )
        assert first["idempotency-key"] == second["idempotency-key"] == first["webhook-id"] == recipient().message_id
        assert "idempotency-key" not in headers_of(
            build_request(template(sends_idempotency_key=False), [recipient()], FACTS)
        )

    def test_the_call_is_signed_with_each_secret(self) -> None:
        asked = template(signing_secrets=(SECRET, Secret("own words")))
        made = build_request(asked, [recipient()], FACTS)
        headers = headers_of(made)
        assert headers["webhook-timestamp"] == "1767225620"
        expected = signature([SECRET, Secret("own words")], headers["webhook-id"], 1767225620, made.body or b"")
        assert headers["webhook-signature"] == expected
        assert expected.count("v1,") == 2

    def test_without_a_secret_it_is_not_signed(self) -> None:
        assert "webhook-signature" not in headers_of(build_request(template(), [recipient()], FACTS))

    def test_the_trial_call_says_that_it_is_one(self) -> None:
        made = build_trial_request(template(), Texts(), FACTS)
        body = json.loads(made.body or b"")
        assert body["is_test"] is True
        assert len(body["profiles"]) == 5


class TestBatches:
    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            pytest.param({}, 500, id="a broadcast"),
            pytest.param({"method": Method.PUT}, 500, id="PUT"),
            pytest.param({"method": Method.GET}, 1, id="no body"),
            pytest.param({"content_type": ContentType.TEXT}, 1, id="plain text"),
            pytest.param({"body": "{}"}, 1, id="custom body"),
            pytest.param({"url": "https://x.example/{{ Profile.Identity }}"}, 1, id="Liquid in the URL"),
            pytest.param({"query": (("a", "{{ x }}"),)}, 1, id="Liquid in the query"),
            pytest.param({"headers": (("A", "{{ x }}"),)}, 1, id="Liquid in a header"),
            pytest.param({"key_values": (("a", "{% x %}"),)}, 1, id="Liquid in key-values"),
            pytest.param({"key_values": (("a", "@Profile - Name"),)}, 500, id="@ does not break it"),
        ],
    )
    def test_several_users_share_a_call_only_in_a_broadcast(self, changed: dict[str, Any], expected: int) -> None:
        assert messages_per_call(template(messages_per_call_max=500, **changed)) == expected

    def test_a_call_names_all_its_messages_in_order(self) -> None:
        made = build_request(template(messages_per_call_max=3), [recipient(n) for n in (1, 2, 3)], FACTS)
        body = json.loads(made.body or b"")
        assert body["message_id"] == [recipient(n).message_id for n in (1, 2, 3)]
        assert len(body["profiles"]) == 3

    def test_a_calls_key_is_made_of_its_messages(self) -> None:
        assert call_key(["a"]) == "a"
        assert call_key(["a", "b"]) == call_key(["a", "b"])
        assert len({call_key(["a", "b"]), call_key(["a", "c"]), call_key(["a", "b", "c"])}) == 3
        assert len(call_key(["a", "b"])) == 42

    @pytest.mark.parametrize("count", [0, 3])
    def test_more_users_than_allowed_is_a_mistake(self, count: int) -> None:
        with pytest.raises(ValueError, match="users"):
            build_request(template(messages_per_call_max=2), [recipient(n) for n in range(count)], FACTS)

    def test_a_body_over_one_mebibyte_is_not_made(self) -> None:
        large = recipient(properties={"x": "y" * (1024 * 1024)})
        with pytest.raises(CallTooLarge):
            build_request(template(), [large], FACTS)


class TestCheck:
    @pytest.mark.parametrize(
        ("changed", "fields"),
        [
            pytest.param({}, [], id="nothing wrong"),
            pytest.param({"url": "https://x.example/{{ Profile.a }}?b={{ c }}"}, [], id="Liquid in path and query"),
            pytest.param({"name": " "}, ["name"], id="no name"),
            pytest.param({"name": "x" * 201}, ["name"], id="long name"),
            pytest.param({"url": "ftp://x.example/"}, ["url"], id="scheme"),
            pytest.param({"url": "https://{{ Profile.host }}/"}, ["url"], id="Liquid in the host"),
            pytest.param({"url": "https://x.example:{{ p }}/"}, ["url"], id="Liquid in the port"),
            pytest.param({"url": "http://10.0.0.1/"}, ["url"], id="private address"),
            pytest.param({"url": "http://169.254.169.254/{{ a }}"}, ["url"], id="metadata address"),
            pytest.param({"url": "http://u:p@x.example/"}, ["url"], id="userinfo"),
            pytest.param({"auth": BasicAuth("a:b", Secret("c"))}, ["auth"], id="colon in the user name"),
            pytest.param({"auth": BearerAuth(Secret("a\r\nb"))}, ["auth"], id="line break in a token"),
            pytest.param({"auth": BearerAuth(Secret(""))}, ["auth"], id="empty token"),
            pytest.param({"headers": (("Host", "x"),)}, ["headers.Host"], id="a header of the connection"),
            pytest.param({"headers": (("webhook-id", "x"),)}, ["headers.webhook-id"], id="a header of ours"),
            pytest.param({"headers": (("X Y", "x"),)}, ["headers"], id="not a header name"),
            pytest.param({"headers": (("X", "a\r\nY: b"),)}, ["headers.X"], id="line break in a header"),
            pytest.param({"headers": (("X", "a"), ("x", "b"))}, ["headers.x"], id="a header twice"),
            pytest.param(
                {"auth": BearerAuth(Secret("t")), "headers": (("Authorization", "x"),)},
                ["headers.Authorization"],
                id="authorization twice",
            ),
            pytest.param({"query": (("", "x"),)}, ["query"], id="query without a name"),
            pytest.param({"key_values": (("a", "1"), ("a", "2"))}, ["key_values"], id="a key-value twice"),
            pytest.param({"headers": tuple((f"X{n}", "") for n in range(51))}, ["headers"], id="many headers"),
            pytest.param({"method": Method.GET, "body": "{}"}, ["body"], id="a body that is never sent"),
            pytest.param({"messages_per_call_max": 0}, ["messages_per_call_max"], id="no user a call"),
            pytest.param({"messages_per_call_max": 1000}, [], id="a thousand users a call"),
            pytest.param({"messages_per_call_max": 1001}, ["messages_per_call_max"], id="too many users a call"),
            pytest.param({"messages_per_call_max": 2, "body": "{}"}, ["messages_per_call_max"], id="no broadcast"),
            pytest.param({"timeout_ms": 99}, ["timeout_ms"], id="time-out too short"),
            pytest.param({"timeout_ms": 60_001}, ["timeout_ms"], id="time-out too long"),
            pytest.param({"signing_secrets": (SECRET,) * 3}, ["signing_secrets"], id="three secrets"),
            pytest.param({"signing_secrets": (Secret(""),)}, ["signing_secrets"], id="an empty secret"),
        ],
    )
    def test_everything_that_is_wrong_is_named(self, changed: dict[str, Any], fields: list[str]) -> None:
        assert [problem.field for problem in check(template(**changed))] == fields

    def test_an_installation_may_allow_loopback(self) -> None:
        loopback = template(url="http://127.0.0.1:9000/hook")
        assert check(loopback) != []
        assert check(loopback, ["127.0.0.1:9000"]) == []


def test_a_definition_survives_being_stored() -> None:
    asked = template(auth=BasicAuth("u", Secret("p")), signing_secrets=(SECRET,), headers=(("X", "y"),))
    stored = msgspec.json.encode(asked, enc_hook=encode_secret)
    assert msgspec.json.decode(stored, type=WebhookTemplate, dec_hook=decode_secret) == asked


def test_liquid_sees_what_is_known_and_nothing_else() -> None:
    values = liquid_values(view(email=None))
    assert values["Identity"] == "u-77"
    assert values["tier"] == "gold"
    assert "Email" not in values
