# SPDX-License-Identifier: MIT
"""What a service manager hears and passes: sd_notify(3), sd_listen_fds(3)."""
import os, re, signal, socket, sys, threading, time

from harness import check, equal, free_port, until

# Becomes the telephone, with sockets as systemd passes them: 3 and up. Each is
# KIND or KIND:NAME, and has the port.
ACTIVATE = """
import fcntl, os, socket, sys
kinds, port, pid = sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])
made = []
for kind in kinds:
    if kind.startswith("tcp"):
        s = socket.create_server(("127.0.0.1", port))
    elif kind.startswith("udp"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", port))
    else:
        s = socket.socket()
        s.bind(("127.0.0.1", port))
    made.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50))
    s.close()
for i, fd in enumerate(made):
    os.dup2(fd, 3 + i)
    os.close(fd)
names = ":".join(kind.partition(":")[2] or "health" for kind in kinds)
os.environ.update(LISTEN_FDS=str(len(kinds)), LISTEN_PID=str(pid or os.getpid()), LISTEN_FDNAMES=names)
os.execv(sys.argv[4], sys.argv[4:])
"""


class Manager:
    """The socket of a service manager, and all it was told."""

    def __init__(self, stage):
        self.path, self.heard = f"{stage.dir}/notify", []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o777)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            text = self.sock.recv(4096).decode()
            self.heard.append((time.monotonic(), text))

    def said(self, text):
        return any(text in line for _, line in list(self.heard))

    def wait(self, text, seconds=20):
        until(lambda: self.said(text), lambda: f"{text!r}, heard: {self.heard}", seconds)

    def count(self, text):
        return sum(text == line for _, line in list(self.heard))


def activated(s, kind="tcp", pid=0, **more):
    port = free_port()
    s.start_board()
    s.start_backend()
    prefix = (sys.executable, "-c", ACTIVATE, kind, str(port), str(pid))
    return port, s.spawn(s.env(**more), prefix=prefix)


def get(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as c:
        c.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return c.makefile("rb").readline().decode()


def test_status_line(s):
    manager = Manager(s)
    phone = s.start(NOTIFY_SOCKET=manager.path)
    manager.wait("READY=1")
    manager.wait("STATUS=joined, 1 of 1 tunnels")
    time.sleep(5)
    equal(manager.count("STATUS=joined, 1 of 1 tunnels"), 1, "only a change is sent")
    s.board.stop()
    manager.wait("STATUS=not joined: ")
    phone.stop()
    manager.wait("STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000")


def test_reloading(s):
    """Each reload is told with its beginning and its end, those that fail too."""
    manager = Manager(s)
    config = f"{s.dir}/telephone.conf"
    with open(config, "w") as f:
        f.write("LOG_SAMPLE=1\n")
    os.chmod(config, 0o644)
    phone = s.start(args=("-f", config), NOTIFY_SOCKET=manager.path)
    manager.wait("READY=1")

    def told(reload, number):
        asked = time.monotonic_ns() // 1000
        reload()
        until(lambda: manager.count("READY=1") == number + 1, lambda: f"the end of reload {number}: {manager.heard}")
        lines = [line for _, line in manager.heard if line.startswith(("RELOADING", "READY"))][1:]
        equal([line.split("=")[0] for line in lines], ["RELOADING", "READY"] * number)
        found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", lines[-2])
        check(found and asked <= int(found[1]) <= time.monotonic_ns() // 1000, lines[-2])

    told(lambda: equal(phone.ctl("reload").returncode, 0), 1)
    with open(config, "w") as f:
        f.write("LOG_SAMPLE=none\n")
    told(lambda: equal(phone.ctl("reload").returncode, 78), 2)
    told(lambda: phone.signal(signal.SIGHUP), 3)
    phone.stop()
    equal(manager.count("READY=1"), 4, "and nothing of the kind at the end")


def test_status_line_without_a_token(s):
    manager = Manager(s)
    s.start(wait="ready", NOTIFY_SOCKET=manager.path, TELEPHONE_TOKEN=None)
    manager.wait("STATUS=waiting for a token: telephonectl token set")


def test_watchdog(s):
    manager = Manager(s)
    phone = s.start(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="400000")
    until(lambda: manager.count("WATCHDOG=1") >= 5, "it is fed")
    phone.signal(signal.SIGSTOP)
    time.sleep(1)
    before = manager.count("WATCHDOG=1")
    time.sleep(3)
    equal(manager.count("WATCHDOG=1"), before, "fed by a supervisor that stands still")
    phone.signal(signal.SIGCONT)
    until(lambda: manager.count("WATCHDOG=1") > before, "it is fed again")


def test_watchdog_and_the_worker(s):
    """It is not fed while the worker's loop stands still, and is with the next worker."""
    manager = Manager(s)
    phone = s.start(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="400000")
    until(lambda: manager.count("WATCHDOG=1") >= 5, "it is fed")
    worker = phone.child("worker")
    os.kill(worker, signal.SIGSTOP)

    def paused():
        before = manager.count("WATCHDOG=1")
        time.sleep(1.2)
        return manager.count("WATCHDOG=1") == before
    until(paused, "it is not fed")
    before = manager.count("WATCHDOG=1")
    until(lambda: phone.children().get("worker") not in (None, worker), "another worker")
    until(lambda: manager.count("WATCHDOG=1") > before + 5, "it is fed again")


def test_watchdog_of_another(s):
    manager = Manager(s)
    s.start(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    manager.wait("STATUS=joined")
    time.sleep(2)
    equal(manager.count("WATCHDOG=1"), 0)


def test_health_socket_of_systemd(s):
    port, phone = activated(s)
    phone.wait_joined()
    check(phone.has_log(r"health listener: the socket that systemd passed"), phone.log())
    until(lambda: " 200 " in get(port, "/readyz"), "it is ready")
    equal(phone.ctl("reload").returncode, 0)
    until(lambda: " 200 " in get(port, "/readyz"), "after a reload, too")
    os.kill(phone.child("worker"), signal.SIGKILL)
    phone.wait_log(r"info worker: joined ", count=3)
    until(lambda: " 200 " in get(port, "/readyz"), "a new worker has it, too")


def test_health_socket_wins(s):
    other = free_port()
    port, phone = activated(s, HEALTH_CHECK_PORT=other)
    phone.wait_joined()
    check(" 200 " in get(port, "/livez"), "the passed one answers")
    with socket.socket() as c:
        check(c.connect_ex(("127.0.0.1", other)) != 0, "the configured one is open as well")


def test_several_sockets(s):
    """The name says which one is for health, and the others are closed."""
    port, phone = activated(s, "udp:other,tcp:health")
    phone.wait_joined()
    until(lambda: " 200 " in get(port, "/readyz"), "it is ready")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))


def test_an_only_socket_has_any_name(s):
    port, phone = activated(s, "tcp:telephone.socket")
    phone.wait_joined()
    check(" 200 " in get(port, "/livez"), "it answers")


def test_socket_for_another_process(s):
    _, phone = activated(s, pid=1)
    phone.wait_joined()
    check(not phone.has_log("health listener"), "a socket that was not meant for it is used")


def refused(s, kind):
    _, phone = activated(s, kind)
    phone.wait_exit(78)
    check(phone.has_log(r"LISTEN_FDS: one stream socket that listens"), phone.log())


def test_socket_of_another_kind(s):
    refused(s, "udp")


def test_several_sockets_and_none_for_health(s):
    refused(s, "udp:one,tcp:two")


def test_socket_that_does_not_listen(s):
    refused(s, "bound")
