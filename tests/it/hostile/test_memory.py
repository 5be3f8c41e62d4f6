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
          "BACKEND_RETRIES": "0", "BREAKER_FAILURES": "0", "SHUTDOWN_TIMEOUT": "1s"}


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
