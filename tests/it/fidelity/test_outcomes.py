# SPDX-License-Identifier: MIT
"""Outcomes: each bound with its own error, what is tried again and what never,
what a circuit breaker does, and backends of every kind."""
import concurrent.futures, json, os, re, socket, threading, time, urllib.request

from fidelity.raw import CLOSE, HOLD, RESET, RawBackend, Sleep, answers, ask, call, chunked, push, reply
import harness
from harness import check, equal, free_port, until

OK = reply(b"ok")


def without_body_for_head(answer):
    """A script that sends this answer, and its head alone to a HEAD."""
    head = answer[:answer.index(b"\r\n\r\n") + 4]
    return lambda connection, request: connection.send(head if request.method == b"HEAD" else answer)


def error_of(answer):
    return answer.status, answer.json()["error"]


def metrics(phone):
    port = phone.env["HEALTH_CHECK_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as r:
        lines = [line for line in r.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def metric(phone, name):
    return metrics(phone)[name]


def ended(phone, outcome):
    """Requests that ended so, of all methods."""
    return sum(v for k, v in metrics(phone).items()
               if k.startswith("telephone_requests_total{") and f'outcome="{outcome}"' in k)


def start(s, *script, **more):
    s.backend = s.backend or RawBackend(*(script or (OK,)))
    return s.start(HEALTH_CHECK_PORT=free_port(), **more)


class Deaf:
    """Listens, and never accepts: the kernel's queue is full, so that a
    connect gets no answer."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.ports = {"http": self.listener.getsockname()[1]}
        self.fill = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.ports["http"]))
            self.fill.append(one)

    def stop(self):
        for one in (*self.fill, self.listener):
            one.close()


# --- time (RFC 9110 §15.6.5) ----------------------------------------------------
def test_connect_timeout(s):
    s.backend = Deaf()
    phone = start(s, BACKEND_CONNECT_TIMEOUT="300ms", BACKEND_RETRIES=0)
    equal(error_of(call(s, "GET", "/")), (504, "backend_connect_timeout"))
    phone.wait_log(r"request \S+: backend_connect_timeout: ")


def test_connect_timeout_is_that_of_the_tunnel_by_default(s):
    s.backend = Deaf()
    start(s, CONNECT_TIMEOUT="1s", BACKEND_RETRIES=0)
    equal(error_of(call(s, "GET", "/")), (504, "backend_connect_timeout"))


def test_first_byte_timeout(s):
    start(s, HOLD, BACKEND_FIRST_BYTE_TIMEOUT="300ms", BACKEND_RETRIES=0)
    equal(error_of(call(s, "GET", "/")), (504, "backend_first_byte_timeout"))
    s.backend.on("/slow", Sleep(0.05), OK)
    equal(call(s, "GET", "/slow").body, b"ok", "one in time")
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    s.backend.on("/hints", Sleep(0.2), early, Sleep(0.2), early, Sleep(0.2), OK)
    equal(call(s, "GET", "/hints").body, b"ok", "each interim answer begins it anew")
    s.backend.on("/early", early, HOLD)
    equal(error_of(call(s, "GET", "/early")), (504, "backend_first_byte_timeout"))


def test_idle_timeout(s):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"
    start(s, head, b"ab", HOLD, BACKEND_IDLE_TIMEOUT="1500ms")
    equal(error_of(call(s, "GET", "/")), (504, "backend_idle_timeout"))
    s.backend.on("/head", b"HTTP/1.1 200 OK\r\ncontent-", HOLD)
    equal(error_of(call(s, "GET", "/head")), (504, "backend_idle_timeout"), "inside the head")
    s.backend.on("/slow", head, *(step for i in range(8) for step in (Sleep(0.25), b"x")))
    equal(call(s, "GET", "/slow").body, b"x" * 8, "2 s in all, and never 1.5 s without a byte")
    s.backend.on("/late", Sleep(2), OK)
    equal(call(s, "GET", "/late").body, b"ok", "the time before the first byte is another bound")


def test_request_timeout(s):
    phone = start(s, HOLD, REQUEST_TIMEOUT="500ms")
    equal(error_of(call(s, "GET", "/")), (504, "request_timeout"))
    s.backend.on("/body", b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n", HOLD)
    answer = call(s, "GET", "/body")
    equal(error_of(answer), (504, "backend_unfinished"))
    check("cannot stream" in answer.json()["reason"], f"the reason: {answer.body!r}")
    equal(ended(phone, "timeout"), 2)
    equal(phone.status()["worker"]["in_flight"], 0)


def test_request_timeout_counts_retries(s):
    start(s, Sleep(0.25), reply(b"no", "503 No"), REQUEST_TIMEOUT="600ms", BACKEND_RETRIES=5)
    begin = time.monotonic()
    answer = call(s, "GET", "/")
    check(time.monotonic() - begin < 5, "it ends")
    check(answer.status in (503, 504), f"status {answer.status}")
    check(len(s.backend.requests) <= 3, f"{len(s.backend.requests)} tries in 600 ms")
    time.sleep(0.8)
    check(len(s.backend.requests) <= 3, "and none afterwards")


def test_request_expires_behind_a_stalled_tunnel(s):
    phone = start(s, REQUEST_TTL="1s", SEND_TIMEOUT="60s", MAX_SEND_TIME="60s")
    s.backend.on("/long", reply(b"x" * 20_000_000))
    s.fault("stall")
    first = push(s, path="/long")
    until(lambda: s.backend.of("/long"), "the long one is asked for")
    time.sleep(0.3)
    second = push(s, path="/short")
    until(lambda: s.backend.of("/short"), "the short one is asked for")
    time.sleep(1.5)
    s.fault("resume")
    text = until(lambda: answers(s, second), "an answer", 60)
    check("request_expired" in text[0], text[0][:300])
    until(lambda: phone.status()["worker"]["in_flight"] == 0, f"{first} is over", 60)


# --- errors ---------------------------------------------------------------------
def test_error_bodies(s):
    """Short JSON, a stable code, the request_id; nothing of ours."""
    port = free_port()
    phone = s.start(BACKEND_PORT=port, BACKEND_RETRIES=0)
    res = ask(s, path="/secret/path", query_string="token=t0k3n")
    document = res.json()
    equal(sorted(document), ["error", "reason", "request_id"])
    equal((res.status, document["error"]), (502, "backend_unreachable"))
    check(document["request_id"].startswith("raw-"), document)
    check(len(res.body) < 300, "it is short")
    for leak in (str(port), "127.0.0.1", "curl", "secret", "t0k3n", "Connection refused"):
        check(leak not in res.text.replace(document["request_id"], ""), f"{leak} is in {res.text}")
    equal((res.headers["content-type"], res.headers["cache-control"]), ("application/json", "no-store"))
    phone.wait_log(r"backend_unreachable: .*\(.*%d" % port)
    check("t0k3n" not in phone.log(), "a query string is in the log")


def test_malformed_requests(s):
    """400, and the field is named; nothing reaches the application."""
    start(s)
    for members, field in (
            ({"method": None}, "method"), ({"method": 5}, "method"), ({"method": ""}, "method"),
            ({"method": "a b"}, "method"), ({"method": "TRACE"}, "method"), ({"method": "X" * 99}, "method"),
            ({"path": None}, "path"), ({"path": ["/"]}, "path"), ({"query_string": 1}, "query_string"),
            ({"body": None}, "body"), ({"body": {"a": 1}}, "body"), ({"headers": None}, "headers"),
            ({"headers": []}, "headers"), ({"headers": {"a": 1}}, "header"), ({"headers": {"a b": "c"}}, "header"),
            ({"headers": {"a": "b\r\nc: d"}}, "header")):
        res = ask(s, **members)
        equal((res.status, res.json()["error"]), (400, "bad_request"), members)
        check(field in res.json()["reason"], f"{members}: {res.json()['reason']}")
    equal(len(s.backend.requests), 0, "requests at the application")
    equal(ask(s).body, b"ok", "and it still serves")


def test_a_request_id_that_comes_twice(s):
    """Each proxy_req is a request of its own, answered once; Plugboard takes
    the first answer (protocol.md §4)."""
    phone = start(s)
    s.backend.on("/slow", Sleep(0.7), reply(b"slow"))
    s.backend.on("/fast", reply(b"fast"))
    push(s, request_id="twice", path="/slow")
    push(s, request_id="twice", path="/fast")
    texts = until(lambda: len(answers(s, "twice")) == 2 and answers(s, "twice"), "two answers")
    check("fast" in texts[0] and "slow" in texts[1], texts)
    push(s, request_id="twice", path="/fast")
    until(lambda: len(answers(s, "twice")) == 3, "the id may be used again")
    equal(phone.status()["worker"]["in_flight"], 0)


# --- retries (RFC 9110 §9.2.2) --------------------------------------------------
SAFE, UNSAFE = ("GET", "HEAD", "OPTIONS", "PUT"), ("POST", "PATCH", "DELETE", "PROPFIND")


def test_retries_on_5xx(s):
    phone = start(s, without_body_for_head(reply(b"down", "503 Down", "X-A: 1")))
    for method in SAFE:
        before = len(s.backend.requests)
        res = ask(s, method=method, body="body" if method == "PUT" else "")
        equal(res.status, 503, method)
        equal(res.body, b"" if method == "HEAD" else b"down", f"{method}: the last answer, as it is")
        equal(res.headers["x-a"], "1")
        tries = s.backend.requests[before:]
        equal(len(tries), 3, method)
        equal(len({t.raw for t in tries}), 1, "each try is the same")
        first, second = tries[1].at - tries[0].at, tries[2].at - tries[1].at
        check(first > 0.09 and second > 0.19, f"after 100 and 200 ms: {first:.3f}, {second:.3f}")
    equal(metric(phone, "telephone_backend_retries_total"), 8)
    for method in UNSAFE:
        before = len(s.backend.requests)
        equal(ask(s, method=method, body="b").status, 503, method)
        equal(len(s.backend.requests) - before, 1, method)
    equal(metric(phone, "telephone_backend_retries_total"), 8)


def test_retries_on_a_cut(s):
    start(s, CLOSE, BREAKER_FAILURES=0)
    for step in (CLOSE, RESET):
        s.backend.on("*", step)
        for method in (*SAFE, *UNSAFE):
            before = len(s.backend.requests)
            res = ask(s, method=method)
            equal((res.status, res.json()["error"]), (502, "backend_cut"), method)
            equal(len(s.backend.requests) - before, 3 if method in SAFE else 1, method)


def test_retries_succeed(s):
    start(s)
    left = [2]

    def answer(connection, request):
        left[0] -= 1
        if left[0] >= 0:
            connection.reset()
        else:
            connection.send(reply(request.body))
    s.backend.on("*", answer)
    res = ask(s, method="PUT", body="x" * 20_000)
    equal((res.status, res.body), (200, b"x" * 20_000))
    equal(len(s.backend.requests), 3)


def test_no_retry_once_an_answer_has_begun(s):
    start(s, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", CLOSE)
    equal(ask(s).status, 502)
    s.backend.on("*", b"HTTP/1.1 200 OK\r\n", Sleep(0.3), RESET)  # which could overtake it
    equal(ask(s).status, 502)
    equal(len(s.backend.requests), 2)


def test_retry_settings(s):
    start(s, reply(b"", "503 Down"), BACKEND_RETRY_ON="502,cut")
    equal((ask(s).status, len(s.backend.requests)), (503, 1), "503 is not named")
    s.backend.on("*", reply(b"", "502 Bad"))
    equal((ask(s).status, len(s.backend.requests)), (502, 4), "502 is")


def test_retries_turned_off(s):
    start(s, reply(b"", "503 Down"), BACKEND_RETRIES=0)
    equal((ask(s).status, len(s.backend.requests)), (503, 1))
    s.backend.on("*", CLOSE)
    equal((ask(s).status, len(s.backend.requests)), (502, 2), "not even on a kept connection")


def test_an_answer_that_is_discarded_may_be_endless(s):
    """A 503 that does not end holds no retry up."""
    start(s)
    left = [1]

    def answer(connection, request):
        left[0] -= 1
        if left[0] >= 0:
            connection.send(b"HTTP/1.1 503 Down\r\ncontent-length: 99\r\n\r\nab")
            connection.rest()
        else:
            connection.send(OK)
    s.backend.on("*", answer)
    equal(ask(s).body, b"ok")


def test_dead_connections_and_unsafe_methods(s):
    """The application closes a kept connection as the next request arrives:
    what may be repeated is, anything else is sent once (RFC 9112 §9.3.1)."""
    phone = start(s)
    for method in (*UNSAFE, *SAFE):
        s.backend.on("*", OK)
        ask(s, method="GET")  # a connection to keep
        seen = len(s.backend.requests)

        def once(connection, request):
            s.backend.on("*", without_body_for_head(OK))
            connection.sock.shutdown(socket.SHUT_RDWR)
        s.backend.on("*", once)
        begin, connections = time.monotonic(), s.backend.connections
        res = ask(s, method=method, body="b")
        tries = s.backend.requests[seen:]
        equal(tries[0].connection <= connections, True, f"{method}: it met a kept connection")
        if method in SAFE:
            equal((res.status, len(tries)), (200, 2), method)
        else:
            equal((res.status, res.json()["error"], len(tries)), (502, "backend_cut", 1), method)
    equal(metric(phone, "telephone_backend_retries_total"), len(SAFE))


def test_a_connection_known_to_be_dead_is_not_used(s):
    """Closed while it was idle: a POST takes another, and nobody notices."""
    start(s)
    for _ in range(5):
        s.backend.on("*", OK, CLOSE)
        equal(ask(s, method="GET").status, 200)
        time.sleep(0.1)
        s.backend.on("*", OK)
        equal(ask(s, method="POST", body="b").status, 200)
    equal(len(s.backend.requests), 10)


def test_old_connections_are_not_for_unsafe_methods(s):
    start(s)
    equal(ask(s, method="GET").status, 200)
    equal(ask(s, method="POST").status, 200)
    equal(s.backend.connections, 1, "a young one is shared")
    time.sleep(2.5)
    equal(ask(s, method="POST").status, 200)
    equal(s.backend.connections, 2, "an old one is not")


# --- the circuit breaker --------------------------------------------------------
def breaker_of(phone):
    return metric(phone, "telephone_breaker_state"), phone.status()["worker"]["breaker"]


def test_breaker(s):
    phone = start(s, CLOSE, BACKEND_RETRIES=0, BREAKER_FAILURES=3, BREAKER_OPEN_TIME="1s")
    equal(breaker_of(phone), (0, "closed"))
    for _ in range(3):
        equal(error_of(call(s, "GET", "/")), (502, "backend_cut"))
    equal(breaker_of(phone), (1, "open"))
    phone.wait_log(r"warn worker: circuit breaker: open: 3 tries in a row")
    answer = call(s, "GET", "/")
    equal(error_of(answer), (503, "breaker_open"))
    equal(answer.one("retry-after"), b"1")
    equal(len(s.backend.requests), 3, "the application is left alone")
    time.sleep(1.1)
    equal(error_of(call(s, "GET", "/")), (502, "backend_cut"), "the probe fails")
    phone.wait_log(r"circuit breaker: half-open")
    equal(error_of(call(s, "GET", "/")), (503, "breaker_open"))
    time.sleep(1.1)
    s.backend.on("*", Sleep(0.5), reply(b"up", "500 Up"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        got = sorted(error_of(a) if a.status == 503 else (a.status, a.body)
                     for a in pool.map(lambda _: call(s, "GET", "/"), range(4)))
    equal(got, [(500, b"up")] + [(503, "breaker_open")] * 3, "one probe")
    equal(breaker_of(phone), (0, "closed"), "any answer closes it")
    phone.wait_log(r"circuit breaker: closed")
    equal(metric(phone, "telephone_breaker_opened_total"), 2)
    check("backend      health not asked, breaker closed\n" in phone.ctl("status").stdout, "status shows it to people, too")


def test_breaker_stops_retries(s):
    start(s, CLOSE, BREAKER_FAILURES=2, BREAKER_OPEN_TIME="30s")
    equal(ask(s).status, 502)
    equal(len(s.backend.requests), 2, "the third try is not made")


# --- load -----------------------------------------------------------------------
def test_queue(s):
    phone = start(s, Sleep(0.4), OK, MAX_INFLIGHT=1, QUEUE_MAX=2, QUEUE_TIMEOUT="10s")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: call(s, "GET", f"/{i}"), range(8)))
    check(sum(a.status == 200 for a in got) >= 3, [a.status for a in got])
    refused = [a for a in got if a.status != 200]
    check(refused, "some were refused")
    for a in refused:
        equal((error_of(a), a.one("retry-after")), ((503, "overloaded"), b"1"))
    equal(metric(phone, "telephone_requests_waiting"), 0)
    check(1 <= len(re_lines(phone, " warn .*overloaded")) <= len(refused), "logged, not each of them")


def test_queue_bounds_are_exact(s):
    phone = start(s, HOLD, MAX_INFLIGHT=2, QUEUE_MAX=3, QUEUE_TIMEOUT="10m", REQUEST_TIMEOUT="10m", REQUEST_TTL="15m")
    for _ in range(5):
        push(s)
    until(lambda: phone.status()["worker"]["in_flight"] == 5, "five are in")
    equal(error_of_res(ask(s)), (503, "overloaded"), "the sixth")
    time.sleep(0.3)
    equal((len(s.backend.requests), metric(phone, "telephone_requests_waiting")), (2, 3))
    told = phone.status()["worker"]
    equal((told["in_flight_max"], told["waiting"], told["backend"]), (2, 3, "not asked"), "status")
    s.fault("error")
    until(lambda: phone.status()["worker"]["in_flight"] == 0, "they end with their join")


def error_of_res(res):
    return res.status, res.json()["error"]


def re_lines(phone, word):
    return [line for line in phone.log().splitlines() if re.search(word, line)]


def test_queue_timeout(s):
    phone = start(s, Sleep(1.5), OK, MAX_INFLIGHT=1, QUEUE_TIMEOUT="200ms")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(call, s, "GET", "/")
        until(lambda: s.backend.requests, "the first one is there")
        equal(error_of(call(s, "GET", "/")), (503, "queue_timeout"))
        equal(first.result().status, 200)
    equal(metric(phone, "telephone_requests_waiting"), 0)
    equal(len(s.backend.requests), 1)


def test_queue_keeps_the_order(s):
    start(s, Sleep(0.05), OK, MAX_INFLIGHT=1, QUEUE_MAX=20)
    ids = [push(s, path=f"/{i}") for i in range(15)]
    until(lambda: all(answers(s, i) for i in ids), "all are answered")
    equal([r.target for r in s.backend.requests], [b"/%d" % i for i in range(15)])


def test_a_join_that_ends_cancels_its_calls(s):
    """phx_error: nobody waits for an answer any more, so the application is
    told by the end of its connection; another join's requests go on."""
    start(s, TUNNELS=2)
    until(lambda: s.joined() == 2, "both tunnels")
    ended = []

    def hang(connection, request):
        connection.rest()
        ended.append(connection.number)
    s.backend.on("/hang", hang)
    request_id = push(s, path="/hang")  # on both
    until(lambda: len(s.backend.of("/hang")) == 2, "they are at the application")
    s.fault("error", socket=s.state()["sockets"][0]["id"])
    until(lambda: ended, "one connection is ended")
    equal(call(s, "GET", "/").status, 200, "and it serves")
    equal((len(ended), answers(s, request_id)), (1, []), "of the other join nothing is cancelled, and none is answered")
    s.fault("error")
    until(lambda: len(ended) == 2, "the other one")


def test_a_lost_tunnel_empties_the_queue(s):
    phone = start(s, HOLD, MAX_INFLIGHT=1, QUEUE_MAX=20)
    for i in range(5):
        push(s, path=f"/{i}")
    until(lambda: phone.status()["worker"]["in_flight"] == 5, "they are in flight")
    equal(metric(phone, "telephone_requests_waiting"), 4)
    s.fault("error")
    until(lambda: phone.status()["worker"]["in_flight"] == 0, "phx_error ends them all")
    equal(metric(phone, "telephone_requests_waiting"), 0)
    equal(ended(phone, "lost"), 5)
    s.backend.on("*", OK)
    until(lambda: call(s, "GET", "/").status == 200, "and it serves again")


def test_request_memory(s):
    phone = start(s, HOLD, REQUEST_MEMORY_MAX="64KiB")
    one = push(s, method="POST", body="x" * 100_000)
    until(lambda: s.backend.requests, "alone, a larger one is taken")
    res = ask(s, method="POST", body="y")
    equal((res.status, res.json()["error"]), (503, "request_memory"))
    s.backend.on("*", OK)
    equal(ask(s, method="GET").status, 200, "no body, no bound")
    s.fault("error")
    until(lambda: phone.status()["worker"]["in_flight"] == 0, f"{one} is over")
    s.backend.on("/hang", HOLD)
    push(s, method="POST", path="/hang", body="x" * 40_000)
    until(lambda: s.backend.of("/hang"), "one that leaves room")
    equal(ask(s, method="POST", body="y" * 25_537).status, 503, "a byte too much together")
    equal(ask(s, method="POST", body="y" * 25_536).status, 200, "as much as there is room for")
    s.fault("error")
    until(lambda: call(s, "POST", "/", body=b"z" * 60_000).status == 200, "given back")


def test_path_limits(s):
    start(s, Sleep(1), OK, REQUEST_TIMEOUT="300ms", MAX_RESPONSE_SIZE="1KiB", BACKEND_RETRIES=0,
          PATH_LIMITS="/slow timeout=20s; /big response=4KiB; /big/small response=2KiB timeout=10s")
    equal(error_of(call(s, "GET", "/")), (504, "request_timeout"))
    equal(call(s, "GET", "/slow").status, 200)
    equal(call(s, "GET", "/slow/x").status, 200)
    equal(error_of(call(s, "GET", "/slower")), (504, "request_timeout"))
    for path, most in (("/", 1024), ("/big", 4096), ("/big/x", 4096), ("/big/small", 2048)):
        s.backend.on(path, reply(b"x" * most))
        equal(call(s, "GET", path).status, 200, path)
        s.backend.on(path, reply(b"x" * (most + 1)))
        equal(error_of(call(s, "GET", path)), (502, "response_too_large"), path)


def test_backend_connections_are_bounded(s):
    start(s, Sleep(0.3), OK, BACKEND_CONNECTIONS_MAX=3, BACKEND_CONNECTIONS_IDLE=1)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda i: call(s, "GET", f"/{i}").status, range(12)))
    equal(got, [200] * 12)
    check(s.backend.connections <= 10, f"{s.backend.connections} connections")
    times = sorted(r.at for r in s.backend.requests)
    for early, late in zip(times, times[3:]):
        check(late - early > 0.2, "never more than three at once")
    until(lambda: len(s.backend.open) <= 2, lambda: f"{len(s.backend.open)} are kept")


