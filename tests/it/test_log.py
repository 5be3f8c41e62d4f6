# SPDX-License-Identifier: MIT
"""What the log says of each request and session, and what it never says."""
import concurrent.futures, json, os, pty, re, threading, time

from harness import check, equal, free_port, request, until
from wskit import TEXT, connect

PHASES = ("queue_ms", "retry_ms", "connect_ms", "first_byte_ms", "body_ms", "send_ms")
REQUEST = {"ts", "level", "proc", "event", "msg", "request_id", "tunnel", "method", "path", "outcome", "bytes_in",
           "bytes_out", "tries", "duration_ms", "queue_ms", "send_ms"}
SESSION = {"ts", "level", "proc", "event", "msg", "connection_id", "tunnel", "path", "outcome", "messages_in",
           "messages_out", "bytes_in", "bytes_out", "duration_ms"}


def records(phone, event="request"):
    """Those of a log in JSON."""
    lines = [json.loads(line) for line in phone.log().splitlines()]
    return [r for r in lines if r.get("event") == event]


def wait_records(phone, count, event="request"):
    until(lambda: len(records(phone, event)) >= count, f"{count} records")
    time.sleep(0.2)  # one too many would come now
    got = records(phone, event)
    equal(len(got), count, "records")
    return got


def test_one_record_for_each_exchange(s):
    phone = s.start(LOG_FORMAT="json", REQUEST_TIMEOUT="1s", DENY_PATHS="/secret", BACKEND_FIRST_BYTE_TIMEOUT="400ms")
    s.call("GET", "/bytes/1000?q=1")
    s.call("POST", "/echo", b"x" * 300, {"content-type": "text/plain"})
    s.call("GET", "/status/404")
    s.call("GET", "/secret")
    s.call("GET", "/hang")
    s.call("GET", "/reset")
    s.call("GET", "/slow/1000")
    got = wait_records(phone, 7)
    want = [("GET", "/bytes/1000", 200, "ok", None), ("POST", "/echo", 200, "ok", None),
            ("GET", "/status/404", 404, "ok", None), ("GET", "/secret", 403, "refused", "path_not_allowed"),
            ("GET", "/hang", 504, "timeout", "backend_first_byte_timeout"),
            ("GET", "/reset", 502, "backend_error", "backend_cut"),
            ("GET", "/slow/1000", 504, "timeout", "backend_unfinished")]
    equal([(r["method"], r["path"], r["status"], r["outcome"], r.get("cause")) for r in got], want)
    for r in got:
        check(REQUEST <= set(r), REQUEST - set(r))
        check(set(r) <= REQUEST | set(PHASES) | {"status", "cause", "trace_id", "sample"}, sorted(set(r)))
        check(sum(r.get(p, 0) for p in PHASES) <= r["duration_ms"] + 0.01, r)
        equal(r["level"], "info" if r["outcome"] == "ok" else "warn")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r["ts"]), r["ts"])
    equal((got[0]["bytes_in"], got[0]["bytes_out"]), (0, 1000))
    equal((got[1]["bytes_in"], got[1]["bytes_out"]), (300, 300))
    check(300 <= got[4]["first_byte_ms"] <= 2000, got[4])
    check("first_byte_ms" in got[0] and "connect_ms" in got[0] and "body_ms" in got[0], got[0])
    check(got[6]["body_ms"] > 300, got[6])
    check("connect_ms" not in got[3] and got[3]["tries"] == 0, got[3])


