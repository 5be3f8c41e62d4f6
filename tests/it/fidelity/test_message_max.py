# SPDX-License-Identifier: MIT
"""Heads and targets, 5a: a message that Plugboard will not take costs its
tunnel once; how long that was is learnt, by all tunnels, and forgotten when
Plugboard takes more."""
import json, struct, time

from fidelity.raw import RawBackend, ask, call, reply
from hostile.rawboard import RawBoard, frame
from harness import check, equal, free_port, request, until
from test_tls import Certs, server_context
from wskit import CLOSE, TEXT, App, accept, connect

MB = 1_000_000


def staged(s, max_message=MB, **env):
    s.backend = s.backend or RawBackend()
    phone = s.start(HEARTBEAT_INTERVAL="200ms", HEALTH_CHECK_PORT=free_port(), **env)
    s.set(max_message=max_message)
    return phone


def sizes(phone):
    worker = phone.status()["worker"]
    return worker["message_accepted"], worker["message_refused"]


def learn(s, phone, size):
    """The first one, which costs its tunnel."""
    s.backend.on("/big", reply(b"x" * size))
    before = s.counter("connects")
    equal(call(s, "GET", "/big").status, 502, "the first that is too long")
    phone.wait_log(r"plugboard closed it with 1009, too big: messages of \d+ bytes and more are not sent")
    until(lambda: s.counter("connects") == before + 1 and s.joined() == int(phone.env["TUNNELS"]), "it comes back")


def refused(s, target="/big"):
    got = call(s, "GET", target)
    equal((got.status, got.json()["error"]), (502, "tunnel_message_too_large"), target)
    check(b"127.0.0.1" not in got.body and len(got.body) < 300, got.body)


