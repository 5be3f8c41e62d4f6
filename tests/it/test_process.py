# SPDX-License-Identifier: MIT
"""Three processes: born, watched, replaced, ended."""
import json, os, re, signal, socket, sqlite3, struct, subprocess, time

from harness import check, cmdline, descendants, equal, free_port, request, stat_of, until


def serves(s):
    return s.call("GET", "/bytes/5").status == 200


def test_a_refreshed_token_waits_for_a_tokend(s):
    """It arrives while there is none, and the server has put the one before out of use."""
    s.start_board(delay_ms=3000)
    phone = s.start(TOKEN_REFRESH_INTERVAL="3s", CONNECT_TIMEOUT="20s")
    first = phone.status()["token"]["jti"]
    until(lambda: "refresh_token" in s.admin("log?since=0"), "it is asked for")
    tokend = phone.child("tokend")
    os.kill(tokend, signal.SIGSTOP)  # it hears nothing more
    time.sleep(4)
    s.set(delay_ms=0, refresh_style="silent")
    os.kill(tokend, signal.SIGKILL)
    until(lambda: phone.status().get("token", {}).get("jti", first) != first, "the next one has it")
    s.fault("drop")
    phone.wait_log("info worker: joined ", count=2)
    equal(s.counter("connects"), 2, "no token was refused")


def test_a_refreshed_token_outlives_a_tokend_that_could_not_store_it(s):
    """The server has put the stored one out of use, and the next tokend knows no other."""
    s.start_board()
    phone = s.start(TOKEN_REFRESH_INTERVAL="3s", DB_TIMEOUT="100ms")
    first = phone.status()["token"]["jti"]
    db = sqlite3.connect(f"{s.dir}/telephone.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    phone.wait_log("the current token is not stored: a restart would need a new one")
    second = phone.status()["token"]["jti"]
    check(second != first, "it is in use all the same")
    s.set(refresh_style="silent")  # there will be no other
    os.kill(phone.child("tokend"), signal.SIGKILL)
    phone.wait_log(r"tokend: audit: loaded", count=2)
    db.execute("ROLLBACK")
    db.close()
    until(lambda: phone.status().get("token", {}).get("jti") == second, "the next one has it")
    until(lambda: not phone.status()["token"]["unsaved"], "and stores it")
    s.fault("drop")
    phone.wait_log("info worker: joined ", count=2)
    equal(s.counter("connects"), 2, "no token was refused")


def test_worker_killed(s):
    phone = s.start()
    worker = phone.child("worker")
    os.kill(worker, signal.SIGKILL)
    phone.wait_log(r"worker \(pid \d+\) ended with signal 9")
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")
    equal(phone.status()["worker_restarts"], 1)


def test_tokend_killed(s):
    s.start_board(token_ttl=3600)
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=10, iat=0))
    os.kill(phone.child("tokend"), signal.SIGKILL)
    phone.wait_log(r"tokend \(pid \d+\) ended with signal 9")
    check(serves(s), "the tunnel does not notice")
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "the new one has the token")
    phone.wait_log(r"token refreshed: jti ")
    equal(s.counter("connects"), 1, "connections")


def test_supervisor_killed(s):
    phone = s.start()
    pids = descendants(phone.pid)
    check(len(pids) >= 3, f"worker, tokend and the helper: {pids}")
    phone.signal(signal.SIGKILL)
    phone.wait_exit(-signal.SIGKILL)
    until(lambda: not [p for p in pids if cmdline(p).startswith("telephone: ")], "the children follow")


def test_lookup_helper_killed(s):
    phone = s.start()
    os.kill(phone.child("lookup"), signal.SIGKILL)
    phone.wait_log(r"the look-up helper died")
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")


def test_a_stopped_lookup_helper_is_replaced(s):
    """It cannot be waited for, and without it no name is known any more."""
    phone = s.start()
    helper, worker = phone.child("lookup"), phone.child("worker")
    os.kill(helper, signal.SIGSTOP)
    time.sleep(3)
    equal(phone.child("worker"), worker, "a short pause is none of anybody's business")
    check(serves(s), "nothing waits for it")
    phone.wait_log(r"the look-up helper answers nothing any more", seconds=50)
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")
    until(lambda: not stat_of(helper), "the stopped one is gone")


def test_restarts_leak_nothing(s):
    phone = s.start()
    fds = lambda: len(os.listdir(f"/proc/{phone.pid}/fd"))
    before = fds()
    for n in range(1, 6):
        os.kill(phone.child("worker"), signal.SIGKILL)
        phone.wait_log(r"worker \(pid \d+\) ended with signal 9", count=n)
        phone.wait_log(r"info worker: joined ", count=n + 1, seconds=30)
    equal(fds(), before, "descriptors of the supervisor")
    zombies = [p for p in descendants(phone.pid) if (stat_of(p) or "?")[0] == "Z"]
    equal(zombies, [], "zombies")


