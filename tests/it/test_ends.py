# SPDX-License-Identifier: MIT
"""Every way in which a tunnel can end: named, counted, and followed by a new one."""
import concurrent.futures, json, os, re, signal, socket, threading, time

from harness import check, equal, free_port, request, until
from test_tls import Certs, Front, copy, server_context

LONG = {"INITIAL_BACKOFF": "20s", "MAX_BACKOFF": "20s"}
BEATS = {"HEARTBEAT_INTERVAL": "200ms", "HEARTBEAT_TIMEOUT": "5s"}


def serves(s):
    return s.call("GET", "/bytes/5").status == 200


def healthy(phone):
    """Its connection had a heartbeat acknowledged."""
    until(lambda: phone.status()["worker"]["heartbeat_ms"] >= 0, "a heartbeat was acknowledged")


def metric(port, name):
    for line in request(port, "GET", "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[-1])
    return None


def reconnects(port, reason):
    return metric(port, f'telephone_reconnects_total{{reason="{reason}"}}')


def test_close_codes(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, **BEATS)
    equal(reconnects(port, "closed"), 0)
    codes = (1000, 1001, 1002, 1007, 1009, 1011, 1012)
    for n, code in enumerate(codes, 1):
        s.fault("close", code=code)
        # Some versions of libwebsockets show a received 1012 as 1002.
        phone.wait_log(rf"ended: closed ({code}{'|1002' if code == 1012 else ''}); next attempt in")
        phone.wait_log(r"info worker: joined ", count=n + 1)
        check(serves(s), f"it serves after {code}")
    equal(reconnects(port, "closed"), len(codes))
    equal(s.joined(), 1, "sockets joined")


def test_other_ends(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    half_a_frame = {"bytes": "817e1000414141"}
    for n, (faults, words, reason) in enumerate((
            ((("drop", {}),), "connection lost: end of stream", "eof"),
            ((("rst", {}),), "connection lost: reset by the peer", "eof"),
            ((("garbage", half_a_frame), ("drop", {})), "connection lost: end of stream", "eof"),
            ((("garbage", {}),), "protocol error: ", "protocol"),
    ), 1):
        before = reconnects(port, reason)
        for kind, more in faults:
            s.fault(kind, **more)
        phone.wait_log(rf"ended: {words}")
        phone.wait_log(r"info worker: joined ", count=n + 1)
        check(serves(s), f"it serves after {faults}")
        equal(reconnects(port, reason), before + 1, reason)


def test_reset_behind_what_was_not_read(s):
    """A reset discards nothing that had arrived: what is still to be read is
    no proof that it was nonsense."""
    phone = s.start()
    os.kill(phone.child("worker"), signal.SIGSTOP)
    for n in range(20):
        s.admin("push", body=json.dumps({"request_id": f"r-{n}", "method": "GET", "path": "/bytes/5", "query_string": "",
                                         "headers": {}, "body": "x" * 30000}).encode(), event="proxy_req")
    s.fault("rst")
    os.kill(phone.child("worker"), signal.SIGCONT)
    phone.wait_log(r"info worker: joined ", count=2)
    check(phone.has_log("ended: connection lost: reset by the peer"), "the reset has its name")


def test_a_healthy_connection_is_tried_again_at_once(s):
    phone = s.start(**BEATS, **LONG)
    for n, kind in enumerate(("drop", "rst", "drop"), 1):
        healthy(phone)
        s.fault(kind)
        phone.wait_log(r"next attempt in 0\.0 s", count=n)
        phone.wait_log(r"info worker: joined ", count=n + 1, seconds=10)
    check(serves(s), "it serves")


def test_after_a_close_frame_within_a_second(s):
    phone = s.start(**BEATS, **LONG)
    waits = []
    for n in range(1, 5):
        healthy(phone)
        s.fault("close", code=1012)
        phone.wait_log(r"ended: closed", count=n)
        waits.append(re.findall(r"next attempt in (\d+\.\d) s", phone.log())[-1])
        phone.wait_log(r"info worker: joined ", count=n + 1, seconds=10)
    check(all(float(w) <= 1 for w in waits), f"within a second: {waits}")
    check(len(set(waits)) > 1, f"not all in the same moment: {waits}")


def test_one_that_did_not_prove_itself_waits(s):
    phone = s.start(INITIAL_BACKOFF="1500ms", MAX_BACKOFF="10s")  # and no heartbeat for 30 s
    s.fault("drop")
    phone.wait_log(r"next attempt in 1\.[1-8] s")
    phone.wait_log(r"info worker: joined ", count=2)
    s.fault("drop")
    phone.wait_log(r"next attempt in (2\.[2-9]|3\.[0-7]) s")


def test_the_end_of_a_healthy_one_is_no_failed_attempt(s):
    phone = s.start(MAX_RETRIES="0", **BEATS, **LONG)
    healthy(phone)
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")


def test_crash_after_crash(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    for n in range(1, 12):
        s.fault("error" if n % 2 else "crash")
        if n < 11:
            phone.wait_log(r"info worker: joined ", count=n + 1)
    phone.wait_log(r"ended: channel crashes")
    delays = [int(d) for d in re.findall(r"joining again in (\d+) ms", phone.log())]
    equal(delays[:3], [0, 50, 100], "delays")
    check(delays == sorted(delays) and len(delays) == 10, f"longer and longer: {delays}")
    phone.wait_log(r"info worker: joined ", count=12)
    check(serves(s), "it serves")
    equal(metric(port, 'telephone_rejoins_total{reason="phx_error"}'), 10)
    equal(reconnects(port, "channel_crashes"), 1)
    equal(s.counter("connects"), 2, "connections")


def join_ref(s):
    """Of the join under way, as the server saw it."""
    ref = None
    for line in s.admin("log?since=0").splitlines():
        entry = json.loads(line)
        if entry.get("dir") == "in" and "phx_join" in entry.get("text", ""):
            ref = json.loads(entry["text"])[0]
    return ref


def test_unmatched_topic(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    reply = [join_ref(s), "99", "telephone:demo", "phx_reply",
             {"status": "error", "response": {"reason": "unmatched topic"}}]
    s.admin("raw", json.dumps(reply).encode())
    phone.wait_log(r"ended by the server \(unmatched topic\), joining again")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(metric(port, 'telephone_rejoins_total{reason="unmatched_topic"}'), 1)
    equal(s.counter("connects"), 1, "connections")


def test_the_close_of_an_earlier_join_is_ignored(s):
    phone = s.start()
    old = join_ref(s)
    s.fault("crash")
    phone.wait_log(r"info worker: joined ", count=2)
    for event in ("phx_close", "phx_error"):
        s.admin("raw", json.dumps([old, None, "telephone:demo", event, {}]).encode())
    check(serves(s), "it serves")
    equal(phone.status()["worker"]["rejoins"], 1)


def test_no_way_there(s):
    phone = s.start(wait=None, PLUGBOARD_URL="ws://255.255.255.255/x")  # no packet leaves for it
    phone.wait_log(r"ended: unreachable: ")


def test_no_answer_to_the_connect(s):
    s.start_board()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for w in waiting:
            w.setblocking(False)
            w.connect_ex(("127.0.0.1", port))
        phone = s.start(wait=None, CONNECT_TIMEOUT="500ms", PLUGBOARD_URL=f"ws://127.0.0.1:{port}/x")
        phone.wait_log(r"ended: timeout: no answer to the TCP connect within CONNECT_TIMEOUT")
        for w in waiting:
            w.close()


def test_a_server_cannot_silence_us_for_ever(s):
    s.start_board(handshake="503", retry_after=86400)
    phone = s.start(wait=None)
    phone.wait_log(r"http status 503; next attempt in (36|37|38|39|40|41|42|43|44|45)\d\d\.\d s")


def test_sending_stalls(s):
    phone = s.start(TUNNELS="2", SEND_TIMEOUT="1s")
    until(lambda: s.joined() == 2, "both are joined")
    s.set(request_timeout_ms=3000, heartbeat_timeout_ms=4000)
    first = s.state()["sockets"][0]["id"]
    s.fault("stall", socket=first)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for f in [pool.submit(s.call, "GET", "/bytes/20000000") for _ in range(2)]:
            f.result()
    phone.wait_log(r"ended: sending stalled")
    phone.wait_log(r"info worker: joined ", count=3)
    until(lambda: serves(s) and serves(s), "it serves")


def test_one_slow_answer_costs_its_own_tunnel(s):
    s.start_board(read_rate=1000000, request_timeout_ms=20000)
    phone = s.start(TUNNELS="2", MAX_SEND_TIME="1s", SEND_TIMEOUT="10s")
    until(lambda: s.joined() == 2, "both are joined")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(s.call, "GET", "/bytes/20000000")
        answers = []
        while not slow.done():
            answers.append(s.call("GET", "/bytes/7").status)
        equal(slow.result().status, 502, "the slow one")
    phone.wait_log(r"ended: message too slow: one answer took far longer than MAX_SEND_TIME")
    equal(len(re.findall(r"ended: ", phone.log())), 1, "tunnels that ended")
    check(answers.count(200) >= len(answers) / 2, f"those of the other tunnel: {len(answers)}, {set(answers)}")


def test_an_answer_that_would_take_too_long_is_refused(s):
    s.start_board(read_rate=2000000, request_timeout_ms=30000)
    phone = s.start(MAX_SEND_TIME="5s")
    equal(s.call("GET", "/bytes/6000000").status, 200, "three seconds are fine")
    answer = s.call("GET", "/bytes/60000000")
    equal((answer.status, answer.json()["error"]), (503, "tunnel_too_slow"))
    check(serves(s), "short ones pass")
    equal(s.counter("connects"), 1, "connections")
    phone.wait_log(r"refused with 503: .*tunnel_too_slow")


def test_a_heartbeat_goes_before_a_long_answer(s):
    s.start()  # the schedule's first one is 30 s away
    equal(s.counter("heartbeats"), 0)
    equal(len(s.call("GET", "/bytes/3000000").body), 3000000)
    equal(s.counter("heartbeats"), 1)


def test_heartbeats_keep_their_schedule_under_load(s):
    phone = s.start(HEARTBEAT_INTERVAL="500ms", HEARTBEAT_TIMEOUT="5s")
    end = time.monotonic() + 4

    def load(_):
        while time.monotonic() < end:
            equal(s.call("GET", "/bytes/2000000").status, 200)
    before = s.counter("heartbeats")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(load, range(4)))
    check(s.counter("heartbeats") - before >= 4, "half of those that were due in time")
    check(not phone.has_log("ended:"), "the connection lives")


class Flip(threading.Thread):
    """A relay that spoils one octet of what the server sends, when told."""

    def __init__(self, to):
        super().__init__(daemon=True)
        self.to, self.spoil = to, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=copy, args=(conn, server), daemon=True).start()
            threading.Thread(target=self.back, args=(server, conn), daemon=True).start()

    def back(self, server, conn):
        try:
            while data := server.recv(65536):
                if self.spoil:
                    self.spoil, data = False, data[:-1] + bytes([data[-1] ^ 1])
                conn.sendall(data)
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def test_a_tls_fault_on_an_open_connection(s):
    """It is no fault of the WebSocket, and is not called one."""
    port, certs = free_port(), Certs(s.dir)
    certs.sign("server")
    s.start_board()
    front = Front(server_context(certs, "server"), s.board.ports["http"])
    relay = Flip(front.port)
    phone = s.start(HEALTH_CHECK_PORT=port, PLUGBOARD_CA_FILE=certs.pem("ca"), HEARTBEAT_INTERVAL="200ms",
                    PLUGBOARD_URL=f"wss://localhost:{relay.port}/telephone/websocket")
    relay.spoil = True
    phone.wait_log(r"ended: tls failed: broken records: we sent alert: bad record mac")
    phone.wait_log(r"info worker: joined ", count=2)
    until(lambda: serves(s), "it serves")
    for x in (front, relay.listener):
        x.close()
