"""`/v1/email/templates/*`: email templates and their translations (server-api 10.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Handler, Route
from belfry.edge.services import Services
from belfry.library import rules
from belfry.library.model import EmailContent, EmailTemplate, Sender, TemplateDraft
from belfry.server_api.fields import (
    Json,
    author_in,
    iso_ms,
    mandatory_number,
    mandatory_text,
    number_in,
    object_in,
    object_of,
    page_in,
    text_in,
    texts_in,
)

PATH = "/v1/email/templates"
PAGE_SIZE = 20
READ = Access((Scope.CONTENT_READ,))
WRITE = Access((Scope.CONTENT_WRITE,))

SENDER_TEXTS = {
    "fromName": "from_name",
    "fromEmail": "from_email",
    "replyToName": "reply_to_name",
    "replyToEmail": "reply_to_email",
    "subject": "subject",
    "plainText": "plain_text",
    "preheader": "preheader",
}
SENDER_LISTS = {"ccEmails": "cc_emails", "bccEmails": "bcc_emails"}
"""Names on the wire → names of `library.model.Sender`."""
DRAFT_TEXTS = {"templateName": "name", "description": "description", "path": "path", "partner": "partner"}
CONTENT_TEXTS = {"subType": "sub_type", "body": "body", "ampBody": "amp_body"}

Time = Callable[[int], str | int]


class EmailTemplateEndpoint:
    """Makes, changes, shows and translates email templates."""

    def __init__(self, services: Services) -> None:
        self._templates = services.email_templates
        self._threads = services.lookups

    async def show(self, request: Request) -> Answer:
        """One template by `templateId`, else one page of all; times as text."""
        return await self._show(request, iso_ms)

    async def localise_show(self, request: Request) -> Answer:
        """The same for translation services: times as numbers."""
        return await self._show(request, _as_number)

    async def create(self, request: Request) -> Answer:
        """A new template."""
        fields = object_of(request)
        mandatory_text(fields, "templateName")
        draft = _changed(TemplateDraft(name=""), fields)
        by = author_in(fields, "createdBy", request)
        template = await self._threads.run(self._templates.create, request.account_id, draft, by=by)
        return _done(template, "Email template created")

    async def update(self, request: Request) -> Answer:
        """New values for a template; what is not sent stays."""
        fields = object_of(request)
        template_id, by = mandatory_number(fields, "templateId"), author_in(fields, "updatedBy", request)
        template = await self._threads.run(
            self._templates.update, request.account_id, template_id, lambda draft: _changed(draft, fields), by=by
        )
        return _done(template, "Email template updated")

    async def localise_upsert(self, request: Request) -> Answer:
        """Keep a translation; what is not sent is as in the template that was translated."""
        fields = object_of(request)
        template_id, locale = mandatory_number(fields, "baseTemplateId"), mandatory_text(fields, "locale")
        by = text_in(fields, "updatedBy", length_max=200) or author_in(fields, "createdBy", request)
        template = await self._threads.run(
            self._templates.translate,
            request.account_id,
            template_id,
            locale,
            lambda draft: _changed(draft, fields),
            by=by,
        )
        said = {"msg": "Email template translation saved", "baseTemplateId": template_id, "locale": template.locale}
        return json_answer({**said, "status": "success"})

    async def _show(self, request: Request, time: Time) -> Answer:
        parameters = request.parameters()
        template_id = number_in(parameters, "templateId")
        if template_id is None:
            return await self._page(request, parameters, time)
        asked = text_in(parameters, "locale")
        locale = rules.check_locale(asked) if asked else None
        template = await self._threads.run(self._templates.get, request.account_id, template_id, locale)
        return json_answer(_whole(template, time))

    async def _page(self, request: Request, parameters: dict[str, str], time: Time) -> Answer:
        page = page_in(parameters, size=PAGE_SIZE)
        listed = await self._threads.run(self._templates.list_templates, request.account_id, page)
        items = [_item(template, time) for template in listed.items]
        counted = {"total": listed.total, "pageNumber": page.number, "pageSize": page.size}
        return json_answer({"templates": items, **counted})


def _changed(draft: TemplateDraft, fields: dict[str, Json]) -> TemplateDraft:
    """A template with the fields that were sent; null says nothing."""
    changes: dict[str, Any] = _texts(fields, DRAFT_TEXTS)
    labels = texts_in(fields, "labels")
    if labels is not None:
        changes["labels"] = labels
    if fields.get("templateData") is not None:
        changes["content"] = _content(draft.content, object_in(fields["templateData"], "templateData"))
    return msgspec.structs.replace(draft, **changes)


def _content(content: EmailContent, fields: dict[str, Json]) -> EmailContent:
    changes: dict[str, Any] = _texts(fields, CONTENT_TEXTS)
    if fields.get("senderDetail") is not None:
        changes["sender"] = _sender(content.sender, object_in(fields["senderDetail"], "senderDetail"))
    return msgspec.structs.replace(content, **changes)


def _sender(sender: Sender, fields: dict[str, Json]) -> Sender:
    changes: dict[str, Any] = _texts(fields, SENDER_TEXTS)
    for wire_name, name in SENDER_LISTS.items():
        addresses = texts_in(fields, wire_name)
        if addresses is not None:
            changes[name] = addresses
    if fields.get("annotationMeta") is not None:
        changes["annotation_meta"] = fields["annotationMeta"]
    return msgspec.structs.replace(sender, **changes)


def _texts(fields: dict[str, Json], names: dict[str, str]) -> dict[str, str]:
    found = {name: text_in(fields, wire_name) for wire_name, name in names.items()}
    return {name: text for name, text in found.items() if text is not None}


def _as_number(at_ms: int) -> int:
    return at_ms


def _item(template: EmailTemplate, time: Time) -> dict[str, Json]:
    draft, stamp = template.draft, template.stamp
    return {
        "templateId": template.template_id,
        "templateName": draft.name,
        "subType": draft.content.sub_type,
        "path": draft.path,
        "createdBy": stamp.created_by,
        "createdAt": time(stamp.created_at_ms),
        "updatedBy": stamp.updated_by,
        "updatedAt": time(stamp.updated_at_ms),
        "labels": draft.labels,
    }


def _whole(template: EmailTemplate, time: Time) -> dict[str, Json]:
    draft, content = template.draft, template.draft.content
    sender = {name: getattr(content.sender, ours) for name, ours in (SENDER_TEXTS | SENDER_LISTS).items()}
    item = _item(template, time)
    del item["subType"]
    return {
        **item,
        "description": draft.description,
        "locale": template.locale,
        "partner": draft.partner,
        "templateData": {
            "subType": content.sub_type,
            "body": content.body,
            "ampBody": content.amp_body,
            "senderDetail": {**sender, "annotationMeta": content.sender.annotation_meta},
        },
    }


def _done(template: EmailTemplate, said: str) -> Answer:
    return json_answer({"status": "success", "templateId": template.template_id, "msg": said})


def routes(services: Services) -> tuple[Route, ...]:
    """All routes of email templates."""
    endpoint = EmailTemplateEndpoint(services)
    asked = {
        "templateId": "one template; without it a page of all",
        "locale": "its translation for a locale, such as pt (ours)",
        "pageNumber": "from 1",
        "pageSize": "1 to 100, default 20",
    }
    gone = {"404": "There is no such email template, or no such translation"}
    shown = Document(summary="Email templates", parameters=asked, answer=TemplatesAnswer, failures=gone, tag="content")
    for_services = msgspec.structs.replace(shown, summary="Email templates, for translation services")
    return (
        _route("", endpoint.show, shown),
        _route("/localise", endpoint.localise_show, for_services),
        _route(
            "/create",
            endpoint.create,
            Document(
                summary="Make an email template",
                body=TemplateBody,
                answer=TemplateDone,
                example={"templateName": "Receipt", **_EXAMPLE},
                tag="content",
            ),
        ),
        _route(
            "/update",
            endpoint.update,
            Document(
                summary="Change an email template; what is not sent stays",
                body=TemplateBody,
                answer=TemplateDone,
                example={"templateId": 7, **_EXAMPLE},
                failures=gone,
                tag="content",
            ),
        ),
        _route(
            "/localise/upsert",
            endpoint.localise_upsert,
            Document(
                summary="Keep a translation of an email template",
                body=TemplateTranslation,
                answer=TemplateTranslated,
                example={"baseTemplateId": 7, "locale": "pt", **_EXAMPLE},
                failures=gone,
                tag="content",
            ),
        ),
    )


_EXAMPLE = {
    "path": "Rides",
    "templateData": {"subType": "html", "body": "<p>Thank you</p>", "senderDetail": {"subject": "Your ride"}},
}


def _route(name: str, handler: Handler, document: Document) -> Route:
    writes = document.body is not None
    return Route(
        path=PATH + name,
        method="POST" if writes else "GET",
        access=WRITE if writes else READ,
        handler=handler,
        document=document,
        failure_keys=("msg",),
    )


class TemplateBody(msgspec.Struct, omit_defaults=True):
    """For the reference: an email template; `templateId` where one is changed. templateData: content and sender."""

    templateId: int | None = None  # noqa: N815 - the wire's names
    templateName: str | None = None  # noqa: N815
    description: str | None = None
    path: str | None = None
    templateData: dict[str, Any] | None = None  # noqa: N815
    labels: list[str] | str | None = None
    partner: str | None = None
    createdBy: str | None = None  # noqa: N815
    updatedBy: str | None = None  # noqa: N815


class TemplateTranslation(TemplateBody, kw_only=True):
    """For the reference: a translation of the template `baseTemplateId`."""

    baseTemplateId: int  # noqa: N815
    locale: str


class TemplateDone(msgspec.Struct):
    """For the reference: the number of the template that was made or changed."""

    status: str
    templateId: int  # noqa: N815
    msg: str


class TemplateTranslated(msgspec.Struct):
    """For the reference: which translation was kept."""

    msg: str
    baseTemplateId: int  # noqa: N815
    locale: str
    status: str


class TemplatesAnswer(msgspec.Struct, omit_defaults=True):
    """For the reference: with `templateId` one template, else one page of all. Times as for content blocks."""

    templates: list[dict[str, Any]] | None = None
    total: int | None = None
    pageNumber: int | None = None  # noqa: N815
    pageSize: int | None = None  # noqa: N815
    templateId: int | None = None  # noqa: N815
    templateName: str | None = None  # noqa: N815
    description: str | None = None
    path: str | None = None
    locale: str | None = None
    partner: str | None = None
    templateData: dict[str, Any] | None = None  # noqa: N815
    labels: list[str] | None = None
    createdBy: str | None = None  # noqa: N815
    createdAt: str | int | None = None  # noqa: N815
    updatedBy: str | None = None  # noqa: N815
    updatedAt: str | int | None = None  # noqa: N815
