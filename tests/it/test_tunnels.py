# SPDX-License-Identifier: MIT
"""Several tunnels: the loss of one is nobody else's business."""
import concurrent.futures, json, socket, threading, time

from harness import check, equal, until
from hostile.rawboard import RawBoard
from test_token_ctl import give
from tokendkit import made


def start(s, **more):
    phone = s.start(**{"TUNNELS": "2", **more})
    until(lambda: s.joined() == int(phone.env["TUNNELS"]), "all are joined")
    return phone


def refresh_was_asked(s):
    return "refresh_token" in s.admin("log?since=0")


def test_default_is_two(s):
    phone = s.start(TUNNELS=None)
    until(lambda: s.joined() == 2, "both are joined")
    status = phone.status()["worker"]
    equal((status["tunnels"], status["tunnels_joined"]), (2, 2))


def test_who_waits_for_its_turn_lacks_no_token(s):
    phone = s.start(TUNNELS="6")
    while True:
        each = phone.status()["worker"]["tunnel_list"]
        states = {t["state"] for t in each}
        check("no_token" not in states, each)
        check(all(t["retry_ms"] >= 0 for t in each if t["state"] == "waiting"), each)
        if states == {"joined"}:
            break


def test_both_serve(s):
    start(s, TUNNELS="3")
    for _ in range(12):
        equal(s.call("GET", "/bytes/100").status, 200)
    counts = [sock.get("requests", sock.get("proxy_reqs", 1)) for sock in s.state()["sockets"]]
    check(all(counts), f"each had some: {s.state()['sockets']}")


def test_the_loss_of_one(s):
    phone = start(s)
    first = s.state()["sockets"][0]["id"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(s.call, "GET", "/delay/1500") for _ in range(8)]
        until(lambda: s.state()["in_flight"] == 8, "they are in flight")
        s.fault("drop", socket=first)
        answers = [f.result().status for f in slow]
    equal(answers.count(200), 4, f"those of the other tunnel are answered: {answers}")
    check(phone.status()["ready"], "it is ready all the time")
    until(lambda: s.joined() == 2, "both are joined again")
    equal(s.counter("connects"), 3, "the other one did not reconnect")


def test_crash_of_one_channel(s):
    phone = start(s)
    first = s.state()["sockets"][0]["id"]
    s.fault("crash", socket=first)
    phone.wait_log(r"info worker: joined ", count=3)
    equal(s.counter("connects"), 2, "no reconnect")
    for _ in range(4):
        equal(s.call("GET", "/bytes/100").status, 200)


def test_lost_refresh_is_asked_again_on_the_other(s):
    s.start_board(token_ttl=3600, refresh_style="silent")
    phone = start(s, TELEPHONE_TOKEN=s.token(ttl=8, iat=0), CONNECT_TIMEOUT="700ms")
    until(lambda: refresh_was_asked(s), "the first was asked")
    s.set(refresh_style="reply")
    phone.wait_log(r"token refreshed: jti ")
    check(not phone.has_log(r"token refresh failed"), "tokend never heard of the loss")
    equal(s.counter("connects"), 2, "no reconnect")


def answered_late(s, answer):
    """The server has put the token before out of use by then: what it gave instead must not be thrown away."""
    board = RawBoard()
    phone = board.start(s, CONNECT_TIMEOUT="300ms", TOKEN_REFRESH_INTERVAL="1s")
    now = int(time.time())
    new = made(now - 1, now + 7200, "late")

    def late():
        asked = [m[1] for m in board.pushed if m[3] == "refresh_token"]
        if asked and phone.log().count("token refresh failed (timeout)") == len(asked):
            answer(board, asked[-1], {"token": new, "expires_in": 7200})
        return phone.has_log("the answer to a refresh came late")
    until(late, "a late answer that is heard", every=0.2)
    phone.wait_log(r"token refreshed: jti late expires")
    equal(phone.status()["token"]["jti"], "late")


def test_a_refresh_answered_late_by_a_reply(s):
    def answer(board, ref, payload):
        join = board.joins[-1]
        board.frame(0x81, json.dumps([join.join_ref, ref, join.topic, "phx_reply",
                                      {"status": "ok", "response": payload}]).encode())
    answered_late(s, answer)


def test_a_refresh_answered_late_by_a_push(s):
    answered_late(s, lambda board, ref, payload: board.message("refresh_token_ack", payload))


def test_refresh_lost_with_its_socket(s):
    s.start_board(token_ttl=3600, refresh_style="silent")
    phone = start(s, TELEPHONE_TOKEN=s.token(ttl=8, iat=0), CONNECT_TIMEOUT="60s")
    until(lambda: refresh_was_asked(s), "one was asked")
    s.set(refresh_style="reply")
    asked = [e["socket"] for e in map(json.loads, s.admin("log?since=0").splitlines()) if "refresh_token" in e.get("text", "")]
    s.fault("drop", socket=asked[0])  # nobody waits for the minute that an answer may take
    phone.wait_log(r"token refreshed: jti ")
    until(lambda: s.joined() == 2, "both are joined")
    equal(s.counter("rejected_403"), 0, "nobody dialled with the old token")


