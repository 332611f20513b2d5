"""A lane's connection is in the state that a request asks for, whatever ran before."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.storage.columnar.http_call import Call
from belfry.storage.columnar.lanes import EngineError, Lane, Lanes, quoted_name, quoted_text


class FakeAnswer:
    def bytes(self) -> bytes:
        return b"block"


class FakeStream:
    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.is_cancelled = False

    def fetch(self) -> FakeAnswer | None:
        self.blocks -= 1
        return FakeAnswer() if self.blocks >= 0 else None

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeConnection:
    """Notes what it is told; fails at the statement `FAIL`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_closed = False
        self.stream = FakeStream(2)

    def query(self, query: str | bytes, format: str = "CSV", params: dict[str, str] | None = None) -> FakeAnswer:  # noqa: A002
        text = query.decode() if isinstance(query, bytes) else query
        self.told.append(text)
        if text == "SELECT FAIL":
            raise RuntimeError("Code: 60. DB::Exception: no such table. (UNKNOWN_TABLE)")
        return FakeAnswer()

    def send_query(self, query: bytes, format: str = "CSV", params: dict[str, str] | None = None) -> FakeStream:  # noqa: A002
        self.query(query)
        return self.stream

    def close(self) -> None:
        self.is_closed = True


class Engine:
    def __init__(self) -> None:
        self.connections: list[FakeConnection] = []

    def connect(self) -> FakeConnection:
        self.connections.append(FakeConnection())
        return self.connections[-1]


def call(sql: str = "SELECT 1", database: str = "", **settings: str) -> Call:
    return Call(sql.encode(), {}, settings, database, "TSV", is_buffered=True, query_id="")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def lane(engine: Engine) -> Lane:
    return Lane("query-0", engine.connect, {"max_threads": "2"})


def test_a_session_is_told_its_database_and_settings_once(engine: Engine, lane: Lane) -> None:
    for _ in range(2):
        lane.run(call(database="shop", readonly="1"))
    assert engine.connections[0].told == [
        "USE `shop`",
        "SET max_threads = '2', log_comment = 'query-0', readonly = '1'",
        "SELECT 1",
        "SELECT 1",
    ]


def test_settings_of_one_request_do_not_reach_the_next(engine: Engine, lane: Lane) -> None:
    lane.run(call(max_threads="8", readonly="1"))
    del engine.connections[0].told[:]
    lane.run(call())
    assert engine.connections[0].told == ["SET readonly = DEFAULT, max_threads = '2'", "SELECT 1"]


def test_only_the_setting_that_changed_is_told(engine: Engine, lane: Lane) -> None:
    lane.run(call(insert_deduplication_token="a"))
    del engine.connections[0].told[:]
    lane.run(call(insert_deduplication_token="b"))
    assert engine.connections[0].told == ["SET insert_deduplication_token = 'b'", "SELECT 1"]


@pytest.mark.parametrize(
    "sql", [pytest.param("SELECT FAIL", id="failed"), pytest.param("SET x = 1", id="changed its session")]
)
def test_a_connection_in_doubt_is_not_used_again(engine: Engine, lane: Lane, sql: str) -> None:
    if "FAIL" in sql:
        with pytest.raises(EngineError, match="no such table") as error:
            lane.run(call(sql))
        assert error.value.code == 60
    else:
        lane.run(call(sql))
    assert engine.connections[0].is_closed
    lane.run(call())
    assert len(engine.connections) == 2
    assert engine.connections[1].told[-1] == "SELECT 1"


def test_a_stream_that_is_left_is_cancelled_and_the_connection_kept(engine: Engine, lane: Lane) -> None:
    blocks = lane.blocks(call())
    assert next(blocks) == b"block"
    blocks.close()
    assert engine.connections[0].stream.is_cancelled
    assert not engine.connections[0].is_closed


def test_a_stream_gives_every_block(lane: Lane) -> None:
    assert list(lane.blocks(call())) == [b"block", b"block"]


async def test_lanes_are_opened_when_needed_and_no_more_than_allowed(engine: Engine) -> None:
    lanes = Lanes("query", 2, engine.connect, {})
    async with lanes.take() as first:
        assert lanes.busy == {first.name}
        async with lanes.take() as second:
            assert {first.name, second.name} == {"query-0", "query-1"}
            waiting = asyncio.ensure_future(lanes.take().__aenter__())
            await asyncio.sleep(0)
            assert not waiting.done()
        third = await waiting
        assert third is second
    assert len(lanes.all) == 2
    lanes.close()


@given(st.text())
def test_quoted_text_has_no_way_out(text: str) -> None:
    quoted = quoted_text(text)
    inside = quoted[1:-1].replace("\\\\", "").replace("\\'", "")
    assert "'" not in inside
    assert "\\" not in inside


@given(st.text())
def test_a_quoted_name_has_no_way_out(text: str) -> None:
    inside = quoted_name(text)[1:-1].replace("\\\\", "").replace("\\`", "")
    assert "`" not in inside
    assert "\\" not in inside
