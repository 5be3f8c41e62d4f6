# SPDX-License-Identifier: MIT
"""The health listener: what it says, and that it says so whatever goes on."""
import concurrent.futures, json, random, re, signal, socket, threading, time

from harness import check, equal, free_port, request, until

KEYS = {"status", "connected", "uptime", "last_heartbeat", "token_expiry", "version", "reasons"}


def raw(port, data, timeout=20):
    """All that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(data)
        got = b""
        try:
            while piece := sock.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        return got


def status_of(answer):
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else None


def test_the_documents_of_the_go_telephone(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, HEARTBEAT_INTERVAL="300ms", HEARTBEAT_TIMEOUT="300ms")
    phone.wait_joined()
    until(lambda: request(port, "GET", "/health").json()["last_heartbeat"], "a heartbeat was acknowledged")
    for path, word in (("/live", "alive"), ("/ready", "ready"), ("/health", "healthy")):
        answer = request(port, "GET", path)
        equal((answer.status, answer.headers["content-type"]), (200, "application/json"), path)
        got = answer.json()
        equal(set(got), KEYS, path)
        equal((got["status"], got["connected"], got["reasons"]), (word, True, []), path)
        check(re.fullmatch(r"(\d+h)?(\d+m)?\d+s", got["uptime"]), got["uptime"])
        for key in ("last_heartbeat", "token_expiry"):
            check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got[key]), got[key])
    s.board.stop()
    until(lambda: request(port, "GET", "/ready").status == 503, "it is not ready")
    got = request(port, "GET", "/ready").json()
    equal((got["status"], got["connected"], got["reasons"]), ("not ready", False, ["not_joined"]))
    equal(request(port, "GET", "/health").json()["status"], "unhealthy")
    equal(request(port, "GET", "/live").status, 200)
    s.board = None


def test_reasons(s):
    port = free_port()
    phone = s.start(wait="ready", HEALTH_CHECK_PORT=port, TELEPHONE_TOKEN=None)
    answer = request(port, "GET", "/readyz")
    equal((answer.status, answer.body), (503, b"no_token\n"))
    text = request(port, "GET", "/readyz?verbose").body.decode()
    equal(text, "[+]drain ok\n[-]token failed: no_token\n[-]tunnel failed: not_joined\n[+]heartbeat ok\n[+]backend ok\n"
                "no_token\n")
    equal(request(port, "GET", "/livez").body, b"ok\n")
    done = phone.ctl("healthcheck")
    equal((done.returncode, done.stdout), (1, "not ready (no_token)\n"))


def test_draining_is_a_reason(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(s.call, "GET", "/delay/2500")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "one is under way")
        phone.signal(15)
        until(lambda: request(port, "GET", "/readyz").body == b"draining\n", "it says so")
        equal(request(port, "GET", "/livez").status, 200)
        equal(call.result().status, 200)
    phone.wait_exit(0)


def test_the_application_is_asked(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, BACKEND_HEALTH_PATH="/bytes/3?a=b", BACKEND_HEALTH_INTERVAL="100ms")
    until(lambda: request(port, "GET", "/readyz").status == 200, "it is well")
    equal(phone.ctl("healthcheck").stdout, "ready\n")
    backend, s.backend = s.backend, None
    backend.stop()
    until(lambda: request(port, "GET", "/readyz").body == b"backend_unhealthy\n", "it is gone")
    equal(request(port, "GET", "/livez").status, 200)
    equal(phone.ctl("healthcheck").returncode, 1)
    equal(phone.status()["ready"], False)
    phone.wait_log(r"warn worker: the application is not well: ")


def test_an_unhealthy_status_counts(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port, BACKEND_HEALTH_PATH="/status/500", BACKEND_HEALTH_INTERVAL="100ms")
    until(lambda: request(port, "GET", "/readyz").body == b"backend_unhealthy\n", "500 is not well")


def ended(port):
    """Requests by /metrics."""
    text = request(port, "GET", "/metrics").body.decode()
    return sum(int(n) for n in re.findall(r"(?m)^telephone_requests_total\{.*\} (\d+)$", text))


def test_probes_see_nothing_of_a_reload(s):
    """One worker answers there, and not the one that is yet to join."""
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, LOG_LEVEL="debug")
    for _ in range(3):
        equal(s.call("GET", "/bytes/1").status, 200)
    s.set(join="silent")
    phone.signal(signal.SIGHUP)
    phone.wait_log(r"debug telephone: worker is ready", count=2)
    for _ in range(60):
        equal(request(port, "GET", "/readyz").body, b"ok\n")
        equal(ended(port), 3, "requests of the worker that serves")
    check(not phone.has_log("reload: done"), "the new one has not joined")
    s.set(join="ok")
    phone.wait_log(r"reload: done: ", seconds=60)
    until(lambda: ended(port) == 0, "the new one answers")
    equal(request(port, "GET", "/readyz").body, b"ok\n")


def test_a_reload_waits_for_the_application_s_health(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, BACKEND_HEALTH_PATH="/delay/1000")
    until(lambda: request(port, "GET", "/readyz").status == 200, "it is well")
    phone.signal(signal.SIGHUP)
    end = False
    while not end:
        end = phone.has_log(r"reload: done: ")
        for _ in range(10):
            equal(request(port, "GET", "/readyz").body, b"ok\n")


def test_a_probe_in_a_reload_has_its_answer(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
        c.sendall(b"GET /livez HTTP/1.1\r\n")
        equal(request(port, "GET", "/livez").status, 200)  # which came after it
        # The one that is replaced drains until this has its answer.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(s.call, "GET", "/delay/3000")
            until(lambda: phone.status()["worker"]["in_flight"] == 1, "one is under way")
            equal(phone.ctl("reload").returncode, 0)
            c.sendall(b"Host: x\r\n\r\n")
            equal(status_of(c.recv(4096)), 200)
            equal(call.result().status, 200)


def test_small_and_strict(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    ok = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    for data, want in ((ok, 200), (b"GET /livez HTTP/1.0\r\n\r\n", 200), (b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405),
                       (b"GET /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
                       (b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
                       (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n\r\n", 414), (b"GET /livez?" + b"a" * 300 + b" HTTP/1.1\r\n\r\n", 414),
                       (b"GET /livez HTTP/1.1\r\nA: " + b"b" * 5000, 431), (b"GET /livez HTTP/2.0\r\n\r\n", 505),
                       (b"GET livez HTTP/1.1\r\n\r\n", 400), (b"GET /livez\r\n\r\n", 400), (b"GET /li\0vez HTTP/1.1\r\n\r\n", 400),
                       (b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n", 400), (b"\r\n\r\n", 400), (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
                       (b"GET /livez HTTP/1.1\nHost: x\r\n\r\n", 400)):
        equal(status_of(raw(port, data)), want, data[:60])
    head = raw(port, b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    check(head.endswith(b"\r\n\r\n") and b"Content-Length: 3\r\n" in head, head)
    check(b"Allow: GET, HEAD\r\n" in raw(port, b"PUT / HTTP/1.1\r\n\r\n"), "405 says what is allowed")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        for byte in ok:
            sock.sendall(bytes([byte]))
        equal(status_of(sock.recv(4096)), 200, "byte by byte")


def test_noise_does_not_hurt(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    pid, dice = phone.child("worker"), random.Random(3)
    seeds = [b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /metrics?verbose HTTP/1.0\r\nA: b\r\nContent-Length: 0\r\n\r\n"]
    for _ in range(300):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall(bytes(data[:dice.randrange(1, len(data) + 1)]))
            if dice.randrange(3) == 0:
                sock.settimeout(0.02)
                try:
                    sock.recv(100)
                except (socket.timeout, ConnectionError):
                    pass
    equal(request(port, "GET", "/livez").status, 200)
    equal(phone.child("worker"), pid)


def open_fds(port):
    return int(re.search(r"^process_open_fds (\d+)$", request(port, "GET", "/metrics").body.decode(), re.M)[1])


def test_an_answer_survives_what_comes_behind_its_request(s):
    """A close with bytes unread would be a reset, and take the answer along."""
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # most of it is still on its way
        sock.settimeout(20)
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" + b"x" * 30000)
        time.sleep(0.3)
        got = b""
        while piece := sock.recv(65536):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    equal(len(body), int(re.search(rb"Content-Length: (\d+)", head)[1]), "octets of the answer")


def test_those_who_hold_connections_keep_nobody_out(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    before = open_fds(port)
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for sock in held:
        try:
            sock.sendall(b"GET /livez HT")
        except ConnectionError:
            pass  # it made room for others
    begin = time.monotonic()
    for _ in range(20):
        equal(request(port, "GET", "/livez").status, 200)
    check(time.monotonic() - begin < 5, "a probe waits for those who say nothing")
    check(open_fds(port) - before <= 64, "no more than 64 are held")
    for sock in held:
        sock.close()


def test_slow_ones_are_ended(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        try:
            while time.monotonic() - begin < 50:
                sock.sendall(b"G" if time.monotonic() == begin else b"E")
                time.sleep(0.2)
            ended = False
        except ConnectionError:
            ended = True
    check(ended and time.monotonic() - begin > 4, "a head that never ends")


def test_an_answer_within_milliseconds_under_load(s):
    """Measured: the median, while the loop has all that it can do."""
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, MAX_INFLIGHT=256)
    stop = threading.Event()

    def load(target):
        while not stop.is_set():
            s.call("GET", target, timeout=60)
    threads = [threading.Thread(target=load, args=(t,), daemon=True)
               for t in ["/bytes/3000000"] * 6 + ["/bytes/100"] * 24]
    for t in threads:
        t.start()
    until(lambda: phone.status()["worker"]["in_flight"] > 8, "it is busy")
    times = []
    for _ in range(60):
        begin = time.monotonic()
        equal(request(port, "GET", "/readyz").status, 200)
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(0.02)
    stop.set()
    for t in threads:
        t.join()
    times.sort()
    print(f"     /readyz under load: median {times[30]:.1f} ms, 95 % {times[57]:.1f} ms, longest {times[59]:.1f} ms")
    check(times[30] < 250, f"median {times[30]:.1f} ms of {times}")
