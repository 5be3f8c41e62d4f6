#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""selftest: drives a switchboard binary over raw sockets (stdlib only).

usage: selftest.py build/switchboard [--tls]
Prints a line per check and ends with "N passed, N failed".
"""
import base64, hashlib, json, os, random, socket, ssl, struct
import subprocess, sys, tempfile, threading, time, urllib.parse

passed = failed = 0


def check(what, good, *more):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, *([] if good else more))


def connect():
    s = socket.create_connection(("127.0.0.1", PORT))
    s.settimeout(120)
    return TLS.wrap_socket(s, server_hostname="localhost") if TLS else s


class Http:
    """One client connection; enough HTTP to read what comes."""

    def __init__(self):
        self.s, self.b = connect(), b""

    def fill(self):
        d = self.s.recv(1 << 20)
        self.b += d
        return d

    def until(self, mark):
        while mark not in self.b:
            if not self.fill():
                raise EOFError(self.b[:200])
        out, self.b = self.b.split(mark, 1)
        return out

    def exactly(self, n):
        parts, have = [self.b], len(self.b)
        while have < n:
            d = self.s.recv(1 << 20)
            if not d:
                raise EOFError(have)
            parts.append(d)
            have += len(d)
        all_ = b"".join(parts)
        self.b = all_[n:]
        return all_[:n]

    def send(self, method, target, body=b"", headers=(), length=True):
        h = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        h += [f"{k}: {v}" for k, v in headers]
        if length and (body or method in ("POST", "PUT")):
            h.append(f"Content-Length: {len(body)}")
        self.s.sendall("\r\n".join(h).encode("latin-1") + b"\r\n\r\n" + body)

    def read(self, head=False):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        h = {}
        for l in lines[1:]:
            k, v = l.split(":", 1)
            h[k.lower()] = v.strip()
        if head or status in (101, 204, 304):
            return status, h, b""
        if h.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                n = int(self.until(b"\r\n"), 16)
                body += self.exactly(n)
                self.until(b"\r\n")
                if n == 0:
                    return status, h, body
        if "content-length" in h:
            return status, h, self.exactly(int(h["content-length"]))
        while self.fill():
            pass
        return status, h, self.b

    def ask(self, method, target, body=b"", headers=()):
        self.send(method, target, body, headers)
        return self.read(method == "HEAD")


def once(method, target, body=b"", headers=()):
    return Http().ask(method, target, body, headers)


def admin(target, body=b""):
    get = target.startswith(("state", "log"))
    st, _, b = once("GET" if get else "POST", "/admin/" + target, body)
    return st, b


def state():
    return json.loads(admin("state")[1])


def log(since=0):
    return [json.loads(l) for l in admin(f"log?since={since}")[1].splitlines()]


def token(**kw):
    return admin("token?" + urllib.parse.urlencode(kw))[1].decode()


class Ws:
    def __init__(self, target, headers=(), behind=b""):
        self.h = Http()
        key = base64.b64encode(os.urandom(16)).decode()
        self.h.s.sendall((f"GET {target} HTTP/1.1\r\nHost: localhost\r\n"
                          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          f"Sec-WebSocket-Key: {key}\r\n" +
                          "".join(f"{k}: {v}\r\n" for k, v in headers) +
                          "\r\n").encode() + behind)
        self.key = key

    def answer(self):
        self.status, self.headers, self.body = self.h.read()
        return self.status

    def frame(self, op, data, fin=True, masked=True, rsv=0):
        n = len(data)
        m = 0x80 if masked else 0
        b = bytes([op | (0x80 if fin else 0) | rsv])
        b += (bytes([m | n]) if n < 126 else
              bytes([m | 126]) + struct.pack(">H", n) if n < 65536 else
              bytes([m | 127]) + struct.pack(">Q", n))
        if masked:
            mask = os.urandom(4)
            long = mask * (n // 4 + 1)
            data = (int.from_bytes(data, "big") ^ int.from_bytes(
                long[:n], "big")).to_bytes(n, "big") if n else b""
            b += mask
        self.h.s.sendall(b + data)

    def read(self):
        a, b = self.h.exactly(2)
        n = b & 127
        if n == 126:
            n = struct.unpack(">H", self.h.exactly(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.h.exactly(8))[0]
        return a & 15, bool(a & 128), self.h.exactly(n)

    def message(self):
        """(opcode, bytes, frames, pings between)"""
        op, fin, data = self.read()
        frames, pings, parts = 1, 0, [data]
        while not fin:
            o, f, d = self.read()
            if o == 9:
                pings += 1
                continue
            parts.append(d)
            frames, fin = frames + 1, f
        return op, b"".join(parts), frames, pings

    def closed(self):
        """The code of the CLOSE that comes, or None for EOF."""
        try:
            while True:
                op, _, d = self.read()
                if op == 8:
                    return struct.unpack(">H", d[:2])[0] if d else 1005
        except (EOFError, ConnectionError):
            return None


class Phone(Ws):
    def __init__(self, tok=None, path_id="demo", join=True, **kw):
        super().__init__("/telephone/websocket?" + urllib.parse.urlencode(
            {"token": tok or token(path_id=path_id), "vsn": "2.0.0"}), **kw)
        self.topic, self.ref, self.jr = "telephone:" + path_id, 0, None
        if join:
            assert self.answer() == 101, self.status
            self.reply = self.join()

    def text(self, obj):
        self.frame(1, json.dumps(obj).encode())

    def send(self, event, payload, topic=None, jr=False):
        self.ref += 1
        self.text([self.jr if jr is False else jr, str(self.ref),
                   topic or self.topic, event, payload])
        return str(self.ref)

    def recv(self):
        op, data, self.frames, self.pings = self.message()
        assert op == 1, (op, data)
        return json.loads(data)

    def join(self):
        self.jr = str(self.ref + 1)
        self.send("phx_join", {})
        return self.recv()

    def req(self):
        m = self.recv()
        assert m[3] == "proxy_req", m
        return m[4]

    def res(self, rid, status=200, headers=None, body="", **kw):
        self.send("proxy_res", {"request_id": rid, "status": status,
                                "headers": headers or {}, "body": body,
                                "chunked": False, **kw})


def answered(phone, *a, method="GET", target="/call/demo/x", sent=(), **kw):
    """One call answered by this phone: its request and the response."""
    c = Http()
    c.send(method, target, b"", sent)
    q = phone.req()
    phone.res(q["request_id"], *a, **kw)
    return q, c.read(method == "HEAD")


def test_handshake():
    def status(tok, vsn="2.0.0", **kw):
        q = {k: v for k, v in (("token", tok), ("vsn", vsn)) if v is not None}
        w = Ws("/telephone/websocket?" + urllib.parse.urlencode(q), **kw)
        r = w.answer()
        return r if r == 101 else (r, w.body)
    good = token(path_id="hs")
    check("good token", status(good) == 101)
    no = (403, b"")
    check("no token", status(None) == no)
    check("malformed", status("a.b") == no and status("") == no)
    check("bad signature", status(good[:-4] + "AAAA") == no)
    check("expired", status(token(path_id="hs", ttl=-1)) == no)
    check("vsn", status(good, "1.0.0") == no and status(good, None) == no)
    check("origin", status(good, headers=[("Origin", "http://evil")]) == no)
    check("own origin",
          status(good, headers=[("Origin", "http://localhost")]) == 101)
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    check("alg none", status(none + "." + good.split(".")[1] + ".") == no)
    n = state()["log_last"]
    t = token(path_id="hs", jti="jti-7")
    admin("revoke?jti=jti-7")
    check("revoked", status(t) == no)
    hs = [e for e in log(n) if e["what"] == "handshake"][-1]
    check("record has jti, not token", "token=jti-7&vsn" in hs["text"]
          and t not in hs["text"], hs)
    check("url too long", Ws("/telephone/websocket?token=" + "a" * 12000)
          .answer() == 414)
    for s in ("404", "429", "503", "500", "403"):
        admin(f"set?handshake={s}&retry_after=7")
        w = Ws("/telephone/websocket?vsn=2.0.0&token=" + good)
        r = w.answer()
        check("handshake=" + s, r == int(s) and
              (s == "403" or w.headers["retry-after"] == "7"))
    admin("set?handshake=ok&retry_after=0")
    p = Phone(good, "hs", join=False, behind=b"\x81\x80\1\2\3\4")
    p.answer()
    check("pipelined bytes discarded", p.join()[4]["status"] == "ok")
    check("unknown setting", admin("set?nonsense=1")[0] == 400 and
          admin("set?fragment=-1")[0] == 400)


def test_channel():
    n0 = state()["counters"]
    p = Phone(path_id="chan")
    r = p.reply
    check("join reply", r[:4] == ["1", "1", p.topic, "phx_reply"] and
          r[4]["status"] == "ok" and r[4]["response"]["expires_in"] > 3590, r)
    p.send("heartbeat", {"ts": 5})
    check("ack", p.recv() == ["1", None, p.topic, "heartbeat_ack", {"ts": 5}])
    for jr in (None, 1, "99"):
        p.send("heartbeat", {"ts": 6}, jr=jr)
    ref = p.send("heartbeat", {}, topic="phoenix", jr=None)
    check("stale join_ref dropped, phoenix heartbeat answered", p.recv() ==
          [None, ref, "phoenix", "phx_reply",
           {"status": "ok", "response": {}}])
    d = state()["counters"]["dropped_messages"] - n0["dropped_messages"]
    check("drops counted", d == 3, d)
    ref = p.send("phx_join", {}, topic="telephone:other")
    m = p.recv()
    check("mismatch", m[4] == {"status": "error", "response":
                               {"reason": "path_id_mismatch"}} and m[0] == "1")
    p.send("phx_join", {}, topic="room:1")
    m = p.recv()
    check("unmatched", m[0] is None and
          m[4]["response"]["reason"] == "unmatched topic")
    p.jr = "77"
    p.ref = 76
    p.send("phx_join", {})
    a, b = p.recv(), p.recv()
    check("second join", a[0] == "77" and a[3] == "phx_reply" and
          b == ["1", "1", p.topic, "phx_close", {}], a, b)
    for ev, pl in (("nonsense", {}), ("proxy_res", {"request_id": "x"}),
                   ("heartbeat", {}), ("ws_error", {"connection_id": "x"}),
                   ("ws_close", {"connection_id": "x", "code": 1,
                                 "reason": ""}), ("proxy_res", None)):
        p.send(ev, pl)
        m = p.recv()
        check(f"crash by {ev} {pl}", m == [p.jr, p.jr, p.topic, "phx_error",
                                           {}], m)
        p.join()
    ref = p.send("phx_leave", {})
    a, b = p.recv(), p.recv()
    check("leave", a[1] == ref and a[4]["status"] == "ok" and
          b[3] == "phx_close" and b[0] == p.jr)
    p.send("heartbeat", {"ts": 1})
    check("not joined", p.recv()[4]["response"]["reason"] ==
          "unmatched topic")
    p.frame(9, b"hey")
    check("pong", p.read()[::2] == (10, b"hey"))
    for i, b in enumerate(b'["5","5","telephone:chan","phx_join",{}]'):
        if i == 8:
            p.frame(9, b"x")
        p.frame(1 if i == 0 else 0, bytes([b]), fin=i == 39)
    check("fragments with a ping", p.read()[0] == 10 and
          p.recv()[4]["status"] == "ok")
    admin("set?fragment=7&fragment_ping=on")
    p.send("heartbeat", {"ts": 1}, jr="5")
    p.recv()
    check("fragmented out", p.frames > 5 and p.pings == p.frames - 1)
    admin("set?fragment=0&fragment_ping=off&delay_ms=300")
    t = time.time()
    p.send("heartbeat", {"ts": 1}, jr="5")
    p.recv()
    check("delay", 0.25 < time.time() - t < 2)
    admin("set?delay_ms=0&ack=off")
    p.send("heartbeat", {"ts": 1}, jr="5")
    admin("push?event=hello", b' {"a" :1}')
    op, data, _, _ = p.message()
    check("ack off, push unmodified", data ==
          b'["5",null,"telephone:chan","hello", {"a" :1}]', data)
    sid = [s["id"] for s in state()["sockets"] if s["path_id"] == "chan"][0]
    admin(f"raw?socket={sid}", b"not json")
    check("raw", p.message()[1] == b"not json")
    admin("set?ack=on&heartbeat_timeout_ms=400")
    t = time.time()
    check("no heartbeat", p.recv()[3] == "phx_error" and
          time.time() - t < 1.5)
    admin("set?heartbeat_timeout_ms=60000&idle_timeout_ms=300")
    check("idle", p.closed() == 1002)
    admin("set?idle_timeout_ms=60000")
    for s, want in (("mismatch", "path_id_mismatch"),
                    ("unmatched", "unmatched topic")):
        admin("set?join=" + s)
        check("join=" + s, Phone().reply[4]["response"]["reason"] == want)
    admin("set?join=ok")


def test_faulty():
    for what, code, f in (
            ("invalid UTF-8", 1007, lambda p: p.frame(1, b'["\xff"]')),
            ("malformed", 1011, lambda p: p.frame(1, b"[1,")),
            ("empty", 1011, lambda p: p.frame(1, b"")),
            ("no array", 1011, lambda p: p.frame(1, b"{}")),
            ("four", 1011, lambda p: p.text([1, 2, 3, 4])),
            ("six", 1011, lambda p: p.text(["1", "2", "a", "b", {}, 6])),
            ("lone surrogate", 1011, lambda p:
                p.frame(1, b'["1","2","a","b",{"x":"\\ud800"}]')),
            ("binary", 1011, lambda p: p.frame(2, b"\0\1")),
            ("unmasked", 1002, lambda p: p.frame(1, b"[]", masked=False)),
            ("rsv", 1002, lambda p: p.frame(1, b"[]", rsv=0x40)),
            ("opcode", 1002, lambda p: p.frame(5, b"")),
            ("long ping", 1002, lambda p: p.frame(9, b"x" * 126)),
            ("continuation", 1002, lambda p: p.frame(0, b"")),
            ("bad close", 1002, lambda p: p.frame(8, b"\x03")),
            ("close", 1001, lambda p: p.frame(8, b"\x03\xe9bye"))):
        p = Phone()
        f(p)
        c = p.closed()
        check("closed: " + what, c == code, c)
    admin("set?max_message=1000")
    p = Phone()
    p.frame(1, b"x" * 600, fin=False)
    p.frame(0, b"x" * 600)
    check("closed: max_message", p.closed() == 1009)
    admin("set?max_message=0")
    p = Phone()
    p.frame(1, b"[" * 3000000)
    check("deep nesting", p.closed() == 1011)
    for _ in range(60):
        h = connect()
        try:
            h.sendall(os.urandom(random.randrange(1, 3000)) + b"\r\n\r\n")
            h.close()
        except OSError:
            pass
    for _ in range(60):
        p = Phone(join=False)
        p.answer()
        try:
            p.h.s.sendall(os.urandom(random.randrange(1, 500)))
        except OSError:
            pass
        p.h.s.close()
    seed = b'["1","2","telephone:demo","proxy_res",{"request_id":"x","a":[1]}]'
    for _ in range(200):
        p = Phone() if _ % 20 == 0 else p
        b = bytearray(seed)
        for _ in range(random.randrange(1, 4)):
            b[random.randrange(len(b))] = random.randrange(128)
        try:
            p.frame(1, bytes(b))
        except OSError:
            p = Phone()
    check("alive after garbage", state()["in_flight"] == 0)


def test_refresh():
    t = token(path_id="rf")
    p, q = Phone(t, "rf"), Phone(t, "rf")
    ref = p.send("refresh_token", {})
    m = p.recv()
    new = m[4]["response"]["token"]
    check("refresh reply", m[1] == ref and m[4]["status"] == "ok" and
          m[4]["response"]["expires_in"] > 3590)
    q.send("refresh_token", {})
    check("again on another socket: same",
          q.recv()[4]["response"]["token"] == new)
    check("superseded", Phone(t, "rf", join=False).answer() == 403)
    check("new one works", Phone(new, "rf").reply[4]["status"] == "ok")
    admin("set?refresh_style=push&token_ttl=99")
    time.sleep(1.1)
    p.send("refresh_token", {})
    m = p.recv()
    check("refresh push", m[1] is None and m[3] == "refresh_token_ack" and
          m[4]["token"] != new and m[4]["expires_in"] in (98, 99))
    admin("set?refresh_style=error&token_ttl=3600")
    p.send("refresh_token", {})
    check("refresh error", p.recv()[4] == {
        "status": "error", "response": {"reason": ":token_revoked"}})
    admin("set?refresh_style=reply")
    admin("revoke?jti=j1")
    t = token(path_id="rf")
    p = Phone(t, "rf")
    jti = [s for s in state()["sockets"] if s["path_id"] == "rf"][-1]["jti"]
    admin("revoke?jti=" + jti)
    p.send("refresh_token", {})
    check("refresh revoked", p.recv()[4]["response"]["reason"] ==
          ":token_revoked")


def test_call():
    check("no telephone", once("GET", "/call/nobody/")[0] == 503)
    p = Phone()
    q, r = answered(p, body="hi", target="/call/demo/a%3Fb%23c//d%20e+f/"
                    "100%25/%2F/%0D%0A/?a=1&b=%20x&a=2[{|^",
                    sent=[("X-Dup", "one"), ("x-dup", "two"),
                          ("Cookie", "a=1; b=2")])
    check("path decoded", q["path"] == "/a?b#c/d e+f/100%///\r\n/", q)
    check("query raw", q["query_string"] == "a=1&b=%20x&a=2[{|^")
    check("headers", q["headers"]["x-dup"] == "two" and
          q["headers"]["host"] == "localhost" and
          q["headers"]["cookie"] == "a=1; b=2" and q["method"] == "GET")
    check("plain", r[0] == 200 and r[2] == b"hi" and
          r[1]["content-type"] == "text/plain; charset=utf-8" and
          r[1]["content-length"] == "2", r)
    for path, want in (("/call/demo", "/"), ("/call/demo/", "/"),
                       ("/call/demo/a", "/a"), ("/call/demo/../a/.", "/../a/."),
                       ("/call/demo/c%C3%A9/", "/cé/")):
        q, _ = answered(p, target=path)
        check("path " + path, q["path"] == want, q["path"])
    check("bad escape", once("GET", "/call/demo/%zz")[0] == 400)
    q, r = answered(p, body="12345", method="HEAD")
    check("HEAD", q["method"] == "GET" and r[1]["content-length"] == "5" and
          r[2] == b"")
    q, _ = answered(p, method="PURGE", body="")
    check("any method", q["method"] == "PURGE")
    q, _ = answered(p, method="POST", body="")
    check("empty body", q["body"] == "")
    c = Http()
    c.send("POST", "/call/demo/", b"nul \0 \x01 caf\xc3\xa9 \"\\")
    q = p.req()
    check("body text", q["body"] == "nul \0 \x01 café \"\\")
    p.res(q["request_id"])
    c.read()
    c = Http()
    c.send("POST", "/call/demo/",
           b"5;x=y\r\nhello\r\n3\r\n wo\r\n0\r\nT: x\r\n\r\n",
           [("Transfer-Encoding", "chunked")], length=False)
    q = p.req()
    check("chunked request", q["body"] == "hello wo")
    p.res(q["request_id"])
    check("keep-alive", c.read()[0] == 200)
    c.send("GET", "/call/demo/two", headers=[("Connection", "close")])
    p.res(p.req()["request_id"])
    r = c.read()
    check("close honoured", r[1].get("connection") == "close" and
          c.fill() == b"")
    c = Http()
    c.send("POST", "/call/demo/", b"", [("Expect", "100-continue"),
                                        ("Content-Length", "3")], length=False)
    check("100-continue", c.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue")
    c.s.sendall(b"abc")
    q = p.req()
    check("expect passed on", q["headers"]["expect"] == "100-continue" and
          q["body"] == "abc")
    p.res(q["request_id"])
    c.read()
    c = Http()
    c.send("POST", "/call/demo/", b"", [("Content-Length", "8388609")],
           length=False)
    check("413", c.read()[0] == 413)
    admin("set?swallow=on")
    c = Http()
    c.send("POST", "/call/demo/", b'{"a":1}',
           [("Content-Type", "application/json")])
    q = p.req()
    check("swallow", q["body"] == "" and q["headers"]["content-length"] == "7")
    p.res(q["request_id"])
    c.read()
    admin("set?swallow=off")
    c = Http()
    for i in range(3):
        c.send("GET", f"/call/demo/p{i}")
    for i in range(3):
        q = p.req()
        check("pipelined", q["path"] == f"/p{i}")
        p.res(q["request_id"], body=str(i))
        check("in order", c.read()[2] == str(i).encode())


def test_answers():
    p = Phone()
    for what, kw in (("status 599", dict(status=599)),
                     ("status 520", dict(status=520)),
                     ("status 100", dict(status=100)),
                     ("status 0", dict(status=0)),
                     ("status text", dict(status="200")),
                     ("204 with body", dict(status=204, body="x")),
                     ("304 with chunks", dict(status=304, chunked=True,
                                              chunks=["x"])),
                     ("CR in header", dict(headers={"a": "b\rc"})),
                     ("LF in header", dict(headers={"a": "b\nc"})),
                     ("NUL in header", dict(headers={"a": "b\0c"})),
                     ("header name", dict(headers={"a b": "c"})),
                     ("header list", dict(headers={"a": ["c"]})),
                     ("headers list", dict(headers=[["a", "c"]])),
                     ("header number", dict(headers={"a": 1})),
                     ("byte 256", dict(chunked=True, chunks=[[256]])),
                     ("byte -1", dict(chunked=True, chunks=[[-1]])),
                     ("chunk null", dict(chunked=True, chunks=[None])),
                     ("chunk object", dict(chunked=True, chunks=[[{}]])),
                     ("chunks no list", dict(chunked=True, chunks="x")),
                     ("body object", dict(body={}))):
        r = answered(p, **kw)[1]
        check("500: " + what, r[0] == 500, r)
    r = answered(p, 204)[1]
    check("204", r[0] == 204 and "content-length" not in r[1])
    r = answered(p, 200, {"Content-Length": "99", "X-A": "1", "x-a": "2",
                          "content-type": "a/b"}, "né")[1]
    check("plain headers", r[1]["content-length"] == "3" and
          r[1]["x-a"] == "2" and r[1]["content-type"] == "a/b" and
          r[2] == "né".encode(), r)
    r = answered(p, body=[233, 0x20ac, "x"])[1]
    check("array in body is code points", r[2] == "é€x".encode())
    chunks = [[137, "PNG\r\n", 26, ["\n", [0, [255]], []]], "", "é\0", []]
    want = b"\x89PNG\r\n\x1a\n\0\xff\xc3\xa9\0"
    r = answered(p, chunked=True, chunks=chunks)[1]
    check("iodata", r[2] == want and "content-type" not in r[1] and
          r[1]["transfer-encoding"] == "chunked", r)
    r = answered(p, 200, {"content-length": str(len(want))}, chunked=True,
                 chunks=chunks)[1]
    check("iodata with length", r[2] == want and
          "transfer-encoding" not in r[1])
    c = Http()
    c.s.sendall(b"GET /call/demo/ HTTP/1.0\r\n\r\n")
    p.res(p.req()["request_id"], chunked=True, chunks=["a", "b"])
    check("HTTP/1.0", c.read()[2] == b"ab")
    c = Http()
    c.send("GET", "/call/demo/")
    q = p.req()
    p.res(q["request_id"], body="first")
    p.res(q["request_id"], body="second")
    check("first wins", c.read()[2] == b"first")
    time.sleep(0.1)
    check("late counted", state()["counters"]["proxy_res_late"] >= 1)


def test_lost():
    p = Phone()
    admin("set?request_timeout_ms=200")
    c = Http()
    c.send("GET", "/call/demo/")
    rid = p.req()["request_id"]
    check("504", c.read()[0] == 504)
    admin("set?request_timeout_ms=60000")
    p.res(rid)

    def in_flight(do):
        c = Http()
        c.send("GET", "/call/demo/")
        p.req()
        do()
        return c.read()[0]
    check("502 at crash", in_flight(lambda: p.send("bogus", {})) == 502)
    check("phx_error", p.recv()[3] == "phx_error")
    p.join()
    for what, kw in (("path", dict(target="/call/demo/%ff")),
                     ("body", dict(method="POST", target="/call/demo/",
                                   body=b"\xff")),
                     ("header", dict(method="GET", target="/call/demo/",
                                     headers=[("X", "\xff")]))):
        kw.setdefault("method", "GET")
        check("502, not UTF-8 in " + what, once(**kw)[0] == 502 and
              p.recv()[3] == "phx_error")
        p.join()
    check("502 at leave", in_flight(lambda: p.send("phx_leave", {})) == 502)
    p.recv(), p.recv(), p.join()
    admin("set?request_timeout_ms=500")
    check("504 after a second join", in_flight(p.join) == 504)
    check("stale close", p.recv()[3] == "phx_close")
    admin("set?request_timeout_ms=60000")
    check("502 at EOF", in_flight(p.h.s.close) == 502)
    a, b = Phone(path_id="rr"), Phone(path_id="rr")
    cs = []
    for i in range(6):
        cs.append(Http())
        cs[-1].send("GET", f"/call/rr/{i}")
        time.sleep(0.02)
    got = [sorted(x.req()["path"] for _ in range(3)) for x in (a, b)]
    check("round robin", sorted(got) == [["/0", "/2", "/4"],
                                         ["/1", "/3", "/5"]], got)
    cs[0].s.close()
    time.sleep(0.1)
    check("client gone stays in flight", state()["in_flight"] == 6)
    a.h.s.close(), b.h.s.close()
    check("502", cs[1].read()[0] == 502)


def test_faults():
    def fault(kind, **kw):
        return admin("fault?" + urllib.parse.urlencode({"kind": kind, **kw}))
    p = Phone()
    fault("crash")
    check("crash", p.recv()[3:] == ["phx_error", {"reason": "channel_crash"}])
    p.join(), fault("error")
    check("error", p.recv()[3:] == ["phx_error", {}])
    p.join(), fault("phx_close")
    check("phx_close", p.recv()[3:] == ["phx_close", {}])
    fault("close", code=1012, reason="later")
    op, _, d = p.read()
    check("close", op == 8 and d == b"\x03\xf4later" and p.closed() is None)
    p = Phone()
    fault("drop")
    check("drop", p.closed() is None)
    p = Phone()
    fault("rst")
    try:
        r = p.h.s.recv(1) == b"" and TLS    # ssl makes an EOF of it
    except ConnectionError:
        r = True
    check("rst", r)
    p = Phone()
    fault("garbage", bytes="ff00")
    check("garbage", p.h.exactly(2) == b"\xff\0")
    fault("stall")
    p.send("heartbeat", {"ts": 1})
    time.sleep(0.2)
    c0 = state()["counters"]["heartbeats"]
    fault("resume")
    check("stall, resume", p.recv()[4] == {"ts": 1} and
          state()["counters"]["heartbeats"] == c0 + 1)
    fault("half")
    p.send("heartbeat", {"ts": 2})
    admin("push?event=x")
    p.h.s.settimeout(0.3)
    try:
        p.read()
        r = False
    except (socket.timeout, TimeoutError):
        r = True
    p.h.s.settimeout(120)
    check("half is silent", r and state()["sockets"][-1]["frozen"])
    admin("set?idle_timeout_ms=100")
    time.sleep(0.3)
    s = state()["sockets"][-1]
    check("half is parked, not closed", s["parked"] and not s["joined"])
    admin("set?idle_timeout_ms=60000")
    fault("resume")
    p = Phone()
    fault("restart", ms=500)
    try:
        connect()
        r = False
    except ConnectionError:
        r = True
    check("restart", p.closed() == 1012 and r)
    time.sleep(0.7)
    p = Phone()
    check("back", p.reply[4]["status"] == "ok")
    check("kick", admin("kick?code=1011")[0] == 200)
    p = Phone()
    c = Http()
    c.send("GET", "/call/demo/")
    c.send("POST", "/admin/fault?kind=drop")
    p.req()
    admin("fault?kind=crash")
    check("pipelined fault behind a failing call", c.read()[0] == 502 and
          c.read()[0] == 200 and p.recv()[3] == "phx_error" and
          p.closed() is None)
    check("unknown fault", fault("nonsense")[0] == 400)


def test_ws():
    p = Phone()

    def opened(headers=(), protocol=None):
        c = Ws("/call/demo/ws%20x//y?q=%20", headers=headers)
        m = p.recv()
        assert m[3] == "ws_check", m
        extra = {"protocol": protocol} if protocol else {}
        p.send("ws_check_result", {"check_id": m[4]["check_id"],
                                   "supported": True, **extra})
        assert c.answer() == 101
        return c, m[4], p.recv()

    c, q, m = opened([("Sec-WebSocket-Protocol", "a, b"), ("X-Other", "1"),
                      ("Cookie", "k=v")], "b")
    check("ws_check raw path", q["path"] == "/ws%20x//y" and
          q["query_string"] == "q=%20" and q["headers"] ==
          {"sec-websocket-protocol": "a, b", "cookie": "k=v"}, q)
    check("protocol", c.headers["sec-websocket-protocol"] == "b" and
          c.headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(
              (c.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
              .digest()).decode())
    cid = m[4]["connection_id"]
    check("ws_connect", m[3] == "ws_connect" and m[4]["path"] == q["path"])
    c.frame(1, b"early")
    check("frame before connected", p.recv()[4]["data"] ==
          base64.b64encode(b"early").decode())
    p.send("ws_connected", {"connection_id": cid})
    for op, name in ((1, "text"), (2, "binary"), (9, "ping"), (10, "pong")):
        c.frame(op, b"up\xc3\xa9")
        m = p.recv()
        check("up " + name, m[3:] == ["ws_frame", {
            "connection_id": cid, "opcode": name, "data": "dXDDqQ=="}], m)
        if op == 9:
            check("client ping answered", c.read()[0] == 10)
        p.send("ws_frame", {"connection_id": cid, "opcode": name,
                            "data": "ZG93bg=="})
        check("down " + name, c.read() == (op, True, b"down"))
    big = os.urandom(700000)
    c.frame(2, big)
    m = p.recv()[4]
    p.send("ws_frame", m)
    check("big frame back", c.message()[1] == big)
    p.send("ws_frame", {"connection_id": cid, "opcode": "text",
                        "data": "no base64!"})
    check("bad base64 raw", c.read()[2] == b"no base64!")
    c.frame(8, b"\x0f\xa1why")
    m = p.recv()
    check("client close", m[3:] == ["ws_close", {
        "connection_id": cid, "code": 4001, "reason": "why"}] and
        c.closed() == 4001, m)
    for ev, pl, code in (("ws_closed", {"code": 4002, "reason": "no"}, 4002),
                         ("ws_error", {"reason": "broke"}, 1014),
                         ("ws_frame", {"opcode": "odd", "data": ""}, 1011)):
        c, q, m = opened()
        cid = m[4]["connection_id"]
        p.send("ws_connected", {"connection_id": cid})
        p.send(ev, {"connection_id": cid, **pl})
        m = p.recv()
        check(ev + " ends it", m[3] == "ws_close" and m[4]["code"] == code and
              c.closed() == code, m)
        p.send(ev, {"connection_id": cid, **pl})
    c, q, m = opened()
    c.frame(2, bytes(1 << 20) + b"x")
    check("above ws_max_frame", c.closed() == 1009 and
          p.recv()[4]["code"] == 1009)
    admin("set?ws_timeout_ms=200")
    c, q, m = opened()
    check("no ws_connected", c.closed() == 1014 and
          p.recv()[4]["code"] == 1014)
    c = Ws("/call/demo/")
    p.recv()
    check("no ws_check_result", c.answer() == 504)
    admin("set?ws_timeout_ms=5000")
    c = Ws("/call/demo/")
    p.send("ws_check_result", {"check_id": p.recv()[4]["check_id"],
                               "supported": False, "reason": "because"})
    check("unsupported", c.answer() == 502 and b"because" in c.body)
    c, q, m = opened()
    p.h.s.close()
    check("telephone lost", c.closed() == 1014)
    check("ws without telephone", Ws("/call/demo/").answer() == 503)


def serve(p, stop):
    """Answer each request with its own body until stop."""
    while not stop.is_set():
        try:
            q = p.req()
        except (EOFError, OSError):
            return
        p.res(q["request_id"], body=q["body"] or q["path"])


def test_load():
    a, b, stop = Phone(), Phone(), threading.Event()
    servers = [threading.Thread(target=serve, args=(x, stop), daemon=True)
               for x in (a, b)]
    [t.start() for t in servers]
    good = []

    def client(i):
        c = Http()
        for k in range(10):
            st, _, body = c.ask("GET", f"/call/demo/{i}/{k}")
            good.append(st == 200 and body == f"/{i}/{k}".encode())
    ts = [threading.Thread(target=client, args=(i,)) for i in range(100)]
    t0 = time.time()
    [t.start() for t in ts]
    [t.join() for t in ts]
    check("100 concurrent clients, 1000 calls", len(good) == 1000 and
          all(good), len(good))
    print(f"     ({time.time() - t0:.2f} s)")
    for mb in (1, 8):
        n = mb << 20
        for what, body in (("text", b"a" * n), ("control", b"\1" * n)):
            t0 = time.time()
            r = once("POST", "/call/demo/big", body)
            check(f"{mb} MiB {what} body", r[0] == 200 and r[2] == body,
                  r[0], len(r[2]))
            print(f"     ({time.time() - t0:.2f} s)")
    stop.set()
    a.h.s.close(), b.h.s.close()
    time.sleep(0.1)
    p = Phone()
    data = os.urandom(8 << 20)
    c = Http()
    c.send("GET", "/call/demo/bin")
    q = p.req()
    t0 = time.time()
    n = state()["log_last"]
    p.res(q["request_id"], chunked=True, chunks=[
        list(data[:4 << 20]), [list(data[4 << 20:])]])
    check("8 MiB of bytes as numbers", c.read()[2] == data)
    print(f"     ({time.time() - t0:.2f} s)")
    e = [e for e in log(n) if e["what"] == "text" and e["dir"] == "in"][-1]
    check("big frame recorded in part", e["len"] > 20 << 20 and
          len(e["sha256"]) == 64 and len(base64.b64decode(e["b64"])) == 1024)


def start(binary, tls):
    argv = [binary, "--quiet"]
    ctx = None
    if tls:
        d = tempfile.mkdtemp()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                        "-nodes", "-keyout", d + "/k", "-out", d + "/c",
                        "-days", "2", "-subj", "/CN=localhost"], check=True,
                       stderr=subprocess.DEVNULL)
        argv += ["--tls", "127.0.0.1:0", "--cert", d + "/c", "--key", d + "/k"]
        ctx = ssl.create_default_context(cafile=d + "/c")
        ctx.check_hostname = False
    proc = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    words = dict(w.split("=") for w in proc.stdout.readline().split()[1:])
    return proc, int(words["tls" if tls else "http"]), ctx


proc, PORT, TLS = start(sys.argv[1], "--tls" in sys.argv)
try:
    for f in (test_handshake, test_channel, test_faulty, test_refresh,
              test_call, test_answers, test_lost, test_faults, test_ws,
              test_load):
        only = [a for a in sys.argv[2:] if a != "--tls"]
        if only and f.__name__[5:] not in only:
            continue
        print("#", f.__name__)
        try:
            f()
        except Exception as e:
            check(f"{f.__name__} runs through", False, repr(e))
finally:
    proc.terminate()
    check("exit 0", proc.wait(20) == 0, proc.returncode)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