def test_lost_and_unreachable_have_their_record(s):
    phone = s.start(LOG_FORMAT="json")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(s.call, "GET", "/hang", timeout=20) for _ in range(3)]
        until(lambda: s.direct("/inflight").json()["now"] >= 3 if b"now" in s.direct("/inflight").body
              else phone.status()["worker"]["in_flight"] >= 3, "three are under way")
        s.fault("drop")
        for c in calls:
            c.exception() or c.result()
    got = wait_records(phone, 3)
    equal({(r["outcome"], r["cause"], r.get("status")) for r in got}, {("lost", "tunnel_lost", None)})
    s.backend.stop()
    phone.wait_log(r"joined ", count=2)
    equal(s.call("GET", "/x").status, 502)
    got = wait_records(phone, 4)[3]
    equal((got["cause"], got["outcome"]), ("backend_unreachable", "backend_error"))
    check("connect_ms" in got and "first_byte_ms" not in got, got)
    s.backend = None


def test_retries_are_a_phase(s):
    phone = s.start(LOG_FORMAT="json", BACKEND_RETRY_ON="connect,503")
    equal(s.call("GET", "/fail/2?key=r").status, 200)
    got = wait_records(phone, 1)[0]
    equal(got["tries"], 3)
    check(0 < got["retry_ms"] < got["duration_ms"], got)


def test_one_record_for_each_session(s):
    phone = s.start(LOG_FORMAT="json")
    ws = connect(s, "/ws?token=q")
    ws.send(TEXT, "hello")
    ws.recv()
    ws.close(1000)
    got = wait_records(phone, 1, "websocket")[0]
    check(SESSION <= set(got), SESSION - set(got))
    equal((got["path"], got["outcome"], got["messages_in"], got["bytes_in"], got["messages_out"], got["bytes_out"]),
          ("/ws", "client", 1, 5, 1, 5))
    equal((got["code"], got["level"]), (1000, "info"))
    check("connect_ms" in got, got)
    ws = connect(s, "/ws")  # held, or it closes at once
    s.fault("drop")
    got = wait_records(phone, 2, "websocket")[1]
    equal((got["outcome"], got["cause"], got["level"]), ("lost", "tunnel_lost", "warn"))


def test_text_is_one_line_of_logfmt(s):
    phone = s.start()
    s.call("GET", "/bytes/7")
    s.call("GET", "/a%20b%0ac%22")
    phone.wait_log(r"request \S+: refused with 400")
    lines = [line for line in phone.log().splitlines() if ": request " in line]
    equal(len(lines), 2, lines)
    check(re.fullmatch(r"\S+ info worker: request (\S+): 200 in \d+ ms; request_id=\1 tunnel=1 method=GET path=/bytes/7 "
                       r"status=200 outcome=ok bytes_in=0 bytes_out=7 tries=1 duration_ms=[\d.]+ queue_ms=[\d.]+ "
                       r"connect_ms=[\d.]+ first_byte_ms=[\d.]+ body_ms=[\d.]+ send_ms=[\d.]+", lines[0]), lines[0])
    check(r'path="/a b\u000ac\"" ' in lines[1], lines[1])


def test_sampling_never_drops_failures(s):
    phone = s.start(LOG_FORMAT="json", LOG_SAMPLE=10, DENY_PATHS="/secret")
    for _ in range(30):
        equal(s.call("GET", "/bytes/5").status, 200)
    for _ in range(4):
        equal(s.call("GET", "/status/500").status, 500)
        equal(s.call("GET", "/reset").status, 502)
        equal(s.call("GET", "/secret").status, 403)
    until(lambda: sum(r["outcome"] == "backend_error" for r in records(phone)) == 4, "all failures")
    until(lambda: sum(r["outcome"] == "refused" for r in records(phone)) == 4, "all refusals")
    got = records(phone)
    equal(sum(r.get("status") == 200 for r in got), 3, "successes")
    equal(sum(r.get("status") == 500 for r in got), 4, "the application's own failures")
    equal({r["sample"] for r in got}, {10})


CANARIES = ("canary-query", "canary-bearer", "canary-cookie", "canary-sent", "canary-body", "canary-fragment")


