# SPDX-License-Identifier: MIT
"""Memory is bounded whatever the size of an answer; what does not fit goes to
a nameless file, and comes out of it as it went in."""
import hashlib, os, re, shutil, socket, threading

from fidelity.raw import CLOSE, HOLD, RawBackend, Sleep, call, chunked, reply
import harness
from harness import LeftOut, check, equal, until

KIB, MIB = 1024, 1024 * 1024


def peak_kib(phone):
    """VmHWM of the worker."""
    with open(f"/proc/{phone.child('worker')}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))


def spool_of(phone):
    """(path, stat) of the worker's nameless file."""
    directory = f"/proc/{phone.child('worker')}/fd"
    found = []
    for name in os.listdir(directory):
        to = os.readlink(f"{directory}/{name}")
        if to.startswith("/") and to.endswith(" (deleted)"):
            found.append((to, os.stat(f"{directory}/{name}")))
    check(len(found) == 1, lambda: f"nameless files of the worker: {found}")
    return found[0]


def download(s, target):
    """(status, SHA-256 of the body, its length), never all in memory."""
    with socket.create_connection(("127.0.0.1", s.board.ports["http"]), timeout=300) as sock:
        sock.sendall(b"GET /call/demo%s HTTP/1.1\r\nhost: a\r\n\r\n" % target)
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, data = data.partition(b"\r\n\r\n")
        left = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        digest, length = hashlib.sha256(), 0
        while data:
            digest.update(data)
            length += len(data)
            data = sock.recv(min(1 << 18, left - length)) if length < left else b""
        return int(head.split()[1]), digest.hexdigest(), length


def test_100_mb_in_16_mb(s):
    """The far end sees 100 MiB exactly; the worker grows by less than 16 MiB."""
    with open(f"{s.bin}/worker", "rb") as f:
        if b"__asan_init" in f.read():
            raise LeftOut("a sanitizer's memory is not the worker's")
    total, line = 100 * MIB, b"0123456789abcdef" * 4096
    s.backend = RawBackend()
    s.backend.on("/warm", reply(b"x" * (3 * MIB)))
    s.backend.on("/big", b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total,
                 lambda c, r: [c.send(line) for _ in range(total // len(line))])
    phone = s.start(REQUEST_TIMEOUT="5m", MAX_SEND_TIME="10m")
    s.set(record="off", request_timeout_ms=300000)
    equal(call(s, "GET", "/warm").status, 200)
    before = peak_kib(phone)
    equal(download(s, b"/big"), (200, hashlib.sha256(line * (total // len(line))).hexdigest(), total))
    grown = peak_kib(phone) - before
    check(harness.INSTRUMENTED or grown < 16 * KIB, f"the worker's peak grew by {grown} KiB")
    print(f"     100 MiB: the worker's peak grew by {grown} KiB, from {before} KiB")
    until(lambda: spool_of(phone)[1].st_size == 0, "the disk has its room back")


def test_spooled_bodies_are_exact(s):
    s.backend = RawBackend()
    s.start(RESPONSE_BUFFER="4KiB", CHUNK_SIZE="10KiB")
    text = "aé€\U0001f600".encode()
    bodies = [b"x" * 4096, b"x" * 4097, text * 20000, os.urandom(300 * KIB), b"x" * 4095 + "é".encode(),
              b"x" * 4095 + b"\xff" * 2, b"x" * (4096 + 64 * KIB), b"x" * (4096 + 64 * KIB - 1) + "€".encode() * 9]
    for number, body in enumerate(bodies):
        for way, answer in (("declared", reply(body)), ("chunked", chunked(*(body[i:i + 5000] for i in range(0, len(body), 5000)))),
                            ("until the end", b"HTTP/1.0 200 OK\r\n\r\n" + body)):
            s.backend.on("/", answer, CLOSE)
            got = call(s, "GET", "/")
            check((got.status, got.body) == (200, body), lambda: f"body {number}, {way}: {got.status}, {len(got.body)} octets")


def test_many_at_once_do_not_meet(s):
    s.backend = RawBackend()
    s.start(RESPONSE_BUFFER="4KiB")
    bodies = {f"/{n}": bytes([65 + n]) * (100000 + n * 7777) for n in range(12)}
    for target, body in bodies.items():
        step = len(body) // 4 + 1
        s.backend.on(target, b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body),
                     *(part for i in range(0, len(body), step) for part in (body[i:i + step], Sleep(0.05))))
    wrong = []

    def one(target):
        got = call(s, "GET", target)
        if got.body != bodies[target]:
            wrong.append((target, got.status, len(got.body)))

    threads = [threading.Thread(target=one, args=(t,)) for t in list(bodies) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(wrong, [], "bodies that differ")


def test_the_file_has_no_name_and_is_given_back(s):
    directory = f"{s.dir}/spool"
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    s.backend = RawBackend()
    phone = s.start(SPOOL_DIR=directory)
    path, stat = spool_of(phone)
    check(path.startswith(directory + "/"), f"the file is {path}")
    equal((os.listdir(directory), stat.st_size, stat.st_mode & 0o777), ([], 0, 0o600), "names, size and mode")
    s.backend.on("/", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MIB, HOLD)
    thread = threading.Thread(target=lambda: call(s, "GET", "/"))
    thread.start()
    until(lambda: spool_of(phone)[1].st_size >= MIB - 256 * KIB, "the answer waits there")
    equal(os.listdir(directory), [], "names meanwhile")
    s.fault("crash")  # its join is over
    until(lambda: spool_of(phone)[1].st_size == 0, "the disk has its room back")
    thread.join()


def test_spool_max(s):
    s.backend = RawBackend()
    phone = s.start(SPOOL_MAX="1MiB")
    s.backend.on("/fits", reply(b"x" * MIB))
    equal(call(s, "GET", "/fits").status, 200, "what fits, with the memory")
    s.backend.on("/over", reply(b"x" * (MIB + 257 * KIB)))
    got = call(s, "GET", "/over")
    equal((got.status, got.json()["error"]), (503, "spool_full"))
    check("SPOOL_MAX" in got.json()["reason"], got.json()["reason"])
    # Another request's part counts, too.
    s.backend.on("/wait", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (800 * KIB), HOLD)
    thread = threading.Thread(target=lambda: call(s, "GET", "/wait"))
    thread.start()
    until(lambda: spool_of(phone)[1].st_size > 500 * KIB, "one waits there")
    equal(call(s, "GET", "/fits").json()["error"], "spool_full")
    equal(call(s, "GET", "/small").status, 200, "one that needs none of it")
    s.fault("crash")
    thread.join()
    until(lambda: spool_of(phone)[1].st_size == 0, "the disk has its room back")
    until(lambda: s.joined() == 1, "joined again")
    equal(call(s, "GET", "/fits").status, 200, "and it fits again")


def test_a_full_disk_is_one_refused_request(s):
    if not shutil.which("prlimit"):
        raise LeftOut("no prlimit(1)")
    s.start_board()
    s.backend = RawBackend()
    phone = s.spawn(s.env(), prefix=["prlimit", "--fsize=1000000"])
    phone.wait_joined()
    s.backend.on("/fits", reply(b"x" * MIB))
    s.backend.on("/over", reply(b"x" * (2 * MIB)))
    for _ in range(2):
        got = call(s, "GET", "/over")
        equal((got.status, got.json()["error"]), (503, "spool_failed"))
        equal(call(s, "GET", "/fits").body, b"x" * MIB, "the next one")
    phone.wait_log(r"the spool cannot be written: No space left on device")
    equal(s.counter("connects"), 1, "connections")


def test_a_directory_that_will_not_do(s):
    s.start_board()
    s.backend = RawBackend()
    phone = s.spawn(s.env(SPOOL_DIR=f"{s.dir}/none"))
    phone.wait_exit(78)
    phone.wait_log(r"SPOOL_DIR is not a directory")
    os.mkdir(f"{s.dir}/closed")
    os.chmod(f"{s.dir}/closed", 0o555)
    if os.geteuid() == 0:
        phone = s.spawn(s.env(SPOOL_DIR=f"{s.dir}/closed"))
        phone.wait_exit(78)
        phone.wait_log(r"SPOOL_DIR: no file can be made in .*: Permission denied; give a directory")


def test_tmpdir_is_the_default(s):
    s.start_board()
    s.backend = RawBackend()
    os.mkdir(f"{s.dir}/tmp")
    os.chmod(f"{s.dir}/tmp", 0o777)
    phone = s.spawn(s.env(TMPDIR=f"{s.dir}/tmp"))
    phone.wait_joined()
    check(spool_of(phone)[0].startswith(f"{s.dir}/tmp/"), f"the file is {spool_of(phone)[0]}")
