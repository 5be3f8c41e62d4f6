# SPDX-License-Identifier: MIT
"""After a change of the network nobody waits: SIGUSR2 and telephonectl reconnect."""
import signal

from harness import check, equal, free_port, until

LONG = {"INITIAL_BACKOFF": "60s", "MAX_BACKOFF": "60s"}


def refused(s, **more):
    """A telephone whose next attempt is a minute away; then the server is there."""
    port = free_port()
    s.start_backend()
    s.start_board()  # mints the token; another one with the same secret comes later
    token = s.token()
    s.board.stop()
    phone = s.spawn(s.env(TELEPHONE_TOKEN=token, PLUGBOARD_URL=f"ws://127.0.0.1:{port}/telephone/websocket",
                          **{**LONG, **more}))
    tunnels = int(more.get("TUNNELS", 1))
    phone.wait_log(r"tunnel \d to .* ended: connection refused: .*; next attempt in [4-7]\d\.\d s", count=tunnels)
    s.start_board("--listen", f"127.0.0.1:{port}")
    return phone


def test_what_waits_is_tried_at_once(s):
    phone = refused(s)
    done = phone.ctl("reconnect")
    equal((done.returncode, done.stdout), (0, ""))
    phone.wait_joined()


def test_by_signal(s):
    phone = refused(s, TUNNELS="2")
    phone.signal(signal.SIGUSR2)
    phone.wait_log(r"info worker: joined ", count=2)


def test_an_attempt_under_way_is_begun_anew(s):
    s.start_board(join="silent")
    phone = s.start(wait="ready", CONNECT_TIMEOUT="60s", **LONG)
    until(lambda: s.counter("connects") == 1, "it waits for the join's reply")
    s.set(join="ok")
    phone.ctl("reconnect")
    phone.wait_joined()
    equal(s.counter("connects"), 2, "connections")
    until(lambda: len(s.state()["sockets"]) == 1, "the one before is gone")


def test_one_that_is_joined_is_proved(s):
    phone = s.start(HEARTBEAT_TIMEOUT="1s", **LONG)  # the schedule's first heartbeat is 30 s away
    phone.ctl("reconnect")
    until(lambda: s.counter("heartbeats") == 1, "a heartbeat")
    equal(s.call("GET", "/bytes/5").status, 200)
    check(not phone.has_log("ended:"), "it keeps its connection")
    s.fault("half")
    until(lambda: phone.status()["worker"]["heartbeat_ms"] > 1000, "the last heartbeat is a second old")
    phone.ctl("reconnect")
    phone.wait_log(r"ended: heartbeat", seconds=15)


def test_again_and_again(s):
    """Many in a row neither add connections nor lose the one there is."""
    phone = s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both are joined")
    for _ in range(20):
        phone.signal(signal.SIGUSR2)
        equal(s.call("GET", "/bytes/5").status, 200)
    equal((s.joined(), s.counter("connects")), (2, 2))