def say_all(s):
    head = {"authorization": "Bearer canary-bearer", "cookie": "id=canary-cookie", "x-api-key": "canary-sent"}
    for target in ("/headers?k=canary-query", "/hang?k=canary-query", "/reset?k=canary-query", "/a%3Fk=canary-fragment",
                   "/cookies?canary-query", "/raw?hex=00&k=canary-query"):
        s.call("GET", target, headers=head)
    s.call("POST", "/echo?canary-query", b"canary-body", {**head, "content-type": "text/plain"})
    ws = connect(s, "/ws?k=canary-query", head)
    ws.send(TEXT, "canary-body")
    ws.recv()
    ws.close()


def no_canaries(s, **more):
    port = free_port()
    phone = s.start(LOG_LEVEL="debug", BACKEND_FIRST_BYTE_TIMEOUT="300ms", HEALTH_CHECK_PORT=port, **more)
    say_all(s)
    until(lambda: "closed by the client" in phone.log(), "the session has ended")
    token = phone.env["TELEPHONE_TOKEN"]
    said = phone.log() + phone.ctl("status").stdout + phone.ctl("status", "--json").stdout
    said += phone.ctl("token", "show", "--json").stdout + request(port, "GET", "/metrics").body.decode()
    for secret in (*CANARIES, s.secret, token, *(part for part in token.split(".") if len(part) > 20)):
        check(secret not in said, f"{secret[:30]} was said")


def test_nothing_secret_in_text(s):
    no_canaries(s)


def test_nothing_secret_in_json(s):
    no_canaries(s, LOG_FORMAT="json")


class Slow:
    """A telephone whose standard error is a pipe that nobody reads yet."""

    def __init__(self, s, **more):
        self.path = f"{s.dir}/stderr"
        os.mkfifo(self.path, 0o666)
        os.chmod(self.path, 0o666)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        s.start_board()
        s.start_backend()
        self.phone = s.spawn(s.env(**more), prefix=("/bin/sh", "-c", f'exec "$@" 2>{self.path}', "sh"))
        until(lambda: s.joined() == 1, "joined")

    def read(self, seconds=0.5):
        """All that comes until nothing has come for so long."""
        data, quiet = b"", time.monotonic()
        while time.monotonic() - quiet < seconds:
            try:
                piece = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                piece = b""
            if piece:
                data, quiet = data + piece, time.monotonic()
            else:
                time.sleep(0.02)
        return data.decode()


def test_a_slow_reader_costs_lines_and_no_time(s):
    port = free_port()
    slow = Slow(s, LOG_LEVEL="debug", HEALTH_CHECK_PORT=port)
    begin = time.monotonic()
    for _ in range(400):  # about 130 kB of records: twice what the pipe holds
        equal(s.call("GET", "/bytes/5").status, 200)
    equal(request(port, "GET", "/livez").status, 200)
    check(time.monotonic() - begin < 60, "requests wait for the log")
    first = slow.read()
    check("\n" in first and first.endswith("\n"), "whole lines")
    equal(s.call("GET", "/bytes/5").status, 200)
    then = slow.read()
    said = re.search(r"warn worker: (\d+) lines of the log were dropped: whoever reads it is slower than they come", then)
    check(said, then[:400])
    records_seen = len(re.findall(r"info worker: request ", first + then))
    check(records_seen + int(said[1]) >= 401, f"{records_seen} seen, {said[1]} dropped")
    equal(slow.read(0.2), "")
    dropped = re.search(r"^telephone_log_lines_dropped_total (\d+)$", request(port, "GET", "/metrics").body.decode(), re.M)
    equal(dropped[1], said[1], "the metric")
    for line in (first + then).splitlines():
        check(re.match(r"\d{4}-\d\d-\d\dT\S+Z (debug|info|warn|error) \w+: ", line), f"torn: {line[:80]}")
    threading.Thread(target=slow.read, args=(2,), daemon=True).start()


