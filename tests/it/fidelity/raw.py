# SPDX-License-Identifier: MIT
"""Peers that normalise nothing: an application and a client on raw sockets,
and proxy_req messages written by hand. What they saw is kept octet for octet.

    s.backend = RawBackend()                    # then s.start(...)
    s.backend.on("/x", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
    s.backend.on("/cut", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", CLOSE)
    s.backend.on("/slow", Sleep(1), reply(b"body"))
    answer = call(s, b"GET", b"/x")             # through switchboard's front
    answer = ask(s, path="/x\u0000", headers={"a": "b"})   # as Plugboard sends it
    s.backend.requests[-1].raw

A script is a list of steps: bytes to send, a Sleep, CLOSE (FIN, in TLS behind a close_notify), RESET (RST),
HOLD (say nothing until the peer goes), or a callable (connection, request).
With early=True it begins as soon as a request's head is there.
Without CLOSE the connection is kept for another request. A target is looked
up as it came, then without its query, then "*".
"""
import base64, itertools, json, os, socket, ssl, struct, threading, time

from harness import check, until

CLOSE, RESET, HOLD = object(), object(), object()
ids = itertools.count(1)
default = threading.local()  # .tls: what backends of this thread's test speak (test_https.py)


class Sleep:
    def __init__(self, seconds):
        self.seconds = seconds


def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def reply(body=b"", status=b"200 OK", *fields):
    """A well-formed answer with a length, as bytes."""
    head = [b"HTTP/1.1 " + octets(status), *map(octets, fields), b"content-length: %d" % len(body)]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(*chunks, status=b"200 OK", fields=(), trailers=()):
    """An answer in chunked coding, one chunk for each argument."""
    out = b"\r\n".join([b"HTTP/1.1 " + octets(status), *map(octets, fields), b"transfer-encoding: chunked"]) + b"\r\n\r\n"
    for chunk in chunks:
        out += b"%x\r\n%s\r\n" % (len(chunk), chunk)
    return out + b"0\r\n" + b"".join(octets(t) + b"\r\n" for t in trailers) + b"\r\n"


def split_head(raw):
    """(first line, [(name, value)], rest) of a message; names and values as
    they stand, but for the white space around a value."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    fields = []
    for text in lines:
        name, _, value = text.partition(b":")
        fields.append((name, value.strip(b" \t")))
    return line, fields, rest


class Message:
    """fields in order; body without transfer coding; raw is all of it."""

    def __init__(self, raw, body):
        self.raw, self.body = raw, body
        self.line, self.fields, _ = split_head(raw)

    def all(self, name):
        """Every value of that name, any case."""
        return [v for n, v in self.fields if n.lower() == octets(name).lower()]

    def one(self, name):
        """The only value of that name, None when there is none."""
        values = self.all(name)
        check(len(values) < 2, lambda: f"{name} came {len(values)} times: {self.raw!r}")
        return values[0] if values else None

    def names(self):
        return [n.lower() for n, _ in self.fields]


class Request(Message):
    def __init__(self, raw, body, connection):
        super().__init__(raw, body)
        self.method, self.target, self.version = self.line.split(b" ", 2)
        self.connection, self.at = connection, time.monotonic()


class Answer(Message):
    def __init__(self, raw, body):
        super().__init__(raw, body)
        self.status = int(self.line.split(b" ")[1])

    def json(self):
        return json.loads(self.body)


class Stream:
    """Bytes of a socket, and how a message ends in them."""

    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def more(self):
        data = self.sock.recv(1 << 16)
        self.held += data
        return bool(data)

    def take(self, n):
        while len(self.held) < n:
            if not self.more():
                raise EOFError(f"{n - len(self.held)} bytes are missing")
        out, self.held = self.held[:n], self.held[n:]
        return out

    def until(self, mark):
        while mark not in self.held:
            if not self.more():
                raise EOFError(f"no {mark!r}")
        return self.take(self.held.index(mark) + len(mark))

    def rest(self):
        while self.more():
            pass
        return self.take(len(self.held))

    def chunked(self):
        """(raw, decoded)"""
        raw = body = b""
        while True:
            line = self.until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            raw += line
            if size == 0:
                break
            chunk = self.take(size + 2)
            check(chunk.endswith(b"\r\n"), "a chunk ends with CR LF")
            raw, body = raw + chunk, body + chunk[:-2]
        while True:
            line = self.until(b"\r\n")
            raw += line
            if line == b"\r\n":
                return raw, body

    def body_of(self, head, to_the_end):
        """(raw, decoded) of the body that follows this head."""
        fields = [(n.lower(), v) for n, v in split_head(head)[1]]
        if any(n == b"transfer-encoding" for n, v in fields):
            return self.chunked()
        for name, value in fields:
            if name == b"content-length":
                body = self.take(int(value))
                return body, body
        body = self.rest() if to_the_end else b""
        return body, body


class Connection(Stream):
    """One that RawBackend has accepted."""

    def __init__(self, sock, number):
        super().__init__(sock)
        self.number = number

    def send(self, data):
        self.sock.sendall(data)

    def read_request(self, early=()):
        """None at the end of the connection; for one of these targets the head alone."""
        while not self.held:
            if not self.more():
                return None
        head = self.until(b"\r\n\r\n")
        raw, body = (b"", b"") if head.split(b" ")[1] in early else self.body_of(head, False)
        return Request(head + raw, body, self.number)

    def say_end(self):
        """In TLS, a close_notify; the peer need not answer it."""
        try:
            self.sock.settimeout(0.1)
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()
        except (OSError, ValueError):
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RawBackend:
    """An application on a raw socket: TCP on `host`, or a unix socket. With
    tls (an ssl.SSLContext) it speaks https."""

    def __init__(self, *script, unix=None, host="127.0.0.1", tls=None):
        self.scripts, self.early = {"*": script or (reply(b"ok"),)}, set()
        self.requests, self.faults, self.lock = [], [], threading.Lock()
        self.connections = 0  # accepted
        self.open, self.unix, self.stopped = set(), unix, False
        self.tls = tls or getattr(default, "tls", None)
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(unix or (host, 0))
        if unix:
            os.chmod(unix, 0o777)
        self.listener.listen(1024)
        self.ports = {} if unix else {"http": self.listener.getsockname()[1]}
        threading.Thread(target=self.accept, daemon=True).start()

    def on(self, target, *script, early=False):
        self.scripts[target] = script
        if early:
            self.early.add(octets(target))

    def of(self, target):
        """The requests for that target, query and all."""
        return [r for r in list(self.requests) if r.target == octets(target)]

    def last(self, target=None):
        found = self.of(target) if target else self.requests
        check(found, f"the application has seen no request {target or ''}")
        return found[-1]

    def stop(self):
        self.stopped = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for sock in self.open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        check(not self.faults, lambda: f"the raw backend: {self.faults}")

    # --- inside ----------------------------------------------------------
    def accept(self):
        while not self.stopped:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(sock)
                number = self.connections
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def serve(self, sock, number):
        raw = sock
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            connection = Connection(sock, number)
            while True:
                request = connection.read_request(self.early)
                if request is None:
                    break
                self.requests.append(request)
                if not self.play(connection, request):
                    break
        except (OSError, EOFError):
            pass  # the peer went: tests ask for what they miss
        except Exception as e:
            self.faults.append(repr(e))
        finally:
            with self.lock:
                self.open.discard(raw)
            sock.close()

    def script_of(self, request):
        target = request.target.decode("latin-1")
        for key in (target, target.partition("?")[0], "*"):
            if key in self.scripts:
                return self.scripts[key]

    def play(self, connection, request):
        """False when the connection is over."""
        for step in self.script_of(request):
            if step is CLOSE:
                connection.say_end()
                return False
            if step is RESET:
                connection.reset()
                return False
            if step is HOLD:
                connection.rest()
                return False
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
            elif callable(step):
                step(connection, request)
            else:
                connection.send(step)
        return True


# --- the client's end ---------------------------------------------------------
def call_raw(s, request, timeout=60):
    """Sends these octets to switchboard's front and reads one answer."""
    with socket.create_connection(("127.0.0.1", s.board.ports["http"]), timeout=timeout) as sock:
        sock.sendall(request)
        stream = Stream(sock)
        head = stream.until(b"\r\n\r\n")
        if request.startswith(b"HEAD ") or head.split(b" ")[1] in (b"204", b"304"):
            return Answer(head, b"")
        raw, body = stream.body_of(head, True)
        return Answer(head + raw, body)


