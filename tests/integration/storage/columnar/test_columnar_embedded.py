"""The columnar process: who may ask, what runs beside what, how it starts and stops."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from belfry.config import MIB, Settings
from belfry.storage.columnar import Columnar, ColumnarError, ColumnarUnavailable, embedded_dsn
from support.columnar import EmbeddedEngine, running_engine
from support.columnar_rows import EVENT_COLUMNS, event_lines, event_row

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), columnar_memory_bytes_max=512 * MIB)


@pytest.fixture
def engine(settings: Settings) -> Iterator[EmbeddedEngine]:
    """An engine of this test's own, that may be stopped and killed."""
    with running_engine(settings) as own:
        yield own


@pytest.fixture
def store(engine: EmbeddedEngine) -> Iterator[Columnar]:
    client = Columnar(lambda: embedded_dsn(engine.settings))
    client.create_tables()
    yield client
    client.close()


@pytest.fixture
def http(columnar_engine: EmbeddedEngine) -> Iterator[httpx.Client]:
    """A plain HTTP client with the right password."""
    parts = urlsplit(embedded_dsn(columnar_engine.settings))
    auth = (parts.username or "", parts.password or "")
    with httpx.Client(base_url=f"http://127.0.0.1:{parts.port}", auth=auth, timeout=30) as client:
        yield client


def until(condition: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextlib.contextmanager
def running(client: Columnar, sql: str, count: int = 1) -> Iterator[None]:
    """Queries that run beside the test until they are cancelled, each in a thread of its own."""

    def ask() -> None:
        with contextlib.suppress(ColumnarError):
            client.rows(sql)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: running_count(client) == count)
    try:
        yield
    finally:
        client.command("KILL QUERY WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%KILL%' ASYNC")
        for thread in threads:
            thread.join()


def running_count(client: Columnar) -> int:
    """How many of the endless queries run now."""
    sql = "SELECT count() FROM system.processes WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%processes%'"
    count: int = client.value(sql)
    return count


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "text"),
    [
        pytest.param("GET", "/ping", b"", 200, "Ok.\n", id="ping"),
        pytest.param("GET", "/?query=SELECT+1", b"", 200, "1\n", id="query in the URL"),
        pytest.param("POST", "/", b"SELECT 1", 200, "1\n", id="query in the body"),
        pytest.param("POST", "/?default_format=JSONEachRow", b"SELECT 1 AS x", 200, '{"x":1}\n', id="default format"),
        pytest.param("POST", "/", b"SELECT 1 AS x FORMAT CSVWithNames", 200, '"x"\n1\n', id="format in the text"),
        pytest.param("POST", "/?query=SELECT", b"{x:String}&param_x=no", 400, "Code: 62.", id="syntax"),
        pytest.param("POST", "/?param_x=a%5Cnb", b"SELECT length({x:String})", 200, "3\n", id="parameter"),
        pytest.param("POST", "/", b"SELECT * FROM nowhere", 404, "Code: 60.", id="unknown table"),
        pytest.param("POST", "/?no_such_setting=1", b"SELECT 1", 404, "Code: 115.", id="unknown setting"),
        pytest.param("POST", "/?a+b=1", b"SELECT 1", 404, "Code: 115.", id="no setting at all"),
        pytest.param("POST", "/", b"", 400, "Code: 62.", id="nothing"),
        pytest.param("GET", "/?query=DROP+TABLE+x", b"", 500, "Code: 164.", id="GET does not write"),
        pytest.param("GET", "/elsewhere", b"", 404, "Code: 22.", id="unknown path"),
        pytest.param("POST", "/?max_execution_time=1", ENDLESS.encode(), 408, "Code: 159.", id="time is up"),
    ],
)
def test_it_answers_as_the_server_does(
    http: httpx.Client, method: str, target: str, body: bytes, status: int, text: str
) -> None:
    reply = http.request(method, target, content=body)
    assert (reply.status_code, reply.text[: len(text)]) == (status, text)
    if text.startswith("Code: "):
        assert reply.headers["X-ClickHouse-Exception-Code"] == reply.text.partition(":")[2].partition(".")[0].strip()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"auth": ("belfry", "wrong")}, id="wrong password"),
        pytest.param({"auth": None}, id="no password"),
        pytest.param({"headers": {"X-ClickHouse-Key": "wrong"}}, id="wrong key"),
        pytest.param({"headers": {"Authorization": "Basic !"}, "auth": None}, id="not base64"),
        pytest.param({"headers": {"Authorization": "Bearer x"}, "auth": None}, id="another scheme"),
    ],
)
def test_who_does_not_know_the_secret_reads_nothing(http: httpx.Client, arguments: dict[str, object]) -> None:
    reply = http.post("/", content=b"SELECT 1", **arguments)  # type: ignore[arg-type]
    assert reply.status_code == 403
    assert reply.headers["X-ClickHouse-Exception-Code"] == "516"
    assert "1\n" not in reply.text.splitlines()


