"""From an accepted upload to both stores."""

from __future__ import annotations

from belfry.ids import AccountId
from belfry.pipeline.operations import Operations
from belfry.profiles.model import IdentityKind
from support.thread import ACCOUNT, DataThread, event, profile

DAY_S = 86_400


def now_s(thread: DataThread) -> int:
    return thread.clock.now_ms() // 1000


def test_the_seed_example_is_stored_untagged_with_its_raw_partner(thread: DataThread) -> None:
    thread.upload(
        {
            "identity": "john_124",
            "type": "event",
            "$source": "CleverTap",
            "evtName": "Product CleverTap 1",
            "evtData": {"Product name": "Casio Chronograph Watch"},
        }
    )
    thread.apply()
    rows = thread.events("name, source, props", "name = 'productclevertap1'")
    assert [(row[0], row[1]) for row in rows] == [("productclevertap1", "API")]
    assert rows[0][2]["Product name"] == "Casio Chronograph Watch"
    assert thread.node("john_124").activity.events["Product CleverTap 1"][0] == 1


def test_names_that_differ_in_case_and_spaces_are_one_event_under_the_first_spelling(thread: DataThread) -> None:
    thread.upload(event("u", "Sign Up"), event("u", "SIGNUP"), event("u", "signup"))
    thread.apply()
    assert {name: row[0] for name, row in thread.node("u").activity.events.items()} == {"Sign Up": 3}


def test_a_profile_upload_is_folded_and_visible_as_a_snapshot(thread: DataThread) -> None:
    thread.upload(profile("u", {"Name": "Ines", "Email": "Ines@Example.org", "trips": {"$incr": 2}, "tier": "gold"}))
    thread.upload(profile("u", {"trips": {"$incr": 3}, "tier": "silver"}, ts=now_s(thread) - 60))
    thread.apply()
    properties = thread.node("u").state.properties
    # The increment counts whenever it comes; the older write of tier does not beat the newer one.
    assert (properties["trips"], properties["tier"]) == (5, "gold")
    row = thread.columnar.rows(
        "SELECT identity, email, hidden, reachable FROM profile_snapshots FINAL WHERE account_id = {a:String}",
        {"a": ACCOUNT},
    )[0]
    assert (row[0], row[1].lower(), row[2], row[3]) == ("u", "ines@example.org", 0, ["email"])
    assert thread.node("ines@example.org", IdentityKind.EMAIL).state.profile_id == thread.node("u").state.profile_id


def test_an_anonymous_device_that_turns_out_to_be_a_known_user_gives_its_history(thread: DataThread) -> None:
    device = "a8f0c9a7e5d14c58"
    thread.upload(event("known", "Bought"), event(None, "Viewed", {"n": 1}, objectId=device))
    thread.apply()
    thread.upload(event("known", "Opened", objectId=device))
    thread.apply()
    known = thread.node("known")
    assert device in known.devices
    assert {name: row[0] for name, row in known.activity.events.items()} == {"Bought": 1, "Viewed": 1, "Opened": 1}
    mine = f"profile_id = {known.state.profile_id} AND name = 'viewed'"
    assert thread.events("flags, recorded_profile_id != profile_id", mine) == [(2, 1)]
    hidden = thread.columnar.value("SELECT count() FROM profile_snapshots FINAL WHERE hidden = 1")
    assert hidden == 1


def test_an_identity_of_somebody_else_is_refused_and_both_stay_as_they_were(thread: DataThread) -> None:
    thread.upload(profile("one", {"Email": "a@example.org"}), profile("two", {"Email": "a@example.org", "x": 1}))
    thread.apply()
    assert "Email" not in thread.node("two").state.properties
    assert thread.node("two").state.properties["x"] == 1
    assert thread.node("a@example.org", IdentityKind.EMAIL).state.profile_id == thread.node("one").state.profile_id
    assert ("identity_conflict", "email") in thread.errors()
    assert len(thread.events("1", "name = 'identityerror'")) == 1


def test_refused_records_keep_their_original_bytes_in_the_error_stream(thread: DataThread) -> None:
    thread.upload(event("u", "Fine"), event("u", "App Uninstalled"), {"type": "nonsense", "identity": "u"})
    thread.apply()
    rows = thread.columnar.rows("SELECT code, record FROM error_records WHERE kind = 'refused' ORDER BY seq")
    assert [row[0] for row in rows] == [513, 524]
    assert '"evtName": "App Uninstalled"' in rows[0][1]


def test_times_follow_the_table_of_the_specification(thread: DataThread) -> None:
    now = now_s(thread)
    thread.configure(event_retention_days=30)
    thread.upload(
        event("u", "Step", {"n": 1}),
        event("u", "Step", {"n": 2}, ts=now + 300),
        event("u", "Step", {"n": 3}, ts=now - 59 * 60),
        event("u", "Step", {"n": 4}, ts=now - 61 * 60),
        event("u", "Step", {"n": 5}, ts=now - 31 * DAY_S),
    )
    thread.apply()
    rows = thread.events("props, toUnixTimestamp(ts), flags", "name = 'step'")
    assert [(row[0]["n"], row[1] - now, row[2]) for row in rows] == [
        (1, 0, 0),
        (2, 0, 0),
        (3, -59 * 60, 0),
        (4, -61 * 60, 1),
    ]
    assert ("beyond_retention", "Step") in thread.errors()


def test_a_repeated_request_adds_nothing_and_two_equal_events_of_one_request_are_two(thread: DataThread) -> None:
    ticket = event("u", "Bought Ticket", {"zone": 3}, ts=now_s(thread))
    thread.upload(ticket, ticket)
    thread.upload(ticket, ticket)
    thread.upload(ticket, ticket, ticket)
    thread.apply()
    assert len(thread.events("1", "name = 'boughtticket'")) == 3
    assert [kind for kind, _ in thread.errors()].count("duplicate") == 4