def call(s, method, target, fields=(), body=None, path_id=b"demo", timeout=60):
    """A client's request for /call/ID/TARGET; fields are whole lines."""
    lines = [b"%s /call/%s%s HTTP/1.1" % (octets(method), octets(path_id), octets(target)), *map(octets, fields)]
    if not any(line.lower().startswith(b"host:") for line in lines):
        lines.append(b"host: client.example")
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    return call_raw(s, b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""), timeout)


def iodata(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        return bytes([value])
    return b"".join(iodata(v) for v in value)


class Res:
    """A proxy_res as it stood on the wire."""

    def __init__(self, text):
        self.text = text
        payload = json.loads(text)[4]
        self.status, self.headers, self.payload = payload["status"], payload["headers"], payload
        self.body = iodata(payload["chunks"]) if payload.get("chunked") else payload["body"].encode()

    def json(self):
        return json.loads(self.body)


def push(s, request_id=None, **payload):
    """Pushes a proxy_req with the given members (None takes one away) and
    returns its request_id."""
    request_id = request_id or f"raw-{next(ids)}"
    members = {"request_id": request_id, "method": "GET", "path": "/", "query_string": "", "headers": {}, "body": "",
               **payload}
    members = {k: v for k, v in members.items() if v is not None}
    s.admin("push", body=json.dumps(members).encode(), event="proxy_req")
    return request_id


def log_of(s):
    return [json.loads(line) for line in s.admin("log").split("\n") if line]


def texts_of(entry):
    if "text" in entry:
        return entry["text"]
    return base64.b64decode(entry.get("b64", "")).decode("utf-8", "replace")


def answers(s, request_id):
    """The text of every proxy_res for that id (answers above 64 KiB are kept
    by their digest only)."""
    mark = json.dumps(request_id)
    return [text for e in log_of(s) if e["dir"] == "in" and '"proxy_res"' in (text := texts_of(e)) and mark in text]


def ask(s, seconds=30, **payload):
    """Pushes a proxy_req and waits for its proxy_res. Works around the front's
    own rules: any path, any header, any method."""
    request_id = push(s, **payload)
    return Res(until(lambda: answers(s, request_id), f"a proxy_res for {request_id}", seconds)[0])
