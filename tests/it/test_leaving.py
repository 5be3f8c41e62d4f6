# SPDX-License-Identifier: MIT
"""Leaving while something is amiss: a close that is never answered, a channel
that waits to be joined again; and whoever reads late what came in time."""
import json, os, signal, sys, threading, time

from harness import check, equal, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile"))
from rawboard import RawBoard

BOUND_S = 2  # of the reply to phx_leave; of the close after it as much


class Mute(RawBoard):
    """Answers phx_leave, and never closes."""

    def heard(self, sock, message):
        if message[3] == "phx_leave":
            join_ref, ref, topic = message[:3]
            self.left = time.monotonic()
            self.reply(sock, [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}}])
        else:
            super().heard(sock, message)

    def listen(self, sock):
        super().listen(sock)  # to the close frame
        until(lambda: self.stopped, "the end of the test", 60)


def test_a_close_that_is_never_answered(s):
    """Nobody waits for it longer than for the leave."""
    board = Mute()
    phone = board.start(s)
    phone.stop()
    took = time.monotonic() - board.left
    check(took < BOUND_S * 1.6, f"it waited {took:.2f} s")


def test_a_leave_that_is_never_answered(s):
    board = RawBoard()
    phone = board.start(s)
    board.silent = True
    phone.stop()
    check([m for m in board.pushed if m[3] == "phx_leave"], "it left")


def events(s, words):
    return [e for e in map(json.loads, s.admin("log?since=0").splitlines()) if words in e.get("text", "")]


def test_a_leave_while_a_join_is_waited_for(s):
    """The channel is gone, the socket is not: it is closed as it should be."""
    phone = s.start()
    for n in range(1, 9):
        s.fault("crash")
        phone.wait_log(r"joining again in", count=n)
        if n < 8:
            phone.wait_log(r"info worker: joined ", count=n + 1)
    check(phone.has_log(r"joining again in 2000 ms"), "it waits for two seconds now")
    begin = time.monotonic()
    phone.stop()
    check(time.monotonic() - begin < 1.9, "it does not wait for the join")
    equal(len(events(s, "closed by the telephone, code 1000")), 1, "closed with 1000")
    equal(s.counter("joins"), 8, "and does not join again")


def test_a_supervisor_that_reads_late(s):
    """It slept through the end of a reload's time; the new worker had joined
    within it, and takes over."""
    phone = s.start(CONNECT_TIMEOUT="2s")
    s.set(join="silent")
    begin, done = time.monotonic(), []
    reload = threading.Thread(target=lambda: done.append(phone.ctl("reload")))
    reload.start()
    until(lambda: s.counter("connects") >= 2, "the new worker is there")
    time.sleep(begin + 24 - time.monotonic())
    phone.signal(signal.SIGSTOP)
    s.set(join="ok")
    until(lambda: s.joined() == 2, "it has joined", 5)
    time.sleep(begin + 31.5 - time.monotonic())
    phone.signal(signal.SIGCONT)
    reload.join(60)
    equal(done[0].returncode, 0, done[0].stdout)
    check("done: the new worker has joined" in done[0].stdout, done[0].stdout)
    until(lambda: s.joined() == 1 and s.call("GET", "/bytes/5").status == 200, "it serves")


test_a_supervisor_that_reads_late.soak = True


def test_a_worker_that_reads_late(s):
    """Its heartbeat was answered in time, while it was paused itself."""
    s.start_board(delay_ms=200)  # so that one is nearly always on its way
    phone = s.start(HEARTBEAT_INTERVAL="250ms", HEARTBEAT_TIMEOUT="1s")
    worker = phone.child("worker")
    for _ in range(4):
        before = s.counter("heartbeats")
        until(lambda: s.counter("heartbeats") > before, "a heartbeat is on its way")
        os.kill(worker, signal.SIGSTOP)
        time.sleep(2)
        os.kill(worker, signal.SIGCONT)
        time.sleep(0.5)
    check(not phone.has_log("ended:"), "nobody was late")
    equal(s.counter("connects"), 1, "connections")