def test_a_message_that_is_too_long_costs_one_tunnel_once(s):
    for size in (20 * MB, MB + MB // 5):  # cut while it was sent, and sent whole
        phone = staged(s, TUNNELS="2")
        until(lambda: s.joined() == 2, "both tunnels")
        learn(s, phone, size)
        connects = s.counter("connects")
        for _ in range(6):  # on both
            refused(s)
            equal(call(s, "GET", "/small").status, 200, "a small one")
        equal((s.counter("connects"), s.joined()), (connects, 2), "connections")
        accepted, bound = sizes(phone)
        check(accepted < MB < bound <= size + 1000, f"{accepted}, {bound}")
        text = request(int(phone.env["HEALTH_CHECK_PORT"]), "GET", "/metrics").body.decode()
        check(f"\ntelephone_message_refused_bytes {bound}\n" in text, text)
        check(f"from {bound} bytes on refused" in phone.ctl("status").stdout, phone.ctl("status").stdout)
        # a tunnel that is new knows it, too
        s.fault("drop")
        until(lambda: s.counter("connects") == connects + 2 and s.joined() == 2, "both come back")
        refused(s)
        phone.stop()


def test_what_is_accepted_is_known(s):
    phone = staged(s, max_message=0)
    s.backend.on("/a", reply(b"x" * MB))
    equal(call(s, "GET", "/a").status, 200)
    accepted, bound = until(lambda: sizes(phone)[0] > MB and sizes(phone), "a heartbeat proves it")
    check(accepted < MB + 1000 and bound == 0, f"{accepted}, {bound}")
    check(f"up to {accepted} bytes taken" in phone.ctl("status").stdout, phone.ctl("status").stdout)


def test_it_is_tried_again(s):
    """In vain at first, and the next try is twice as far; then Plugboard has
    become another."""
    phone = staged(s, TUNNEL_MESSAGE_RETRY="2s")
    learn(s, phone, 2 * MB)
    refused(s)
    time.sleep(2.1)
    equal(call(s, "GET", "/big").status, 502, "the second try")
    phone.wait_log(r"are not sent for 4 s")
    until(lambda: s.joined() == 1, "it comes back")
    refused(s)
    s.set(max_message=0)
    refused(s)  # nobody said so
    time.sleep(4.1)
    equal(len(call(s, "GET", "/big").body), 2 * MB, "the third try")
    until(lambda: sizes(phone)[1] == 0, "the bound is forgotten")
    for _ in range(3):
        equal(call(s, "GET", "/big").status, 200, "afterwards")
    equal(s.counter("connects"), 3, "connections")


def test_the_configured_bound_is_exact(s):
    """In octets of the message, whatever the body is made of."""
    bound = 20_000
    phone = staged(s, max_message=0, TUNNEL_MESSAGE_MAX=str(bound))
    for name, unit in (("text", b"x"), ("escapes", b"\n"), ("binary", b"\xff"), ("umlauts", "é".encode())):
        per = {"text": 1, "escapes": 2, "binary": 4, "umlauts": 2}[name]
        size = bound * 85 // 100 // per  # neither its digits nor the id's grow any more
        for _ in range(6):  # as long as it may be: found by what the last one lacked
            s.backend.on(f"/{name}", reply(unit * size))
            got = ask(s, path=f"/{name}", request_id=f"{name}-{size:06}")
            equal((got.status, got.body), (200, unit * size), f"{name}, {size}")
            lacks = (bound - len(got.text.encode())) // per
            if lacks == 0:
                break
            size += lacks
        check(bound - per < len(got.text.encode()) <= bound, f"{name}: {len(got.text.encode())}")
        s.backend.on(f"/{name}", reply(unit * (size + 1)))
        got = ask(s, path=f"/{name}", request_id=f"{name}-{size + 1:06}")
        equal((got.status, got.json()["error"]), (502, "tunnel_message_too_large"), name)
    equal((s.counter("connects"), sizes(phone)[1]), (1, 0), "connections")


def test_a_close_without_long_messages_says_nothing(s):
    """A fault of Plugboard's must not stop every answer."""
    phone = staged(s, max_message=0)
    equal(call(s, "GET", "/").status, 200)
    s.fault("close", code=1009, reason="no reason")
    until(lambda: s.counter("connects") == 2 and s.joined() == 1, "it comes back")
    s.backend.on("/a", reply(b"x" * MB))
    equal(call(s, "GET", "/a").status, 200)
    equal(sizes(phone)[1], 0)


def test_a_websocket_s_message_that_is_too_long(s):
    """Ends its own connection with 1009, and no other."""
    def behave(link):
        accept(link)
        link.recv()
        link.send(TEXT, b"x" * 60_000)
        link.recv()
    s.backend = App(behave)
    staged(s, max_message=0, TUNNEL_MESSAGE_MAX="40000")
    ws = connect(s, "/")
    ws.send(TEXT, b"go")
    op, data = ws.recv()
    equal((op, data[:2]), (CLOSE, (1009).to_bytes(2, "big")))
    equal((s.counter("connects"), s.joined()), (1, 1), "connections")


class Abrupt(RawBoard):
    """Closes with 1009 and is gone in the same moment, the rest unread: its
    kernel answers with a reset, behind the close frame."""

    tls = None

    def serve(self, sock):
        try:
            super().serve(self.tls.wrap_socket(sock, server_side=True) if self.tls else sock)
        except OSError:
            sock.close()  # of two addresses the other one won

    def listen(self, sock):
        seen = 0
        while True:
            first, n = self.exactly(sock, 2)
            n &= 0x7F
            n = struct.unpack("!H", self.exactly(sock, 2))[0] if n == 126 else \
                struct.unpack("!Q", self.exactly(sock, 8))[0] if n == 127 else n
            mask = self.exactly(sock, 4)
            data = self.exactly(sock, n)
            seen += n
            if seen > MB:
                sock.sendall(frame(0x88, struct.pack("!H", 1009)))
                return  # serve() closes it
            if first == 0x81:
                self.heard(sock, json.loads(bytes(b ^ mask[i % 4] for i, b in enumerate(data))))

    @staticmethod
    def exactly(sock, n):
        data = b""
        while len(data) < n:
            more = sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def test_a_close_with_a_reset_behind_it(s):
    reset_behind_close(s, Abrupt())


def test_a_close_with_a_reset_behind_it_by_tls(s):
    certs = Certs(s.dir)
    certs.sign("server")
    board = Abrupt()
    board.tls = server_context(certs, "server")
    reset_behind_close(s, board, PLUGBOARD_URL=f"wss://localhost:{board.ports['http']}/telephone/websocket",
                       PLUGBOARD_CA_FILE=certs.pem("ca"))


def reset_behind_close(s, board, **env):
    s.backend = RawBackend()
    s.backend.on("/big", reply(b"x" * 20 * MB))
    board.start(s, **env)
    for number in range(10):  # either may win the race
        board.request(f"big-{number}", path="/big")
        until(lambda: board.answers(f"big-{number}") or len(board.joins) > number + 1, "an answer, or the end")
        if board.answers():
            break
    equal((board.answers()[0]["status"], len(board.joins)), (502, 2), "refused from the second on")
    check("tunnel_message_too_large" in board.answers()[0]["body"], board.answers())
