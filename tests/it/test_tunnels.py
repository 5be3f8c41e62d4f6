# SPDX-License-Identifier: MIT
"""Several tunnels: the loss of one is nobody else's business."""
import concurrent.futures, time

from harness import check, equal, until


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


def test_refresh_lost_with_its_socket(s):
    s.start_board(token_ttl=3600, refresh_style="silent")
    phone = start(s, TELEPHONE_TOKEN=s.token(ttl=8, iat=0), CONNECT_TIMEOUT="10s")
    until(lambda: refresh_was_asked(s), "one was asked")
    s.set(refresh_style="reply")
    for sock in s.state()["sockets"]:
        s.fault("drop", socket=sock["id"])
        time.sleep(0.05)
        break
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
