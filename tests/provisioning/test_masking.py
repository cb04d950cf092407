"""No secret reaches the module log, however it is wrapped."""

from decimal import Decimal

import pytest

from provisioning.masking import mask


@pytest.mark.parametrize(
    "name",
    [
        *("password", "datastorePassword", "datastoreUserPassword", "passwd", "secret"),
        *("client_secret", "api_token", "token", "Authorization", "api_key", "apiKey", "api-key"),
        *("password_hash", "voicemail_pin", "private_key", "credentials", "Set-Cookie"),
    ],
)
def test_a_value_with_a_secret_name_is_masked(name):
    assert mask({name: "hunter2"}) == {name: "***"}


@pytest.mark.parametrize("name", ["size", "name", "fingerprint", "shipping", "mapping", "username"])
def test_other_values_stay(name):
    assert mask({name: "hunter2"}) == {name: "hunter2"}


def test_secrets_are_found_in_lists_and_in_what_lies_deep():
    answer = {"items": [{"id": 1, "auth": {"password": "x"}}, ({"pin": 1234},)], "next": None}

    assert mask(answer) == {
        "items": [{"id": 1, "auth": {"password": "***"}}, [{"pin": "***"}]],
        "next": None,
    }


def test_an_empty_secret_stays_visible_as_empty():
    assert mask({"password": "", "token": None}) == {"password": "", "token": None}


def test_numbers_and_truth_values_stay_what_they_are():
    assert mask({"size": 500, "ok": True, "ratio": 0.5}) == {"size": 500, "ok": True, "ratio": 0.5}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def-123=", "Authorization: Bearer ***"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ***"),
        ('{"id": "ds1", "datastorePassword": "x"}', '{"id": "ds1", "datastorePassword": "***"}'),
        ('{"password":"a \\"b\\" c","id":1}', '{"password":"***","id":1}'),
        ("{'token': 'abc'}", "{'token': '***'}"),
        ("user=anna&password=hunter2&size=5", "user=anna&password=***&size=5"),
        ("token: hunter2\nsize: 5", "token: ***\nsize: 5"),
        ("/login?api_key=hunter2 failed", "/login?api_key=*** failed"),
    ],
)
def test_secrets_are_found_inside_text(text, masked):
    assert mask(text) == masked


def test_a_sentence_about_a_password_stays_readable():
    assert mask("The password is too short.") == "The password is too short."


def test_long_text_is_cut():
    assert mask("x" * 5000) == "x" * 4000


def test_a_secret_is_masked_before_the_text_is_cut():
    assert "hunter2" not in mask("x" * 3990 + " token=hunter2")


def test_bytes_and_objects_become_text():
    assert mask({"size": Decimal("1.5"), "body": b"token=abc"}) == {
        "size": "1.5",
        "body": "b'token=***'",
    }


def test_what_a_database_cannot_hold_as_json_is_replaced():
    assert mask(["a\x00b", "\ud800", float("nan")]) == ["ab", "?", "nan"]


def test_a_long_blob_is_masked_in_linear_time():
    blob = "0123456789abcdef" * 20_000

    assert mask(f"{blob} password={blob} ok") == blob[:4000]