def test_no_connection_is_kept(s):
    start(s, BACKEND_CONNECTIONS_IDLE=0)
    for number in range(1, 4):
        equal((call(s, "GET", "/").status, s.backend.connections), (200, number))
        until(lambda: not s.backend.open, "it is closed")


def test_who_waits_for_a_connection_was_not_failed(s):
    """The breaker counts those whom the application left without an answer,
    not those that it was never asked for."""
    phone = start(s, BACKEND_CONNECTIONS_MAX=1, BREAKER_FAILURES=2, REQUEST_TIMEOUT="300ms", PATH_LIMITS="/hold timeout=5m")
    go = threading.Event()
    s.backend.on("/hold", lambda connection, request: (go.wait(300), connection.send(OK)))
    held = push(s, path="/hold")
    until(lambda: s.backend.of("/hold"), "the only connection is taken")
    for _ in range(4):
        res = ask(s, path="/other")
        equal((res.status, res.json()["error"]), (504, "request_timeout"))
        check("BACKEND_CONNECTIONS_MAX" in res.json()["reason"], res.text)
    equal((breaker_of(phone)[1], s.backend.of("/other")), ("closed", []))
    go.set()
    until(lambda: answers(s, held), "the first one's answer")
    until(lambda: ask(s, path="/other").status == 200, "and there is a connection again")


