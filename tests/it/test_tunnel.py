# SPDX-License-Identifier: MIT
"""The tunnel: it comes up, stays up, and comes back."""
import os, signal, subprocess, time

import harness
from harness import check, equal, free_port, until


def serves(s):
    return s.call("GET", "/bytes/5").status == 200


def test_start_and_join(s):
    phone = s.start()
    equal(s.joined(), 1, "sockets joined")
    check(serves(s), "it serves")
    status = phone.status()
    equal((status["ready"], status["worker"]["tunnel"]), (True, "joined"))
    equal(phone.ctl("status").returncode, 0)


def test_plugboard_comes_later(s):
    port = free_port()
    s.start_backend()
    s.start_board()  # mints the token; another one with the same secret comes later
    token = s.token()
    s.board.stop()
    phone = s.spawn(s.env(TELEPHONE_TOKEN=token, PLUGBOARD_URL=f"ws://127.0.0.1:{port}/telephone/websocket"))
    phone.wait_log(r"tunnel 1 to ws://127.0.0.1:\d+/\S* ended: connection refused: .*; next attempt in", count=3)
    equal(phone.status()["ready"], False)
    equal(phone.ctl("status").returncode, 1)
    s.start_board("--listen", f"127.0.0.1:{port}")
    phone.wait_joined()
    check(serves(s), "it serves")


def test_channel_crash_is_rejoined_on_the_same_socket(s):
    phone = s.start()
    for n in range(1, 4):
        s.fault("crash")
        phone.wait_log(r"ended by the server \(phx_error\), joining again", count=n)
        phone.wait_log(r"info worker: joined ", count=n + 1)
        check(serves(s), f"it serves after crash {n}")
    equal(s.counter("connects"), 1, "connections")
    equal(phone.status()["worker"]["rejoins"], 3)


def test_phx_close_is_rejoined(s):
    phone = s.start()
    s.fault("phx_close")
    phone.wait_log(r"ended by the server \(phx_close\), joining again")
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")
    equal(s.counter("connects"), 1, "connections")


def test_every_end_is_followed_by_a_beginning(s):
    phone = s.start()
    joins = 1
    for kind, more, words in (("drop", {}, "connection lost"), ("rst", {}, "connection lost"),
                              ("close", {"code": 1001}, "closed 1001"), ("close", {"code": 1011}, "closed 1011")):
        s.fault(kind, **more)
        joins += 1
        phone.wait_log(rf"ended: {words}")
        phone.wait_log(r"info worker: joined ", count=joins)
        check(serves(s), f"it serves after {kind}")
    equal(s.joined(), 1, "sockets joined")


def test_heartbeat(s):
    phone = s.start(HEARTBEAT_INTERVAL="200ms", HEARTBEAT_TIMEOUT="1s")
    until(lambda: s.counter("heartbeats") >= 5, "heartbeats")
    equal(s.counter("connects"), 1, "connections")
    s.set(ack="off")
    phone.wait_log(r"ended: heartbeat unanswered")
    s.set(ack="on")
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")


def test_half_open_is_found(s):
    phone = s.start(HEARTBEAT_INTERVAL="300ms", HEARTBEAT_TIMEOUT="1s")
    s.set(request_timeout_ms=500, heartbeat_timeout_ms=2000)
    s.fault("half")
    phone.wait_log(r"ended: heartbeat unanswered")
    phone.wait_log(r"info worker: joined ", count=2)
    # Plugboard still gives the dead socket its share until it notices, too.
    until(lambda: serves(s) and serves(s), "it serves")


def test_a_server_that_stops_reading(s):
    phone = s.start(HEARTBEAT_INTERVAL="300ms", HEARTBEAT_TIMEOUT="1s")
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(s.call, "GET", "/bytes/20000000") for _ in range(4)]
        s.set(request_timeout_ms=1000, heartbeat_timeout_ms=2000)
        s.fault("stall")
        phone.wait_log(r"ended: heartbeat unanswered")
        phone.wait_log(r"info worker: joined ", count=2)
        for f in slow:
            f.result()
    until(lambda: serves(s) and serves(s), "it serves")


def test_retry_after(s):
    s.start_board(handshake="503", retry_after=3)
    phone = s.start(wait=None)
    phone.wait_log(r"ended: http status 503; next attempt in 3\.\d s")
    s.set(handshake="ok")
    phone.wait_joined()


