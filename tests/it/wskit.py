# SPDX-License-Identifier: MIT
"""A WebSocket client and a WebSocket application, both on plain sockets, so
that each can be as exact, slow or rude as a test wants. Standard library only.
"""
import base64, hashlib, os, socket, ssl, struct, threading

from harness import check

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.body = status, body


class Ended(Exception):
    """The connection ended without a close frame."""


class Link:
    """Frames over a socket; a client masks."""

    def __init__(self, sock, is_client):
        self.sock, self.is_client, self.data = sock, is_client, b""

    def read(self, n):
        while len(self.data) < n:
            try:
                piece = self.sock.recv(max(65536, n - len(self.data)))
            except ConnectionError:
                piece = b""
            if not piece:
                raise Ended()
            self.data += piece
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def read_head(self):
        while b"\r\n\r\n" not in self.data:
            piece = self.sock.recv(65536)
            if not piece:
                raise Ended()
            self.data += piece
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        return lines[0], [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines[1:]]

    def frame(self):
        """(fin, opcode, payload) of the next one."""
        a, b = self.read(2)
        check(bool(b & 0x80) != self.is_client, "masked by the wrong side")
        n = b & 127
        if n == 126:
            n, = struct.unpack(">H", self.read(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.read(8))
        mask = self.read(4) if b & 0x80 else None
        data = self.read(n)
        if mask:
            data = unmask(data, mask)
        return bool(a & 0x80), a & 15, data

    def recv(self):
        """(opcode, payload) of the next message or control frame."""
        whole, kind = b"", None
        while True:
            fin, op, data = self.frame()
            if op >= CLOSE:
                return op, data
            kind = kind or op
            whole += data
            if fin:
                return kind, whole

    def recv_close(self):
        """(code, reason) of the close frame, which must be next; 1005: none."""
        op, data = self.recv()
        check(op == CLOSE, f"opcode {op} with {data[:60]!r}, not a close")
        return (struct.unpack(">H", data[:2])[0] if data else 1005), data[2:].decode()

    def send(self, op, data=b"", fin=True):
        if isinstance(data, str):
            data = data.encode()
        n = len(data)
        flag = 0x80 if self.is_client else 0
        head = bytes([op | (0x80 if fin else 0)])
        if n < 126:
            head += bytes([flag | n])
        elif n < 65536:
            head += bytes([flag | 126]) + struct.pack(">H", n)
        else:
            head += bytes([flag | 127]) + struct.pack(">Q", n)
        if self.is_client:
            mask = os.urandom(4)
            head, data = head + mask, unmask(data, mask)
        self.sock.sendall(head + data)

    def close(self, code=1000, reason=""):
        self.send(CLOSE, struct.pack(">H", code) + reason.encode())

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end(self):
        self.sock.close()


def unmask(data, mask):
    n = len(data)
    pad = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(n, "big") if n else b""


def connect(s, target, headers=None, path_id="demo", timeout=30):
    """A client that has been upgraded through switchboard; or Refused."""
    sock = socket.create_connection(("127.0.0.1", s.board.ports["http"]), timeout=timeout)
    link = Link(sock, True)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET /call/{path_id}{target} HTTP/1.1", "Host: client.example", "Upgrade: websocket",
             "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    line, fields = link.read_head()
    status = int(line.split()[1])
    if status != 101:
        length = int(dict((k.lower(), v) for k, v in fields).get("content-length", 0))
        body = link.read(length)
        sock.close()
        raise Refused(status, body)
    link.fields = {k.lower(): v for k, v in fields}
    return link


class App:
    """An application on a socket of its own: behave(link) is run in a thread
    for each connection, after link.line and link.fields were read."""

    def __init__(self, behave, family=socket.AF_INET, address=("127.0.0.1", 0), wrap=None):
        self.behave, self.links, self.wrap = behave, [], wrap
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(512)
        self.ports = {"http": self.listener.getsockname()[1]} if family == socket.AF_INET else {"http": 1}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            if self.wrap:
                sock = self.wrap(sock)
            link = Link(sock, False)
            link.line, link.fields = link.read_head()
        except (OSError, Ended):
            return  # a dial that only looks whether somebody is there
        self.links.append(link)
        try:
            self.behave(link)
        except (OSError, Ended):
            pass

    def stop(self):
        self.listener.close()
        for link in self.links:
            link.end()


def field(link, name):
    return next((v for k, v in link.fields if k.lower() == name), None)


def accept(link, protocol=None, extra=(), accept=None):
    digest = hashlib.sha1((field(link, "sec-websocket-key") + GUID).encode()).digest()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Accept: {accept or base64.b64encode(digest).decode()}"]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    link.sock.sendall("\r\n".join([*lines, *extra]).encode() + b"\r\n\r\n")


def echo(link):
    """Accepts and echoes, and closes as it is asked to."""
    accept(link)
    while True:
        op, data = link.recv()
        if op == CLOSE:
            link.send(CLOSE, data)
            link.closed = data
            link.end()
            return
        link.send(PONG if op == PING else op, data)


def tls_app(cert, key):
    """An application that echoes, and speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return App(echo, wrap=lambda sock: context.wrap_socket(sock, server_side=True))
