# SPDX-License-Identifier: MIT
"""telephonectl requests: the list, its filters, and following through reloads and crashes."""
import json, os, re, signal, subprocess, threading, time

from harness import check, equal, until
from wskit import TEXT, connect

KEYS = ["number", "seq", "kind", "state", "id", "trace_id", "began", "tunnel", "method", "path", "status", "outcome",
        "failed", "cause", "reason", "tries", "bytes_in", "bytes_out", "messages_in", "messages_out", "duration_ms", "phase",
        "phases_ms"]
PHASES = ["queue", "retry", "connect", "first_byte", "body", "send"]


def rows(phone, *args):
    done = phone.ctl("requests", "--json", *args)
    equal(done.returncode, 0, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Follower:
    """telephonectl requests --follow, line by line."""

    def __init__(self, phone, *args):
        self.lines, self.said = [], []
        self.proc = subprocess.Popen(
            [f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "requests", "--follow", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={})
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.proc.stdout, self.lines), (self.proc.stderr, self.said))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(stream, to):
        for line in stream:
            to.append(line.rstrip("\n"))

    def wait(self, pattern, seconds=30, among=None):
        among = self.lines if among is None else among
        until(lambda: any(re.search(pattern, line) for line in list(among)), lambda: f"{pattern!r} in {among[-5:]}, {self.said}", seconds)

    def paths(self):
        return [json.loads(line)["path"] for line in list(self.lines)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.send_signal(signal.SIGINT)
        try:
            code = self.proc.wait(timeout=20)
        finally:
            self.proc.kill()
            self.proc.wait()
            for thread in self.threads:
                thread.join(20)
            self.proc.stdout.close()
            self.proc.stderr.close()
        equal(code, -signal.SIGINT, self.said)


def later(call):
    def run():
        try:
            call()
        except OSError:
            pass  # the test has ended before it
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_what_is_shown_of_each(s):
    phone = s.start()
    equal(rows(phone), [])
    equal(s.call("GET", "/bytes/5?secret=1").status, 200)
    equal(s.call("POST", "/status/404", b"abc").status, 404)
    equal(s.call("GET", "/a%0db").status, 400)
    one, two, three = rows(phone)
    for row in (one, two, three):
        equal(list(row), KEYS)
        equal(list(row["phases_ms"]), PHASES)
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["began"]), row["began"])
    equal([one[k] for k in ("number", "seq", "kind", "state", "method", "path", "status", "outcome", "failed", "bytes_out")],
          [1, 1, "request", "ended", "GET", "/bytes/5", 200, "ok", False, 5])
    equal([two[k] for k in ("seq", "method", "status", "failed", "bytes_in")], [2, "POST", 404, False, 3])
    equal([three[k] for k in ("status", "outcome", "failed")], [400, "refused", True])
    check(three["cause"] and three["reason"], three)
    check(phone.has_log(f"request_id={one['id']}|{one['id']}"), "the id is that of the log")
    total = sum(v for v in one["phases_ms"].values() if v)
    check(abs(total - one["duration_ms"]) < 0.01, one)


