"""FreeSWITCH's event socket, in inbound mode: we connect, log in and send commands.

One command at a time; events come in between and are told apart by their Content-Type.  A
connection that timed out or broke is closed for good: a reply that came late would be taken
for the next command's.  Whoever may talk to this socket can run programs on the host, so
only loopback should reach it.

Source: mod_event_socket.c of FreeSWITCH 1.10.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from types import TracebackType
from urllib.parse import unquote
from uuid import uuid4

from .backend import Unavailable

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 10.0
MAX_LINE_BYTES = 64 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024

_EVENT = "text/event-plain"
_DISCONNECT = "text/disconnect-notice"
_REJECTION = "text/rude-rejection"
_NO_OUTPUT = "-ERR no reply"


class SocketLost(Unavailable):
    """FreeSWITCH could not be reached, hung up, was too slow or said what nobody can read."""


class SocketRefused(Unavailable):
    """FreeSWITCH does not let us in: a wrong password, or an address it does not want."""


class CommandFailed(Exception):
    """FreeSWITCH answered with an error; the text is its own."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Headers, and as many bytes of body as they announced."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "")


@dataclass(frozen=True, slots=True)
class Login:
    host: str
    port: int
    password: str = field(repr=False)


class EventSocket:
    """One connection.  Threads may share it; their commands take turns."""

    def __init__(
        self,
        login: Login,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> None:
        """Connect and log in.  Raises SocketLost or SocketRefused."""
        self._timeout_s = command_timeout_s
        self._turn = Lock()
        self._buffer = bytearray()
        self._awaited_job = ""
        self._outputs: dict[str, str] = {}
        self._hears_jobs = False
        try:
            self._socket = socket.create_connection((login.host, login.port), connect_timeout_s)
        except OSError as error:
            raise SocketLost(f"The event socket cannot be reached: {error}") from error
        try:
            self._log_in(login.password, _Deadline(connect_timeout_s))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "EventSocket":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; harmless if it was done before."""
        self._socket.close()

    def api(self, command: str) -> str:
        """Run a command and return what it printed; nothing is "".

        Raises CommandFailed on `-ERR` and `-USAGE`, SocketLost, and ValueError for a line
        break, which would begin another command.
        """
        with self._turn:
            frame = self._exchange(f"api {_one_line(command)}\n\n", "api/response")
        return _output(_text(frame.body))

    def bgapi(self, command: str, *, timeout_s: float) -> str:
        """As `api`, but FreeSWITCH does not hold the connection while it works.

        For commands that may take longer than a reply may.
        """
        line, job = _one_line(command), str(uuid4())
        with self._turn:
            if not self._hears_jobs:
                self._command("event plain BACKGROUND_JOB\n\n")
                self._hears_jobs = True
            self._awaited_job = job
            self._command(f"bgapi {line}\nJob-UUID: {job}\n\n")
            deadline = _Deadline(timeout_s)
            while job not in self._outputs:
                self._read(deadline)
            return _output(self._outputs.pop(job))

    def send_event(self, name: str, headers: Mapping[str, str]) -> None:
        """Fire an event, as FusionPBX does to have its cache deleted."""
        lines = [f"sendevent {_one_line(name)}"]
        lines += [f"{_one_line(key)}: {_one_line(value)}" for key, value in headers.items()]
        with self._turn:
            self._command("\n".join(lines) + "\n\n")

    def _log_in(self, password: str, deadline: "_Deadline") -> None:
        self._expect("auth/request", deadline)
        # Its own message on failure: the line sent must not end up in a log.
        self._send(f"auth {_one_line(password)}\n\n", deadline)
        reply = self._expect("command/reply", deadline).headers.get("Reply-Text", "")
        if not reply.startswith("+OK"):
            raise SocketRefused("The event socket refused the agent's password.")

    def _command(self, text: str) -> None:
        """Send what is answered by a reply without a body.  Raises CommandFailed."""
        reply = self._exchange(text, "command/reply").headers.get("Reply-Text", "")
        if not reply.startswith("+OK"):
            raise CommandFailed(reply.strip())

    def _exchange(self, text: str, kind: str) -> Frame:
        deadline = _Deadline(self._timeout_s)
        self._send(text, deadline)
        return self._expect(kind, deadline)

    def _send(self, text: str, deadline: "_Deadline") -> None:
        try:
            self._socket.settimeout(deadline.left_s())
            self._socket.sendall(text.encode())
        except OSError as error:
            raise self._lost(f"it cannot be written to: {error}") from error

    def _expect(self, kind: str, deadline: "_Deadline") -> Frame:
        """The next frame of this kind; what comes before it is an event or of no interest."""
        while True:
            frame = self._read(deadline)
            if frame.kind == kind:
                return frame
            if frame.kind == "command/reply":
                reply = frame.headers.get("Reply-Text", "")
                if reply.startswith("-ERR"):
                    raise CommandFailed(reply.strip())
                raise self._lost(f"it answered out of turn: {reply[:100]!r}")
            if frame.kind == "api/response":
                raise self._lost("it answered out of turn")

    def _read(self, deadline: "_Deadline") -> Frame:
        """The next frame.  The awaited job's output is kept, even if it comes early."""
        frame = self._frame(deadline)
        if frame.kind == _REJECTION:
            self.close()
            raise SocketRefused("The event socket does not want the agent's address.")
        if frame.kind == _DISCONNECT:
            raise self._lost("it hung up")
        if frame.kind == _EVENT:
            event = _event(frame.body)
            # We hear of everybody's jobs.
            if event.headers.get("Job-UUID") == self._awaited_job:
                self._outputs[self._awaited_job] = _text(event.body)
        return frame

    def _frame(self, deadline: "_Deadline") -> Frame:
        headers: dict[str, str] = {}
        # An empty line ends the headers, but before the first one it is only a gap.
        while (line := self._line(deadline)) or not headers:
            if line:
                name, _, value = line.partition(":")
                headers[name.strip()] = value.strip()
        length = headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise self._lost(f"it announced {length[:20]!r} bytes")
        return Frame(headers, self._take(int(length), deadline))

    def _line(self, deadline: "_Deadline") -> str:
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) <= MAX_LINE_BYTES:
            self._fill(deadline)
        if not 0 <= end <= MAX_LINE_BYTES:
            raise self._lost("it sent a line without an end")
        return _text(self._take(end + 1, deadline)).strip()

    def _take(self, count: int, deadline: "_Deadline") -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline)
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self, deadline: "_Deadline") -> None:
        try:
            self._socket.settimeout(deadline.left_s())
            received = self._socket.recv(65536)
        except OSError as error:
            raise self._lost(f"it did not answer in time or broke: {error}") from error
        if not received:
            raise self._lost("it hung up in the middle")
        self._buffer += received

    def _lost(self, reason: str) -> SocketLost:
        """The error to raise; the connection is of no use any more."""
        self.close()
        return SocketLost(f"The event socket was lost: {reason}.")


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._ends_at = monotonic() + seconds

    def left_s(self) -> float:
        """Raises TimeoutError if there is none."""
        left = self._ends_at - monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left


def _event(body: bytes) -> Frame:
    """An event's own headers, which are URL-encoded, and its body."""
    block, _, rest = body.replace(b"\r\n", b"\n").partition(b"\n\n")
    pairs = [line.partition(":") for line in _text(block).split("\n")]
    return Frame({name.strip(): unquote(value.strip()) for name, _, value in pairs}, rest)


def _output(text: str) -> str:
    if text.startswith(_NO_OUTPUT):
        return ""
    if text.startswith(("-ERR", "-USAGE")):
        raise CommandFailed(text.strip())
    return text


def _one_line(text: str) -> str:
    if any(character in text for character in "\r\n\0"):
        raise ValueError("a command is one line")
    return text


def _text(received: bytes) -> str:
    return received.decode("utf-8", "replace")