# --- backends -------------------------------------------------------------------
def test_unix_socket(s):
    path = os.path.join(s.dir, "app.sock")
    s.backend = RawBackend(reply(b"by a socket"), unix=path)
    s.backend.ports = {"http": 1}
    phone = s.start(BACKEND_URL=f"unix:{path}")
    equal(call(s, "POST", "/x?y", body=b"q").body, b"by a socket")
    equal((s.backend.last().target, s.backend.last().body), (b"/x?y", b"q"))
    equal(call(s, "GET", "/").status, 200)
    equal(s.backend.connections, 1, "kept alive")
    phone.wait_log(r"warn telephone: BACKEND_HOST: both it and BACKEND_URL are set")
    s.backend.stop()
    os.unlink(path)
    res = ask(s, method="POST")
    equal((res.status, res.json()["error"]), (502, "backend_unreachable"))
    check(path not in res.text, "the path is in the answer")


def test_backend_url_comes_first(s):
    s.backend = RawBackend(OK)
    url = f"http://127.0.0.1:{s.backend.ports['http']}"
    phone = s.start(BACKEND_URL=url, BACKEND_PORT=free_port(), BACKEND_HOST="127.0.0.1")
    equal(call(s, "GET", "/").body, b"ok")
    phone.wait_log(r"BACKEND_PORT: both it and BACKEND_URL are set; BACKEND_URL is used")
    check(not phone.has_log("BACKEND_HOST: both"), "the same host is no conflict")