def test_the_table_fits(s):
    phone = s.start()
    long = "/" + "/".join(f"part{i}" for i in range(30))
    equal(s.call("GET", long).status, 404)
    s.call("GET", "/a%1b%5b2J%c2%9b2J")
    s.call("GET", "/bytes/1048576")
    later(lambda: s.call("GET", "/delay/5000"))
    until(lambda: [r["phase"] for r in rows(phone, "--in-flight")] == ["first_byte"], "the application thinks")
    done = phone.ctl("requests")
    equal(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    equal(lines[0].split(), ["TIME", "METHOD", "STAT", "TOOK", "SIZE", "NOTE", "PATH"])
    equal(len(lines), 5, done.stdout)
    check(all(len(line) <= 80 for line in lines), done.stdout)
    check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout), repr(done.stdout))
    check(lines[1].endswith("/part29") and "~" in lines[1], lines[1])
    check(lines[-1].endswith(" /delay/5000") and " first_byte " in lines[-1] and "   - " in lines[-1], lines[-1])
    at = lines[0].index("PATH")
    check(all(line[at - 1] == " " and line[at] != " " for line in lines), done.stdout)
    for columns in (20, 40, 132):
        out = subprocess.run([f"{s.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "requests"], capture_output=True,
                             text=True, timeout=60, env={"COLUMNS": str(columns)}).stdout
        check(max(map(len, out.splitlines())) <= columns, out)


def test_filters(s):
    phone = s.start()
    for target in ("/status/200", "/status/404", "/status/503", "/delay/400", "/bytes/7"):
        s.call("GET", target)
    s.call("GET", "/a%0db")
    for args, want in (
            ([], 6), (["--status", "404"], 1), (["--status", "5xx,404"], 2), (["--status", "2XX"], 3), (["--failed"], 1),
            (["--slow", "350ms"], 1), (["--slow", "1h"], 0), (["--path", "/status"], 3), (["--path", "/status/?0?"], 3),
            (["--path", "*0*"], 4), (["--path", "/STATUS"], 0), (["-n", "2"], 2), (["-n", "0"], 0),
            (["--status", "2xx", "--path", "/s", "-n", "9"], 1), (["--in-flight"], 0)):
        equal(len(rows(phone, *args)), want, args)
    equal(rows(phone, "-n", "1")[0]["seq"], 6, "the newest")
    for bad in (["--status", "6"], ["--status", "abc"], ["--status", ""], ["--status", "200,"], ["--slow", "2"], ["--slow", "-1s"],
                ["-n", "x"], ["-n", "-1"], ["-n", "1025"], ["--nonsense"], ["more"], ["-f", "--in-flight"]):
        done = phone.ctl("requests", *bad)
        equal(done.returncode, 64, bad)
        check(done.stderr and not done.stdout, done.stderr)


def test_websockets_in_flight(s):
    phone = s.start()
    ws = connect(s, "/ws")
    ws.send(TEXT, "hello")
    ws.recv()
    until(lambda: [r["messages_in"] for r in rows(phone, "--in-flight")] == [1], "it is shown while it lasts")
    row, = rows(phone, "--in-flight")
    equal([row[k] for k in ("kind", "method", "state", "phase", "seq")], ["websocket", "WS", "running", "body", None])
    check(" open " in phone.ctl("requests", "--in-flight").stdout, "the table says so")
    ws.close()
    until(lambda: rows(phone, "--path", "/ws"), "it has ended")
    row, = rows(phone)
    equal([row[k] for k in ("status", "state", "failed")], [1000, "ended", False])


def test_many_in_flight(s):
    """More than one page of them, and none twice."""
    phone = s.start(MAX_INFLIGHT="600")
    threads = [later(lambda: s.call("GET", "/delay/8000", timeout=60)) for _ in range(400)]
    until(lambda: len(rows(phone, "--in-flight")) == 400, "all are shown", 60)
    numbers = [r["number"] for r in rows(phone, "--in-flight")]
    equal(numbers, sorted(set(numbers)))
    for thread in threads:
        thread.join(60)
    ended = [r["seq"] for r in rows(phone, "-n", "1024")]
    equal(ended, list(range(145, 401)), "what the worker remembers")


def test_follow(s):
    phone = s.start()
    for i in range(5):
        s.call("GET", f"/bytes/{i}")
    with Follower(phone, "--json", "-n", "2") as f:
        f.wait('"path":"/bytes/4"')
        equal(f.paths(), ["/bytes/3", "/bytes/4"])
        s.call("GET", "/status/503")
        f.wait('"status":503', 5)
        equal(len(f.lines), 3)
    with Follower(phone, "--status", "404", "-n", "0") as f:
        f.wait("TIME")
        s.call("GET", "/bytes/3")
        s.call("GET", "/status/404")
        f.wait("/status/404", 5)
        equal(len(f.lines), 2)
    equal(f.said, [])


def test_follow_through_a_reload(s):
    """What the old worker still had in flight is seen, and what the new one serves."""
    phone = s.start()
    with Follower(phone, "--json") as f:
        s.call("GET", "/bytes/1")
        f.wait("/bytes/1")
        slow = later(lambda: s.call("GET", "/delay/4000"))
        until(lambda: rows(phone, "--in-flight"), "it is in flight")
        equal(phone.ctl("reload").returncode, 0)
        s.call("GET", "/bytes/2")
        f.wait("/bytes/2")
        check("/delay/4000" not in f.paths(), "the old one has not ended it yet")
        f.wait("/delay/4000")
        slow.join(30)
        for i in range(10):
            s.call("GET", f"/bytes/{10 + i}")
        f.wait("/bytes/19")
        equal(sorted(f.paths()), sorted(["/bytes/1", "/bytes/2", "/delay/4000", *(f"/bytes/{10 + i}" for i in range(10))]))
        equal([line for line in f.said if "going on with worker" not in line], [])


def test_follow_through_reloads(s):
    """Several old workers have something in flight, and none of it is missed."""
    phone = s.start()
    slow, paths = [], [f"/delay/{8000 - n}" for n in range(4)]
    with Follower(phone, "--json") as f:
        for path in paths:
            slow.append(later(lambda path=path: s.call("GET", path)))
            until(lambda: rows(phone, "--in-flight", "--path", path), f"{path} is in flight")
            equal(phone.ctl("reload").returncode, 0)
        s.call("GET", "/bytes/1")
        f.wait("/bytes/1")
        equal(f.paths(), ["/bytes/1"], "they are all in flight")
        for path in paths:
            f.wait(path)
        [t.join(30) for t in slow]
        equal(sorted(f.paths()), sorted(["/bytes/1", *paths]))
        equal([line for line in f.said if "going on with worker" not in line], [])


def test_follow_through_a_crash(s):
    phone = s.start()
    with Follower(phone, "--json") as f:
        s.call("GET", "/bytes/1")
        f.wait("/bytes/1")
        worker = phone.child("worker")
        os.kill(worker, signal.SIGKILL)
        f.wait("the worker has ended; waiting for the next one", among=f.said)
        f.wait("going on with worker", among=f.said)
        until(lambda: s.joined() == 1, "the next one has joined")
        s.call("GET", "/bytes/2")
        f.wait("/bytes/2")
        os.kill(phone.child("worker"), signal.SIGSTOP)  # killed by the supervisor in 8 seconds
        until(lambda: sum("waiting for the next one" in line for line in f.said) == 2, "it is said", 60)
        until(lambda: sum("going on with worker" in line for line in f.said) == 2, "it goes on", 60)
        until(lambda: phone.ctl("status").returncode == 0, "the next one serves")
        s.call("GET", "/bytes/3")
        f.wait("/bytes/3")
        equal(f.paths(), ["/bytes/1", "/bytes/2", "/bytes/3"])


def test_what_a_stopped_follower_missed(s):
    """It holds up nobody, is let go, and is told later what it did not see."""
    phone = s.start()
    with Follower(phone, "--json") as f:
        s.call("GET", "/bytes/1")
        f.wait("/bytes/1")
        f.proc.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        for i in range(600):
            equal(s.call("GET", "/bytes/2").status, 200)
        check(time.monotonic() - begin < 60, "requests are held up")
        f.proc.send_signal(signal.SIGCONT)
        f.wait(r"^telephonectl: \d+ missed", among=f.said)
        until(lambda: len(f.lines) > 2 and json.loads(f.lines[-1])["seq"] == 601, "the rest")
        missed = int(re.search(r"(\d+) missed", f.said[0])[1])
        equal(len(f.lines) + missed, 601)


def test_the_worker_is_dead_or_stuck(s):
    phone = s.start()
    worker = phone.child("worker")
    os.kill(worker, signal.SIGSTOP)
    begin = time.monotonic()
    done = phone.ctl("requests")
    equal(done.returncode, 69, done.stderr)
    check("the worker does not answer" in done.stderr, done.stderr)
    check(1 < time.monotonic() - begin < 15, "three seconds are waited")
    os.kill(worker, signal.SIGKILL)
    until(lambda: phone.ctl("requests").returncode == 0, "the next one answers")
    phone.stop()
    done = phone.ctl("requests", "-f")
    equal(done.returncode, 69)
    check("no telephone is running here" in done.stderr, done.stderr)


def test_without_a_worker(s):
    """While it is being started again there is none to hand over to."""
    phone = s.start()
    for _ in range(6):  # its backoff grows
        os.kill(phone.child("worker"), signal.SIGKILL)
        done = phone.ctl("requests")
        if "is being started" in done.stderr:
            equal(done.returncode, 75)
            return
    check(False, "the supervisor never was without a worker")
