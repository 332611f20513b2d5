"""`/v1/email/templates/*` as its clients call it."""

from __future__ import annotations

from typing import Any

import pytest

from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

PATH = "/v1/email/templates"
NOON_MS = 1_795_608_000_000
RECEIPT: dict[str, Any] = {
    "templateName": "Receipt",
    "description": "After a ride",
    "path": "Rides",
    "labels": ["rides", "money"],
    "createdBy": "ines@example.org",
    "templateData": {
        "subType": "html",
        "body": "<p>Thank you</p>",
        "senderDetail": {"fromName": "Rides", "subject": "Your ride", "ccEmails": ["a@example.org"]},
    },
}
TRANSLATION: dict[str, Any] = {  # as a translation service sends it: nulls where it knows nothing
    "baseTemplateId": 1,
    "locale": "pt",
    "templateName": "Receipt_pt",
    "description": None,
    "path": None,
    "templateData": {
        "subType": None,
        "body": "<p>Obrigado</p>",
        "senderDetail": {
            "fromName": None,
            "subject": "A tua viagem",
            "preheader": "",
            "ccEmails": None,
            "annotationMeta": None,
        },
    },
    "labels": None,
    "partner": "lokalise@example.org",
    "createdBy": "lokalise@example.org",
    "updatedBy": "lokalise@example.org",
}


async def create(edge: EdgeWorld, **fields: Any) -> dict[str, Any]:
    reply = await edge.call("POST", f"{PATH}/create", {**RECEIPT, **fields})
    assert reply.status == 200, reply.body
    body: dict[str, Any] = reply.json()
    return body


async def test_a_template_is_made_and_shown_in_both_forms(edge: EdgeWorld) -> None:
    assert await create(edge) == {"status": "success", "templateId": 1, "msg": "Email template created"}
    shown = (await edge.call("GET", f"{PATH}/localise?templateId=1")).json()
    assert shown == {
        "templateId": 1,
        "templateName": "Receipt",
        "description": "After a ride",
        "path": "Rides",
        "locale": None,
        "partner": None,
        "createdBy": "ines@example.org",
        "createdAt": NOON_MS,
        "updatedBy": "ines@example.org",
        "updatedAt": NOON_MS,
        "labels": ["rides", "money"],
        "templateData": {
            "subType": "html",
            "body": "<p>Thank you</p>",
            "ampBody": None,
            "senderDetail": {
                "fromName": "Rides",
                "fromEmail": None,
                "replyToName": None,
                "replyToEmail": None,
                "subject": "Your ride",
                "plainText": None,
                "preheader": None,
                "ccEmails": ["a@example.org"],
                "bccEmails": [],
                "annotationMeta": None,
            },
        },
    }
    general = (await edge.call("GET", f"{PATH}?templateId=1")).json()
    assert general == {**shown, "createdAt": "2026-11-25T12:00:00.000Z", "updatedAt": "2026-11-25T12:00:00.000Z"}


async def test_a_list_has_pages_with_and_without_the_slash_that_clients_send(edge: EdgeWorld) -> None:
    for number in range(3):
        await create(edge, templateName=f"Receipt {number}")
    page = (await edge.call("GET", f"{PATH}/localise/?pageNumber=2&pageSize=2")).json()
    assert page == {
        "templates": [
            {
                "templateId": 3,
                "templateName": "Receipt 2",
                "subType": "html",
                "path": "Rides",
                "createdBy": "ines@example.org",
                "createdAt": NOON_MS,
                "updatedBy": "ines@example.org",
                "updatedAt": NOON_MS,
                "labels": ["rides", "money"],
            }
        ],
        "total": 3,
        "pageNumber": 2,
        "pageSize": 2,
    }
    whole = (await edge.call("GET", PATH)).json()
    assert (len(whole["templates"]), whole["pageSize"]) == (3, 20)
    assert whole["templates"][0]["createdAt"] == "2026-11-25T12:00:00.000Z"


async def test_an_update_changes_what_was_sent_and_nothing_else(edge: EdgeWorld) -> None:
    await create(edge)
    changed = await edge.call(
        "POST",
        f"{PATH}/update",
        {"templateId": 1, "templateData": {"senderDetail": {"subject": "Thanks", "annotationMeta": {"a": [1]}}}},
    )
    assert changed.json() == {"status": "success", "templateId": 1, "msg": "Email template updated"}
    shown = (await edge.call("GET", f"{PATH}?templateId=1")).json()
    assert (shown["templateName"], shown["updatedBy"]) == ("Receipt", "backend")
    assert shown["templateData"]["body"] == "<p>Thank you</p>"
    sender = shown["templateData"]["senderDetail"]
    assert (sender["subject"], sender["fromName"], sender["annotationMeta"]) == ("Thanks", "Rides", {"a": [1]})


