# SPDX-License-Identifier: MIT
"""The way to Plugboard on networks and with resolvers that are not well, in
namespaces of the test's own."""
import ctypes, os, pwd, socket, subprocess, threading, time

from harness import LeftOut, check, equal, request, until

WORKER, TOKEND = "daemon", "games"
CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x40000000, 0x4000, 0x40000, 0x1000


def apart(body, flags):
    """Runs body in a thread with namespaces of its own; what it starts lives
    in them, too."""
    libc, errors = ctypes.CDLL(None, use_errno=True), []

    def run():
        try:
            if libc.unshare(flags) != 0:
                raise LeftOut("namespaces are not allowed here")
            body()
        except BaseException as e:
            errors.append(e)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def bind_mount(mine, theirs):
    """For the caller's mount namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    equal(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), 0, "make / private")
    equal(libc.mount(mine.encode(), theirs.encode(), None, MS_BIND, None), 0, f"mount over {theirs}")


def write(path, text):
    with open(path, "w") as f:  # in place: a bind mount keeps the inode
        f.write(text)


def ip(*argv):
    done = subprocess.run(["ip", *argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise LeftOut(f"ip {' '.join(argv)}: {done.stderr.strip()}")


def silent_v6_network():
    """2001:db8::dead swallows every packet: a cable into nothing."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    for dev in ("v0", "v1"):
        ip("link", "set", dev, "up")
    ip("addr", "add", "2001:db8::1/64", "dev", "v0", "nodad")
    ip("addr", "add", "192.0.2.1/24", "dev", "v0")
    ip("neigh", "add", "2001:db8::dead", "lladdr", "02:00:00:00:00:99", "dev", "v0", "nud", "permanent")


def root_env(s, **more):
    state = os.path.join(s.dir, "state")
    if not os.path.isdir(state):
        os.mkdir(state, 0o700)
        os.chown(state, pwd.getpwnam(TOKEND).pw_uid, -1)
    return s.env(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=f"{state}/telephone.db", **more)


def by_name(s, **more):
    url = f"ws://plugboard.test:{s.board.ports['http']}/telephone/websocket"
    return s.spawn(root_env(s, PLUGBOARD_URL=url, **more))


def test_a_black_hole_in_ipv6(s):
    def body():
        silent_v6_network()
        write(f"{s.dir}/hosts", "2001:db8::dead plugboard.test backend.test\n127.0.0.1 localhost plugboard.test backend.test\n")
        bind_mount(f"{s.dir}/hosts", "/etc/hosts")
        equal(socket.getaddrinfo("plugboard.test", 80, type=socket.SOCK_STREAM)[0][0], socket.AF_INET6, "first")
        s.start_board()
        s.start_backend()
        begin = time.monotonic()
        phone = by_name(s, CONNECT_TIMEOUT="60s", BACKEND_HOST="backend.test")
        phone.wait_joined(seconds=30)  # IPv6 alone would take all of the 60 s
        equal(s.call("GET", "/bytes/5").status, 200)
        check(time.monotonic() - begin < 30, "it took its time")
        check(not phone.has_log("ended:"), "the first attempt did it")
        phone.stop()
    apart(body, CLONE_NEWNET | CLONE_NEWNS)


def a_black_hole_in_ipv4(s, v4_first):
    """The way by IPv6 is taken, whichever family the resolver puts first."""
    def body():
        silent_v6_network()
        ip("neigh", "add", "192.0.2.99", "lladdr", "02:00:00:00:00:99", "dev", "v0", "nud", "permanent")
        write(f"{s.dir}/hosts", "127.0.0.1 localhost\n192.0.2.99 plugboard.test\n::1 plugboard.test\n")
        bind_mount(f"{s.dir}/hosts", "/etc/hosts")
        if v4_first:
            write(f"{s.dir}/gai.conf", "precedence ::ffff:0:0/96 100\n")
            bind_mount(f"{s.dir}/gai.conf", "/etc/gai.conf")
        first = subprocess.run(["getent", "ahosts", "plugboard.test"], capture_output=True, text=True).stdout.split()[0]
        equal(first, "192.0.2.99" if v4_first else "::1", "first")
        s.start_board("--listen", "[::]:0")
        s.start_backend()
        begin = time.monotonic()
        phone = by_name(s, CONNECT_TIMEOUT="60s")
        phone.wait_joined(seconds=30)  # IPv4 alone would take all of the 60 s
        equal(s.call("GET", "/bytes/5").status, 200)
        check(time.monotonic() - begin < 30, "it took its time")
        check(not phone.has_log("ended:"), "the first attempt did it")
        phone.stop()
    apart(body, CLONE_NEWNET | CLONE_NEWNS)


