# SPDX-License-Identifier: MIT
"""A Plugboard that is no server at all: a raw socket that speaks as much of
RFC 6455 and Phoenix as it is told, and lies whenever a test wants it to.

    board = RawBoard()
    phone = board.start(s)                 # a telephone that has joined
    board.message(None, "proxy_req", {…})  # as a sound server would
    board.frame(0x81, b"…", length=1 << 62)  # as no server would

One connection is served by one thread; the last one that joined is the one
that message() and frame() write to. Whatever telephone pushes is kept.
"""
import base64, hashlib, json, socket, struct, threading, time

import harness
from harness import check, until

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def token(path_id="demo"):
    """Claims that nobody signed: a telephone has no key to check them with."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    now = int(time.time())
    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part(
        {"sub": "demo", "jti": "j", "iat": now - 10, "exp": now + 3600, "path_id": path_id}), "c2ln"))


def frame(first, data=b"", length=None, mask=None):
    """A frame as a server sends it; first is FIN, RSV and opcode; length what
    it claims to be long; mask four octets that a server must not send."""
    n = len(data) if length is None else length
    bit = 0x80 if mask else 0
    if n < 126:
        head = struct.pack("!BB", first, bit | n)
    elif n < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, n)
    else:
        head = struct.pack("!BBQ", first, bit | 127, n)
    return head + (mask or b"") + data


class Joined:
    """A connection whose channel has joined."""

    def __init__(self, sock, join_ref, topic):
        self.sock, self.join_ref, self.topic = sock, join_ref, topic


class RawBoard:
    def __init__(self, greet=None):
        """greet(sock, request) replaces the answer to the upgrade."""
        self.greet, self.pushed, self.joins, self.connections = greet, [], [], 0
        self.silent = False  # no reply to anything
        self.lock, self.open, self.stopped = threading.Lock(), set(), False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.ports = {"http": self.listener.getsockname()[1]}
        threading.Thread(target=self.accept, daemon=True).start()

    # --- a test's side ----------------------------------------------------
    def start(self, s, wait=True, **env):
        s.board = self
        phone = s.spawn(s.env(TELEPHONE_TOKEN=token(), **env))
        if wait:
            phone.wait_joined()
            until(lambda: self.joins, "the join")
        return phone

    def write(self, data):
        self.joins[-1].sock.sendall(data)

    def frame(self, *args, **more):
        self.write(frame(*args, **more))

    def text(self, event, payload):
        """The text of a push for the current join."""
        join = self.joins[-1]
        return json.dumps([join.join_ref, None, join.topic, event, payload]).encode()

    def message(self, event, payload):
        self.frame(0x81, self.text(event, payload))

    def request(self, request_id, **more):
        self.message("proxy_req", {"request_id": request_id, "method": "GET", "path": "/", "query_string": "",
                                   "headers": {}, "body": "", **more})

    def answers(self, request_id=None):
        """Payloads of proxy_res."""
        with self.lock:
            return [m[4] for m in self.pushed if m[3] == "proxy_res" and request_id in (None, m[4]["request_id"])]

    def answer(self, request_id, seconds=20):
        return until(lambda: self.answers(request_id), f"an answer to {request_id}", seconds)[0]

    def cut(self):
        """Ends every connection."""
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it had ended

    def stop(self):
        self.stopped = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.cut()
        self.listener.close()

    # --- inside -------------------------------------------------------------
    def accept(self):
        while not self.stopped:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            held = b""
            while b"\r\n\r\n" not in held:
                data = sock.recv(4096)
                if not data:
                    return
                held += data
            if self.greet is not None:
                self.greet(sock, held)
            else:
                sock.sendall(upgraded(held))
            self.listen(sock)
        except (OSError, EOFError):
            pass  # the peer went: tests ask for what they miss
        finally:
            self.open.discard(sock)
            sock.close()

    def listen(self, sock):
        stream, whole = sock.makefile("rb"), b""

        def take(n):
            data = stream.read(n)
            if len(data) < n:
                raise EOFError
            return data
        while True:
            first, n = take(2)
            n &= 0x7F
            if n == 126:
                n, = struct.unpack("!H", take(2))
            elif n == 127:
                n, = struct.unpack("!Q", take(8))
            mask = take(4)
            data = take(n)
            key = (mask * (n // 4 + 1))[:n]
            data = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big") if n else b""
            if first & 0x0F < 3:
                whole += data
                if first & 0x80:
                    self.heard(sock, json.loads(whole))
                    whole = b""
            elif first & 0x0F == 8:
                return

    def heard(self, sock, message):
        join_ref, ref, topic, event, payload = message
        with self.lock:
            self.pushed.append(message)
        if self.silent:
            return
        if event == "phx_join":
            self.reply(sock, [join_ref, ref, topic, "phx_reply",
                              {"status": "ok", "response": {"status": "ok", "path": "/", "expires_in": 3600}}])
            self.joins.append(Joined(sock, join_ref, topic))
        elif event == "heartbeat":
            self.reply(sock, [join_ref, None, topic, "heartbeat_ack", {"ts": payload["ts"]}])
        elif event == "phx_leave":
            self.reply(sock, [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}}])
            self.reply(sock, [join_ref, None, topic, "phx_close", {}])

    def reply(self, sock, message):
        sock.sendall(frame(0x81, json.dumps(message).encode()))


def upgraded(request, accept=None, *fields):
    """The 101 for this request."""
    key = next(line.split(b":", 1)[1].strip() for line in request.split(b"\r\n")
               if line.lower().startswith(b"sec-websocket-key:"))
    accept = accept or base64.b64encode(hashlib.sha1(key + GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"upgrade: websocket", b"connection: Upgrade",
             b"sec-websocket-accept: " + accept, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def peak(pid):
    """The most memory that a process had, in KiB (VmHWM)."""
    with open(f"/proc/{pid}/status") as f:
        line = next(line for line in f if line.startswith("VmHWM"))
    return int(line.split()[1])


class Bounded:
    """The worker is the same process before and after, and its peak has not
    grown by more than so many MiB."""

    def __init__(self, phone, mib):
        self.phone, self.kib, self.pid = phone, mib * 1024, phone.child("worker")

    def __enter__(self):
        self.before = peak(self.pid)
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        check(self.phone.child("worker") == self.pid, "the worker is another process: it died")
        grown = peak(self.pid) - self.before
        check(harness.INSTRUMENTED or grown <= self.kib, f"the worker's peak memory grew by {grown} KiB, bound {self.kib} KiB")