def test_old_and_unframed_answers(s):
    """RFC 9112 §6.3: HTTP/1.0, and bodies that the end of the connection
    ends."""
    start(s)
    body = b"\0\xff" * 5000
    for answer in (b"HTTP/1.0 200 OK\r\n\r\n" + body, b"HTTP/1.1 200 OK\r\n\r\n" + body,
                   b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body,
                   b"HTTP/1.0 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body,
                   chunked(body[:1], body[1:])):
        s.backend.on("*", answer, CLOSE)
        got = call(s, "GET", "/")
        equal((got.status, got.body == body), (200, True), answer[:60])
    s.backend.on("*", b"HTTP/1.0 204 No Content\r\n\r\n", CLOSE)
    equal(call(s, "GET", "/").status, 204)
    s.backend.on("*", b"HTTP/0.9 is only a body", CLOSE)
    equal(ask(s, method="POST").status, 502, "no head, no answer")


def test_keep_alive(s):
    start(s)
    for i in range(20):
        equal(call(s, ("GET", "POST", "DELETE")[i % 3], "/").status, 200)
    equal(s.backend.connections, 1)
    s.backend.on("*", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", CLOSE)
    for i in range(3):
        equal(call(s, "GET", "/").status, 200)


# --- very many at once ----------------------------------------------------------
MANY = 10_000


def not_instrumented():
    if harness.INSTRUMENTED:
        raise harness.LeftOut("it measures memory")


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1])


