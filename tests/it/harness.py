# SPDX-License-Identifier: MIT
"""What the integration tests stand on: the real executables, started and
stopped by pid, in a fresh directory, with an environment that holds only what
the test gives. Standard library only.
"""
import http.client, http.server, itertools, json, os, re, secrets, signal, socket, subprocess, threading, time
import urllib.parse

NOBODY = 65534
SANDBOX = None  # its value for telephones; run.py says "off" for variants that cannot run in one
INSTRUMENTED = False  # by a sanitizer or for coverage: what it holds says nothing about memory
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


class Failure(AssertionError):
    pass


class LeftOut(Exception):
    """This machine cannot run the test; the reason is printed and counted."""


def check(good, what):
    if not good:
        raise Failure(what() if callable(what) else what)


def equal(got, want, what=""):
    if got != want:
        raise Failure(f"{what}: got {short(got)}, want {short(want)}")


def libwebsockets(s):
    """The number of the library that the worker is linked with: 17 is 4.1 (Debian 12), 19 is 4.3 (Debian 13)."""
    dynamic = subprocess.run(["readelf", "-d", f"{s.bin}/worker"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"libwebsockets\.so\.(\d+)", dynamic)[1])


def short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:300] + f"… ({len(text)} characters)"


def until(condition, what, seconds=20, every=0.02):
    """Waits for a condition; its true value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


# Below those that the kernel gives to whoever asks for any (32768 and above by
# default), and never the same one twice: a port that is free now is free a
# moment later, too, when a telephone is to listen there.
PORTS = itertools.cycle(range(12000, 32000))
PORTS_LOCK = threading.Lock()
for _ in range(secrets.randbelow(20000)):  # several runs on one machine
    next(PORTS)


def free_port():
    while True:
        with PORTS_LOCK:
            port = next(PORTS)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def stat_of(pid):
    """(state, parent) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return fields[0], int(fields[1])
    except OSError:
        return None


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")[0].decode()
    except OSError:
        return ""


def descendants(pid):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(name)
            if stat:
                parents.setdefault(stat[1], []).append(int(name))
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {k.lower(): v for k, v in response.getheaders()}

    def json(self):
        return json.loads(self.body)


def request(port, method, target, body=None, headers=None, timeout=30):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        conn.putrequest(method, target, skip_accept_encoding=True)
        for k, v in (headers or {}).items():
            conn.putheader(k, v)
        if body is not None and "content-length" not in {k.lower() for k in (headers or {})}:
            conn.putheader("content-length", str(len(body)))
        conn.endheaders(body)
        return Answer(conn.getresponse())
    finally:
        conn.close()


class Program:
    """A helper program that prints its port on its first line."""

    def __init__(self, argv, cwd):
        self.proc = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self.proc.stdout.readline()
        self.ports = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        check("http" in self.ports, f"{argv[0]} said {line!r}")

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
        code = self.proc.wait(timeout=20)
        self.proc.stdout.close()
        return code


class Mirror:
    """A backend that answers any target with the request line it saw."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            line = self.raw_requestline.rstrip(b"\r\n")
            self.send_response(200)
            self.send_header("content-length", str(len(line)))
            self.end_headers()
            self.wfile.write(line)

        def log_message(self, *args):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.ports = {"http": self.server.server_address[1]}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Stage:
    """One test's switchboard, backend and telephones."""

    def __init__(self, bin_dir, directory):
        self.bin, self.dir = bin_dir, directory
        self.board = self.backend = None
        self.phones = []
        self.secret = secrets.token_hex(32)
        self.as_root = False

    # --- the others ---------------------------------------------------------
    def start_board(self, *args, **settings):
        self.board = Program([f"{self.bin}/switchboard", "--quiet", *args], self.dir)
        if settings:
            self.set(**settings)
        return self.board

    def start_backend(self):
        self.backend = Program([f"{self.bin}/demo-backend", "--quiet"], self.dir)

    def admin(self, path, body=None, **query):
        target = f"/admin/{path}"
        if query:
            target += "?" + urllib.parse.urlencode(query)
        method = "GET" if path in ("state",) or path.startswith("log") else "POST"
        answer = request(self.board.ports["http"], method, target, body)
        check(answer.status == 200, f"{target}: {answer.status} {answer.body!r}")
        return answer.body.decode()

    def set(self, **settings):
        self.admin("set", **settings)

    def fault(self, kind, **more):
        self.admin("fault", kind=kind, **more)

    def state(self):
        return json.loads(self.admin("state"))

    def counter(self, name):
        return self.state()["counters"][name]

    def token(self, path_id="demo", ttl=3600, iat=-10, **more):
        return self.admin("token", path_id=path_id, ttl=ttl, iat=iat, **more).strip()

    def joined(self):
        return sum(1 for s in self.state()["sockets"] if s.get("joined"))

    # --- the telephone ------------------------------------------------------
    def env(self, **more):
        """The least that a telephone needs; None takes a key away."""
        env = {
            "PLUGBOARD_URL": f"ws://127.0.0.1:{self.board.ports['http']}/telephone/websocket" if self.board else None,
            "BACKEND_PORT": str(self.backend.ports["http"]) if self.backend else "1",
            "BACKEND_HOST": "127.0.0.1",
            "SECRET_KEY_BASE": self.secret,
            "CONTROL_SOCKET": f"{self.dir}/control.sock",
            "TOKEN_DB_PATH": f"{self.dir}/telephone.db",
            "TUNNELS": "1",  # what is counted is easier to count
            "INITIAL_BACKOFF": "100ms",
            "MAX_BACKOFF": "400ms",
            "SANDBOX": SANDBOX,
            **more,
        }
        if "TELEPHONE_TOKEN" not in more and self.board:
            env["TELEPHONE_TOKEN"] = self.token()
        return {k: str(v) for k, v in env.items() if v is not None}

    def spawn(self, env, args=(), prefix=()):
        phone = Phone(self, env, args, prefix)
        self.phones.append(phone)
        return phone

    def start(self, args=(), wait="joined", **more):
        """Board, backend and a telephone that has joined."""
        if self.board is None:
            self.start_board()
        if self.backend is None:
            self.start_backend()
        phone = self.spawn(self.env(**more), args)
        if wait == "joined":
            phone.wait_joined()
        elif wait == "ready":
            phone.wait_log(r"info telephone: ready:")
        return phone

    def call(self, method, target, body=None, headers=None, path_id="demo", timeout=30):
        return request(self.board.ports["http"], method, f"/call/{path_id}{target}", body, headers, timeout)

    def direct(self, target, method="GET", body=None, headers=None):
        return request(self.backend.ports["http"], method, target, body, headers)

    def close(self):
        """Stops all; what a telephone leaves behind is a failure."""
        faults = []
        for phone in self.phones:
            faults += phone.finish()
        for program in (self.board, self.backend):
            if program is not None:
                program.stop()
        check(not faults, "; ".join(faults))


