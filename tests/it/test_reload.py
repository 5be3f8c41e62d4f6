# SPDX-License-Identifier: MIT
"""Reloads, restarts and drains under a steady load: what is lost is what
crossed phx_leave on the wire, as the telephone says itself, and nothing else.
"""
import concurrent.futures, os, re, signal, subprocess, time

import load
from harness import check, equal, free_port, request, until

CROSSED = r"a request crossed phx_leave on the wire and was not begun"
DRAIN = {"SHUTDOWN_TIMEOUT": "6s", "HEARTBEAT_INTERVAL": "500ms", "HEARTBEAT_TIMEOUT": "5s"}



def judge(record, phones, at_least=40):
    """Every loss is one that crossed, seen from both ends; how many there were."""
    load.must(record.faults(), "wrong")
    left = {e["socket"] for e in record.events if e["what"] == "leave"}
    bad = []
    for r in record.failed:
        via = record.via(r)
        if not (r["status"] == 502 and via and via[0] in left and r["marker"] not in record.backend):
            bad.append(f"{r['marker']} by {via}: {r['status']} {r['text'][:80]}")
    load.must(bad, "lost, but did not cross phx_leave")
    said = sum(len(re.findall(CROSSED, p.log())) for p in phones)
    equal(said, len(record.failed), "requests that crossed, by the telephones and by their clients")
    check(len(record.requests) >= at_least, "there was a load")
    return said


def under_load(s, tunnels, act, delay_ms=0, phones=1):
    s.start_board(delay_ms=delay_ms)
    traffic = load.Traffic(s)
    made = [s.start(wait=None, TUNNELS=str(tunnels), CONTROL_SOCKET=f"{s.dir}/{n}.sock",
                    TOKEN_DB_PATH=f"{s.dir}/{n}.db", **DRAIN) for n in range(phones)]
    until(lambda: s.joined() == tunnels * phones, "all are joined")
    traffic.load(3, 60)
    try:
        time.sleep(0.5)
        act(s, made)
        time.sleep(0.5)
        return judge(traffic.finish(), s.phones)
    finally:
        traffic.stop()


def reload_by(how, times):
    def act(s, phones):
        phone = phones[0]
        tunnels = s.joined()
        for n in range(times):
            if how == "ctl":
                done = phone.ctl("reload")
                equal(done.returncode, 0, done.stdout)
            else:
                phone.signal(signal.SIGHUP)
            phone.wait_log(r"reload: done: ", count=n + 1)
            phone.wait_log(r"drained: \d+ requests finished, none abandoned", count=n + 1)
            until(lambda: s.joined() == tunnels, "the old one has left")
        equal(phone.status()["generation"], times + 1)
    return act


def restart_one(s, phones):
    first = phones[0]
    for sig in (signal.SIGTERM, signal.SIGINT):
        joined = s.joined()
        first.signal(sig)
        first.wait_exit(0)
        check(first.has_log(r"drained: \d+ requests finished, none abandoned"), "all were answered")
        first = s.spawn(first.env)
        until(lambda: s.joined() == joined, "it is back")


def test_reload_by_telephonectl_1(s):
    under_load(s, 1, reload_by("ctl", 2))


def test_reload_by_telephonectl_2(s):
    under_load(s, 2, reload_by("ctl", 2))


def test_reload_by_sighup_2(s):
    under_load(s, 2, reload_by("hup", 2))


def test_reload_with_a_slow_wire(s):
    """Requests are on their way for so long that some may cross."""
    under_load(s, 1, reload_by("ctl", 2), delay_ms=150)


def test_restart_one_of_two_1(s):
    under_load(s, 1, restart_one, phones=2)


def test_restart_one_of_two_2(s):
    under_load(s, 2, restart_one, phones=2)


def test_restart_with_a_slow_wire(s):
    under_load(s, 2, restart_one, delay_ms=150, phones=2)


def test_what_crosses_phx_leave(s):
    """One that is surely on the wire when the telephone leaves."""
    port = free_port()
    s.start_board()
    traffic = load.Traffic(s)
    phone = s.start(HEALTH_CHECK_PORT=port, **DRAIN)
    traffic.load(0)
    s.set(delay_ms=600)
    traffic.probe(2, 0)
    until(lambda: s.state()["in_flight"] == 2, "they are on the wire")
    s.set(delay_ms=1700)
    phone.signal(signal.SIGTERM)  # idle: it leaves at once, and waits for the reply
    metric = b"\ntelephone_requests_crossed_leave_total 2\n"
    until(lambda: metric in request(port, "GET", "/metrics").body, "they are counted", 5)
    phone.wait_exit(0)
    equal(judge(traffic.finish(), [phone], at_least=2), 2, "requests that crossed")


