"""`/v1/contentBlock/*` as its clients call it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from belfry.accounts.model import AccountSettings
from support.asgi import Reply, assert_envelope
from support.edge_world import EdgeWorld

NOON = "2026-11-25T12:00:00.000Z"
NOON_MS = 1_795_608_000_000
FOOTER = {"type": "text", "name": "Footer 2", "content": "Good ride", "createdBy": "ines@example.org"}


async def create(edge: EdgeWorld, **fields: Any) -> Reply:
    return await edge.call("POST", "/v1/contentBlock/create", {**FOOTER, **fields})


def assert_family(reply: Reply, status: int, text: str | None = None) -> dict[str, Any]:
    """A failure of this family says its text under `msg` as well."""
    body = assert_envelope(reply, status)
    assert body["msg"] == body["error"]
    if text is not None:
        assert body["error"] == text
    return body


async def test_a_block_is_made_changed_and_shown(edge: EdgeWorld) -> None:
    made = await create(edge)
    assert made.json() == {"status": "success", "id": 1, "message": "Content Block created"}
    edge.clock.advance_ms(1500)
    changed = await edge.call(
        "POST", "/v1/contentBlock/update", {"id": "1", "content": "Bad ride", "updatedBy": "rui@example.org"}
    )
    assert changed.json() == {"status": "success", "id": 1, "message": "Content Block updated"}
    shown = await edge.call("GET", "/v1/contentBlock/info?id=1")
    assert shown.json() == {
        "id": 1,
        "name": "Footer 2",
        "type": "Text",
        "content": "Bad ride",
        "createdAt": NOON,
        "createdBy": "ines@example.org",
        "updatedAt": "2026-11-25T12:00:01.500Z",
        "updatedBy": "rui@example.org",
    }


async def test_who_does_not_say_their_name_is_the_passcode(edge: EdgeWorld) -> None:
    await create(edge, createdBy=None)
    assert (await edge.call("GET", "/v1/contentBlock/info?id=1")).json()["createdBy"] == "backend"


async def test_a_list_has_pages_and_dates(edge: EdgeWorld) -> None:
    for number in range(3):
        await create(edge, name=f"Block {number}")
        edge.clock.advance_ms(1000)
    page = (await edge.call("GET", "/v1/contentBlock/list?pageNumber=2&pageSize=2")).json()
    assert [block["name"] for block in page["contentBlocks"]] == ["Block 2"]
    assert (page["total"], page["pageNumber"], page["pageSize"]) == (3, 2, 2)
    whole = (await edge.call("GET", "/v1/contentBlock/list")).json()
    assert (whole["total"], whole["pageNumber"], whole["pageSize"]) == (3, 1, 100)
    dated = await edge.call("GET", f"/v1/contentBlock/list?createdAtTo={NOON}&updatedFrom={NOON}")
    assert [block["id"] for block in dated.json()["contentBlocks"]] == [1]
    assert dated.json()["total"] == 1


async def test_a_translation_service_reads_times_as_numbers_and_brings_texts_back(edge: EdgeWorld) -> None:
    await create(edge, partner="Lokalise")
    listed = (await edge.call("GET", "/v1/contentBlock/localise/list?pageNumber=1&pageSize=20")).json()
    assert listed["contentBlocks"][0]["createdAt"] == NOON_MS
    kept = await edge.call(
        "POST",
        "/v1/contentBlock/localise/upsert",
        {"pid": 1, "replacements": {"Good ride": "Boa viagem"}, "locale": "pt"},
    )
    assert kept.json() == {"msg": "Content Block translation saved"}
    plain = (await edge.call("GET", "/v1/contentBlock/localise/info?id=1")).json()
    assert (plain["content"], plain["locale"], plain["partner"]) == ("Good ride", None, "Lokalise")
    translated = (await edge.call("GET", "/v1/contentBlock/localise/info?id=1&locale=pt")).json()
    assert (translated["content"], translated["locale"]) == ("Boa viagem", "pt")


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("create", b"{", "Malformed request"),
        ("create", b"[]", "body needs to be an object, got array"),
        ("create", {}, "name is mandatory"),
        ("create", {"name": 7}, "name needs to be text, got number"),
        ("create", {"name": "a"}, "type is mandatory"),
        ("create", {"name": "a", "type": "Text"}, "content is mandatory"),
        ("create", {"name": "a", "type": "md", "content": ""}, "type needs to be Text or HTML, got 'md'"),
        (
            "create",
            {"name": "_a", "type": "Text", "content": ""},
            "name may have letters, digits, spaces and _ . ( ) - and needs to begin with a letter or digit",
        ),
        ("create", {"name": "a", "type": "Text", "content": "a\x00"}, "content holds a NUL character"),
        ("update", {"content": "x"}, "id is mandatory"),
        ("update", {"id": "one", "content": "x"}, "id needs to be a whole number from 1 to 9007199254740992, got text"),
        ("update", {"id": 1}, "content is mandatory"),
        ("localise/upsert", {"locale": "pt"}, "pid is mandatory"),
        ("localise/upsert", {"pid": 1}, "locale is mandatory"),
        ("localise/upsert", {"pid": 1, "locale": "pt"}, "replacements is mandatory"),
        (
            "localise/upsert",
            {"pid": 1, "locale": "pt", "replacements": []},
            "replacements needs to be an object, got array",
        ),
        (
            "localise/upsert",
            {"pid": 1, "locale": "?", "replacements": {}},
            "locale needs a form such as pt or pt-BR, got '?'",
        ),
        ("localise/upsert", {"pid": 1, "locale": "pt", "replacements": {"a": 1}}, "a needs to be text, got number"),
    ],
)
async def test_a_body_that_cannot_be_used_is_400_with_its_reason(
    edge: EdgeWorld, name: str, body: Any, text: str
) -> None:
    assert_family(await edge.call("POST", f"/v1/contentBlock/{name}", body), 400, text)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("info", "id is mandatory"),
        ("info?id=x", "id needs to be a whole number from 1 to 9007199254740992, got text"),
        ("list?pageSize=101", "pageSize needs to be a whole number from 1 to 100, got 101"),
        ("list?pageNumber=0", "pageNumber needs to be a whole number from 1 to 1000000000, got 0"),
        ("list?createdAtFrom=2026-11-04", "Enter date in ISO format"),
        ("list?updatedTo=yesterday", "Enter date in ISO format"),
        ("localise/list?createdAtTo=1793779200000", "Enter date in ISO format"),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_400_with_its_reason(edge: EdgeWorld, target: str, text: str) -> None:
    assert_family(await edge.call("GET", f"/v1/contentBlock/{target}"), 400, text)


async def test_what_is_taken_or_missing_is_said_in_the_familys_keys(edge: EdgeWorld) -> None:
    await create(edge)
    assert_family(await create(edge), 409, "A content block named Footer 2 exists already")
    assert_family(await edge.call("GET", "/v1/contentBlock/info?id=9"), 404, "There is no content block 9")
    missing = await edge.call("GET", "/v1/contentBlock/localise/info?id=1&locale=fr")
    assert_family(missing, 404, "Content block 1 has no translation for fr")
    assert_family(await edge.call("DELETE", "/v1/contentBlock/info"), 405)
    assert_family(await edge.call("GET", "/v1/contentBlock/list", secret="wrong-passcode"), 401, "Invalid Credentials")


async def test_another_accounts_blocks_are_not_there(edge: EdgeWorld) -> None:
    await create(edge)
    for method, target, body in (
        ("GET", "info?id=1", None),
        ("GET", "localise/info?id=1", None),
        ("POST", "update", {"id": 1, "content": "x"}),
        ("POST", "localise/upsert", {"pid": 1, "replacements": {}, "locale": "pt"}),
    ):
        assert_family(await edge.call(method, f"/v1/contentBlock/{target}", body, account=edge.other), 404)
    assert (await edge.call("GET", "/v1/contentBlock/list", account=edge.other)).json()["contentBlocks"] == []


async def test_an_account_without_the_feature_is_told_so_on_every_path(edge: EdgeWorld) -> None:
    edge.accounts.configure(edge.shop, msgspec.structs.replace(AccountSettings(), content_blocks=False))
    edge.directory.refresh()
    for route in edge.gate.table.routes:
        if route.path.startswith("/v1/contentBlock/"):
            reply = await edge.call(route.method, route.path, {})
            assert_family(reply, 403, "Content Blocks isn't enabled on your account. Contact Support")
    assert (await edge.call("GET", "/v1/contentBlock/list", account=edge.other)).status == 200