class Phone:
    def __init__(self, stage, env, args=(), prefix=()):
        self.stage, self.env = stage, env
        self.log_path = os.path.join(stage.dir, f"telephone-{len(stage.phones)}.log")
        self.expect = 0  # exit code that finish() accepts
        log = open(self.log_path, "ab")
        drop = {}
        if os.geteuid() == 0 and not stage.as_root:
            drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.proc = subprocess.Popen(
            [*prefix, f"{stage.bin}/telephone", *args], cwd=stage.dir, env=env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, **drop)
        log.close()
        self.seen = set()

    @property
    def pid(self):
        return self.proc.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def has_log(self, pattern):
        return re.search(pattern, self.log())

    def wait_log(self, pattern, seconds=20, count=1):
        return until(lambda: self.alive_or_fail(pattern) or len(re.findall(pattern, self.log())) >= count,
                     lambda: f"a log line like {pattern!r}", seconds)

    def alive_or_fail(self, what):
        """Nothing more will be said by one that has ended."""
        if self.proc.poll() is not None and not re.search(what, self.log()):
            raise Failure(f"telephone ended with {self.proc.returncode} before {what!r}")
        return False

    def wait_joined(self, seconds=20):
        self.wait_log(r'info worker: joined |"proc":"worker","msg":"joined ', seconds)
        self.seen.update(self.children().values())

    def wait_exit(self, code, seconds=30):
        self.expect = code
        try:
            got = self.proc.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"telephone is still running, want exit {code}") from None
        equal(got, code, "exit code")

    def children(self):
        """Its worker and tokend, by the names that ps shows."""
        found = {}
        for pid in descendants(self.pid):
            name, stat = cmdline(pid), stat_of(pid)
            if name.startswith("telephone: ") and stat and cmdline(stat[1]) != name:
                found[name[11:]] = pid  # not what a leak sanitizer forks at the end of one
        return found

    def child(self, name):
        return until(lambda: self.children().get(name), f"a child {name}")

    def signal(self, sig):
        os.kill(self.pid, sig)

    def stop(self, code=0, seconds=30):
        if self.proc.poll() is None:
            self.seen.update(descendants(self.pid))
            self.signal(signal.SIGTERM)
        self.wait_exit(code, seconds)

    def ctl(self, *args):
        done = subprocess.run([f"{self.stage.bin}/telephonectl", "-s", self.env["CONTROL_SOCKET"], *args],
                              capture_output=True, text=True, timeout=120, env={})
        check(not SANITIZER.search(done.stderr), f"telephonectl: {done.stderr}")
        return done

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def finish(self):
        faults = []
        try:
            if self.proc.poll() is None:
                self.seen.update(descendants(self.pid))
                self.signal(signal.SIGTERM)
                code = self.proc.wait(timeout=30)
                if code != 0:
                    faults.append(f"exit code {code} at SIGTERM")
            elif self.proc.returncode != self.expect:
                faults.append(f"ended by itself with {self.proc.returncode}")
        except subprocess.TimeoutExpired:
            faults.append("does not end at SIGTERM")
            self.proc.kill()
            self.proc.wait()
        try:
            until(lambda: not [p for p in self.seen if stat_of(p) and cmdline(p).startswith("telephone: ")],
                  "children end with their parent", 10)
        except Failure:
            faults.append("children were left behind")
        match = SANITIZER.search(self.log())
        if match or "exit code 99" in self.log():
            faults.append("a sanitizer spoke")
        for key in ("SECRET_KEY_BASE", "TELEPHONE_TOKEN"):
            value = self.env.get(key, "")
            if len(value) >= 32 and value in self.log():
                faults.append(f"{key} stands in the log")
        return faults