def test_descriptors_environment_and_secrets(s):
    phone = s.start()
    token, secret = phone.env["TELEPHONE_TOKEN"], phone.env["SECRET_KEY_BASE"]
    for name, pid in {"telephone": phone.pid, **phone.children()}.items():
        env = cmd = b""
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                env = f.read()
        except PermissionError:
            pass  # not dumpable: nobody but root may look
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            cmd = f.read()
        for what in (token, secret):
            check(what.encode() not in env + cmd, f"{name} shows a secret")
        if name != "telephone":
            equal(env.strip(b"\0"), b"", f"environment of {name}")
    if os.geteuid() == 0:
        for name, pid in phone.children().items():
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            check(len(links) < 24, f"{name} holds {links}")
            allowed = r"/dev/null|socket:|anon_inode:|pipe:|.*telephone-\d\.log|/dev/urandom|.*telephone\.db(-wal|-shm)?"
            if name == "worker":
                allowed = allowed.replace("|.*telephone\\.db(-wal|-shm)?", rf"|.*\(deleted\)$|/proc/{pid}/statm$")  # the spool, its memory
            strays = [x for x in links if not re.match(allowed, x)]
            equal(strays, [], f"descriptors of {name}")


def test_second_signal_ends_at_once(s):
    import concurrent.futures
    phone = s.start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(s.call, "GET", "/delay/20000")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is in flight")
        phone.signal(signal.SIGINT)
        phone.wait_log(r"draining: 1 requests")
        phone.signal(signal.SIGINT)
        phone.wait_exit(1)
        slow.result()


def test_two_on_one_control_socket(s):
    phone = s.start()
    other = s.start(wait=None, TOKEN_DB_PATH=f"{s.dir}/2.db")
    other.wait_exit(73)
    check(other.has_log(r"another telephone answers on "), "it says so")
    equal(phone.ctl("version").returncode, 0, "the first still answers")
    phone.signal(signal.SIGKILL)
    phone.wait_exit(-signal.SIGKILL)
    check(os.path.exists(phone.env["CONTROL_SOCKET"]), "a stale socket")
    s.start(TOKEN_DB_PATH=f"{s.dir}/3.db").stop()


def test_control_socket_bears_strangers(s):
    phone = s.start()
    path = phone.env["CONTROL_SOCKET"]
    equal(os.stat(path).st_mode & 0o777, 0o660)
    frames = [b"", b"x", b"\xff" * 12, struct.pack("<HHII", 9, 0, 1, 5), struct.pack("<HHII", 9, 1, 1, 0),
              struct.pack("<HHII", 2, 0, 1, 0), struct.pack("<HHII", 999, 0, 1, 0), b"\0" * 70000]
    for frame in frames:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
            c.connect(path)
            c.settimeout(10)
            try:
                c.send(frame)
                c.recv(100)
            except OSError:
                pass
    equal(phone.ctl("status").returncode, 0, "it still answers")
    many = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]
    for c in many:
        c.connect(path)
    phone.wait_log(r"control socket: more than 8 clients")
    for c in many:
        c.close()
    until(lambda: phone.ctl("status").returncode == 0, "it answers again")


def test_reload_keeps_requests(s):
    import concurrent.futures
    phone = s.start()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        slow = [pool.submit(s.call, "GET", "/delay/1500") for _ in range(10)]
        until(lambda: phone.status()["worker"]["in_flight"] == 10, "they are in flight")
        done = phone.ctl("reload")
        equal(done.returncode, 0, done.stdout)
        check("the new worker has joined" in done.stdout, done.stdout)
        equal([f.result().status for f in slow], [200] * 10)
    until(lambda: s.joined() == 1, "the old one has left")
    check(serves(s), "it serves")
    equal(phone.status()["generation"], 2)


def test_reload_applies_and_refuses(s):
    s.start_board()
    s.start_backend()
    conf = f"{s.dir}/conf"
    env = s.env()

    def write(text):
        with open(conf, "w") as f:
            f.write(text)
        os.chmod(conf, 0o644)

    write("REQUEST_TIMEOUT=30s\n")
    phone = s.spawn(env, ["-f", conf])
    phone.wait_joined()
    write("REQUEST_TIMEOUT=300ms\n")
    equal(phone.ctl("reload").returncode, 0)
    # What crosses the old one's phx_leave on the wire is lost.
    until(lambda: s.joined() == 1, "the old one has left")
    equal(s.call("GET", "/delay/20000").status, 504, "the new timeout")
    write("REQUEST_TIMEOUT=soon\nBACKEND_HOST=a b\n")
    done = phone.ctl("reload")
    equal(done.returncode, 78)
    for words in (r"conf:1: REQUEST_TIMEOUT: ", r"conf:2: BACKEND_HOST: ", r"nothing was changed"):
        check(re.search(words, done.stderr) and done.stdout == "", f"{words} in {done.stderr}")
    check(serves(s), "the old one runs on")
    phone.signal(signal.SIGHUP)
    phone.wait_log(r"reload: nothing was changed", count=2)
    # Who sends a signal has no other answer than the log, at any LOG_LEVEL.
    for words in (r"conf:1: REQUEST_TIMEOUT: ", r"conf:2: BACKEND_HOST: ", r"nothing was changed"):
        equal(len(re.findall(rf" error telephone: reload: \S*{words}", phone.log())), 2, words)
    write("REQUEST_TIMEOUT=30s\n")
    phone.signal(signal.SIGHUP)
    phone.wait_log(r"reload: done: ", count=2)
    until(lambda: s.joined() == 1, "the old one has left")
    equal(s.call("GET", "/delay/600").status, 200, "the timeout is long again")


