"""The event socket client against a fake FreeSWITCH: frames, faults, secrets."""

import logging
import socket
import threading
import time

import pytest

from pbx.agent.event_socket import (
    CommandFailed,
    EventSocket,
    Login,
    SocketLost,
    SocketRefused,
)
from tests.pbx.event_socket_server import PASSWORD, FakeSwitch, event, frame

HEARTBEAT = event("HEARTBEAT", Event_Info="System%20Ready", Up_Time="0%20years")
NOISE = (
    HEARTBEAT
    + frame("log/data", b"api/response\n\nContent-Type: api/response\n", Log_Level="7")
    + event("CUSTOM", "a body\n\nwith Content-Length: 5\n\n", Event_Subclass="sofia%3A%3Aregister")
    + frame("text/event-json", b'{"Event-Name":"HEARTBEAT"}')
    + frame("something/new", b"...")
)


@pytest.fixture
def switch():
    server = FakeSwitch()
    yield server
    server.stop()


@pytest.fixture
def login(switch):
    return Login("127.0.0.1", switch.port, PASSWORD)


@pytest.fixture
def connection(login):
    with EventSocket(login, command_timeout_s=2) as connected:
        yield connected


# --- Commands ---


def test_a_command_returns_what_it_printed(switch, connection):
    switch.outputs["status"] = "UP 0 years\nMüller & Söhne €\n\nContent-Type: api/response\n"

    assert connection.api("status") == switch.outputs["status"]
    assert switch.commands == ["api status"]


def test_a_command_that_prints_nothing_returns_nothing(switch, connection):
    switch.outputs["reloadacl"] = ""

    assert connection.api("reloadacl") == ""


@pytest.mark.parametrize("output", ["-ERR no such gateway\n", "-USAGE: uuid_kill <uuid> [cause]\n"])
def test_an_error_is_raised_in_freeswitchs_words_and_the_connection_lives_on(
    switch, connection, output
):
    switch.outputs = {"first": output, "second": "fine"}

    with pytest.raises(CommandFailed) as caught:
        connection.api("first")

    assert str(caught.value) == output.strip()
    assert connection.api("second") == "fine"


def test_a_denied_command_is_an_error_and_the_connection_lives_on(switch, connection):
    switch.outputs = {"second": "fine"}
    switch.denies = "first"

    with pytest.raises(CommandFailed, match="permission denied"):
        connection.api("first")

    assert connection.api("second") == "fine"


@pytest.mark.parametrize("command", ["status\n\napi system id", "status\rx", "status\0"])
def test_a_command_cannot_smuggle_in_another(switch, connection, command):
    for send in (
        lambda: connection.api(command),
        lambda: connection.bgapi(command, timeout_s=1),
        lambda: connection.send_event(command, {}),
        lambda: connection.send_event("CUSTOM", {"Event-Subclass": command}),
    ):
        with pytest.raises(ValueError, match="one line"):
            send()

    assert switch.commands == []


def test_an_event_is_sent_with_its_headers(switch, connection):
    connection.send_event("CUSTOM", {"Event-Subclass": "fusion::file", "API-Command": "cache"})

    assert switch.commands == ["sendevent CUSTOM\nEvent-Subclass: fusion::file\nAPI-Command: cache"]


# --- Commands in the background ---


def test_a_background_command_waits_for_its_own_result(switch, connection):
    switch.outputs = {"slow one": "first\n", "slow two": "second: ü\n"}

    results = [connection.bgapi(command, timeout_s=2) for command in ("slow one", "slow two")]

    assert results == ["first\n", "second: ü\n"]
    verbs = [command.partition("\n")[0] for command in switch.commands]
    assert verbs == ["event plain BACKGROUND_JOB", "bgapi slow one", "bgapi slow two"]


def test_a_background_command_that_fails_says_so(switch, connection):
    with pytest.raises(CommandFailed, match="nonsense Command not found"):
        connection.bgapi("nonsense", timeout_s=2)


# --- Frames ---


def test_events_and_logs_in_between_are_not_taken_for_replies(switch, connection):
    switch.noise = NOISE
    switch.outputs = {f"command {n}": f"output {n}" for n in range(5)}

    assert [connection.api(f"command {n}") for n in range(5)] == [f"output {n}" for n in range(5)]
    assert connection.bgapi("command 1", timeout_s=2) == "output 1"


def test_frames_may_come_in_pieces_of_any_size(switch, login):
    switch.goes_byte_by_byte = True
    switch.noise = HEARTBEAT
    switch.outputs["status"] = "ünï\n" * 20

    with EventSocket(login, command_timeout_s=5) as connection:
        assert connection.api("status") == "ünï\n" * 20