def test_join_unanswered(s):
    s.start_board(join="silent")
    phone = s.start(wait=None, CONNECT_TIMEOUT="500ms")
    phone.wait_log(r"ended: join unanswered")
    s.set(join="ok")
    phone.wait_joined()


def test_join_refused(s):
    s.start_board(join="mismatch")
    phone = s.start(wait=None)
    phone.wait_log(r"ended: join refused: path_id_mismatch")
    s.set(join="ok")
    phone.wait_joined()


def test_handshake_answers(s):
    s.start_board()
    for answer, words in (("404", "http status 404"), ("500", "http status 500"), ("503", "http status 503"),
                          ("429", "http status 429"), ("silent", "timeout")):
        s.set(handshake=answer)
        phone = s.start(wait=None, CONNECT_TIMEOUT="500ms", CONTROL_SOCKET=f"{s.dir}/{answer}.sock",
                        TOKEN_DB_PATH=f"{s.dir}/{answer}.db")
        phone.wait_log(rf"ended: {words}")
        s.set(handshake="ok")
        phone.wait_joined()
        phone.stop()


def test_403_stays_up(s):
    s.start_board(handshake="403")
    phone = s.start(wait=None)
    phone.wait_log(r"plugboard refused the token \S+ \(403\): there is no other")
    phone.wait_log(r"plugboard refused every token: give a new one")
    status = phone.status()
    equal((status["ready"], status["token"]["state"], status["worker"]["last_end"]),
          (False, "refused", "token refused"))
    s.set(handshake="ok")
    phone.wait_joined()  # slowly, but it does


def test_name_is_resolved(s):
    s.start_board()
    port = s.board.ports["http"]
    phone = s.start(PLUGBOARD_URL=f"ws://localhost:{port}/telephone/websocket", BACKEND_HOST="localhost")
    check(serves(s), "it serves")
    phone.stop()
    other = s.start(wait=None, PLUGBOARD_URL="ws://no-such-name.invalid/", CONTROL_SOCKET=f"{s.dir}/2.sock",
                    TOKEN_DB_PATH=f"{s.dir}/2.db", CONNECT_TIMEOUT="3s")
    other.wait_log(r"ended: (name not resolved|timeout)", seconds=30)


def test_max_retries(s):
    s.start_board()
    token = s.token()
    phone = s.spawn(s.env(TELEPHONE_TOKEN=token, MAX_RETRIES="2", INITIAL_BACKOFF="10ms", MAX_BACKOFF="20ms",
                          PLUGBOARD_URL=f"ws://127.0.0.1:{free_port()}/"))
    phone.wait_exit(69)
    check(phone.has_log("giving up: MAX_RETRIES"), "it says so")


def certificate(directory, name):
    cert, key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def test_unknown_ca(s):
    cert, key = certificate(s.dir, "localhost")
    s.start_board("--tls", "127.0.0.1:0", "--cert", cert, "--key", key)
    phone = s.start(wait=None, PLUGBOARD_URL=f"wss://localhost:{s.board.ports['tls']}/telephone/websocket")
    phone.wait_log(r"ended: tls failed: unknown ca: self.signed certificate")


def test_no_tls_there(s):
    s.start_board()
    phone = s.start(wait=None, PLUGBOARD_URL=f"wss://localhost:{s.board.ports['http']}/telephone/websocket")
    # libwebsockets 4.3 tells nobody that what came is no TLS, and waits on.
    deaf = harness.libwebsockets(s) >= 19
    phone.wait_log(r"ended: timeout: no answer to the TLS handshake" if deaf else r"ended: tls failed: ")


def test_drain_answers_what_is_in_flight(s):
    import concurrent.futures
    phone = s.start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(s.call, "GET", "/delay/1500")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is in flight")
        phone.signal(signal.SIGTERM)
        answer = slow.result()
    equal((answer.status, answer.body), (200, b"slept 1500 ms\n"))
    phone.wait_exit(0)
    equal(s.counter("leaves"), 1, "phx_leave")


def test_shutdown_timeout(s):
    import concurrent.futures
    phone = s.start(SHUTDOWN_TIMEOUT="300ms")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(s.call, "GET", "/delay/20000")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is in flight")
        begin = time.monotonic()
        phone.stop()
        check(time.monotonic() - begin < 10, "it does not wait for ever")
        equal(slow.result().status, 502)
    check(phone.has_log(r"drained: 0 requests finished, 1 abandoned"), "it says so")
