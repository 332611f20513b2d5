"""Trial R13, small: random histories of identification, writes, merges and undo equal a plain model; undo restores.

The model below is written to be obvious, not fast, and shares no code with the rules: it keeps who owns what in
dictionaries, and for undo it remembers whole copies and compares thing by thing.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import msgspec
import pytest

from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.history import LogEntry, LogKind, StoredLogEntry
from belfry.profiles.identify import IdentityRules, Mode, Sighting, identify
from belfry.profiles.merge import merge
from belfry.profiles.model import Identity, IdentityKind, Op, Operation, ProfileStatus, Refused
from belfry.profiles.properties import fold
from belfry.profiles.undo import undo

Name = tuple[str, str]

KINDS = ["identity", "email"]
NAMES: list[Name] = [(kind, f"{kind}-{number}") for kind in KINDS for number in range(3)]
DEVICES = [f"device-{number}" for number in range(3)]
KEYS = ["a", "b"]


class Model:
    """Users as plain dictionaries."""

    def __init__(self) -> None:
        self.alive: dict[int, bool] = {}
        self.target: dict[int, int | None] = {}
        self.owner: dict[Name | str, int] = {}  # of identities (pairs) and devices (texts)
        self.props: dict[int, dict[str, tuple[Any, int]]] = {}
        self.age: dict[int, int] = {}
        self.undoable: list[dict[str, Any]] = []

    def new(self, profile_id: int) -> int:
        self.alive[profile_id], self.target[profile_id], self.props[profile_id] = True, None, {}
        self.age[profile_id] = profile_id
        return profile_id

    def names(self, profile_id: int) -> list[Name]:
        return [thing for thing, owner in self.owner.items() if owner == profile_id and isinstance(thing, tuple)]

    def things(self, profile_id: int) -> list[Name | str]:
        return [thing for thing, owner in self.owner.items() if owner == profile_id]

    def see(self, root: Name | None, device: str | None, added: list[Name], login: bool, fresh: int) -> int:
        extra = sorted(set(added), key=lambda name: (KINDS.index(name[0]), name[1]))
        return self._see_root(root, device, extra, fresh) if root else self._see_device(device, extra, login, fresh)

    def _see_root(self, root: Name, device: str | None, extra: list[Name], fresh: int) -> int:
        user = self.owner.get(root)
        has = self.owner.get(device) if device else None
        if user is None and has is not None and not self.names(has):
            user = has
        if user is None:
            user = self.new(fresh)
        before = self._copy()
        if device and has is None:
            self.owner[device] = user
            before = self._copy()
        moves = device is not None and has is not None and has != user and not self.names(has)
        if moves:
            self._move(device, has, user)
        self._attach(user, [root, *extra])
        if moves:
            self._remember(before)
        return user

    def _see_device(self, device: str | None, extra: list[Name], login: bool, fresh: int) -> int:
        assert device is not None
        found = [self.owner[name] for name in extra if name in self.owner]
        if device not in self.owner:
            self.owner[device] = found[0] if found else self.new(fresh)
        here = self.owner[device]
        before = self._copy()
        user = here
        if extra and (login or not self.names(here)):
            if found:
                user = found[0]
            elif self.names(here):
                user = self.new(fresh)
        if user != here:
            self._move(device, here, user)
        self._attach(user, extra)
        if user != here:
            self._remember(before, here)
        return user

    def _attach(self, user: int, names: list[Name]) -> None:
        for name in names:
            self.owner.setdefault(name, user)

    def _move(self, device: str | None, here: int, user: int) -> None:
        assert device is not None
        anonymous = not self.names(here)
        self.owner[device] = user
        if anonymous and not self.things(here):
            self.alive[here], self.target[here] = False, user

    def write(self, user: int, key: str, value: int, at: int) -> None:
        if at >= self.props[user].get(key, (0, 0))[1]:
            self.props[user][key] = (value, at)

    def merge(self, keep: int, absorb: int) -> None:
        before = self._copy()
        for thing in self.things(absorb):
            self.owner[thing] = keep
        for key, (value, at) in self.props[absorb].items():
            if key not in self.props[keep] or at > self.props[keep][key][1]:
                self.props[keep][key] = (value, at)
        self.age[keep] = min(self.age[keep], self.age[absorb])
        self.alive[absorb], self.target[absorb] = False, keep
        self._remember(before)

    def undo(self, index: int) -> None:
        """Each thing that the change made different becomes what it was, unless it changed again."""
        change = self.undoable[index]
        was, became = change["before"], change["after"]
        made = [p for p in became["alive"] if p not in was["alive"]]
        for profile_id, alive in was["alive"].items():
            if alive != became["alive"][profile_id]:
                self.alive[profile_id], self.target[profile_id] = alive, was["target"][profile_id]
            for key in set(was["props"][profile_id]) | set(became["props"][profile_id]):
                old, new = was["props"][profile_id].get(key), became["props"][profile_id].get(key)
                if old != new and self.props[profile_id].get(key) == new:
                    if old is None:
                        del self.props[profile_id][key]
                    else:
                        self.props[profile_id][key] = old
            if self.age[profile_id] == became["age"][profile_id]:
                self.age[profile_id] = was["age"][profile_id] if change["merge"] else self.age[profile_id]
        for thing in became["owner"]:
            old, new = was["owner"].get(thing), became["owner"][thing]
            if old != new and self.owner.get(thing) == new:
                if old is None:
                    del self.owner[thing]
                else:
                    self.owner[thing] = self._now(old)
        for profile_id in made:
            if not self.things(profile_id):
                self.alive[profile_id], self.target[profile_id] = False, change["origin"]

    def _now(self, profile_id: int | None) -> int:
        while profile_id is not None and not self.alive[profile_id]:
            profile_id = self.target[profile_id]
        assert profile_id is not None
        return profile_id

    def _copy(self) -> dict[str, Any]:
        return copy.deepcopy(
            {"alive": self.alive, "target": self.target, "owner": self.owner, "props": self.props, "age": self.age}
        )

    def _remember(self, before: dict[str, Any], origin: int | None = None) -> None:
        after = self._copy()
        changes_age = before["age"] != after["age"]
        self.undoable.append({"before": before, "after": after, "merge": changes_age, "origin": origin})

    def picture(self) -> dict[str, Any]:
        users = [profile_id for profile_id, alive in self.alive.items() if alive]
        return {
            "owner": self.owner,
            "props": {user: {k: v for k, (v, _) in self.props[user].items()} for user in users},
            "age": {user: self.age[user] for user in users},
        }


class Real:
    """The rules, driven the same way."""

    def __init__(self) -> None:
        self.graph = MemoryGraph(AccountId("A"))
        self.undoable: list[StoredLogEntry] = []

    def see(
        self, root: Name | None, device: str | None, added: list[Name], login: bool, fresh: int
    ) -> tuple[int, bool]:
        seen = Sighting(
            None if root is None else _identity(root),
            device,
            tuple(map(_identity, added)),
            fresh,
            mode=Mode.LOGIN if login else Mode.PUSH,
        )
        made = []

        def new_id() -> ProfileId:
            made.append(fresh)
            return ProfileId(fresh)

        decision = identify(self.graph, IdentityRules(), seen, new_id)
        assert len(made) <= 1
        for entry in decision.log:
            if entry.kind is not LogKind.CONFLICT:
                self._remember(entry)
        return decision.profile_id, bool(made)

    def write(self, user: int, key: str, value: int, at: int) -> None:
        state = self.graph.profiles[ProfileId(user)].state
        fold(state.properties, state.written_at, [Operation(key, Op.SET, value)], at)

    def merge(self, keep: int, absorb: int) -> None:
        entry = merge(self.graph, ProfileId(keep), ProfileId(absorb), source="", reason="", at_ms=0)
        assert isinstance(entry, LogEntry)
        self._remember(entry)

    def undo(self, index: int) -> bool:
        stored = self.undoable[index]
        done = undo(self.graph, stored, source="", reason="", at_ms=stored.entry.at_ms)
        if not isinstance(done, Refused):
            self.undoable[index] = msgspec.structs.replace(stored, undone_by=1)
        return not isinstance(done, Refused)

    def users(self) -> list[int]:
        return [p for p, node in self.graph.profiles.items() if node.state.status is ProfileStatus.ACTIVE]

    def picture(self) -> dict[str, Any]:
        owner: dict[Name | str, int] = {}
        for profile_id, node in self.graph.profiles.items():
            if node.state.status is not ProfileStatus.ACTIVE:
                assert not node.identities, "hidden profiles own nothing"
                assert not node.devices, "hidden profiles own nothing"
            owner.update({(str(i.kind), i.value): int(profile_id) for i in node.identities})
            owner.update({device_id: int(profile_id) for device_id in node.devices})
            assert all(self.graph.owner_of_identity(i) == profile_id for i in node.identities)
            assert all(device.profile_id == profile_id for device in node.devices.values())
        return {
            "owner": owner,
            "props": {user: self.graph.profiles[ProfileId(user)].state.properties for user in self.users()},
            "age": {user: self.graph.profiles[ProfileId(user)].state.created_at_ms for user in self.users()},
        }

    def _remember(self, entry: LogEntry) -> None:
        entry = msgspec.json.decode(msgspec.json.encode(entry), type=LogEntry)
        self.undoable.append(StoredLogEntry(len(self.undoable) + 1, entry))


def _identity(name: Name) -> Identity:
    return Identity(IdentityKind(name[0]), name[1])


def random_step(chance: random.Random) -> tuple[Any, ...]:
    kind = chance.choices(["see", "write", "merge", "undo"], [8, 3, 2, 3])[0]
    if kind == "see":
        device = chance.choice([None, *DEVICES])
        root = chance.choice([None, *NAMES[:3]] if device else NAMES[:3])
        return ("see", root, device, chance.sample(NAMES, chance.randint(0, 2)), chance.random() < 0.4)
    if kind == "write":
        return ("write", chance.randrange(9), chance.choice(KEYS), chance.randrange(9), chance.randint(1, 9))
    return (kind, chance.randrange(9), chance.randrange(9))


def run_history(seed: int) -> None:
    chance = random.Random(seed)
    real, model = Real(), Model()
    for fresh in range(1, chance.randint(5, 40)):
        step = random_step(chance)
        before, undoable_count = copy.deepcopy(real.picture()), len(real.undoable)
        _play(real, model, step, fresh)
        assert real.picture() == model.picture(), f"seed {seed}, step {fresh}: {step}"
        if len(real.undoable) > undoable_count:
            _check_that_undo_restores(real, before)


def test_random_histories_equal_the_plain_model_and_undo_restores() -> None:
    for seed in range(1_500):
        run_history(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_random_histories_equal_the_plain_model_and_undo_restores() -> None:
    for seed in range(100_000):
        run_history(seed)


def _play(real: Real, model: Model, step: tuple[Any, ...], fresh: int) -> None:
    kind, *arguments = step
    users = real.users()
    if kind == "see":
        root, device, added, login = arguments
        assert real.see(root, device, added, login, fresh)[0] == model.see(root, device, added, login, fresh)
    elif kind == "write" and users:
        index, key, value, at = arguments
        for side in (real, model):
            side.write(users[index % len(users)], key, value, at)
    elif kind == "merge" and len(users) > 1:
        keep, absorb = users[arguments[0] % len(users)], users[arguments[1] % len(users)]
        if keep != absorb:
            real.merge(keep, absorb)
            model.merge(keep, absorb)
    elif kind == "undo" and real.undoable:
        assert len(real.undoable) == len(model.undoable)
        index = arguments[0] % len(real.undoable)
        if real.undo(index):
            model.undo(index)


def _check_that_undo_restores(real: Real, before: dict[str, Any]) -> None:
    """On a copy: taking the last change back at once gives exactly what was."""
    other = Real()
    other.graph, other.undoable = copy.deepcopy(real.graph), list(real.undoable)
    assert other.undo(-1)
    assert other.picture() == before
