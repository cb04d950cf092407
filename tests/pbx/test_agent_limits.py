"""How often callers may ask, and whose request it is behind a proxy."""

import pytest

from pbx.agent.allow_list import parse
from pbx.agent.callers import TrustedProxies, caller_of
from pbx.agent.limits import Limits, RateLimiter, limit_class
from pbx.agent.sandbox_account import LOOPBACK
from pbx.agent.wire import Problem
from tests.pbx.requests import error

EXPORT = "/app/xml_cdr/export_cdr.php"


class Clock:
    def __init__(self, at=1000.0):
        self.at = at

    def __call__(self):
        return self.at


def headers_of(limiter, caller="192.0.2.7", path="/"):
    """The limit's headers, of a reply or of a refusal."""
    try:
        return limiter.count(caller, path)
    except Problem as problem:
        assert (problem.status, problem.code) == (429, "rate_limited")
        return problem.headers


# --- The limits ---


def test_headers_count_down_to_a_refusal_that_says_when_to_come_back():
    clock = Clock()
    limiter = RateLimiter(Limits(standard=2), clock)

    seen = []
    for at in (1000, 1010.5, 1030.2):
        clock.at = at
        seen.append(headers_of(limiter))

    assert seen == [
        {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1060"},
        {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1060"},
        {
            "X-RateLimit-Limit": "2",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1060",
            "Retry-After": "30",
        },
    ]


def test_a_new_minute_begins_after_the_old_one():
    clock = Clock()
    limiter = RateLimiter(Limits(standard=1), clock)
    headers_of(limiter)

    clock.at = 1059.9
    late = headers_of(limiter)
    clock.at = 1060
    fresh = headers_of(limiter)

    assert late["Retry-After"] == "1"
    assert (fresh["X-RateLimit-Remaining"], fresh["X-RateLimit-Reset"]) == ("0", "1120")


def test_callers_and_classes_are_counted_apart():
    limiter = RateLimiter(Limits(standard=1, call_export=1), Clock())
    headers_of(limiter)

    others = [headers_of(limiter, "192.0.2.8"), headers_of(limiter, path=EXPORT)]

    assert ["Retry-After" in headers for headers in others] == [False, False]
    assert "Retry-After" in headers_of(limiter)


def test_a_clock_set_back_keeps_nobody_out():
    clock = Clock()
    limiter = RateLimiter(Limits(standard=1), clock)
    headers_of(limiter)

    clock.at = 400

    assert "Retry-After" not in headers_of(limiter)


def test_callers_of_the_past_are_forgotten():
    clock = Clock()
    limiter = RateLimiter(Limits(), clock)
    for number in range(10_000):
        limiter.count(str(number), "/")

    clock.at += 60
    limiter.count("one more", "/")

    assert len(limiter._windows) == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/calls", "standard"),
        ("/app/status/index.php", "standard"),
        ("/nothing", "standard"),
        (EXPORT, "call_export"),
        ("/app/gateways/provision.php", "gateways"),
        ("/app/gateways/provision_list.php", "gateways"),
        ("/api/v1/gateways", "gateways"),
        ("/api/v1/gateways/1", "gateways"),
        ("/api/v1/gatewayss", "standard"),
    ],
)
def test_the_path_decides_the_class(path, name):
    assert limit_class(path) == name


def test_the_documented_numbers_are_the_default():
    assert Limits() == Limits(standard=100, call_export=10, gateways=50)


def test_over_http_a_limited_caller_is_told_in_the_dialect_of_the_path(agent, remote):
    remote.set_limits(standard=2, call_export=1, gateways=1)

    first = agent.get("/api/v1/status")
    agent.get("/chkcon.php")
    api, seed = agent.get("/api/v1/status"), agent.get("/chkcon.php")

    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == (
        "2",
        "1",
    )
    assert error(api) == (429, "rate_limited")
    assert 1 <= int(api.headers["Retry-After"]) <= 60
    assert seed.status_code == 429
    assert (seed.json()["status"], seed.json()["message"]) == (
        "error",
        "Too many requests: 2 a minute are allowed here.",
    )


def test_guessing_tokens_is_limited_and_strangers_are_not_even_counted(agent, remote):
    remote.set_limits(standard=1, call_export=1, gateways=1)
    remote.set_allow_list("192.0.2.7\n")
    stranger = agent.get("/api/v1/status")
    remote.set_allow_list(LOOPBACK)

    # An unknown token is refused by the demo's PBX, which counted nobody yet.
    guesses = [agent.post("/app/status/index.php", headers={"Authorization": ""}) for _ in "12"]

    assert (stranger.status_code, "X-RateLimit-Limit" in stranger.headers) == (403, False)
    assert [guess.status_code for guess in guesses] == [401, 429]


# --- Behind a proxy ---


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "192.0.2.7, 203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "192.0.2.7,203.0.113.5, 10.0.0.9", "203.0.113.5"),
        ("127.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:127.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("", "203.0.113.5", "203.0.113.5"),
        ("127.0.0.1", "10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("127.0.0.1", "", "127.0.0.1"),
        # Not a proxy of ours: its claims do not count.
        ("203.0.113.1", "192.0.2.7", "203.0.113.1"),
        # A proxy that says something strange is believed nothing.
        ("127.0.0.1", "192.0.2.7, unknown", ""),
        ("127.0.0.1", "192.0.2.7:4711", ""),
        ("127.0.0.1", "192.0.2.7,", ""),
    ],
)
def test_only_a_named_proxy_says_who_calls(peer, forwarded, caller):
    proxies = TrustedProxies(parse("127.0.0.1\n10.0.0.0/8\n"), unix_socket=True)

    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}

    assert caller_of(environ, proxies) == caller


@pytest.mark.parametrize("peer", ["127.0.0.1", "", "192.0.2.1"])
def test_without_a_named_proxy_no_claim_counts(peer):
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "192.0.2.7"}

    assert caller_of(environ, TrustedProxies()) == peer