# --- drains -------------------------------------------------------------------

def slow_ones(s, phone, count, delay):
    pool = concurrent.futures.ThreadPoolExecutor(count)
    slow = [pool.submit(s.call, "GET", f"/delay/{delay}") for _ in range(count)]
    until(lambda: phone.status()["worker"]["in_flight"] == count, "they are in flight")
    return slow


def drain(s, sig, tunnels):
    port = free_port()
    phone = s.start(TUNNELS=str(tunnels), HEALTH_CHECK_PORT=port)
    until(lambda: s.joined() == tunnels, "all are joined")
    equal(s.call("GET", "/bytes/5").status, 200)  # before, and so not counted
    equal(request(port, "GET", "/readyz").status, 200)
    slow = slow_ones(s, phone, 4, 2500)
    phone.signal(sig)
    phone.wait_log(r"draining: 4 requests in flight")
    answer = request(port, "GET", "/readyz")
    equal((answer.status, answer.body), (503, b"draining\n"), "readiness")
    equal(phone.status()["ready"], False)
    for _ in range(6):  # these come while it drains
        equal(s.call("GET", "/bytes/5").status, 200)
    equal([f.result().status for f in slow], [200] * 4)
    phone.wait_exit(0)
    check(phone.has_log(r"drained: 10 requests finished, none abandoned"), "it says how many")
    equal(s.counter("leaves"), tunnels, "phx_leave")
    closes = [x for x in s.admin("log?since=0").splitlines() if '"closed by the telephone, code 1000"' in x]
    equal(len(closes), tunnels, "closed with 1000")


def test_sigterm_1(s):
    drain(s, signal.SIGTERM, 1)


def test_sigint_2(s):
    drain(s, signal.SIGINT, 2)


def test_drain_at_its_timeout(s):
    phone = s.start(TUNNELS="2", SHUTDOWN_TIMEOUT="1500ms")
    until(lambda: s.joined() == 2, "both are joined")
    slow = slow_ones(s, phone, 3, 60000)
    phone.signal(signal.SIGTERM)
    phone.wait_log(r"draining: 3 requests in flight")
    for _ in range(4):
        equal(s.call("GET", "/bytes/5").status, 200)
    phone.wait_exit(0)
    equal([f.result().status for f in slow], [502] * 3)
    check(phone.has_log(r"drained: 4 requests finished, 3 abandoned at the end of SHUTDOWN_TIMEOUT"), "it says how many")
    until(lambda: s.direct("/inflight").json()["current"] == 0, "cancelled at the backend")


def test_a_drain_in_the_middle_of_a_join(s):
    """The server has joined us and gave us requests; its reply is on its way."""
    s.start_board(delay_ms=400)
    phone = s.start(wait=None, **DRAIN)
    until(lambda: s.joined() == 1, "the server holds it for joined")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        early = [pool.submit(s.call, "GET", "/bytes/5") for _ in range(3)]
        until(lambda: s.state()["in_flight"] == 3, "they are given to it")
        check(not phone.has_log("worker: joined"), "it does not know yet")
        phone.signal(signal.SIGTERM)
        answers = [f.result().status for f in early]
    phone.wait_exit(0)
    crossed = len(re.findall(CROSSED, phone.log()))
    equal((answers.count(200) + crossed, answers.count(502)), (3, crossed), f"answered, or known to be lost: {answers}")
    equal(s.counter("leaves"), 1, "phx_leave")


def second_signal(s, first, second):
    phone = s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both are joined")
    slow = slow_ones(s, phone, 2, 60000)
    phone.signal(first)
    phone.wait_log(r"draining: 2 requests in flight")
    begin = time.monotonic()
    phone.signal(second)
    phone.wait_exit(1)
    check(time.monotonic() - begin < 5, "at once")
    for f in slow:
        equal(f.result().status, 502)
    until(lambda: s.direct("/inflight").json()["current"] == 0, "cancelled at the backend")


