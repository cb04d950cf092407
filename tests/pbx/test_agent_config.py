"""The agent's config file: what it says, and how it is refused."""

from pathlib import Path

import pytest

from pbx.agent.config import BadConfig, load, parse
from pbx.agent.limits import Limits
from pbx.agent.tokens import Token, digest_of
from tests.pbx.agent_setup import CONFIG, write_config
from tests.settings import ROOT

DIGEST = digest_of("right")


def complaints(text):
    with pytest.raises(BadConfig) as caught:
        parse(text)
    return str(caught.value).split("\n")


def test_a_file_says_who_may_enter_and_how_often():
    config = parse(CONFIG)

    assert config.allow_list == Path("/etc/pbx-agent/chkcon_whitelist.conf")
    assert config.tokens == (
        Token("portal", DIGEST, frozenset({"read", "write", "calls"})),
        Token("monitor", digest_of("looking"), frozenset({"read"})),
    )
    assert config.limits == Limits(standard=100, call_export=5, gateways=50)
    assert (config.username, config.back_end) == ("admin", "sandbox")
    assert config.proxies.include("192.0.2.1") and config.proxies.include("")
    assert not config.proxies.include("192.0.2.2")


def test_no_proxy_is_trusted_unless_named():
    config = parse(CONFIG.replace('trusted_proxies = ["unix", "192.0.2.1"]\n', ""))

    assert [config.proxies.include(peer) for peer in ("", "127.0.0.1", "::1")] == [False] * 3


def test_every_wrong_setting_is_named_at_once():
    text = f"""\
surprise = 1
[access]
allow_list = "chkcon_whitelist.conf"
trusted_proxies = ["192.0.2.1", "0.0.0.0/0"]
user = "x"
[[tokens]]
name = "two words"
sha256 = "{DIGEST[:-1]}"
scopes = ["read", "all"]
[limits]
standard = 0
gateways = "50"
[back_end]
kind = "asterisk"
"""

    assert complaints(text) == [
        "surprise: is not a section of this file",
        "access.allow_list: must be an absolute path",
        "access.trusted_proxies: entry 2: 0.0.0.0/0 would let everyone in",
        "access.user: is not a setting",
        "limits.standard: must be a whole number of requests per minute, 1 or more",
        "limits.gateways: must be a whole number of requests per minute, 1 or more",
        "back_end.kind: is 'asterisk'; this release has: sandbox",
        "tokens[1].name: must be 1 to 40 letters, digits and _.-",
        "tokens[1].sha256: must be the 64 hex digits that `new-token` prints",
        "tokens[1].scopes: must be a list of read, write, calls",
    ]


def test_an_empty_file_misses_everything_that_has_no_default():
    assert complaints("") == [
        "access: is missing",
        "back_end: is missing",
        "tokens: at least one [[tokens]] section is needed",
    ]


def test_a_line_that_is_no_toml_is_named():
    assert "line 2" in complaints('[access]\nallow_list = /etc/x"\n')[0]


def test_a_secret_in_the_place_of_its_hash_is_not_repeated_in_the_complaint():
    found = complaints(CONFIG.replace(DIGEST, "my-secret-token"))

    assert found == ["tokens[1].sha256: must be the 64 hex digits that `new-token` prints"]


def test_a_name_has_an_old_and_a_new_token_and_no_more():
    def another(secret):
        return f'[[tokens]]\nname="portal"\nsha256="{digest_of(secret)}"\nscopes=["read"]\n'

    assert len(parse(CONFIG + another("new")).tokens) == 3
    assert complaints(CONFIG + another("new") + another("newer")) == [
        "tokens: portal has 3; the old and the new one are enough"
    ]
    assert complaints(CONFIG + another("right")) == [
        f"tokens: {DIGEST[:8]}... stands there 2 times"
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadConfig, match=r"cannot read .*/agent\.toml"):
        load(tmp_path / "agent.toml")


def test_a_complaint_names_the_file(tmp_path):
    path = write_config(tmp_path)
    path.write_text("")

    with pytest.raises(BadConfig, match=rf"^{path}: access: is missing"):
        load(path)


def test_the_shipped_example_wants_only_a_token():
    text = (ROOT / "deploy" / "pbx-agent.toml").read_text()

    assert complaints(text) == [
        "tokens[1].sha256: must be the 64 hex digits that `new-token` prints"
    ]
    filled = parse(text.replace("<hash>", DIGEST))
    assert filled.limits == Limits()
    assert filled.proxies.include("") and not filled.proxies.include("127.0.0.1")