def finished(phone):
    got = metrics(phone)
    return sum(v for k, v in got.items() if k.startswith("telephone_requests_total{"))


def flood(s):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: push(s, request_id=f"many-{i}", path=f"/{i}"), range(MANY)))


def test_ten_thousand_at_once_wait(s):
    """All are outstanding together, each is answered, and it costs little."""
    not_instrumented()
    phone = start(s, HOLD, TUNNELS=1, MAX_INFLIGHT=64, QUEUE_MAX=MANY, QUEUE_TIMEOUT="10m", REQUEST_TIMEOUT="10m",
                  REQUEST_TTL="15m", BACKEND_RETRIES=0)
    pid, before = phone.child("worker"), peak_kib(phone.child("worker"))
    go = threading.Event()

    def answer(connection, request):
        go.wait(300)
        connection.send(OK)
    s.backend.on("*", answer)
    flood(s)
    until(lambda: phone.status()["worker"]["in_flight"] == MANY, "all are outstanding", 300)
    equal(len(s.backend.requests), 64, "at the application")
    grown = peak_kib(pid) - before
    go.set()
    until(lambda: phone.status()["worker"]["in_flight"] == 0, "all are answered", 300)
    equal(ended(phone, "ok"), MANY)
    equal(finished(phone), MANY, "none twice")
    equal((phone.child("worker"), len(s.backend.requests)), (pid, MANY))
    check(peak_kib(pid) - before < 64 * 1024, f"it grew by {peak_kib(pid) - before} KiB, {grown} of them waiting")


def test_ten_thousand_at_once_are_refused(s):
    """Beyond MAX_INFLIGHT and QUEUE_MAX: refused at once, memory flat."""
    not_instrumented()
    phone = start(s, HOLD, TUNNELS=1, MAX_INFLIGHT=64, QUEUE_MAX=64, QUEUE_TIMEOUT="10m", REQUEST_TIMEOUT="10m",
                  REQUEST_TTL="15m", BACKEND_RETRIES=0)
    pid, before = phone.child("worker"), peak_kib(phone.child("worker"))
    flood(s)
    until(lambda: finished(phone) == MANY - 128, "the others are refused", 300)
    equal(ended(phone, "refused"), MANY - 128)
    until(lambda: phone.status()["worker"]["in_flight"] == 128, "and those that fit are kept", 60)
    equal(phone.child("worker"), pid)
    check(1 <= len(re_lines(phone, " warn .*overloaded")) < 1000, "logged, not each of them")
    check(peak_kib(pid) - before < 16 * 1024, f"it grew by {peak_kib(pid) - before} KiB")
    s.fault("error")
    until(lambda: phone.status()["worker"]["in_flight"] == 0, "they end with their join", 60)