def test_carriage_returns_and_gaps_between_frames_are_tolerated(switch, connection):
    switch.noise = b"\r\n\n" + b"Content-Type: log/data\r\nContent-Length: 2\r\n\r\nhi"
    switch.outputs["status"] = "UP"

    assert connection.api("status") == "UP"


@pytest.mark.parametrize("length", ["-1", "many", "99999999999"])
def test_a_length_that_cannot_be_is_refused(switch, connection, length):
    switch.noise = f"Content-Type: log/data\nContent-Length: {length}\n\n".encode()

    with pytest.raises(SocketLost, match="announced"):
        connection.api("status")


def test_a_line_without_an_end_is_refused(switch, connection):
    switch.noise = b"x" * 70_000

    with pytest.raises(SocketLost, match="without an end"):
        connection.api("status")


# --- Connections that break ---


@pytest.mark.parametrize("size", [1, 20, 47, 60])
def test_a_truncated_reply_is_no_reply(switch, connection, size):
    switch.outputs["status"] = "x" * 100
    switch.truncates = size

    with pytest.raises(SocketLost, match="hung up in the middle"):
        connection.api("status")


def test_a_hang_up_is_noticed_and_the_connection_is_of_no_use_any_more(switch, connection):
    switch.hangs_up_on = "api first"
    switch.outputs["second"] = "fine"

    for command in ("first", "second"):
        with pytest.raises(SocketLost):
            connection.api(command)

    assert switch.commands == ["api first"]


def test_a_goodbye_is_noticed(switch, connection):
    switch.noise = frame("text/disconnect-notice", b"Disconnected, goodbye.\n")

    with pytest.raises(SocketLost, match="hung up"):
        connection.api("status")


def test_a_late_reply_is_never_taken_for_the_next_commands(switch, login):
    switch.outputs = {"slow": "slow's", "quick": "quick's"}
    switch.delay_s = 0.5
    connection = EventSocket(login, command_timeout_s=0.1)

    with pytest.raises(SocketLost, match="in time"):
        connection.api("slow")
    switch.delay_s = 0
    time.sleep(0.6)

    with pytest.raises(SocketLost):
        connection.api("quick")


def test_a_switch_that_only_chatters_is_not_waited_for_forever(login):
    """Every event is in time, the reply never is."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def chatter():
            peer, _ = server.accept()
            with peer:
                peer.sendall(frame("auth/request"))
                peer.recv(1000)
                peer.sendall(frame("command/reply", Reply_Text="+OK accepted"))
                while not stop.wait(0.02):
                    peer.sendall(HEARTBEAT)

        thread = threading.Thread(target=chatter)
        thread.start()
        there = Login("127.0.0.1", server.getsockname()[1], PASSWORD)
        with EventSocket(there, command_timeout_s=0.3) as connection:
            with pytest.raises(SocketLost, match="in time"):
                connection.api("status")
            stop.set()
            thread.join()


def test_a_reply_out_of_turn_ends_the_connection(switch, connection):
    switch.noise = frame("command/reply", Reply_Text="+OK something else")

    with pytest.raises(SocketLost, match="out of turn"):
        connection.api("status")


# --- Logging in ---


def test_a_wrong_password_is_refused_without_being_told(switch, caplog):
    caplog.set_level(logging.DEBUG)
    login = Login("127.0.0.1", switch.port, "secret-guess")

    with pytest.raises(SocketRefused) as caught:
        EventSocket(login)

    assert str(caught.value) == "The event socket refused the agent's password."
    assert "secret-guess" not in repr(login) + caplog.text


def test_an_unwanted_address_is_told_apart_from_a_wrong_password(switch, login):
    switch.is_rude = True

    with pytest.raises(SocketRefused, match="does not want the agent's address"):
        EventSocket(login)


def test_nobody_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(SocketLost, match="cannot be reached"):
        EventSocket(Login("127.0.0.1", port, PASSWORD))


def test_somebody_who_never_greets_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        login = Login("127.0.0.1", server.getsockname()[1], PASSWORD)

        with pytest.raises(SocketLost, match="in time"):
            EventSocket(login, connect_timeout_s=0.2)


def test_threads_share_a_connection_by_turns(switch, connection):
    switch.outputs = {f"command {n}": f"output {n}" for n in range(20)}
    results = {}

    def run(n):
        results[n] = connection.api(f"command {n}")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {n: f"output {n}" for n in range(20)}
