"""A FreeSWITCH that is only an event socket: strict in its frames, faulty when told to be.

It remembers registrations, channels and gateways, and every command it was sent.
"""

import json
import socket
import socketserver
import threading
import time
from contextlib import suppress
from uuid import uuid4

PASSWORD = "not-ClueCon"
GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


class FakeSwitch:
    """Set the knobs, connect, look at `commands` (authentication is never among them)."""

    def __init__(self):
        self.commands = []
        self.registrations = []
        self.channels = []
        self.outputs = {}
        """What a command prints, by its text; the rest has believable answers."""
        self.noise = b""
        """Sent before every reply."""
        self.is_rude = False
        self.hangs_up_on = ""
        self.denies = ""
        """A command a restricted account may not run; refused with a reply of another kind."""
        self.truncates = 0
        """Hang up after so many bytes of the next api reply."""
        self.delay_s = 0
        self.goes_byte_by_byte = False
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.switch = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def output(self, command):
        if command in self.outputs:
            return self.outputs[command]
        if command == "show registrations as json":
            return _table(self.registrations)
        if command == "show channels as json":
            return _table(self.channels)
        words = command.split(" ")
        if "flush_inbound_reg" in words:
            number, _, realm = words[-1].partition("@")
            self.registrations = [
                row
                for row in self.registrations
                if (row["reg_user"], row["realm"]) != (number, realm)
            ]
            return "+OK flushing all registrations matching specified call_id\n"
        if words[0] == "uuid_kill":
            known = [row["uuid"] for row in self.channels]
            self.channels = [row for row in self.channels if row["uuid"] != words[1]]
            return "+OK\n" if words[1] in known else "-ERR No such channel!\n"
        return f"-ERR {words[0]} Command not found!\n"


def _table(rows):
    """As FreeSWITCH writes it: without rows there is no "rows"."""
    return json.dumps({"row_count": len(rows), **({"rows": rows} if rows else {})})


def frame(kind, body=None, **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.insert(0, f"Content-Type: {kind}")
    if body is None:
        return ("\n".join(lines) + "\n\n").encode()
    lines.append(f"Content-Length: {len(body)}")
    return ("\n".join(lines) + "\n\n").encode() + body


def event(name, body="", **headers):
    """An event in the plain format: its headers, URL-encoded, within a frame's body."""
    lines = [f"Event-Name: {name}"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return frame("text/event-plain", ("\n".join(lines) + "\n\n" + body).encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    switch: FakeSwitch


class _Connection(socketserver.StreamRequestHandler):
    def handle(self):
        self.switch = self.server.switch
        with suppress(OSError):
            self._serve()

    def _serve(self):
        if self.switch.is_rude:
            self._send(frame("text/rude-rejection", b"Access Denied, go away.\n"))
            return
        self._send(frame("auth/request"))
        if self._read() != [f"auth {PASSWORD}"]:
            self._send(frame("command/reply", Reply_Text="-ERR invalid"))
            self._send(frame("text/disconnect-notice", GOODBYE))
            return
        self._send(frame("command/reply", Reply_Text="+OK accepted"))
        while lines := self._read():
            self.switch.commands.append("\n".join(lines))
            if self.switch.hangs_up_on and lines[0].startswith(self.switch.hangs_up_on):
                return
            time.sleep(self.switch.delay_s)
            self._answer(lines)

    def _answer(self, lines):
        self._send(self.switch.noise)
        verb, _, rest = lines[0].partition(" ")
        if verb == "api" and rest == self.switch.denies:
            self._send(frame("command/reply", Reply_Text="-ERR permission denied"))
        elif verb == "api":
            output = self.switch.output(rest) or "-ERR no reply\n"
            reply = frame("api/response", output.encode())
            if self.switch.truncates:
                self._send(reply[: self.switch.truncates])
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(reply)
        elif verb == "bgapi":
            job = lines[1].partition(": ")[2]
            self._send(frame("command/reply", Reply_Text=f"+OK Job-UUID: {job}", Job_UUID=job))
            self._send(event("BACKGROUND_JOB", "somebody else's", Job_UUID=str(uuid4())))
            self._send(self.switch.noise)
            done = self.switch.output(rest) or "-ERR no reply\n"
            command = rest.partition(" ")[0]
            self._send(event("BACKGROUND_JOB", done, Job_UUID=job, Job_Command=command))
        elif verb == "event":
            self._send(frame("command/reply", Reply_Text="+OK event listener enabled plain"))
        elif verb == "sendevent":
            self._send(frame("command/reply", Reply_Text=f"+OK {uuid4()}"))
        else:
            self._send(frame("command/reply", Reply_Text="-ERR command not found"))

    def _read(self):
        """The lines of one command; none if the client is gone."""
        lines = []
        while line := self.rfile.readline():
            line = line.decode().rstrip("\n")
            if not line and lines:
                return lines
            if line:
                lines.append(line)
        return []

    def _send(self, content):
        if self.switch.goes_byte_by_byte:
            for byte in content:
                self.connection.send(bytes([byte]))
        else:
            self.connection.sendall(content)
