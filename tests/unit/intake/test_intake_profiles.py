"""`profileData`: reserved keys, operators, flags, groups, further identities (server-api 3.5, 3.6; scenarios 5, 6)."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind
from belfry.intake import ProfileRecord
from belfry.profiles.model import SUBSCRIPTION_KEYS, Identity, IdentityKind, Op, Operation
from support.uploads import code_of, kinds, profile, read, read_profile


def operations(data: dict[str, Any], settings: AccountSettings | None = None) -> list[tuple[str, Op, object]]:
    record = read_profile(data, settings or AccountSettings())
    return [(operation.key, operation.op, operation.value) for operation in record.operations]


def kept(data: dict[str, Any], settings: AccountSettings | None = None) -> dict[str, object]:
    """Key → value of the plain writes."""
    return {key: value for key, op, value in operations(data, settings) if op is Op.SET}


def added(data: dict[str, Any], settings: AccountSettings | None = None, **keys: Any) -> list[tuple[IdentityKind, str]]:
    record = read_profile(data, settings or AccountSettings(), **keys)
    return [(identity.kind, identity.value) for identity in record.who.added]


TAKEN = [
    ("Gender", "M", "M"),
    ("Gender", "male", "M"),
    ("Gender", "FEMALE", "F"),
    ("Gender", "f", "F"),
    ("Gender", "Others", "O"),
    ("Gender", "O", "O"),
    ("Gender", " unknown ", "U"),
    ("Gender", "u", "U"),
    ("Email", "Ines@Example.ORG", "ines@example.org"),
    ("Email", " ines+a@example.org ", "ines+a@example.org"),
    ("Phone", "+351912345678", "+351912345678"),
    ("Phone", "+351 912-345-678", "+351912345678"),
    ("Phone", "+44 (0) 7911.123456".replace("(0) ", ""), "+447911123456"),
    ("Employed", "Y", "Y"),
    ("Employed", "N", "N"),
    ("Education", "School", "School"),
    ("Education", "College", "College"),
    ("Education", "Graduate", "Graduate"),
    ("Married", "N", "N"),
    ("Age", 18, 18),
    ("Age", "18", 18),
    ("Age", "18.5", 18.5),
    ("Age", 0, 0),
    ("Name", "Ines Duarte", "Ines Duarte"),
    ("Name", 7, "7"),
    ("Photo", "https://img.example/a.png", "https://img.example/a.png"),
    ("DOB", "$D_631152000", "$D_631152000"),
    ("DOB", "$D_-631152000", "$D_-631152000"),
    ("Tz", "Europe/Lisbon", "Europe/Lisbon"),
    ("Tz", "IST", "IST"),
    ("Tz", "GMT-8:00", "GMT-8:00"),
    ("Customer Type", "Prime", "Prime"),
]


@pytest.mark.parametrize(("key", "value", "stored"), TAKEN, ids=[f"{case[0]} {case[1]}" for case in TAKEN])
def test_a_reserved_key_keeps_its_value_in_one_form(key: str, value: object, stored: object) -> None:
    record = read_profile({key: value})
    assert record.operations == (Operation(key, Op.SET, stored),)
    assert record.remarks == ()


REFUSED = [
    (514, "Gender", ["X", "men", 1, True, ["M"]]),
    (515, "Email", ["1234", "$$$$$", "a@b", "a b@example.org", "@example.org", "a@", 5, True, ["a@example.org"]]),
    (516, "Phone", ["223", "+44+441234", "912345678", "+", "+0123456789", "+99912345678", "+1234567", 912345678, True]),
    (516, "Phone", ["+1234567890123456", "phone", "+351x912345678", "-", ["+351912345678"]]),
    (517, "Employed", [True, False, "yes", "223", 1, ["Y"]]),
    (518, "Education", ["Science", "school", 1, True]),
    (519, "Married", [True, "Yes", "223", 0]),
    (520, "Age", ["aa", True, "18 years", "1e3", 2**64, ["18"], "NaN"]),
]
REFUSED_FLAT = [(code, key, value) for code, key, values in REFUSED for value in values]


@pytest.mark.parametrize(("code", "key", "value"), REFUSED_FLAT, ids=[f"{c} {k} {v}" for c, k, v in REFUSED_FLAT])
def test_a_wrong_value_of_a_checked_key_refuses_the_record(code: int, key: str, value: object) -> None:
    assert code_of(profile(profileData={"plan": "gold", key: value})) == code


def test_a_bad_email_is_reported_before_a_wrong_employment() -> None:
    assert code_of(profile(profileData={"Employed": True, "Email": "x"})) == 515


@pytest.mark.parametrize("key", ["Name", "Email", "Phone", "Gender", "Employed", "Age", "DOB", "Tz", "Photo"])
@pytest.mark.parametrize("value", [None, "", "  "], ids=repr)
def test_null_and_empty_text_under_a_reserved_key_change_nothing(key: str, value: object) -> None:
    record = read_profile({key: value, "plan": "gold"})
    assert record.operations == (Operation("plan", Op.SET, "gold"),)
    assert record.remarks == ()


@pytest.mark.parametrize("key", ["Name", "Email", "Age", "DOB", "Tz"])
@pytest.mark.parametrize("value", [{"a": 1}, {}, [{"a": 1}]], ids=repr)
def test_a_nested_value_under_a_reserved_key_is_dropped(key: str, value: object) -> None:
    record = read_profile({key: value})
    assert record.operations == ()
    assert kinds(record) == [ErrorKind.NESTED_LIMIT]


def test_a_date_of_birth_that_is_none_is_kept_as_text() -> None:
    record = read_profile({"DOB": 1614775793})
    assert record.operations == (Operation("DOB", Op.SET, "1614775793"),)
    assert kinds(record) == [ErrorKind.TYPE_MISMATCH]


def test_an_unknown_time_zone_is_dropped() -> None:
    record = read_profile({"Tz": "Atlantis/Center"})
    assert record.operations == ()
    assert kinds(record) == [ErrorKind.UNKNOWN_VALUE]


@pytest.mark.parametrize("key", ["name", "email", "phone"])
def test_reserved_words_in_lower_case_are_custom_keys_with_a_hint(key: str) -> None:
    record = read_profile({key: "$$$"})
    assert record.operations == (Operation(key, Op.SET, "$$$"),)
    assert kinds(record) == [ErrorKind.RESERVED_KEY_CASE]
    assert record.who.added == ()


CUSTOM = [
    ("text", {"a": "x"}, [("a", Op.SET, "x")]),
    ("empty text", {"a": ""}, [("a", Op.SET, "")]),
    ("number", {"a": 1}, [("a", Op.SET, 1)]),
    ("boolean", {"a": False}, [("a", Op.SET, False)]),
    ("date", {"a": "$D_1767225600"}, [("a", Op.SET, "$D_1767225600")]),
    ("null", {"a": None}, []),
    ("list", {"a": ["x", "y", "x", 1]}, [("a", Op.REPLACE, ["x", "y", "1"])]),
    ("nested", {"a": {"b": {"c": 1}}}, [("a", Op.SET, {"b": {"c": 1}})]),
    ("list of objects", {"a": [{"b": 1}]}, [("a", Op.SET, [{"b": 1}])]),
    ("$set", {"a": {"$set": ["x", "x"]}}, [("a", Op.REPLACE, ["x"])]),
    ("$set empty", {"a": {"$set": []}}, [("a", Op.REPLACE, [])]),
    ("$add", {"a": {"$add": ["x", "y"]}}, [("a", Op.ADD, ["x", "y"])]),
    ("$add one", {"a": {"$add": "x"}}, [("a", Op.ADD, ["x"])]),
    ("$add nothing", {"a": {"$add": []}}, []),
    ("$remove", {"a": {"$remove": ["x"]}}, [("a", Op.REMOVE, ["x"])]),
    ("$delete", {"a": {"$delete": 1}}, [("a", Op.DELETE, None)]),
    ("$delete false", {"a": {"$delete": 0}}, []),
    ("$incr", {"a": {"$incr": 2}}, [("a", Op.INCREMENT, 2)]),
    ("$incr text", {"a": {"$incr": "2"}}, [("a", Op.INCREMENT, 2)]),
    ("$decr", {"a": {"$decr": 1.5}}, [("a", Op.INCREMENT, -1.5)]),
    (
        "all, in the order of application",
        {"a": {"$decr": 1, "$incr": 2, "$add": ["b"], "$remove": ["c"], "$set": ["d"], "$delete": 1}},
        [
            ("a", Op.DELETE, None),
            ("a", Op.REPLACE, ["d"]),
            ("a", Op.REMOVE, ["c"]),
            ("a", Op.ADD, ["b"]),
            ("a", Op.INCREMENT, 2),
            ("a", Op.INCREMENT, -1),
        ],
    ),
    ("$delete of Name", {"Name": {"$delete": 1}}, [("Name", Op.DELETE, None)]),
    ("$delete of Email", {"Email": {"$delete": True}}, [("Email", Op.DELETE, None)]),
    ("$delete of a flag", {"MSG-sms": {"$delete": 1}}, [("MSG-sms", Op.DELETE, None)]),
    ("$incr of Age", {"Age": {"$incr": 1}}, [("Age", Op.INCREMENT, 1)]),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in CUSTOM], ids=[case[0] for case in CUSTOM])
def test_values_become_operations(data: dict[str, Any], expected: list[tuple[str, Op, object]]) -> None:
    assert operations(data) == expected
    assert read_profile(data).remarks == ()


UNKNOWN = [
    ("unknown operator", {"a": {"$push": ["x"]}}, ErrorKind.UNKNOWN_OPERATOR),
    ("one of two unknown", {"a": {"$add": ["x"], "$push": 1}}, ErrorKind.UNKNOWN_OPERATOR),
    ("operator beside a key", {"a": {"$add": ["x"], "b": 1}}, ErrorKind.UNKNOWN_OPERATOR),
    ("list operator on a reserved key", {"Name": {"$add": ["x"]}}, ErrorKind.UNKNOWN_OPERATOR),
    ("$incr of text", {"a": {"$incr": "two"}}, ErrorKind.NOT_A_NUMBER),
    ("$incr of a list", {"a": {"$incr": [1]}}, ErrorKind.NOT_A_NUMBER),
    ("$incr of null", {"a": {"$incr": None}}, ErrorKind.NOT_A_NUMBER),
    ("$decr of the smallest", {"a": {"$decr": -(2**63)}}, ErrorKind.NOT_A_NUMBER),
]


@pytest.mark.parametrize(("data", "kind"), [case[1:] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_an_instruction_that_cannot_be_followed_drops_the_property_alone(data: dict[str, Any], kind: ErrorKind) -> None:
    record = read_profile(data | {"plan": "gold"})
    assert record.operations == (Operation("plan", Op.SET, "gold"),)
    assert kinds(record) == [kind]


def test_profile_keys_are_cleaned_of_hashes_too() -> None:
    record = read_profile({"a#b.c": 1, "#": 2})
    assert record.operations == (Operation("abc", Op.SET, 1),)
    assert kinds(record) == [ErrorKind.CHARACTERS_REMOVED, ErrorKind.CHARACTERS_REMOVED]


def test_of_a_multi_value_the_last_hundred_items_stay() -> None:
    record = read_profile({"a": {"$add": [str(n) for n in range(101)]}})
    assert record.operations[0].value == [str(n) for n in range(1, 101)]
    assert kinds(record) == [ErrorKind.VALUE_CUT]


YES = [True, 1, 1.0, "1", "true", "TRUE", "Y", " y "]
NO = [False, 0, "0", "false", "N"]


@pytest.mark.parametrize(("value", "flag"), [(v, True) for v in YES] + [(v, False) for v in NO], ids=repr)
def test_flags_are_taken_in_many_spellings(value: object, flag: bool) -> None:
    for key in sorted(SUBSCRIPTION_KEYS):
        assert operations({key: value}) == [(key, Op.SET, flag)]


@pytest.mark.parametrize("value", ["maybe", "", 2, [True], {"a": 1}], ids=repr)
def test_a_flag_that_says_neither_is_dropped_and_the_record_goes_on(value: object) -> None:
    record = read_profile({"MSG-email": value, "plan": "gold"})
    assert record.operations == (Operation("plan", Op.SET, "gold"),)
    assert kinds(record) == [ErrorKind.UNKNOWN_VALUE]


def test_groups_are_left_and_joined_by_channel() -> None:
    record = read_profile(
        {
            "category-unsubscribe": {"email": ["Partner offers", "News ", "News"], "SMS": "Tips", "push": []},
            "category-resubscribe": {"email": ["Account"]},
        }
    )
    assert record.groups_left == {"email": ["Partner offers", "News"], "sms": ["Tips"]}
    assert record.groups_joined == {"email": ["Account"]}
    assert record.operations == ()
    assert record.remarks == ()


@pytest.mark.parametrize("value", [["News"], "News", {"email": [1]}, {"email": 1}, True], ids=repr)
def test_groups_of_another_shape_are_dropped(value: object) -> None:
    record = read_profile({"category-unsubscribe": value})
    assert record.groups_left is None
    assert kinds(record) == [ErrorKind.UNKNOWN_VALUE]


IDENTITIES = [
    ("identity", {"identity": 13}, [(IdentityKind.IDENTITY, "13")]),
    ("the same identity", {"identity": "u-1"}, []),
    ("email", {"Email": "Ines@Example.org"}, [(IdentityKind.EMAIL, "ines@example.org")]),
    ("phone", {"Phone": "+351 912 345 678"}, [(IdentityKind.PHONE, "+351912345678")]),
    ("social", {"FBID": 1, "GPID": "g"}, [(IdentityKind.FBID, "1"), (IdentityKind.GPID, "g")]),
    ("empty", {"identity": "", "FBID": None}, []),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in IDENTITIES], ids=[case[0] for case in IDENTITIES])
def test_profile_data_brings_further_identities(data: dict[str, Any], expected: list[tuple[IdentityKind, str]]) -> None:
    assert added(data) == expected
    assert read_profile(data).remarks == ()


def test_email_and_phone_stay_properties_and_identify_only_where_the_account_says_so() -> None:
    data = {"Email": "a@example.org", "Phone": "+351912345678", "FBID": "f", "identity": "i"}
    settings = AccountSettings(identity_kinds=["identity"])
    assert added(data, settings) == [(IdentityKind.IDENTITY, "i")]
    assert kept(data, settings) == {"Email": "a@example.org", "Phone": "+351912345678", "FBID": "f"}
    assert kept(data) == {"Email": "a@example.org", "Phone": "+351912345678"}


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}, "x" * 1025], ids=lambda value: repr(value)[:20])
def test_a_further_identity_of_a_wrong_kind_is_dropped(value: object) -> None:
    record = read_profile({"identity": value})
    assert record.who.added == ()
    assert kinds(record) == [ErrorKind.TYPE_MISMATCH]


def test_a_device_at_the_root_and_an_identity_inside_are_linked() -> None:
    record = read_profile({"identity": "useran4"}, identity=None, objectId="f54bb572361c4fd1")
    assert record.who.device_id == "f54bb572361c4fd1"
    assert record.who.added == (Identity(IdentityKind.IDENTITY, "useran4"),)


@pytest.mark.parametrize("data", [None, {}], ids=repr)
def test_a_profile_without_data_is_touched(data: object) -> None:
    (record,) = read(profile(profileData=data))
    assert isinstance(record, ProfileRecord)
    assert record.operations == ()


@pytest.mark.parametrize("data", [[], "x", 1, True], ids=repr)
def test_profile_data_that_is_no_object_is_refused_with_512(data: object) -> None:
    assert code_of(profile(profileData=data)) == 512


def test_a_default_country_completes_numbers_and_checks_them() -> None:
    settings = AccountSettings(default_country="PT")
    assert kept({"Phone": "912 345 678"}, settings) == {"Phone": "+351912345678"}
    assert kept({"Phone": 912345678}, settings) == {"Phone": "+351912345678"}
    assert kept({"Phone": "+447911123456"}, settings) == {"Phone": "+447911123456"}
    assert code_of(profile(profileData={"Phone": "223"}), settings) == 516
    assert code_of(profile(profileData={"Phone": "112345678"}), settings) == 516


def test_the_worked_example_of_the_specification() -> None:
    record = read_profile(
        {
            "Name": "Ines Duarte",
            "Email": "ines@example.org",
            "MSG-whatsapp": True,
            "trips": {"$incr": 1},
            "lines": {"$add": ["Red", "Blue"]},
            "category-unsubscribe": {"email": ["Partner offers"]},
        },
        identity="rider-81",
    )
    assert [(operation.key, operation.op, operation.value) for operation in record.operations] == [
        ("Name", Op.SET, "Ines Duarte"),
        ("Email", Op.SET, "ines@example.org"),
        ("MSG-whatsapp", Op.SET, True),
        ("trips", Op.INCREMENT, 1),
        ("lines", Op.ADD, ["Red", "Blue"]),
    ]
    assert record.groups_left == {"email": ["Partner offers"]}
