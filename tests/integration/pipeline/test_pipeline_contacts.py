"""Commands about addresses and devices that reach many users, and numbers for all that they make."""

from __future__ import annotations

import pytest

from support.thread import DataThread, event, profile

SHARED = "shared@example.org"


def subscribe(thread: DataThread, *, subscribes: bool, kind: str = "email", value: str = SHARED) -> None:
    wish = {"type": kind, "value": value, "subscribes": subscribes}
    thread.command(command="subscribe", operation_id=f"s-{thread.log.end()}", wishes=[wish])


def changes(thread: DataThread) -> list[tuple[str, int, str]]:
    names = "name IN ('channelunsubscribed', 'channelsubscribed')"
    return [tuple(row) for row in thread.events("name, profile_id, props.Channel.:String", names)]


@pytest.mark.parametrize("blocks", ["one block", "a block each"])
def test_an_opt_out_is_told_of_every_user_with_the_address(thread: DataThread, blocks: str) -> None:
    thread.configure(identity_kinds=["identity"])
    thread.upload(*(profile(f"u{i}", {"Email": SHARED}) for i in range(40)), profile("x", {"Email": "x@example.org"}))
    if blocks == "a block each":
        thread.apply()
    subscribe(thread, subscribes=False)
    thread.apply()
    told = changes(thread)
    assert {row[0] for row in told} == {"channelunsubscribed"}
    assert {row[1] for row in told} == {thread.node(f"u{i}").state.profile_id for i in range(40)}
    seqs = [row[0] for row in thread.events("seq", "name = 'channelunsubscribed'")]
    assert len(set(seqs)) == 40
    unreachable = thread.columnar.value(
        "SELECT count() FROM profile_snapshots FINAL WHERE email = {e:String} AND NOT has(reachable, 'email')",
        {"e": SHARED},
    )
    assert unreachable == 40


def test_the_same_wish_twice_is_told_once_and_the_way_back_is_told(thread: DataThread) -> None:
    thread.upload(profile("a", {"Email": SHARED}))
    for subscribes in (False, False, True):
        subscribe(thread, subscribes=subscribes)
    thread.apply()
    assert [row[0] for row in changes(thread)] == ["channelunsubscribed", "channelsubscribed"]


def test_a_user_who_left_the_address_is_not_told(thread: DataThread) -> None:
    thread.configure(identity_kinds=["identity"])
    thread.upload(profile("a", {"Email": SHARED}))
    thread.apply()
    thread.upload(profile("a", {"Email": "new@example.org"}))
    thread.apply()
    subscribe(thread, subscribes=False)
    thread.apply()
    assert changes(thread) == []


def test_a_whatsapp_opt_out_leaves_sms_alone(thread: DataThread) -> None:
    thread.upload(profile("a", {"Phone": "+351912345678", "MSG-whatsapp": True}))
    thread.apply()
    before = len(changes(thread))
    subscribe(thread, subscribes=False, kind="whatsapp", value="+351912345678")
    thread.apply()
    assert [row[2] for row in changes(thread)[before:]] == ["whatsapp"]


def test_many_users_are_taken_apart_in_one_command(thread: DataThread) -> None:
    users = [f"u{i}" for i in range(60)]
    thread.upload(*(event(user, "Seen", objectId=f"__device-{user}-{n}") for user in users for n in range(2)))
    thread.apply()
    thread.command(command="demerge", operation_id="d", identities=users)
    thread.apply()
    rows = thread.columnar.rows("SELECT profile_id FROM profile_snapshots FINAL WHERE hidden = 0 AND identified = 0")
    assert len(rows) == 120