def test_second_sigterm(s):
    second_signal(s, signal.SIGTERM, signal.SIGTERM)


def test_sigint_after_sigterm(s):
    second_signal(s, signal.SIGTERM, signal.SIGINT)


def test_the_last_tunnel_dies_in_a_drain(s):
    """Nothing is left to wait for, and it is said what that cost."""
    phone = s.start()
    slow = slow_ones(s, phone, 2, 60000)
    phone.signal(signal.SIGTERM)
    phone.wait_log(r"draining: 2 requests in flight")
    equal(s.call("GET", "/bytes/5").status, 200)
    s.fault("drop")
    phone.wait_exit(0)
    equal([f.result().status for f in slow], [502] * 2)
    check(phone.has_log(r"warn worker: drained: 1 requests finished, 2 lost with their tunnel, none abandoned"), "it says how many")


def test_a_tunnel_dies_in_a_drain(s):
    """Its requests are cancelled at the backend; those of the other are answered."""
    phone = s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both are joined")
    slow = slow_ones(s, phone, 4, 3000)
    phone.signal(signal.SIGTERM)
    phone.wait_log(r"draining: 4 requests in flight")
    s.fault("drop", socket=s.state()["sockets"][0]["id"])
    until(lambda: s.direct("/inflight").json()["current"] == 2, "two are cancelled at the backend")
    equal(sorted(f.result().status for f in slow), [200, 200, 502, 502])
    phone.wait_exit(0)
    check(phone.has_log(r"drained: 2 requests finished, 2 lost with their tunnel, none abandoned"), "it says how many")
    equal(s.counter("connects"), 2, "nobody dials in a drain")
    equal(s.counter("proxy_res_late"), 0, "answers that nobody waited for")


# --- telephonectl drain -------------------------------------------------------

def ask_to_drain(phone):
    return subprocess.Popen([f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "drain"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={})


def draining(phone, count=1):
    asked = [ask_to_drain(phone) for _ in range(count)]
    phone.wait_log(r"info worker: draining: 2 requests in flight")
    return asked


def test_drain_by_telephonectl(s):
    """It returns at the end, and not before; two who ask are one drain."""
    phone = s.start()
    slow = slow_ones(s, phone, 2, 3000)
    asked = draining(phone, 2)
    check(all(a.poll() is None for a in asked), "they wait")
    equal([f.result().status for f in slow], [200, 200])
    equal([(a.wait(20), *a.communicate()) for a in asked], [(0, "", "")] * 2)
    phone.wait_exit(0)
    check(phone.has_log(r"drained: 2 requests finished, none abandoned"), "all were answered")
    equal(ask_to_drain(phone).wait(20), 69, "nobody is there")


def test_a_signal_joins_a_drain(s):
    """Whoever stops the service knows nothing of the drain; the second signal means it."""
    phone = s.start()
    slow = slow_ones(s, phone, 2, 3000)
    asked, = draining(phone)
    phone.signal(signal.SIGTERM)
    equal([f.result().status for f in slow], [200, 200])
    phone.wait_exit(0)
    equal(asked.wait(20), 0)
    phone = s.start(wait="ready", CONTROL_SOCKET=f"{s.dir}/second.sock", TOKEN_DB_PATH=f"{s.dir}/second.db")
    phone.wait_joined()
    slow = slow_ones(s, phone, 2, 20000)
    asked, = draining(phone)
    for count in (1, 2):
        phone.signal(signal.SIGTERM)
        phone.wait_log("Terminated: stopping", count=count)
    phone.wait_exit(1)
    equal(asked.wait(20), 1)
    check(phone.has_log("warn telephone: stopping at once"), "it is forced")


def test_a_drain_that_a_worker_outlasts(s):
    """One that stands still is killed in the end, and that is no good order."""
    phone = s.start(SHUTDOWN_TIMEOUT="1s")
    os.kill(phone.child("worker"), signal.SIGSTOP)
    asked = ask_to_drain(phone)
    phone.wait_exit(1)
    equal(asked.wait(20), 1)
    check(phone.has_log(r"worker \(pid \d+\) is killed: it does not leave"), "why")


def test_telephonectl_drain_is_plain(s):
    phone = s.start()
    equal(phone.ctl("drain", "now").returncode, 64)
    equal(s.call("GET", "/bytes/5").status, 200)