def test_drain_of_both(s):
    phone = start(s)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(s.call, "GET", "/delay/1000") for _ in range(4)]
        until(lambda: s.state()["in_flight"] == 4, "they are in flight")
        phone.stop()
        equal([f.result().status for f in slow], [200] * 4)
    equal(s.counter("leaves"), 2, "phx_leave")


def log(s):
    return [json.loads(line) for line in s.admin("log?since=0").splitlines()]


def handshakes(s):
    return sorted(e["t"] for e in log(s) if e["what"] == "handshake")


def are_apart(times, count):
    equal(len(times), count, "connections")
    # 500 ms each by the telephone's clock; a slow machine may be late with the first.
    check(times[-1] - times[0] >= 250 * (count - 1), f"apart: {times}")


def test_dialled_apart(s):
    phone = start(s, TUNNELS="4")
    are_apart(handshakes(s), 4)
    check(not phone.has_log("ended:"), "each at the first attempt")


def test_dialled_apart_by_a_token_that_came_late(s):
    phone = s.start(wait="ready", TUNNELS="4", TELEPHONE_TOKEN=None)
    time.sleep(2.5)
    equal(give(phone, s.token()).returncode, 0, "token set")
    until(lambda: s.joined() == 4, "all are joined")
    are_apart(handshakes(s), 4)


def test_dialled_apart_after_a_restart_of_the_server(s):
    start(s, TUNNELS="4", INITIAL_BACKOFF="10ms")
    s.fault("drop")
    until(lambda: len(handshakes(s)) == 8 and s.joined() == 4, "all are joined again")
    are_apart(handshakes(s)[4:], 4)


def test_a_lost_reply_is_asked_for_before_anybody_dials(s):
    """The server has made a new token and put the old one out of use, and the
    reply is lost with its socket: whoever dialled now would be refused."""
    s.start_board(token_ttl=3600, refresh_style="lost")
    phone = start(s, TELEPHONE_TOKEN=s.token(ttl=8, iat=0), CONNECT_TIMEOUT="10s")
    until(lambda: refresh_was_asked(s), "one was asked")
    s.set(refresh_style="reply")
    asked = [e for e in log(s) if e["dir"] == "in" and "refresh_token" in e.get("text", "")]
    equal(len(asked), 1, "asked once")
    s.fault("drop", socket=asked[0]["socket"])
    phone.wait_log(r"token refreshed: jti ")
    until(lambda: s.joined() == 2, "both are joined")
    again = [e for e in log(s) if e["dir"] == "in" and "refresh_token" in e.get("text", "")][1:]
    check(again and again[0]["socket"] != asked[0]["socket"], "asked on the other")
    answered = [e["n"] for e in log(s) if e["dir"] == "out" and e["socket"] == again[0]["socket"] and
                "expires_in" in e.get("text", "") and e["n"] > again[0]["n"]]
    dialled = [e["n"] for e in log(s) if e["what"] == "handshake"][2:]
    check(again[0]["n"] < answered[0] < dialled[0], f"asked {again[0]['n']}, answered {answered}, dialled {dialled}")
    equal(s.counter("rejected_403"), 0, "nobody presented the old one")


def test_a_lost_reply_costs_a_single_tunnel_nothing_but_the_wait(s):
    """There is no other one: it asks again on the same."""
    s.start_board(token_ttl=3600, refresh_style="lost")
    phone = start(s, TUNNELS="1", TELEPHONE_TOKEN=s.token(ttl=20, iat=-9), CONNECT_TIMEOUT="700ms")
    phone.wait_log(r"token refresh failed.*timeout")
    s.set(refresh_style="reply")
    phone.wait_log(r"token refreshed: jti ", seconds=40)
    equal((s.counter("connects"), s.counter("rejected_403")), (1, 0), "connections, refusals")


def test_max_retries_counts_while_nobody_is_joined(s):
    """One that serves keeps the telephone alive, however often the other fails."""
    phone = start(s, MAX_RETRIES="2", INITIAL_BACKOFF="50ms", MAX_BACKOFF="100ms")
    first, second = [x["id"] for x in s.state()["sockets"]]
    s.set(handshake="503")
    s.fault("drop", socket=first)
    phone.wait_log(r"ended: http status 503", count=6)
    equal(s.call("GET", "/bytes/5").status, 200)
    check(not phone.has_log("giving up"), "it goes on")
    s.fault("drop", socket=second)
    phone.wait_exit(69)
    check(phone.has_log("giving up: MAX_RETRIES"), "it says so")


def test_a_lost_request_is_ended_at_the_backend(s):
    """As an application sees it: its connection closes at once."""
    ends = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            conn = listener.accept()[0]
            with conn:
                while b"\r\n\r\n" not in conn.recv(65536, socket.MSG_PEEK):
                    pass
                conn.recv(65536)
                ends.append(None)
                ends.append(conn.recv(1))
        threading.Thread(target=serve, daemon=True).start()
        start(s, BACKEND_PORT=str(listener.getsockname()[1]))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            lost = pool.submit(s.call, "GET", "/never")
            until(lambda: ends, "it is with the application")
            busy = [e["socket"] for e in log(s) if e["dir"] == "out" and "proxy_req" in e.get("text", "")][-1]
            s.fault("drop", socket=busy)
            until(lambda: len(ends) == 2, "its connection ends", 5)
            equal((ends[1], lost.result().status), (b"", 502))
    until(lambda: s.joined() == 2, "both are joined again")
