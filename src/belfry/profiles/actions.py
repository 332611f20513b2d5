"""Reading profiles: one by what names it, many by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from belfry.ids import AccountId, ProfileId
from belfry.profiles import journal, store
from belfry.profiles.cards import ProfileCard, card_of
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.history import StoredLogEntry
from belfry.profiles.model import Identity, IdentityKind, ProfileStatus
from belfry.storage.relational import Database


class Profiles:
    """Profiles of every account; each call names one. Hidden profiles are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        account_id: AccountId,
        *,
        object_id: str | None = None,
        identity: str | None = None,
        email: str | None = None,
    ) -> ProfileCard | None:
        """One user by what names them; of several parameters objectId counts before identity before email.

        Values as they came from the query: where a space stands for a `+` that was not encoded, it is found as well
        (server-api 5.1). An `identity` is a custom one; if there is none such, one of any other kind.
        """
        wanted = Wanted()
        graph = MemoryGraph(account_id)
        if object_id:
            wanted.device_ids = {object_id.strip()} if "\x00" not in object_id else set()
            candidates: Sequence[Identity] = ()
        else:
            candidates = identity_candidates(identity) if identity else email_candidates(email or "")
            wanted.identities = set(candidates)
        with self._database.read() as connection:
            store.load(connection, graph, wanted)
        owners = [graph.owner_of_device(device_id) for device_id in wanted.device_ids]
        owners += [graph.owner_of_identity(candidate) for candidate in candidates]
        found = next((owner for owner in owners if owner is not None), None)
        return None if found is None else card_of(graph, found)

    def cards(self, account_id: AccountId, profile_ids: Iterable[ProfileId]) -> list[ProfileCard]:
        """Users by profile id, in the order asked for, each once. Hidden and unknown ones are left out."""
        ordered = list(dict.fromkeys(profile_ids))
        graph = MemoryGraph(account_id)
        with self._database.read() as connection:
            store.load(connection, graph, Wanted(profile_ids=set(ordered)))
        return [
            card_of(graph, profile_id)
            for profile_id in ordered
            if (node := graph.profiles.get(profile_id)) is not None and node.state.status is ProfileStatus.ACTIVE
        ]

    def owners(
        self, account_id: AccountId, identities: Iterable[Identity], device_ids: Iterable[str]
    ) -> tuple[dict[Identity, ProfileId], dict[str, ProfileId]]:
        """Whose identities and devices these are, many at once; those of nobody are left out."""
        storable = [device_id for device_id in device_ids if "\x00" not in device_id]
        with self._database.read() as connection:
            by_identity = store.owners(connection, account_id, identities)
            return by_identity, store.device_owners(connection, account_id, storable)

    def resolve(self, account_id: AccountId, profile_id: ProfileId) -> ProfileId | None:
        """The user that a profile stands for now: itself, or who took it over. None: unknown or deleted."""
        graph = MemoryGraph(account_id)
        with self._database.read() as connection:
            store.load(connection, graph, Wanted(profile_ids={profile_id}))
        return graph.resolve(profile_id)

    def owned(self, account_id: AccountId, identities: Iterable[Identity]) -> set[Identity]:
        """Those of the identities that some user has."""
        with self._database.read() as connection:
            return set(store.owners(connection, account_id, identities))

    def is_known_device(self, account_id: AccountId, device_id: str) -> bool:
        """Whether a device of the account has this id (server-api 3.3)."""
        if "\x00" in device_id:
            return False
        with self._database.read() as connection:
            return bool(store.device_owners(connection, account_id, [device_id]))

    def identity_log(self, account_id: AccountId, profile_id: ProfileId, *, limit: int = 100) -> list[StoredLogEntry]:
        """How a profile came to be what it is, the newest first."""
        with self._database.read() as connection:
            return journal.log_of(connection, account_id, profile_id, limit=limit)


def identity_candidates(text: str) -> list[Identity]:
    """What an `identity` parameter may mean, the most likely first."""
    plain = text.strip()
    candidates = [Identity(IdentityKind.IDENTITY, plain), *email_candidates(text)]
    candidates += [Identity(kind, plain) for kind in (IdentityKind.PHONE, IdentityKind.FBID, IdentityKind.GPID)]
    if text != plain:
        candidates.append(Identity(IdentityKind.PHONE, "+" + plain))
    if " " in text:
        candidates.append(Identity(IdentityKind.IDENTITY, text.replace(" ", "+")))
    return [candidate for candidate in candidates if candidate.value]


def email_candidates(text: str) -> list[Identity]:
    """What an `email` parameter may mean: itself, or with `+` for spaces."""
    plain = text.strip().lower()
    values = dict.fromkeys([plain, plain.replace(" ", "+")])
    return [Identity(IdentityKind.EMAIL, value) for value in values if "@" in value]