def test_health_endpoints(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    for path in ("/livez", "/live", "/readyz", "/ready", "/healthz", "/health"):
        equal(request(port, "GET", path).status, 200, path)
    equal(request(port, "GET", "/nothing").status, 404)
    check(request(port, "POST", "/livez", b"x").status >= 400, "POST")
    equal(s.call("GET", "/bytes/5").status, 200)
    answer = request(port, "GET", "/metrics")
    check(answer.headers["content-type"].startswith("text/plain; version=0.0.4"), "content-type")
    text = answer.body.decode()
    for line in ('telephone_requests_total{method="GET",status_class="2xx",outcome="ok"} 1', "telephone_tunnels_joined 1",
                 "# TYPE telephone_requests_total counter"):
        check(line in text.splitlines(), f"{line} in {text}")


def test_health_port_taken(s):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        phone = s.start(wait=None, HEALTH_CHECK_PORT=taken.getsockname()[1])
        phone.wait_exit(69)
    check(phone.has_log(r"HEALTH_CHECK_PORT: cannot listen on 127.0.0.1 port"), "it says so")


def test_health_address_of_another_host(s):
    """192.0.2.1 is nobody's (RFC 5737)."""
    phone = s.start(wait=None, HEALTH_CHECK_PORT=free_port(), HEALTH_LISTEN="192.0.2.1")
    phone.wait_exit(69)
    check(phone.has_log(r"HEALTH_CHECK_PORT: cannot listen on 192\.0\.2\.1 .*; HEALTH_LISTEN must be an address of this host"),
          phone.log())


def test_control_socket_is_another_file(s):
    path = f"{s.dir}/notes"
    with open(path, "w") as f:
        f.write("mine")
    phone = s.start(wait=None, CONTROL_SOCKET=path)
    phone.wait_exit(73)
    check(phone.has_log(r"CONTROL_SOCKET: \S+/notes is there already and is no socket; take it away, or name another path"),
          phone.log())
    with open(path) as f:
        equal(f.read(), "mine", "it is left alone")


def test_hung_worker_is_replaced(s):
    phone = s.start()
    os.kill(phone.child("worker"), signal.SIGSTOP)
    phone.wait_log(r"worker \(pid \d+\) is killed: it answers nothing any more", seconds=50)
    phone.wait_log(r"info worker: joined ", count=2)
    check(serves(s), "it serves")


def other_version(s, name):
    """A copy of the programs in which one is of another build."""
    import shutil
    bin_dir = os.path.join(s.dir, "bin")
    os.mkdir(bin_dir)
    os.chmod(bin_dir, 0o755)
    for program in ("telephone", "worker", "tokend", "telephonectl", "switchboard", "demo-backend"):
        shutil.copy2(f"{s.bin}/{program}", bin_dir)
    version = subprocess.run([f"{bin_dir}/telephone", "-V"], capture_output=True, env={}).stdout.split()[1]
    with open(f"{bin_dir}/{name}", "rb") as f:
        image = f.read()
    check(version in image, f"{version} stands in {name}")
    with open(f"{bin_dir}/{name}.new", "wb") as f:
        f.write(image.replace(version, b"x" * len(version)))
    os.chmod(f"{bin_dir}/{name}.new", 0o755)
    s.bin = bin_dir
    return lambda: os.replace(f"{bin_dir}/{name}.new", f"{bin_dir}/{name}")


def test_children_of_another_build(s):
    replace = other_version(s, "worker")
    phone = s.start()
    replace()
    os.kill(phone.child("worker"), signal.SIGKILL)
    phone.wait_exit(70)
    check(phone.has_log(r"worker was replaced under a running supervisor"), "it says so")


def test_start_with_a_child_of_another_build(s):
    other_version(s, "tokend")()
    phone = s.start(wait=None)
    phone.wait_exit(70)
    check(phone.has_log(r"tokend was replaced under a running supervisor"), "it says so")
