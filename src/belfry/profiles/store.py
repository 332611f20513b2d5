"""SQL of profiles, identities, devices, tokens, activity and addresses: whole profiles in and out of a graph.

Reads take lists of keys as one parameter (`json_each` on SQLite, an array on PostgreSQL), so that a statement's text
never depends on how many there are. Writes go out sorted by key: neighbours share pages, two writers never deadlock.
The identity log and the ids of events are in `journal.py`.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, DeviceId, ProfileId
from belfry.profiles import tables
from belfry.profiles.graph import Address, AddressFlag, MemoryGraph, ProfileNode, Wanted
from belfry.profiles.model import (
    Device,
    Identity,
    IdentityKind,
    ProfileState,
    ProfileStatus,
    Token,
)
from belfry.storage.relational import bulk, bulk_insert, chunks, upsert

Row = Sequence[Any]

KEY_BYTES_MAX = 1_800
"""Longest text that stands in a key column as it is."""
READ_ROWS = 5_000
"""Keys of one read: the parameter stays small enough to be parsed quickly, the answer to be held."""

_STATUS = {str(status): status for status in ProfileStatus}
_KIND = {str(kind): kind for kind in IdentityKind}
_ADDRESS_KINDS = frozenset({IdentityKind.EMAIL, IdentityKind.PHONE})
_encode = msgspec.json.Encoder().encode
_object: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
_clocks: Callable[[bytes], dict[str, int]] = msgspec.json.Decoder(dict[str, int]).decode
_token_keys: Callable[[bytes], dict[str, str]] = msgspec.json.Decoder(dict[str, str]).decode


def key_text(text: str) -> str:
    """What stands in a key column for a text from outside: itself, or a hash of what the engines cannot index.

    PostgreSQL indexes at most 2 704 bytes and stores no NUL. The hash begins with a space, which no trimmed text does.
    """
    if len(text) <= KEY_BYTES_MAX // 4 and "\x00" not in text:
        return text
    data = text.encode()
    if len(data) <= KEY_BYTES_MAX and b"\x00" not in data:
        return text
    return " " + hashlib.blake2b(data, digest_size=24).hexdigest()


def load(connection: sa.Connection, graph: MemoryGraph, wanted: Wanted) -> bool:
    """Bring the profiles that are named into the graph, whole, and the flags of their addresses.

    What is in the graph already stays as it is there. Names that nobody has bring nothing. A hidden profile brings
    whoever took it over.
    returns  whether the store was asked; if not, everything that is named was in the graph
    """
    graph.loads += 1
    unknown = graph.unknown_identities(wanted.identities)
    devices = {d for d in wanted.device_ids if graph.lacks_device(d)}
    tokens = [t for t in wanted.tokens if graph.lacks_token(t)]
    profile_ids = {p for p in wanted.profile_ids if graph.lacks_profile(p)}
    addresses: list[Address] = [(i.kind, i.value) for i in wanted.identities if i.kind in _ADDRESS_KINDS]
    if not (unknown or devices or tokens or profile_ids or addresses):
        return False  # most loads of a busy pipeline
    reader = _Reader(connection, graph.account_id)
    profile_ids.update(reader.owners_of_identities(unknown).values())
    devices.update(reader.devices_of_tokens(tokens))
    profile_ids.update(reader.owners_of_devices(devices).values())
    while profile_ids:
        nodes = reader.nodes({p for p in profile_ids if graph.lacks_profile(p)})
        for node in nodes:
            graph.add(node)
            addresses += node.addresses()
        profile_ids = {n.state.target_id for n in nodes if n.state.target_id is not None}
    _load_address_flags(reader, graph, addresses)
    return True


def owners(
    connection: sa.Connection, account_id: AccountId, identities: Iterable[Identity]
) -> dict[Identity, ProfileId]:
    """Whose these identities are; those of nobody are not in the answer."""
    return _Reader(connection, account_id).owners_of_identities(identities)


def absorbed_by(connection: sa.Connection, account_id: AccountId, profile_ids: Iterable[ProfileId]) -> set[ProfileId]:
    """Hidden profiles that these took over."""
    found: set[ProfileId] = set()
    for part in chunks(sorted(set(profile_ids))):
        statement = sa.select(tables.profiles.c.profile_id).where(
            tables.profiles.c.account_id == account_id, tables.profiles.c.target_id.in_(part)
        )
        found.update(map(ProfileId, connection.execute(statement).scalars()))
    return found


def device_owners(connection: sa.Connection, account_id: AccountId, device_ids: Iterable[str]) -> dict[str, ProfileId]:
    """On whose profile these devices are; unknown ones are not in the answer."""
    return _Reader(connection, account_id).owners_of_devices(device_ids)


class Write(msgspec.Struct, frozen=True):
    """Rows of one table: to insert or overwrite, or, with nothing but key columns, to delete.

    names   columns in the table's order; each row has their values
    """

    table: sa.Table
    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]  # values in the driver's types
    is_deletion: bool = False


def changes_of(graph: MemoryGraph) -> list[Write]:
    """What changed in the graph as rows: what is done to the graph afterwards does not reach them."""
    return [
        _profiles(graph),
        *_identities(graph),
        *_devices(graph),
        *_tokens(graph),
        _activity(graph),
        *_address_flags(graph),
    ]


def write(connection: sa.Connection, changes: Iterable[Write]) -> None:
    """Write changes, inside the caller's transaction. Writing them again changes nothing."""
    for change in changes:
        if change.is_deletion:
            keys = [dict(zip(change.names, row, strict=True)) for row in change.rows]
            bulk(connection, _delete(change.table), keys)
        else:
            bulk_insert(connection, upsert(change.table, connection), change.names, change.rows)