def test_it_listens_on_loopback_only(columnar_engine: EmbeddedEngine) -> None:
    port = urlsplit(embedded_dsn(columnar_engine.settings)).port
    listeners = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert listeners == [f"0100007F:{port:04X}"]


def test_an_insert_does_not_wait_for_long_queries(store: Columnar) -> None:
    with running(store, ENDLESS, count=8):
        lines = event_lines(event_row(seq) for seq in range(1000))
        store.insert_json("events", EVENT_COLUMNS, lines, token="t")
        assert store.value("SELECT count() FROM events") == 1000, "nor does a short query"
        assert running_count(store) == 8


def test_a_query_whose_client_left_is_ended(store: Columnar, engine: EmbeddedEngine) -> None:
    parts = urlsplit(embedded_dsn(engine.settings))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"http://127.0.0.1:{parts.port}/",
            content=ENDLESS.encode(),
            auth=(parts.username or "", parts.password or ""),
            timeout=0.3,
        )
    until(lambda: running_count(store) == 0)


def test_a_stream_that_is_left_ends_its_query(store: Columnar) -> None:
    blocks = store.stream("SELECT number FROM numbers(1000000000000)")
    next(blocks)
    started = time.monotonic()
    blocks.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 5
    until(lambda: running_count(store) == 0)
    assert store.value("SELECT 1") == 1


def test_a_large_result_needs_little_memory(store: Columnar, engine: EmbeddedEngine) -> None:
    """300 MB pass through; neither the engine nor the client holds more than a part of it."""
    assert sum(len(block) for block in store.stream("SELECT repeat('x', 1000) FROM numbers(1000)")) == 1000
    before = resident_mib(engine.pid)
    rows = sum(len(block) for block in store.stream("SELECT repeat('x', 1000) FROM numbers(300000)"))
    assert rows == 300_000
    assert resident_mib(engine.pid) - before < 150


def resident_mib(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def test_a_query_over_its_memory_is_refused_and_the_engine_lives(store: Columnar) -> None:
    with pytest.raises(ColumnarUnavailable) as error:
        store.rows("SELECT groupArray(repeat('x', 1000)) FROM numbers(1000000)")
    assert error.value.code == 241
    assert store.value("SELECT 1") == 1


def test_a_client_may_be_there_before_the_engine_and_outlives_its_restarts(settings: Settings) -> None:
    client = Columnar(lambda: embedded_dsn(settings))
    with pytest.raises(ColumnarUnavailable) as error:
        client.value("SELECT 1")
    assert error.value.code == 0
    assert not client.ping()
    engine = EmbeddedEngine(settings)
    for end in (engine.stop, engine.kill, engine.stop):
        engine.start()
        assert client.value("SELECT 1") == 1
        end()
    with pytest.raises(ColumnarUnavailable):
        client.value("SELECT 1")
    client.close()


def test_a_stop_leaves_no_address_and_no_error(engine: EmbeddedEngine, store: Columnar) -> None:
    assert store.ping()
    assert engine.stop() == 0
    assert not engine.settings.path("run", "columnar.port").exists()
    assert not engine.settings.path("run", "columnar.token").exists()


def test_a_stop_ends_queries_and_finishes_inserts(engine: EmbeddedEngine, store: Columnar) -> None:
    lines = event_lines(event_row(seq) for seq in range(60_000))
    failures: list[ColumnarError] = []

    def query() -> None:
        try:
            store.rows(ENDLESS)
        except ColumnarError as error:
            failures.append(error)

    asking = threading.Thread(target=query)
    asking.start()
    until(lambda: running_count(store) == 1)
    inserting = threading.Thread(target=store.insert_json, args=("events", EVENT_COLUMNS, lines), kwargs={"token": "t"})
    inserting.start()
    until(lambda: store.value("SELECT count() FROM system.processes WHERE query_kind = 'Insert'") == 1)
    started = time.monotonic()
    assert engine.stop() == 0
    assert time.monotonic() - started < engine.settings.stop_within_s
    asking.join()
    inserting.join()
    assert isinstance(failures[0], ColumnarUnavailable)
    engine.start()
    assert store.value("SELECT count() FROM events") == 60_000


def test_a_second_process_on_the_same_folder_is_refused(engine: EmbeddedEngine, store: Columnar) -> None:
    dsn = embedded_dsn(engine.settings)
    second = EmbeddedEngine(engine.settings)
    before = engine.settings.path("run", "columnar.port").read_text()
    with pytest.raises(RuntimeError, match="in use by another columnar process"):
        second.start()
    engine.settings.path("run", "columnar.port").write_text(before)
    assert embedded_dsn(engine.settings) == dsn
    assert store.value("SELECT 1") == 1