async def test_a_translation_keeps_what_the_service_did_not_know(edge: EdgeWorld) -> None:
    await create(edge)
    kept = await edge.call("POST", f"{PATH}/localise/upsert", TRANSLATION)
    assert kept.json() == {
        "msg": "Email template translation saved",
        "baseTemplateId": 1,
        "locale": "pt",
        "status": "success",
    }
    translated = (await edge.call("GET", f"{PATH}/localise?templateId=1&locale=pt")).json()
    assert (translated["templateName"], translated["locale"], translated["path"]) == ("Receipt_pt", "pt", "Rides")
    assert translated["labels"] == ["rides", "money"]
    data = translated["templateData"]
    assert (data["body"], data["subType"]) == ("<p>Obrigado</p>", "html")
    sender = data["senderDetail"]
    assert (sender["subject"], sender["fromName"], sender["preheader"]) == ("A tua viagem", "Rides", "")
    assert sender["ccEmails"] == ["a@example.org"]
    base = (await edge.call("GET", f"{PATH}/localise?templateId=1")).json()
    assert (base["templateName"], base["locale"]) == ("Receipt", None)
    assert (await edge.call("GET", f"{PATH}/localise/")).json()["total"] == 1


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("create", b"{", "Malformed request"),
        ("create", b"7", "body needs to be an object, got number"),
        ("create", {}, "templateName is mandatory"),
        ("create", {"templateName": "a", "labels": 7}, "labels needs to be a list of text"),
        ("create", {"templateName": "a", "templateData": []}, "templateData needs to be an object, got array"),
        ("create", {"templateName": "a", "templateData": {"body": 7}}, "body needs to be text, got number"),
        (
            "create",
            {"templateName": "a", "templateData": {"senderDetail": "x"}},
            "senderDetail needs to be an object, got text",
        ),
        (
            "create",
            {"templateName": "a", "templateData": {"senderDetail": {"subject": []}}},
            "subject needs to be text, got array",
        ),
        (
            "create",
            {"templateName": "a", "templateData": {"senderDetail": {"ccEmails": [1]}}},
            "ccEmails needs to be a list of text",
        ),
        ("create", {"templateName": "x" * 121}, "templateName has 121 characters, at most 120"),
        ("update", {}, "templateId is mandatory"),
        ("update", {"templateId": 1, "templateName": " "}, "templateName is mandatory"),
        ("localise/upsert", {"locale": "pt"}, "baseTemplateId is mandatory"),
        ("localise/upsert", {"baseTemplateId": 1}, "locale is mandatory"),
        ("localise/upsert", {"baseTemplateId": 1, "locale": "1"}, "locale needs a form such as pt or pt-BR, got '1'"),
    ],
)
async def test_a_body_that_cannot_be_used_is_400_in_all_keys(edge: EdgeWorld, name: str, body: Any, text: str) -> None:
    await create(edge)
    said = assert_envelope(await edge.call("POST", f"{PATH}/{name}", body), 400)
    assert (said["error"], said["msg"]) == (text, text)


async def test_a_missing_template_is_404_in_all_keys(edge: EdgeWorld) -> None:
    for method, target, body in (
        ("GET", "?templateId=9", None),
        ("GET", "/localise?templateId=9", None),
        ("POST", "/update", {"templateId": 9}),
        ("POST", "/localise/upsert", {"baseTemplateId": 9, "locale": "pt"}),
    ):
        said = assert_envelope(await edge.call(method, PATH + target, body), 404)
        assert said["error"] == said["msg"] == "There is no email template 9"


async def test_another_accounts_templates_are_not_there(edge: EdgeWorld) -> None:
    await create(edge)
    await edge.call("POST", f"{PATH}/localise/upsert", TRANSLATION)
    for target in ("?templateId=1", "/localise?templateId=1", "/localise?templateId=1&locale=pt"):
        assert_envelope(await edge.call("GET", PATH + target, account=edge.other), 404)
    assert (await edge.call("GET", PATH, account=edge.other)).json()["templates"] == []
    for name, body in (("update", {"templateId": 1}), ("localise/upsert", TRANSLATION)):
        assert_envelope(await edge.call("POST", f"{PATH}/{name}", body, account=edge.other), 404)
