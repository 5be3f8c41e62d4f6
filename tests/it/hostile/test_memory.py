# SPDX-License-Identifier: MIT
"""The worker's ceiling (MEMORY_MAX): whatever Plugboard and the application
do together, its peak stays below, and it serves when they have stopped."""
import threading, time

import harness
from fidelity.raw import CLOSE, HOLD, RawBackend, reply
from harness import LeftOut, check, equal, until
from hostile.rawboard import RawBoard, frame, peak

MIB = 1024 * 1024
BOUNDS = {"MAX_REQUEST_SIZE": "2MiB", "SEND_TIMEOUT": "2m", "HEARTBEAT_INTERVAL": "5m", "REQUEST_TIMEOUT": "5m",
          "BACKEND_RETRIES": "0", "BREAKER_FAILURES": "0", "MAX_SEND_TIME": "10m",
          "SHUTDOWN_TIMEOUT": "1s"}


class Deaf(RawBoard):
    """Reads nothing while deaf is set, and has little room for what comes."""

    def __init__(self):
        super().__init__()
        self.listener.setsockopt(harness.socket.SOL_SOCKET, harness.socket.SO_RCVBUF, 16384)
        self.hears = threading.Event()
        self.hears.set()

    def heard(self, sock, message):
        self.hears.wait(300)
        super().heard(sock, message)


def staged(s, **env):
    if harness.INSTRUMENTED:
        raise LeftOut("this variant's memory says nothing")
    s.backend = RawBackend()
    board = Deaf()
    return board, board.start(s, **{**BOUNDS, **env})


def text(board, request_id, path="/", body="", method="GET"):
    return frame(0x81, board.text("proxy_req", {"request_id": request_id, "method": method, "path": path,
                                                "query_string": "", "headers": {}, "body": body}))


class Writer(threading.Thread):
    """Writes for ever, as far as it is let; counts."""

    def __init__(self, board, make):
        super().__init__(daemon=True)
        self.sock, self.make, self.written, self.enough = board.joins[-1].sock, make, 0, False
        self.start()

    def run(self):
        try:
            while not self.enough:
                batch = self.make()
                self.sock.sendall(batch)
                self.written += 1
        except OSError:
            pass

    def settled(self):
        """It is held up: nothing was taken for a second."""
        def still():
            before = self.written
            time.sleep(1)
            return self.written == before
        until(still, "it is held up", 120)


def test_a_flood_that_reads_no_answer(s):
    """Refusals are small, and there is no end of them: who does not read them
    is not listened to."""
    board, phone = staged(s, MAX_INFLIGHT="4", QUEUE_MAX="0")
    s.backend.on("/hang", HOLD)
    worker = phone.child("worker")
    before = peak(worker)
    board.hears.clear()
    writer = Writer(board, lambda batch=text(board, "flood", "/hang") * 200: batch)
    writer.settled()
    check(writer.written * 200 > 4000, f"only {writer.written * 200} requests were taken")
    grown = peak(worker) - before
    check(grown < 12 * 1024, f"it grew by {grown} KiB, by refusals that nobody reads")
    writer.enough = True
    board.hears.set()
    until(lambda: any(a["status"] == 503 for a in board.answers("flood")), "refusals", 60)
    until(lambda: not writer.is_alive(), "the rest is taken", 60)
    board.request("after")
    equal(board.answer("after", 60)["status"], 503, "answered, with all four places taken")
    equal(phone.child("worker"), worker, "the same worker")
    equal(len(board.joins), 1, "on the same connection")


# --- the ceiling ------------------------------------------------------------------
CEILING = {"MEMORY_MAX": "96MiB", "MAX_INFLIGHT": "400", "QUEUE_MAX": "400", "BACKEND_CONNECTIONS_MAX": "400",
           "REQUEST_MEMORY_MAX": "1GiB"}


def stays_below(phone, worker):
    equal(phone.child("worker"), worker, "the same worker")
    got = peak(worker)
    check(got < 96 * 1024, f"the worker took {got} KiB of 96 MiB")


def metric(port, name):
    body = harness.request(port, "GET", "/metrics").body.decode()
    return int(next(line for line in body.split("\n") if line.startswith(name + " ")).split()[1])


def ends(board, phone, worker):
    """It is alive, nothing is held any more, and it serves."""
    until(lambda: phone.status()["worker"]["memory"] < 64 * 1024, "all is given back", 60)
    stays_below(phone, worker)
    board.request("sound", path="/sound")
    equal(board.answer("sound", 30)["status"], 200)


def test_many_large_answers(s):
    """200 answers of 2 MiB, each of which may stand in memory, to a Plugboard
    that does not read: most are put aside."""
    board, phone = staged(s, **CEILING, RESPONSE_BUFFER="2MiB")
    s.backend.on("/large", reply(b"x" * (2 * MIB)), CLOSE)
    s.backend.on("/sound", reply(b"ok"))
    worker = phone.child("worker")
    board.hears.clear()
    board.write(b"".join(text(board, f"large-{i}", "/large") for i in range(200)))
    until(lambda: len(s.backend.requests) >= 200, "200 at the application", 60)
    until(lambda: phone.status()["worker"]["memory"] > 30 * MIB, "they are held", 60)
    stays_below(phone, worker)
    board.hears.set()
    until(lambda: len({a["request_id"] for a in board.answers()}) == 200, "200 answers", 120)
    check(all(a["status"] == 200 and sum(map(len, a.get("chunks", [a["body"]]))) == 2 * MIB for a in board.answers()),
          "they are whole")
    ends(board, phone, worker)