def test_a_repetition_is_recognised_after_a_restart_and_after_many_other_events(thread: DataThread) -> None:
    old = event("u", "First", {"n": 0}, ts=now_s(thread) - 100)
    thread.upload(old)
    thread.upload(*(event("u", "Other", {"n": n}, ts=now_s(thread) - 50 + n) for n in range(40)))
    thread.apply()
    thread.pipeline = thread.new_pipeline()
    thread.upload(old)
    thread.upload(*(event("u", "Other", {"n": n}, ts=now_s(thread) - 50 + n) for n in range(40)))
    thread.apply()
    assert len(thread.events("1", "name = 'first'")) == 1
    assert len(thread.events("1", "name = 'other'")) == 40


def test_events_without_a_time_are_never_dropped_by_comparison(thread: DataThread) -> None:
    thread.upload(event("u", "Tap"))
    thread.upload(event("u", "Tap"))
    thread.apply()
    assert len(thread.events("1", "name = 'tap'")) == 2


def test_a_charged_id_is_one_purchase_of_a_user_however_often_it_comes(thread: DataThread) -> None:
    charged = event("u", "Charged", {"Amount": 5, "Charged ID": "T-1"})
    thread.upload(charged, charged, event("v", "Charged", {"Amount": 5, "Charged ID": "T-1"}))
    thread.apply()
    thread.upload(charged)
    thread.apply()
    assert len(thread.events("1", "name = 'charged'")) == 2


def test_the_account_can_switch_comparison_off(thread: DataThread) -> None:
    thread.configure(duplicate_comparison=False)
    step = event("u", "Step", ts=now_s(thread))
    thread.upload(step)
    thread.upload(step)
    thread.apply()
    assert len(thread.events("1", "name = 'step'")) == 2


def test_a_name_beyond_the_limit_is_dropped_with_its_bytes_kept(thread: DataThread) -> None:
    thread.configure(event_names_max=2)
    thread.upload(event("u", "One"), event("u", "Two"), event("u", "Three"), event("u", "one"))
    thread.apply()
    assert [row[0] for row in thread.events("name", "flags = 0")] == ["one", "two", "one"]
    assert ("too_many_event_names", "Three") in thread.errors()


def test_merge_and_undo_go_through_the_log_and_bring_events_along_and_back(thread: DataThread) -> None:
    thread.upload(event("one", "Bought", {"n": 1}), event("two", "Bought", {"n": 2}), profile("two", {"tier": "gold"}))
    thread.apply()
    one, two = thread.node("one").state.profile_id, thread.node("two").state.profile_id
    thread.command(command="merge", operation_id="op-1", keep=one, absorb=two)
    thread.apply()
    merged = thread.node("two")
    assert merged.state.profile_id == one
    assert merged.state.properties["tier"] == "gold"
    assert merged.activity.events["Bought"][0] == 2
    answer = Operations(thread.database).result(ACCOUNT, "op-1")
    assert answer is not None
    assert answer.outcome == "done"
    thread.command(command="undo", operation_id="op-2", log_id=int(answer.result["log_id"]))
    thread.apply()
    assert thread.node("two").state.profile_id == two
    assert "tier" not in thread.node("one").state.properties
    assert (thread.node("one").activity.events["Bought"][0], thread.node("two").activity.events["Bought"][0]) == (1, 1)
    assert len(thread.events("1", f"name = 'bought' AND profile_id = {one}")) == 1


def test_a_command_that_cannot_be_done_is_answered_with_why(thread: DataThread) -> None:
    thread.command(command="merge", operation_id="op", keep=1, absorb=2)
    thread.command(command="undo", operation_id="op-2", log_id=77)
    thread.apply()
    answers = [Operations(thread.database).result(ACCOUNT, name) for name in ("op", "op-2")]
    assert [(answer.outcome, answer.result["code"]) for answer in answers if answer] == [("refused", "not_found")] * 2


def test_two_accounts_with_the_same_identities_share_nothing(thread: DataThread) -> None:
    other = AccountId("ZZZ-YYY-XXXX")
    thread.configure(other)
    thread.upload(event("u", "Mine", {"n": 1}), profile("u", {"x": 1}))
    thread.upload(event("u", "Theirs", {"n": 2}), profile("u", {"x": 2}), account=other)
    thread.apply()
    assert list(thread.node("u").activity.events) == ["Mine"]
    assert list(thread.node("u", account=other).activity.events) == ["Theirs"]
    assert thread.node("u").state.properties["x"] == 1
    assert thread.node("u").state.profile_id != thread.node("u", account=other).state.profile_id


def test_opting_out_raises_channel_unsubscribed_once(thread: DataThread) -> None:
    thread.upload(profile("u", {"Email": "u@example.org", "MSG-email": False}))
    thread.upload(profile("u", {"MSG-email": False}))
    thread.apply()
    rows = thread.events("props", "name = 'channelunsubscribed'")
    assert [row[0]["Channel"] for row in rows] == ["email"]


def test_times_long_ago_are_stored_as_they_were_sent(thread: DataThread) -> None:
    thread.configure(event_retention_days=36_500)
    times = [1, 99_999_999, 100_000_000, 999_999_999]
    thread.upload(*(event("u", "Old", {"n": ts}, ts=ts) for ts in times))
    thread.apply()
    assert thread.events("toUnixTimestamp64Milli(ts)", "name = 'old'") == [(ts * 1000,) for ts in times]