def test_a_terminal_that_nobody_reads(s):
    """It is writable while it has room for less than a line."""
    s.start_board()
    s.start_backend()
    master, terminal = pty.openpty()
    os.fchmod(terminal, 0o666)
    name = os.ttyname(terminal)
    phone = s.spawn(s.env(LOG_LEVEL="debug"), prefix=("/bin/sh", "-c", f'exec "$@" 2>{name}', "sh"))
    until(lambda: s.joined() == 1, "joined")
    worker = phone.child("worker")
    for _ in range(100):  # about 30 kB of records, of which a terminal holds four
        equal(s.call("GET", "/bytes/5").status, 200)
    check(os.get_blocking(terminal), "the descriptor that others have is as it was")
    os.set_blocking(master, False)
    data = b""

    def told():
        nonlocal data
        s.call("GET", "/bytes/5")
        try:
            data += os.read(master, 1 << 16)
        except BlockingIOError:
            pass
        return b"lines of the log were dropped" in data and data.endswith(b"\r\n")

    until(told, lambda: f"it is said that lines were dropped, and not only {data!r}")
    for line in data.decode().split("\r\n")[:-1]:
        check(re.match(r"\d{4}-\d\d-\d\dT\S+Z (debug|info|warn|error) \w+: ", line), f"glued: {line[:80]}")
    equal(phone.child("worker"), worker, "the worker")
    phone.stop()
    os.close(master)
    os.close(terminal)


def test_levels_change_while_it_runs(s):
    phone = s.start()
    s.call("GET", "/bytes/1")
    check(not phone.has_log(r" debug "), "nothing is debugged")
    equal(phone.ctl("log", "debug", "worker").returncode, 0)
    s.fault("drop")
    phone.wait_log(r"debug worker: ")
    check(not phone.has_log(r"debug (tokend|telephone): "), "the worker alone")
    equal(phone.ctl("log", "error").returncode, 0)
    until(lambda: s.joined() == 1, "joined again")
    phone.wait_joined()
    said = len(phone.log())
    s.call("GET", "/bytes/2")
    time.sleep(0.3)
    equal(phone.log()[said:].count("info worker"), 0, "lines below error")
    equal(phone.ctl("reload").returncode, 0)
    s.call("GET", "/bytes/3")
    phone.wait_log(r"info worker: request \S+: 200 .*path=/bytes/3")
    for args in ((), ("loud",), ("debug", "nobody"), ("debug", "worker", "more")):
        equal(phone.ctl("log", *args).returncode, 64, args)


def test_a_level_outlives_the_worker(s):
    phone = s.start()
    equal(phone.ctl("log", "debug", "worker").returncode, 0)
    os.kill(phone.child("worker"), 9)
    phone.wait_log(r"joined ", count=2)
    s.fault("drop")  # the first attempt may come before the level does
    phone.wait_log(r"ended with signal 9 (.*\n)+.* debug worker: ")


def test_priorities_for_the_journal(s):
    path = f"{s.dir}/telephone-0.log"
    with open(path, "w"):
        os.chmod(path, 0o666)
    st = os.stat(path)
    s.start_board()
    s.start_backend()
    phone = s.start(wait=None, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}", LOG_LEVEL="debug")
    phone.wait_log(r"<6>\S+ info worker: joined ")
    s.call("GET", "/reset")
    phone.wait_log(r"<4>\S+ warn worker: request ")
    lines = phone.log().splitlines()
    plain = [line for line in lines if not line.startswith("<")]
    check(all("started, pid" in line or "warn telephone" in line or "info telephone: telephone" in line for line in plain)
          and len(plain) < 6, plain)
    want = {"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>"}
    for line in lines:
        if line.startswith("<"):
            equal(line[:3], want[line.split()[1]], line)
    check(phone.has_log(r"<\d>\S+ \w+ tokend: "), "tokend knows it too")


def test_no_priorities_for_another_stream(s):
    phone = s.start(JOURNAL_STREAM="1:2")
    check(not phone.has_log(r"(?m)^<"), "no priority")