def test_many_large_requests(s):
    """300 requests of 512 KiB that the application takes its time for: as many
    as fit are let in, the others refused."""
    port = harness.free_port()
    board, phone = staged(s, **CEILING, HEALTH_CHECK_PORT=port)
    go = threading.Event()
    s.backend.on("/slow", lambda connection, asked: go.wait(120), reply(b"ok"), CLOSE)
    s.backend.on("/sound", reply(b"ok"))
    worker = phone.child("worker")
    for i in range(300):
        board.write(text(board, f"large-{i}", "/slow", "y" * (MIB // 2), "POST"))
    full = until(lambda: [a for a in board.answers() if a["status"] == 503], "a refusal", 60)
    check("memory_full" in full[0]["body"] and full[0]["headers"]["retry-after"] == "1", full[0])
    until(lambda: len(board.answers()) + phone.status()["worker"]["in_flight"] >= 300, "all were judged", 60)
    stays_below(phone, worker)
    check(metric(port, "telephone_memory_refused_total") == len(board.answers()), "refusals are counted")
    equal(metric(port, "telephone_memory_max_bytes"), 96 * MIB)
    check(metric(port, "telephone_memory_bytes") > 30 * MIB, "what is held is told")
    equal(phone.status()["worker"]["memory_max"], 96 * MIB, "status")
    go.set()
    until(lambda: len(board.answers()) == 300, "300 answers", 60)
    check(sum(a["status"] == 200 for a in board.answers()) >= 40, "too few were let in")
    ends(board, phone, worker)


def test_a_hundred_slow_drips(s):
    """Heads and bodies that grow by the octet, and never end in time."""
    board, phone = staged(s, **{**CEILING, "REQUEST_TIMEOUT": "6s", "RESPONSE_BUFFER": "2MiB"})

    def drip(connection, asked):
        for i in range(50):
            connection.send(b"x-%d: " % i + b"v" * 2000 + b"\r\n")
            time.sleep(0.02)
        connection.send(b"\r\n")
        while True:
            connection.send(b"z" * 40000)
            time.sleep(0.02)
    s.backend.on("/drip", b"HTTP/1.1 200 OK\r\n", drip)
    s.backend.on("/sound", reply(b"ok"))
    worker = phone.child("worker")
    board.write(b"".join(text(board, f"drip-{i}", "/drip") for i in range(100)))
    until(lambda: len(board.answers()) == 100, "100 answers", 60)
    check(all(a["status"] in (502, 503, 504) for a in board.answers()), "an unfinished answer was passed on")
    ends(board, phone, worker)


def test_websockets_that_never_end_a_message(s):
    """120 applications send 1 MiB each of a message without its end."""
    from wskit import App, CONT, TEXT, accept, connect
    if harness.INSTRUMENTED:
        raise LeftOut("this variant's memory says nothing")

    go = threading.Event()

    def behave(link):
        accept(link)
        go.wait(120)
        link.send(TEXT, b"", fin=False)
        for _ in range(250):
            link.send(CONT, b"x" * 4000, fin=False)
        link.recv()
    s.backend = App(behave)
    phone = s.start(MEMORY_MAX="96MiB", MAX_REQUEST_SIZE="2MiB", WS_MAX_SESSIONS="200")
    worker = phone.child("worker")
    opened = [connect(s, "/x") for _ in range(120)]
    go.set()
    phone.wait_log(r"WebSocket .*: what telephone holds has reached MEMORY_MAX \(1013\)", 60)
    time.sleep(2)  # until the others have said what they have to say
    stays_below(phone, worker)
    for ws in opened:
        ws.end()
    until(lambda: phone.status()["worker"]["memory"] < 256 * 1024, "all is given back", 60)
    stays_below(phone, worker)


def connects(s, total):
    """So many ws_connects: every one answered, the worker as large as before."""
    board = RawBoard()
    ids = iter(range(1, total + 1))
    phone = board.start(s, WS_MAX_SESSIONS="16", MAX_REQUEST_SIZE="2MiB", MEMORY_MAX="64MiB", BACKEND_PORT="1",
                        HEARTBEAT_INTERVAL="10m", SEND_TIMEOUT="2m")  # whose answers would come amid what is written
    worker = phone.child("worker")
    head, tail = board.text("ws_connect", {"connection_id": "@", "path": "/x", "query_string": "", "headers": {}}).split(b"@")
    answered, refused, last = 0, 0, time.monotonic()

    def batch():
        return b"".join(frame(0x81, head + b"%d" % i + tail) for _, i in zip(range(500), ids))

    begin = time.monotonic()
    writer = Writer(board, lambda: batch() or stop())

    def stop():
        writer.enough = True
        return b""
    while answered < total:
        before = answered
        time.sleep(0.2)
        with board.lock:
            events, board.pushed = board.pushed, []
        answered += sum(m[3] == "ws_error" for m in events)
        refused += sum(m[3] == "ws_error" and "WS_MAX_SESSIONS" in m[4]["reason"] for m in events)
        if answered > before:
            last = time.monotonic()
        check(time.monotonic() - last < 60, lambda: f"{answered} of {total} were answered, then no more")
    equal(answered, total, "answers")
    equal((phone.child("worker"), len(board.joins)), (worker, 1), "the same worker, the same connection")
    got = peak(worker)
    check(harness.INSTRUMENTED or got < 32 * 1024, f"the worker took {got} KiB")
    print(f"     {total} ws_connects in {time.monotonic() - begin:.0f} s, {refused} at WS_MAX_SESSIONS, "
          f"the worker's peak {got} KiB", flush=True)


def test_many_connects(s):
    connects(s, 20_000)


def test_a_million_connects(s):
    connects(s, 1_000_000)


test_a_million_connects.soak = True