def test_a_black_hole_in_ipv4(s):
    a_black_hole_in_ipv4(s, v4_first=False)


def test_a_black_hole_in_ipv4_which_is_first(s):
    if not os.path.exists("/etc/gai.conf"):
        raise LeftOut("there is no /etc/gai.conf to put another in its place")
    a_black_hole_in_ipv4(s, v4_first=True)


def test_nothing_but_a_black_hole(s):
    def body():
        silent_v6_network()
        s.start_board()
        phone = s.spawn(root_env(s, CONNECT_TIMEOUT="700ms", PLUGBOARD_URL="ws://[2001:db8::dead]:4000/x"))
        phone.wait_log(r"ended: timeout: no answer to the TCP connect within CONNECT_TIMEOUT", count=2)
        phone.stop()
    apart(body, CLONE_NEWNET | CLONE_NEWNS)


def test_a_dead_resolver_delays_nothing_but_the_connect(s):
    """It swallows every question. Of two tunnels one is lost, the application
    is known by name, too: everything goes on, and the tunnel comes back as
    soon as its name is known again."""
    here, there = "127.0.0.1 localhost backend.test\n", "127.0.0.1 plugboard.test\n"
    write(f"{s.dir}/hosts", here + there)
    write(f"{s.dir}/resolv.conf", "nameserver 127.0.0.7\noptions timeout:30 attempts:5\n")

    def body():
        bind_mount(f"{s.dir}/hosts", "/etc/hosts")
        bind_mount(f"{s.dir}/resolv.conf", os.path.realpath("/etc/resolv.conf"))
        dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        dead.bind(("127.0.0.7", 53))
        ip("link", "set", "lo", "up")
        s.start_board()
        s.start_backend()
        phone = by_name(s, TUNNELS="2", CONNECT_TIMEOUT="1s", BACKEND_HOST="backend.test", MAX_BACKOFF="100ms",
                        INITIAL_BACKOFF="50ms", HEARTBEAT_INTERVAL="300ms", HEARTBEAT_TIMEOUT="5s")
        until(lambda: s.joined() == 2, "both are joined")
        worker = phone.child("worker")
        write(f"{s.dir}/hosts", here)
        s.fault("drop", socket=s.state()["sockets"][0]["id"])
        until(lambda: s.joined() == 1, "one is lost")
        beats = lambda: s.state()["sockets"][0]["heartbeats"]
        before = beats()
        end, slowest = time.monotonic() + 12, 0  # more look-ups than run at once, were they kept
        while time.monotonic() < end:
            begin = time.monotonic()
            equal(s.call("GET", "/bytes/5").status, 200)
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.02)
        check(slowest < 1, f"a request waited {slowest:.2f} s")
        check(beats() - before >= 20, f"heartbeats in 12 s, every 300 ms: {beats() - before}")
        check(not phone.has_log("heartbeat unanswered"), "each is answered")
        equal(phone.child("worker"), worker, "the helper is busy, and not taken for hung")
        dead.setblocking(False)
        check(b"plugboard" in dead.recv(512), "the resolver was asked")
        phone.wait_log(r"ended: name not resolved: no answer from the resolver", count=3)
        write(f"{s.dir}/hosts", here + there)
        until(lambda: s.joined() == 2, "it came back")
        phone.stop()
        dead.close()
    apart(body, CLONE_NEWNET | CLONE_NEWNS)


def test_a_name_that_moves(s):
    """Resolved anew for each attempt."""
    write(f"{s.dir}/hosts", "127.0.0.9 localhost plugboard.test\n")

    def body():
        bind_mount(f"{s.dir}/hosts", "/etc/hosts")
        s.start_board()
        s.start_backend()
        phone = by_name(s)
        phone.wait_log(r"ended: connection refused: ", count=2)
        write(f"{s.dir}/hosts", "127.0.0.1 localhost plugboard.test\n")
        phone.wait_joined()
        phone.stop()
    apart(body, CLONE_NEWNS)


for test in list(globals().values()):
    if callable(test) and getattr(test, "__name__", "").startswith("test_") and test.__module__ == __name__:
        test.needs_root = True
