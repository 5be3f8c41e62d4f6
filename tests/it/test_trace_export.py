# SPDX-License-Identifier: MIT
"""Spans on their way to a collector that is well, slow, busy, down or hostile;
and what telephone makes of settings."""
import concurrent.futures, os, re, socket, subprocess, threading, time

import harness
from harness import LeftOut, check, equal, free_port, request, until
from otelkit import CLIENT, SERVER, Collector, fast, metrics, of

SAID = r"warn worker: traces: (\d+) spans were lost on the way to \S+: "


def start(s, collector, **more):
    s.port = free_port()
    return s.start(HEALTH_CHECK_PORT=s.port, **fast(collector, **more))


def calls(s, count, target="/bytes/1"):
    for _ in range(count):
        equal(s.call("GET", target).status, 200)


def wait_metrics(s, **want):
    return until(lambda: (m := metrics(s.port)) and all(m[k] == v for k, v in want.items()) and m,
                 lambda: f"{want}: {metrics(s.port)}")


def test_batches(s):
    """A full one at once, the rest after the delay."""
    c = Collector()
    phone = start(s, c, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8")
    calls(s, 3)
    time.sleep(0.5)
    equal((c.bodies, metrics(s.port)["queue_spans"]), ([], 6), "it waits for more")
    calls(s, 2)
    c.wait(8)
    wait_metrics(s, exported=8, queue_spans=2, dropped=0, failed=0, rejected=0)
    status = phone.status()["worker"]
    equal((status["tracing"], status["spans"], status["spans_lost"], status["spans_waiting"], status["trace_error"]),
          (True, 8, 0, 2, ""))
    check(re.search(r"^traces +8 spans exported, 0 lost, 2 waiting$", phone.ctl("status").stdout, re.M), "for people")
    c.stop()


def test_the_rest_after_a_delay(s):
    c = Collector()
    start(s, c, OTEL_BSP_SCHEDULE_DELAY="1500")
    begin = time.monotonic()
    calls(s, 2)
    c.wait(4)
    check(c.times[0] - begin > 1.2, c.times)
    equal(len(c.bodies), 1, "one batch")
    c.stop()


def test_one_connection_is_kept(s):
    c = Collector()
    start(s, c)  # its collector speaks HTTP/1.1, and counts its connections
    for i in range(3):
        calls(s, 1)
        c.wait(2 * i + 2)
    equal({h["host"] for _, h in c.heads}, {f"127.0.0.1:{c.port}"})
    equal({h.get("expect") for _, h in c.heads}, {None})
    equal(c.connections, 1)
    c.stop()


def test_endpoints(s):
    c = Collector()
    for endpoint, path in ((f"{c.url}/", "/v1/traces"), (f"{c.url}/otlp", "/otlp/v1/traces"), (f"{c.url}/otlp//", "/otlp/v1/traces"),
                           (f"http://localhost:{c.port}", "/v1/traces")):
        phone = start(s, c, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        calls(s, 1)
        phone.stop()
        equal(c.heads[-1][0], path, endpoint)
    phone = start(s, c, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{c.url}/as/it/is",
                  OTEL_EXPORTER_OTLP_HEADERS="x-a=1", OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-b=2",
                  OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/json")
    calls(s, 1)
    phone.stop()
    path, head = c.heads[-1]
    equal((path, head.get("x-a"), head.get("x-b")), ("/as/it/is", None, "2"))
    c.stop()


def test_the_resource(s):
    c = Collector()
    cases = (({}, {"service.name": "telephone"}),
             ({"OTEL_SERVICE_NAME": "front \u00e9"}, {"service.name": "front \u00e9"}),
             ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a%2Cb, k8s.pod.name = p-1,x=%C3%A9"},
              {"service.name": "a,b", "k8s.pod.name": "p-1", "x": "\u00e9"}),
             ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.version=9", "OTEL_SERVICE_NAME": "b"},
              {"service.name": "b", "service.version": "9"}))
    for settings, want in cases:
        phone = start(s, c, **settings)
        calls(s, 1)
        phone.stop()
        got = c.spans[-1].resource
        equal({k: got.get(k) for k in want}, want)
    check(not c.faults, c.faults)
    c.stop()


def test_a_busy_collector_is_asked_again(s):
    """429 and its like, each with the wait that it asks for."""
    said = iter([(429, {"retry-after": "2"}, b""), (503, {}, b"busy"), (502, {}, b""), (504, {"retry-after": "0"}, b"")])
    c = Collector(lambda n: next(said, (200, {}, b"{}")))
    phone = start(s, c)
    calls(s, 1)
    c.wait(2, 60)
    equal(len(c.bodies), 5)
    equal(len(set(c.bodies)), 1, "the same batch")
    waits = [b - a for a, b in zip(c.times, c.times[1:])]
    check(waits[0] >= 2, f"Retry-After: {waits}")
    check(waits[1] >= 0.7, f"backoff: {waits}")
    wait_metrics(s, exported=2, export_retries_total=4, failed=0)
    check(not phone.has_log("spans were lost"), "nothing was")
    c.stop()


def test_all_others_are_final(s):
    answers = [400, 401, 404, 413, 500, 501, 308]
    said = iter(answers)
    c = Collector(lambda n: (next(said), {"location": "http://127.0.0.1:1/"}, b'{"code":3,"message":"no"}'))
    phone = start(s, c)
    for i, status in enumerate(answers):
        calls(s, 1)
        wait_metrics(s, failed=2 * i + 2)
        equal(phone.status()["worker"]["trace_error"], f"status {status}")
    time.sleep(1.5)
    equal(len(c.bodies), len(answers), "none was sent twice")
    m = metrics(s.port)
    equal((m["exported"], m["export_retries_total"]), (0, 0))
    equal([int(n) for n in re.findall(SAID, phone.log())], [2], "one line a minute")
    check(re.search(r"^ +last: status 308$", phone.ctl("status").stdout, re.M), "for people")
    c.stop()


def test_losses_are_summed_up(s):
    c = Collector(lambda n: (400, {}, b"") if n < 3 else (200, {}, b"{}"))
    phone = start(s, c)
    for i in range(4):
        calls(s, 1)
        until(lambda: len(c.bodies) == i + 1, "its batch")
    c.wait(2)
    phone.wait_log(r"info worker: traces: \S+ takes spans again; 4 more were lost meanwhile")
    equal(phone.status()["worker"]["trace_error"], "")
    c.stop()


def test_partial_success(s):
    said = iter([b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too \\"old\\""}}', b'{"partialSuccess":{}}',
                 b'{"partialSuccess":{"rejectedSpans":99}}', b'{"partialSuccess":{"errorMessage":"slow down"}}', b"ok", b""])
    c = Collector(lambda n: (200, {}, next(said)))
    phone = start(s, c)
    for exported, rejected in ((1, 1), (3, 1), (3, 3), (5, 3), (7, 3), (9, 3)):
        calls(s, 1)
        wait_metrics(s, exported=exported, rejected=rejected, failed=0)
    phone.wait_log(SAID + r'the collector says: too "old"')
    phone.wait_log(r"info worker: traces: the collector says: slow down")
    equal(len(c.bodies), 6)
    c.stop()


def test_the_collector_is_down(s):
    """Requests do not notice; what is not too old is sent when it is back."""
    s.port, port = free_port(), free_port()
    c = Collector()
    c.stop()
    phone = start(s, c, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
    begin = time.monotonic()
    calls(s, 20)
    check(time.monotonic() - begin < 10, "requests wait")
    until(lambda: metrics(s.port)["export_retries_total"] >= 2, "it is tried again")
    back = Collector(port=port)
    back.wait(40, 60)
    wait_metrics(s, exported=40, failed=0, dropped=0)
    check(not phone.has_log("spans were lost"), "none")
    back.stop()


def test_given_up(s):
    c = Collector()
    c.stop()
    phone = start(s, c, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}", OTEL_BSP_EXPORT_TIMEOUT="500")
    calls(s, 2)
    wait_metrics(s, failed=4, exported=0)
    phone.wait_log(SAID + "backend_unreachable")
    check(phone.status()["worker"]["trace_error"].startswith("backend_unreachable"), phone.status()["worker"])


def test_a_name_that_is_none(s):
    phone = start(s, Collector(), OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4318", OTEL_BSP_EXPORT_TIMEOUT="500")
    calls(s, 1)
    wait_metrics(s, failed=2)
    phone.wait_log(SAID + r"backend_resolve|" + SAID + r"no answer in time|" + SAID + "backend_unresolved", 30)
    calls(s, 1)


def test_the_queue_is_bounded(s):
    """A collector that never answers: what finds no room is dropped and counted,
    and costs no request anything."""
    c = Collector(lambda n: None)
    phone = start(s, c, OTEL_BSP_MAX_QUEUE_SIZE="10", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4")
    begin = time.monotonic()
    calls(s, 30)
    check(time.monotonic() - begin < 15, "requests wait")
    m = wait_metrics(s, queue_spans=10)
    equal(len(c.bodies), 1)
    check(m["dropped"] >= 60 - 4 - 10 - 4, m)
    equal(m["exported"] + m["failed"] + m["rejected"], 0)
    phone.wait_log(SAID + r"the queue is full \(OTEL_BSP_MAX_QUEUE_SIZE\)")
    status = phone.status()["worker"]
    equal((status["spans_lost"], status["spans_waiting"]), (m["dropped"], 60 - m["dropped"]))
    c.stop()


def test_an_attempt_has_its_time(s):
    c = Collector(lambda n: None if n == 0 else (200, {}, b"{}"))
    start(s, c, OTEL_EXPORTER_OTLP_TIMEOUT="300")
    calls(s, 1)
    c.wait(2, 30)
    equal(len(c.bodies), 2)
    wait_metrics(s, exported=2, export_retries_total=1)
    c.stop()


def test_the_time_of_traces_counts(s):
    c = Collector(delay=1)
    start(s, c, OTEL_EXPORTER_OTLP_TIMEOUT="100", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="10000")
    calls(s, 1)
    c.wait(2, 30)
    equal(len(c.bodies), 1)
    c.stop()


class Raw:
    """A collector that says what it is told to, byte for byte, and then more."""

    def __init__(self, behave):
        self.listener, self.count = socket.create_server(("127.0.0.1", 0)), 0
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, args=(behave,), daemon=True).start()

    def run(self, behave):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.serve, args=(behave, sock), daemon=True).start()

    def serve(self, behave, sock):
        try:
            data = b""
            while b"]}]}]}" not in data:
                piece = sock.recv(65536)
                if not piece:
                    return
                data += piece
            behave(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def stop(self):
        self.listener.close()


def endless(head):
    def behave(sock):
        sock.sendall(head)
        while True:
            sock.sendall(b"x" * 65536)
    return behave


def test_a_giant_answer(s):
    """It is not read to its end, and its status counts."""
    c = Raw(endless(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n"))
    phone = start(s, c, OTEL_EXPORTER_OTLP_TIMEOUT="120000", OTEL_BSP_EXPORT_TIMEOUT="120000")
    calls(s, 1)
    wait_metrics(s, exported=2)
    worker = phone.child("worker")
    if not harness.INSTRUMENTED:
        with open(f"/proc/{worker}/status") as f:
            check(int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) < 64 * 1024, "memory")
    calls(s, 1)
    wait_metrics(s, exported=4)
    c.stop()


def test_answers_that_are_none(s):
    for behave, want in ((endless(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 1000 + b"\r\n"), "exported"), (endless(b""), "failed"),
                         (lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "failed"),
                         (lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"), "exported"),
                         (lambda sock: sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"), "exported"),
                         (lambda sock: sock.sendall(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), "failed")):
        c = Raw(behave)
        phone = start(s, c, OTEL_BSP_EXPORT_TIMEOUT="1500")
        calls(s, 1)
        wait_metrics(s, **{want: 2})
        phone.stop()
        c.stop()


def test_a_cut_is_tried_again(s):
    count = []

    def behave(sock):
        count.append(1)
        if len(count) > 1:
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    c = Raw(behave)
    start(s, c)
    calls(s, 1)
    wait_metrics(s, exported=2, export_retries_total=1)
    c.stop()


def test_a_stale_connection_costs_nothing(s):
    """One that the collector has closed meanwhile: at once on another."""
    def behave(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        time.sleep(0.2)
    c = Raw(behave)
    start(s, c)
    for i in range(3):
        calls(s, 1)
        wait_metrics(s, exported=2 * i + 2, failed=0)
        time.sleep(0.5)
    c.stop()


def test_the_end_takes_the_last_spans_along(s):
    c = Collector()
    phone = start(s, c, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")
    calls(s, 4)
    equal(c.bodies, [])
    phone.stop()
    equal(len(c.spans), 8)
    check(not c.faults, c.faults)
    phone = start(s, c, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BSP_MAX_QUEUE_SIZE="1000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1000")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(s.call, "GET", "/delay/500")
        time.sleep(0.2)
        phone.stop()
        equal(slow.result().status, 200)
    equal(len(c.spans), 10, "that of a request that was under way, too")
    c.stop()


def test_what_is_abandoned_has_its_spans(s):
    c = Collector()
    phone = start(s, c, OTEL_BSP_SCHEDULE_DELAY="60000", SHUTDOWN_TIMEOUT="500ms")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(s.call, "GET", "/hang")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is under way")
        phone.stop()
    server, = of(c.spans, SERVER)
    equal((server.error, server.attrs["telephone.outcome"]), (True, "lost"))
    equal([x.attrs["error.type"] for x in of(c.spans, CLIENT)], ["cancelled"])
    c.stop()


def test_the_end_has_a_bound(s):
    for c in (Collector(lambda n: None), Collector(lambda n: (503, {"retry-after": "3600"}, b""))):
        phone = start(s, c, OTEL_BSP_SCHEDULE_DELAY="60000")
        calls(s, 2)
        begin = time.monotonic()
        phone.stop()
        check(time.monotonic() - begin < 20, f"{time.monotonic() - begin} s")
        phone.wait_log(SAID.replace(r"(\d+)", "4"))
        c.stop()


def test_a_reload_changes_it(s):
    a, b = Collector(), Collector()
    s.start_board()
    s.start_backend()
    path = f"{s.dir}/telephone.conf"
    port = free_port()

    def write(text):
        with open(path, "w") as f:
            f.write(f"HEALTH_CHECK_PORT={port}\nOTEL_BSP_SCHEDULE_DELAY=60000\n{text}")
    write(f"OTEL_EXPORTER_OTLP_ENDPOINT={a.url}\n")
    phone = s.spawn(s.env(), ("-f", path))
    phone.wait_joined()
    calls(s, 1)
    write(f"OTEL_EXPORTER_OTLP_ENDPOINT={b.url}\nOTEL_SERVICE_NAME=second\n")
    equal(phone.ctl("reload").returncode, 0)
    a.wait(2)  # the first worker's, as it leaves
    calls(s, 1)
    write("")
    equal(phone.ctl("reload").returncode, 0)
    b.wait(2)
    equal(b.spans[0].resource["service.name"], "second")
    calls(s, 1)
    equal(phone.status()["worker"]["tracing"], False)
    write("OTEL_EXPORTER_OTLP_ENDPOINT=ftp://x\n")
    check(phone.ctl("reload").returncode != 0, "a fault")
    equal((len(a.spans), len(b.spans)), (2, 2))
    a.stop()
    b.stop()


def test_faults_of_settings(s):
    cases = (({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, r"OTEL_EXPORTER_OTLP_PROTOCOL: telephone speaks http/json only, not grpc: set "
              r"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"),
             ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, r"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: telephone speaks http/json only"),
             ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, r"OTEL_EXPORTER_OTLP_ENDPOINT: it begins with neither http:// nor https://"),
             ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:SECRET@x"}, r"OTEL_EXPORTER_OTLP_ENDPOINT: it must not hold a user"),
             ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x/?key=SECRET"}, r"OTEL_EXPORTER_OTLP_ENDPOINT: it must not hold a query"),
             ({"OTEL_EXPORTER_OTLP_HEADERS": "SECRET"}, r"OTEL_EXPORTER_OTLP_HEADERS: it is no list of key=value"),
             ({"OTEL_EXPORTER_OTLP_HEADERS": "a=%0aSECRET"}, r"OTEL_EXPORTER_OTLP_HEADERS: one of its values"),
             ({"OTEL_EXPORTER_OTLP_HEADERS": "Host=SECRET"}, r"OTEL_EXPORTER_OTLP_HEADERS: one of its fields is telephone's"),
             ({"OTEL_RESOURCE_ATTRIBUTES": "a=1,a=2"}, r"OTEL_RESOURCE_ATTRIBUTES: one of its keys stands in it twice"),
             ({"OTEL_RESOURCE_ATTRIBUTES": "a=%ff"}, r"OTEL_RESOURCE_ATTRIBUTES: it is not UTF-8"),
             ({"OTEL_TRACES_SAMPLER": "often"}, r'OTEL_TRACES_SAMPLER: "often" is none of always_on\|'),
             ({"OTEL_TRACES_SAMPLER_ARG": "1.1"}, r"OTEL_TRACES_SAMPLER_ARG: it is no number from 0 to 1"),
             ({"OTEL_TRACES_SAMPLER_ARG": "nan"}, r"OTEL_TRACES_SAMPLER_ARG: it is no number from 0 to 1"),
             ({"OTEL_TRACES_EXPORTER": "zipkin"}, r'OTEL_TRACES_EXPORTER: "zipkin" is none of otlp\|none'),
             ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9", "OTEL_BSP_MAX_QUEUE_SIZE": "8"}, r"OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 9 is more than"),
             ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nonexistent"}, r"OTEL_EXPORTER_OTLP_CERTIFICATE: .*/nonexistent"),
             ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/dev/null"}, r"OTEL_EXPORTER_OTLP_CLIENT_KEY: "))
    for settings, want in cases:
        env = {"SECRET_KEY_BASE": s.secret, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", **settings}
        done = subprocess.run([f"{s.bin}/telephone", "-n"], capture_output=True, text=True, cwd=s.dir, env=env)
        equal(done.returncode, 78, settings)
        check(re.search(want, done.stderr), f"{settings}: {done.stderr}")
        check("SECRET" not in done.stderr.replace("SECRET_KEY_BASE", ""), done.stderr)
    for settings, want in (({"OTEL_SDK_DISABLED": "yes"}, 'OTEL_SDK_DISABLED: "yes" is read as false'),
                           ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example"}, "carries them in clear"),
                           ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "")):
        env = {"SECRET_KEY_BASE": s.secret, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", **settings}
        done = subprocess.run([f"{s.bin}/telephone", "-n"], capture_output=True, text=True, cwd=s.dir, env=env)
        equal(done.returncode, 0, done.stderr)
        check(want in done.stderr, done.stderr)
    done = subprocess.run([f"{s.bin}/telephone", "-n"], capture_output=True, text=True, cwd=s.dir, env={
        "SECRET_KEY_BASE": s.secret, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    equal(done.returncode, 0, "tracing is off")


def certificate(directory, name, *more):
    """A key and a certificate of its own, for 127.0.0.1."""
    key, cert = f"{directory}/{name}.key", f"{directory}/{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", *more], check=True, capture_output=True)
    os.chmod(key, 0o644)
    return cert, key


def test_tls(s):
    cert, key = certificate(s.dir, "collector")
    c = Collector(tls=(cert, key))
    start(s, c, OTEL_EXPORTER_OTLP_CERTIFICATE=cert).wait_joined()
    calls(s, 1)
    c.wait(2)
    s.phones[0].stop()
    other, _ = certificate(s.dir, "other")
    phone = start(s, c, OTEL_EXPORTER_OTLP_CERTIFICATE=other)
    calls(s, 1)
    wait_metrics(s, failed=2, exported=0)
    phone.wait_log(SAID + "backend_tls")
    equal(len(c.spans), 2, "nothing is sent to a stranger")
    phone.stop()
    phone = start(s, c, OTEL_EXPORTER_OTLP_CERTIFICATE=other, OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=cert)
    calls(s, 1)
    c.wait(4)
    c.stop()


def test_walls(s):
    """The worker may connect to the collector's port, and still to no other."""
    if harness.SANDBOX == "off":
        raise LeftOut("this variant runs without a sandbox")
    c = Collector()
    phone = start(s, c)
    calls(s, 1)
    c.wait(2)
    for name in ("worker", "lookup", "tokend"):
        equal(phone.status()["sandbox"][name]["violations"], 0, name)
    c.stop()


def test_a_redirect_is_not_followed(s):
    other = Collector()
    c = Collector(lambda n: (307, {"location": f"{other.url}/v1/traces"}, b""))
    phone = start(s, c)
    calls(s, 1)
    wait_metrics(s, failed=2)
    equal((len(c.bodies), other.bodies, phone.status()["worker"]["trace_error"]), (1, [], "status 307"))
    other.stop()
    c.stop()


def test_a_load_is_traced_whole(s):
    """Many at once: as many spans as there were, in batches, all well-formed."""
    c = Collector(delay=0.05)
    start(s, c, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="64")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: s.call("GET", f"/bytes/{i}").status, range(400)))
    equal(set(answers), {200})
    spans = c.wait(800, 60)
    by_id = {x.id: x for x in spans}
    for client in of(spans, CLIENT):
        server = by_id[client.parent]
        equal((server.trace, server.kind), (client.trace, SERVER))
        equal(client.attrs["url.full"].rsplit("/", 1)[1], server.attrs["url.path"].rsplit("/", 1)[1])
    equal(len({x.trace for x in spans}), 400, "traces")
    wait_metrics(s, exported=800, dropped=0)
    c.stop()
