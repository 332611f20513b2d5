"""Between the gate and Litestar."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException

from belfry.edge.exchange import Request
from belfry.edge.routes import Access, Undeclared
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.management_api.bridge import Bridge, declared, keep_failure
from belfry.management_api.wire import cursor_of, key_of, page_of


class NoRepeats:
    def wrap(self, handler: Any) -> Any:
        return handler


def bridge(*handlers: Any) -> Bridge:
    application = Litestar(list(handlers), exception_handlers={Exception: keep_failure}, openapi_config=None)
    return Bridge(application, NoRepeats())  # type: ignore[arg-type]


def request(path: str, *, query: bytes = b"") -> Request:
    return Request(
        method="GET",
        path=path,
        route=path,
        query=query,
        headers={},
        body=b"",
        caller=None,
        request_id="r",
        received_at_ms=0,
        address="",
    )


def test_a_handler_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(Undeclared, match="/forgotten"):
        bridge(forgotten).routes()


async def test_what_a_handler_raises_comes_out_as_it_was() -> None:
    @get("/taken", opt=declared(Access()))
    async def taken() -> str:
        raise Conflict("taken", field="name", limit=3)

    @get("/broken", opt=declared(Access()))
    async def broken() -> str:
        raise ImproperlyConfiguredException("a secret detail")

    made = bridge(taken, broken)
    with pytest.raises(Conflict) as conflict:
        await made.handle(request("/taken"))
    assert (conflict.value.field, conflict.value.limit) == ("name", 3)
    with pytest.raises(ImproperlyConfiguredException):
        await made.handle(request("/broken"))


async def test_what_litestar_does_not_find_is_our_404() -> None:
    with pytest.raises(NotFound):
        await bridge().handle(request("/nowhere"))


@pytest.mark.parametrize("key", [0, 1, 2**63 - 1])
def test_a_cursor_is_read_as_it_was_written(key: int) -> None:
    assert key_of(cursor_of(key)) == key


@pytest.mark.parametrize("text", ["", "x", "a", "azE", "%", "é", "a2FiYw", "ay0x", cursor_of(2**63)])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    if text == "azE":  # b"k1", written by us
        assert key_of(text) == 1
        return
    with pytest.raises(BadRequest):
        key_of(text)


def test_a_page_ends_where_there_is_nothing_more() -> None:
    assert page_of([1, 2], [1, 2], 2).next_cursor is None
    page = page_of([1, 2, 3], [1, 2, 3], 2)
    assert (page.items, key_of(page.next_cursor)) == ([1, 2], 2)
