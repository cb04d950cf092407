"""The agent as it is installed: its command, and a WSGI server on a socket file."""

import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from pbx.agent.config import parse
from pbx.agent.tokens import digest_of
from tests.pbx.agent_setup import CONFIG, write_config
from tests.settings import ROOT

START_S = 20


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pbx.agent", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@contextmanager
def running(command, **environ):
    """The program while it runs; what it printed can be read from it."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.terminate()
            program.wait(START_S)


# --- python -m pbx.agent ---


def test_serve_answers_on_loopback_with_pythons_own_library_only(tmp_path):
    config = write_config(tmp_path)
    command = [sys.executable, "-S", "-m", "pbx.agent", "--config", str(config), "serve"]
    with running([*command, "--listen", "127.0.0.1:0"]) as program:
        url = program.stdout.readline().rpartition(" ")[2].strip()
        with httpx.Client(base_url=url, trust_env=False) as client:
            granted = client.get("/chkcon.php").json()
            refused = client.get("/api/v1/status")
            headers = {"Authorization": "Bearer right"}
            allowed = client.get("/api/v1/status?token=right", headers=headers)

        program.terminate()
        log = program.stdout.read()

    assert granted == {"success": 1, "message": "API Access Granted: Whitelisted IP"}
    assert (refused.status_code, allowed.status_code) == (401, 200)
    lines = [line.split(" pbx.agent.access ")[1] for line in log.splitlines()]
    assert [line.rpartition(" ms")[0].rpartition(" ")[0] for line in lines] == [
        "127.0.0.1 - GET /chkcon.php 200",
        "127.0.0.1 - GET /api/v1/status 401",
        "127.0.0.1 portal GET /api/v1/status 200",
    ]
    assert "right" not in log


@pytest.mark.parametrize("listen", ["0.0.0.0:8070", "192.0.2.7:8070", "8070", "localhost:8070"])
def test_serve_refuses_to_listen_where_others_could_reach_it(tmp_path, listen):
    done = run("--config", str(write_config(tmp_path)), "serve", "--listen", listen)

    assert done.returncode == 2
    assert f"'{listen}' is not like 127.0.0.1:8070" in done.stderr


def test_check_says_who_may_enter(tmp_path):
    config = write_config(tmp_path, listed="192.0.2.7\n2001:db8::/64\n")

    done = run("--config", str(config), "check")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Listed: 192.0.2.7/32, 2001:db8::/64\n"
        "Token: portal (calls, read, write)\n"
        "Token: monitor (read)\n"
        "Back end: sandbox\n"
    )


@pytest.mark.parametrize(
    ("listed", "complaint"),
    [
        ("", "the allow-list is empty\n"),
        ("192.0.2.7\npbx.example\n", "line 2: 'pbx.example' is no address or CIDR\n"),
    ],
)
def test_check_fails_where_everyone_would_be_refused(tmp_path, listed, complaint):
    done = run("--config", str(write_config(tmp_path, listed=listed)), "check")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", complaint)


def test_a_config_that_is_wrong_is_said_without_a_traceback(tmp_path):
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("[back_end]", "[backend]"))

    for command in ("check", "serve"):
        done = run("--config", str(config), command)

        assert done.returncode == 1
        assert done.stderr == (
            f"{config}: backend: is not a section of this file\nback_end: is missing\n"
        )


def test_a_new_token_is_shown_once_with_a_section_to_paste(tmp_path):
    done = run("--config", "/etc/pbx-agent/agent.toml", "new-token", "standby")

    secret = done.stdout.splitlines()[1].strip()
    section = done.stdout[done.stdout.index("[[tokens]]") :]
    token = parse(CONFIG.replace("[limits]", section + "\n[limits]")).tokens[2]
    assert (token.name, token.digest) == ("standby", digest_of(secret))
    assert done.stdout.count(secret) == 1


# --- A WSGI server ---


def test_behind_a_socket_file_the_named_proxy_says_who_calls(tmp_path):
    config, socket = write_config(tmp_path, listed="203.0.113.5\n"), tmp_path / "agent.sock"
    command = [sys.executable, "-m", "gunicorn", "pbx.agent.wsgi:application"]
    command += ["--bind", f"unix:{socket}", "--threads", "4", "--no-control-socket"]
    with running(command, PBX_AGENT_CONFIG=str(config)) as program:
        wait_for(socket, program)
        transport = httpx.HTTPTransport(uds=str(socket))
        with httpx.Client(base_url="http://pbx.example", transport=transport) as client:
            answers = [
                client.get("/chkcon.php", headers={"X-Forwarded-For": claimed})
                for claimed in ("203.0.113.5", "203.0.113.5, 198.51.100.1")
            ]
            nobody = client.get("/chkcon.php")

        program.terminate()
        log = program.stdout.read()

    assert [answer.json()["success"] for answer in answers] == [1, 0]
    assert nobody.status_code == 403
    assert " 203.0.113.5 - GET /chkcon.php 200 " in log
    assert " 198.51.100.1 - GET /chkcon.php 403 " in log


def wait_for(socket, program):
    began = time.monotonic()
    while not socket.exists():
        assert program.poll() is None and time.monotonic() - began < START_S
        time.sleep(0.1)
    # Bound is not yet listening: the first connection may come a moment too early.
    time.sleep(0.3)