def save(connection: sa.Connection, graph: MemoryGraph) -> None:
    """Write what changed in the graph, inside the caller's transaction. `graph.clean()` once it is committed."""
    write(connection, changes_of(graph))


class _Reader:
    """Reads of one account in one transaction.

    They go straight to the driver: SQLAlchemy's work for each row costs more than the read itself, and its rows
    keep Python's garbage collector busy.
    """

    def __init__(self, connection: sa.Connection, account_id: AccountId) -> None:
        if not connection.in_transaction():
            connection.begin()  # all reads see one state; it ends with the connection
        self._driver = connection.connection
        self._driver_error = connection.dialect.loaded_dbapi.Error
        self._account_id = account_id
        self._is_sqlite = connection.dialect.name == "sqlite"

    def owners_of_identities(self, identities: Iterable[Identity]) -> dict[Identity, ProfileId]:
        by_kind: dict[IdentityKind, list[str]] = {}
        for identity in identities:
            by_kind.setdefault(identity.kind, []).append(identity.value)
        found: dict[Identity, ProfileId] = {}
        for kind, values in by_kind.items():
            by_key = {key_text(value): Identity(kind, value) for value in values}
            sql = "SELECT value, profile_id FROM identities WHERE account_id = :account AND kind = :extra AND value"
            for key, profile_id in self._among(sql, by_key, str(kind)):
                found[by_key[key]] = profile_id
        return found

    def owners_of_devices(self, device_ids: Iterable[str]) -> dict[str, ProfileId]:
        sql = "SELECT device_id, profile_id FROM devices WHERE account_id = :account AND device_id"
        return {row[0]: row[1] for row in self._among(sql, device_ids)}

    def devices_of_tokens(self, tokens: Iterable[str]) -> set[str]:
        sql = "SELECT device_id FROM tokens WHERE account_id = :account AND token"
        return {row[0] for row in self._among(sql, map(key_text, tokens))}

    def nodes(self, profile_ids: set[ProfileId]) -> list[ProfileNode]:
        """Profiles whole: five reads, however many."""
        nodes: dict[ProfileId, ProfileNode] = {}
        sql = (
            "SELECT profile_id, status, target_id, bucket, created_at_ms, properties, written_at, version"
            " FROM profiles WHERE account_id = :account AND profile_id"
        )
        for row in self._among(sql, profile_ids):
            nodes[row[0]] = self._node(row)
        self._read_identities(nodes)
        self._read_devices(nodes)
        sql = "SELECT profile_id, events, recent FROM profile_activity WHERE account_id = :account AND profile_id"
        for profile_id, events, recent in self._among(sql, nodes):
            nodes[profile_id].put_activity(events, recent)
        return list(nodes.values())

    def address_flags(self, addresses: Iterable[Address]) -> list[tuple[Address, str, AddressFlag]]:
        by_kind: dict[IdentityKind, list[str]] = {}
        for kind, value in addresses:
            by_kind.setdefault(kind, []).append(value)
        sql = "SELECT 1 FROM addresses WHERE account_id = :account LIMIT 1"
        if not by_kind or not self._rows(sql, {"account": self._account_id}):
            return []  # most accounts have none: not worth asking for each address
        found = []
        for kind, values in by_kind.items():
            by_key = {key_text(value): value for value in values}
            sql = (
                "SELECT address, flag, value, written_at_ms FROM addresses"
                " WHERE account_id = :account AND kind = :extra AND address"
            )
            for key, flag, value, written_at_ms in self._among(sql, by_key, str(kind)):
                found.append(((kind, by_key[key]), flag, AddressFlag(bool(value), written_at_ms)))
        return found

    def _node(self, row: Row) -> ProfileNode:
        profile_id, status, target_id, bucket, created_at_ms, properties, written_at, version = row
        state = ProfileState(
            self._account_id,
            profile_id,
            _STATUS[status],
            target_id,
            bucket,
            created_at_ms,
            _object(properties),
            _clocks(written_at),
            version,
        )
        return ProfileNode(state)

    def _read_identities(self, nodes: dict[ProfileId, ProfileNode]) -> None:
        sql = (
            "SELECT profile_id, kind, value, whole, added_at_ms FROM identities"
            " WHERE account_id = :account AND profile_id"
        )
        for profile_id, kind, key, whole, added_at_ms in self._among(sql, nodes):
            nodes[profile_id].identities[Identity(_KIND[kind], _text_of(key, whole))] = added_at_ms

    def _read_devices(self, nodes: dict[ProfileId, ProfileNode]) -> None:
        devices: dict[str, Device] = {}
        sql = (
            "SELECT device_id, profile_id, fields, added_at_ms FROM devices WHERE account_id = :account AND profile_id"
        )
        for device_id, profile_id, fields, added_at_ms in self._among(sql, nodes):
            device = Device(DeviceId(device_id), profile_id, _object(fields), added_at_ms)
            devices[device_id] = nodes[profile_id].devices[device_id] = device
        sql = (
            "SELECT device_id, token, whole, kind, keys, added_at_ms FROM tokens"
            " WHERE account_id = :account AND device_id"
        )
        for device_id, key, whole, kind, keys, added_at_ms in self._among(sql, devices):
            read_keys = None if keys is None else _token_keys(keys)
            token = _text_of(key, whole)
            devices[device_id].tokens[token] = Token(token, kind, read_keys, added_at_ms)

    def _among(self, sql: str, keys: Iterable[Any], extra: str = "") -> Iterable[Row]:
        """Rows whose last-named column is among the keys."""
        ordered = sorted(set(keys))
        among = " IN (SELECT value FROM json_each(:keys))" if self._is_sqlite else " = ANY(:keys)"
        for start in range(0, len(ordered), READ_ROWS):
            part: Any = ordered[start : start + READ_ROWS]
            parameter = _encode(part).decode() if self._is_sqlite else part
            yield from self._rows(sql + among, {"account": self._account_id, "extra": extra, "keys": parameter})

    def _rows(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        cursor = self._driver.cursor()
        try:
            cursor.execute(sql if self._is_sqlite else _to_pyformat(sql), parameters)
            return cursor.fetchall()
        except self._driver_error as error:
            raise sa.exc.OperationalError(sql, None, error) from error
        finally:
            cursor.close()


@functools.cache
def _to_pyformat(sql: str) -> str:
    """Named parameters in PostgreSQL's driver's form."""
    return re.sub(r":([a-z]+)", r"%(\1)s", sql)


def _whole(text: str) -> bytes | None:
    """The text itself, for a column beside its key, if the key is only a hash."""
    return None if key_text(text) == text else text.encode()


def _text_of(key: str, whole: bytes | None) -> str:
    return key if whole is None else whole.decode()


def _load_address_flags(reader: _Reader, graph: MemoryGraph, addresses: list[Address]) -> None:
    for address, flag, value in reader.address_flags(a for a in addresses if a not in graph.address_flags):
        graph.address_flags.setdefault(address, {})[flag] = value


def _profiles(graph: MemoryGraph) -> Write:
    rows = []
    for profile_id in sorted(graph.dirty.profiles):
        state = graph.profiles[profile_id].state
        rows.append(
            (
                graph.account_id,
                profile_id,
                str(state.status),
                state.target_id,
                state.bucket,
                state.created_at_ms,
                _encode(state.properties),
                _encode(state.written_at),
                state.version,
            )
        )
    return Write(tables.profiles, _names(tables.profiles), rows)


def _identities(graph: MemoryGraph) -> Iterable[Write]:
    there, gone = [], []
    for identity in sorted(graph.dirty.identities):
        owner = graph.owner_of_identity(identity)
        key = (graph.account_id, str(identity.kind), key_text(identity.value))
        if owner is None:
            gone.append(key)
        else:
            added_at_ms = graph.profiles[owner].identities[identity]
            there.append((*key, _whole(identity.value), owner, added_at_ms))
    yield Write(tables.identities, ("account_id", "kind", "value"), gone, is_deletion=True)
    yield Write(tables.identities, _names(tables.identities), there)


def _devices(graph: MemoryGraph) -> Iterable[Write]:
    there: list[tuple[Any, ...]] = []
    gone = []
    for device_id in sorted(graph.dirty.devices):
        device = graph.device(device_id)
        if device is None:
            gone.append((graph.account_id, device_id))
        else:
            there.append((graph.account_id, device_id, device.profile_id, _encode(device.fields), device.added_at_ms))
    yield Write(tables.devices, ("account_id", "device_id"), gone, is_deletion=True)
    yield Write(tables.devices, _names(tables.devices), there)


def _tokens(graph: MemoryGraph) -> Iterable[Write]:
    there, gone = [], []
    for text in sorted(graph.dirty.tokens):
        device_id = graph.device_of_token(text)
        device = None if device_id is None else graph.device(device_id)
        key = (graph.account_id, key_text(text))
        if device is None:
            gone.append(key)
            continue
        token = device.tokens[text]
        keys = None if token.keys is None else _encode(token.keys)
        there.append((*key, _whole(text), device_id, token.kind, keys, token.added_at_ms))
    yield Write(tables.tokens, ("account_id", "token"), gone, is_deletion=True)
    yield Write(tables.tokens, _names(tables.tokens), there)


def _activity(graph: MemoryGraph) -> Write:
    account_id, profiles = graph.account_id, graph.profiles
    rows = [(account_id, profile_id, *profiles[profile_id].pack()) for profile_id in sorted(graph.dirty.activity)]
    return Write(tables.activity, _names(tables.activity), rows)


def _address_flags(graph: MemoryGraph) -> Iterable[Write]:
    there: list[tuple[Any, ...]] = []
    gone = []
    for address, flag in sorted(graph.dirty.addresses):
        kind, value = address
        key = (graph.account_id, str(kind), key_text(value), flag)
        state = graph.address_flags.get(address, {}).get(flag)
        if state is None:
            gone.append(key)
        else:
            there.append((*key, state.value, state.at_ms))
    yield Write(tables.addresses, ("account_id", "kind", "address", "flag"), gone, is_deletion=True)
    yield Write(tables.addresses, _names(tables.addresses), there)


def _names(table: sa.Table) -> tuple[str, ...]:
    return tuple(table.columns.keys())


def _delete(table: sa.Table) -> sa.Delete:
    """Delete one row by its whole key, the parameters named like the columns."""
    return sa.delete(table).where(*(column == sa.bindparam(column.name) for column in table.primary_key))
