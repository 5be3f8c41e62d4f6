# SPDX-License-Identifier: MIT
"""Children in an attacker's hands: the executables of build/hostile, whose
orders (attack.h) are given by each test. An order runs inside the walls of the
process that it is given to, so what it gets is what an attacker would get."""
import ctypes, os, re, shutil, signal, socket, sqlite3

import harness
from harness import LeftOut, check, equal, stat_of, until
from hostile.rawboard import peak
from test_httpproxy import Proxy

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..", "..")
LIBC = ctypes.CDLL(None, use_errno=True)
REFUSED = ("EACCES", "EPERM", "ENOSYS", "EAFNOSUPPORT")


class Value(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("pointer", ctypes.c_void_p)]


def has_walls(pid):
    """Its own filter besides the one of the supervisor."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^Seccomp_filters:\s+(\d+)", f.read(), re.M)[1]) >= 2


def order(pid, number):
    until(lambda: has_walls(pid), "its walls stand")
    LIBC.sigqueue.argtypes = (ctypes.c_int, ctypes.c_int, Value)
    equal(LIBC.sigqueue(pid, signal.SIGUSR1, Value(number=number)), 0, "sigqueue")


def start(s, evil, orders, serves=True, **more):
    """A telephone with one evil child (the look-up helper is the worker's)."""
    if harness.SANDBOX == "off":
        raise LeftOut("this variant runs without a sandbox")
    program = "worker" if evil == "lookup" else evil
    directory = os.path.join(s.dir, "bin")
    os.mkdir(directory)
    for name in ("telephone", "telephonectl", "worker", "tokend"):
        shutil.copy2(f"{s.bin}/hostile/{name}" if name == program else f"{s.bin}/{name}", directory)
    if s.board is None:
        s.start_board()
    if s.backend is None:
        s.start_backend()
    s.bin = directory
    with open(os.path.join(directory, "attacks"), "w") as f:
        f.write("\n".join(orders) + "\n")
    os.chmod(os.path.join(directory, "attacks"), 0o644)
    phone = s.start(**more)
    if serves:
        equal(s.call("GET", "/bytes/5").status, 200)
    return phone


def others(phone, evil):
    """Who may not be touched by its end. The worker takes its helper along,
    and the helper's end is the worker's."""
    gone = {"worker": ("worker", "lookup"), "lookup": ("worker", "lookup"), "tokend": ("tokend",)}[evil]
    return {name: pid for name, pid in phone.children().items() if name not in gone}


def survived(s, phone, evil, rest, old):
    until(lambda: phone.children().get(evil) not in (None, old), f"a new {evil}", 30)
    until(lambda: {"worker", "lookup", "tokend"} <= set(phone.children()), "all are there")
    equal(others(phone, evil), rest, "the others")
    until(lambda: s.joined() == 1 and s.call("GET", "/bytes/5").status == 200, "it serves", 30)


def killed(s, evil, attacks):
    """Each order is a violation: one line with process and call, counted, and
    the end of that process alone."""
    phone = start(s, evil, attacks)
    for number, attack in enumerate(attacks):
        call = attack.split()[1]
        rest, old = others(phone, evil), phone.child(evil)
        order(old, number)
        phone.wait_log(rf"error {evil}: sandbox: refused system call {call}\b", count=sum(
            1 for a in attacks[:number + 1] if a.split()[1] == call))
        survived(s, phone, evil, rest, old)
    check("attack: " + attacks[0].split()[1] not in phone.log(), "an attack came back")
    equal(len(re.findall(r"refused system call", phone.log())), len(attacks), "lines")
    if evil != "lookup":
        equal(phone.status()["sandbox"][evil]["violations"], len(attacks), "violations")


def refused(s, evil, attacks, **more):
    """Each order is answered with an error, and nobody ends."""
    phone = start(s, evil, attacks(s) if callable(attacks) else attacks, **more)
    if callable(attacks):
        attacks = attacks(s)
    before = phone.children()
    for number, attack in enumerate(attacks):
        order(phone.child(evil), number)
        until(lambda: len(re.findall(r"^attack: \w+ = ", phone.log(), re.M)) >= number + 1, attack)
        result = re.findall(r"^attack: (\w+) = (-?\d+) ?(\w*)", phone.log(), re.M)[number]
        check(result[2] in REFUSED, f"{attack}: {result}")
    equal(phone.children(), before, "all go on")
    equal(s.call("GET", "/bytes/5").status, 200)


def batches(name, evil, attacks, size=4):
    for i in range(0, len(attacks), size):
        def test(s, part=attacks[i:i + size]):
            killed(s, evil, part)
        globals()[f"test_{name}_{i // size}"] = test


# AF_*: 16 netlink, 17 packet, 40 vsock, 38 alg. PR_SET_DUMPABLE is 4. CLONE_NEWUSER is 0x10000000.
WORKER = [
    "call execve @/bin/sh # #", "call openat -100 @/etc/passwd 0", "call openat -100 @/tmp/x 0x42 0600",
    "call fork", "call clone 0x10000011", "call clone3 # 64", "call unshare 0x10000000", "call setns 0 0",
    "call kill 1 9", "call ptrace 16 1 0 0", "call process_vm_readv 1 # 1 # 1 0", "call pidfd_open 1 0",
    "call socket 17 3 0", "call socket 40 1 0", "call bind 3 # 16", "call listen 3 1",
    "call bpf 0 # 64", "call keyctl 0 0", "call userfaultfd 0", "call mount # # # 0",
    "call mmap 0 4096 7 0x22 -1 0", "call mprotect # 4096 4", "call prctl 4 1", "call setuid 0",
    "call memfd_create @x 0", "call init_module # 1 #", "call unlink @/etc/passwd", "call prlimit64 0 7 # 0",
    "call ioctl 0 0x5412 #", "call tgkill 1 1 9",
    # MPTCP and TCP Fast Open, which Landlock's rules for ports do not know; other families; fcntl as kill(2)
    "call socket 2 1 262", "call socket 10 1 262", "call sendto 0 0 0 0x20000000", "call sendmsg 0 # 0x20000000",
    "call socket 1 1 0", "call socket 1 2 0", "call socketpair 1 2 0 #", "call socket 2 2 1",
    "call fcntl 0 8 1", "call fcntl 0 10 9", "call fcntl 0 15 #", "call fcntl 0 0x400 1",
    # the Internet's other types: UDP, and with protocol 0 SCTP; raw, and what the kernel takes for AF_PACKET
    "call socket 2 2 0", "call socket 10 2 17", "call socket 2 5 0", "call socket 10 5 0", "call socket 2 3 6",
    "call socket 10 3 0", "call socket 2 10 0", "call socket 2 6 0",
]
TOKEND = [
    "call socket 1 1 0", "call socket 2 1 0", "call execve @/bin/sh # #", "call fork",
    "call kill 1 9", "call connect 3 # 16", "call accept4 3 0 0 0", "call process_vm_readv 1 # 1 # 1 0",
    "call ptrace 16 1 0 0", "call mmap 0 4096 7 0x22 -1 0", "call unshare 0x10000000", "call socketpair 1 1 0 #",
    "call memfd_create @x 0", "call rename @/etc/passwd @/etc/x", "call prctl 4 1", "call clone 0x11",
    "call fcntl 0 8 1", "call fcntl 0 10 9", "call fcntl 0 15 #", "call fcntl 0 0x400 1",
]
LOOKUP = [
    "call execve @/bin/sh # #", "call listen 3 1", "call ptrace 16 1 0 0", "call kill 1 9",
    "call unlinkat -100 @/etc/passwd 0", "call clone 0x10000011", "call socket 17 3 0", "call prctl 4 1",
    "call socket 2 1 262", "call sendto 0 0 0 0x20000000", "call sendmsg 0 # 0x20000000",
    "call sendmmsg 0 # 1 0x20000000", "call fcntl 0 8 1", "call fcntl 0 10 9", "call fcntl 0 15 #",
    "call socket 2 5 0", "call socket 10 3 17", "call socket 2 1 17", "call socket 2 10 0",
    "call ioctl 0 0x8901 #", "call ioctl 0 0x8902 #", "call prlimit64 0 7 0x7100000000 0",  # a pointer whose low word is 0
]
if os.uname().machine != "x86_64":  # these have no such calls
    WORKER = [a for a in WORKER if a.split()[1] not in ("fork", "unlink")]
    TOKEND = [a for a in TOKEND if a.split()[1] not in ("fork", "rename")]
batches("the_worker_is_ended_at", "worker", WORKER)
batches("tokend_is_ended_at", "tokend", TOKEND)
batches("the_helper_is_ended_at", "lookup", LOOKUP)


def has_landlock(abi=1):
    return LIBC.syscall(444, None, 0, 1) >= abi


def needs_landlock(abi=1):
    if not has_landlock(abi):
        raise LeftOut(f"this kernel has no Landlock ABI {abi}")


# Standard error is the others', too: its end, its bytes, its flags, another number for it.
LOG = ["call ftruncate 2 0", "call lseek 2 0 0", "call pwrite64 2 @x 1 0",
       "call fcntl 2 4 0", "call fcntl 2 1030 3"]
LOG_SOCKET = ["call shutdown 2 2", "call setsockopt 2 1 26 # 16", "call ioctl 2 0x5421 @x", "call dup3 2 99 0", "call connect 2 # 16"]


def test_what_the_worker_is_refused(s):
    refused(s, "worker", ["call io_uring_setup 1 #", "call socket 16 3 0", *LOG, *LOG_SOCKET])


def test_what_the_helper_is_refused(s):
    refused(s, "lookup", ["call socket 1 2 0", "call socketpair 1 2 0 #", "call socket 16 3 9", "call dup 2",
                          *LOG, *LOG_SOCKET])


def test_what_tokend_is_refused(s):
    refused(s, "tokend", ["call fchmod 2 0777", "call flock 2 2", "call fallocate 2 3 0 9", *LOG])


def test_an_application_on_a_path_opens_streams_alone(s):
    """BACKEND_URL=unix: is the one case in which the worker makes Unix sockets."""
    orders = ["call socket 1 1 0", "call socket 1 2 0", "call socketpair 1 1 0 #"]
    phone = start(s, "worker", orders, serves=False, BACKEND_URL=f"unix:{s.dir}/app.sock")
    order(phone.child("worker"), 0)
    phone.wait_log(r"attack: socket = \d+")
    for number, call in ((1, "socket"), (2, "socketpair")):
        old = phone.child("worker")
        order(old, number)
        phone.wait_log(rf"error worker: sandbox: refused system call {call} ")
        until(lambda: phone.children().get("worker") not in (None, old), "a new worker", 30)


def test_the_log_has_no_other_number(s):
    phone = start(s, "worker", [])
    for name, pid in phone.children().items():
        log = os.stat(f"/proc/{pid}/fd/2")
        same = [fd for fd in os.listdir(f"/proc/{pid}/fd") if fd != "2" and os.path.samestat(os.stat(f"/proc/{pid}/fd/{fd}"), log)]
        equal(same, [], f"{name}: descriptors of the log besides 2")


def test_sockets_on_a_path_are_not_the_helpers(s):
    """… unless it has a user of its own (here it has not): modules of nsswitch.conf(5) need some."""
    refused(s, "lookup", ["call socket 1 1 0"])


def files(s):
    """The secret, the store, another's memory, and a place to write."""
    secret = os.path.join(s.dir, "secret")
    with open(secret, "w") as f:
        f.write(s.secret)
    os.chmod(secret, 0o644)
    me = os.getpid()
    return [f"call openat -100 @{secret} 0", f"call openat -100 @/proc/{me}/environ 0",
            f"call openat -100 @/proc/{me}/mem 2", "call openat -100 @/proc/self/environ 0",
            "call openat -100 @/tmp/telephone-attack 0x42 0600", f"call openat -100 @{s.dir}/bin/attacks 1",
            f"call openat -100 @{s.bin}/telephone 0", "call openat -100 @/dev/null 2"]


def test_what_the_helper_may_not_open(s):
    needs_landlock()
    refused(s, "lookup", lambda s: [*files(s), f"call openat -100 @{s.dir}/telephone.db 0"])


def test_what_tokend_may_not_open(s):
    needs_landlock()
    os.mkdir(f"{s.dir}/state")
    if os.geteuid() == 0:
        os.chown(f"{s.dir}/state", harness.NOBODY, harness.NOBODY)
    refused(s, "tokend", lambda s: [*files(s), "call openat -100 @/etc/passwd 0"],
            TOKEN_DB_PATH=f"{s.dir}/state/telephone.db")


def dials(s, evil, open_port):
    """Attempts to connect to a port that nobody configured, and to one that
    is, inside the walls of that process."""
    needs_landlock(4)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(8)
        other.settimeout(1)
        closed = other.getsockname()[1]
        phone = start(s, evil, [f"connect {closed}", f"connect {open_port}"])
        before = phone.children()
        order(phone.child(evil), 0)
        phone.wait_log(rf"attack: connect {closed} = -1 EACCES")
        try:
            other.accept()
            raise harness.Failure("a connection came to a port that is not configured")
        except TimeoutError:
            pass
        order(phone.child(evil), 1)
        phone.wait_log(rf"attack: connect {open_port} = (0|-1 ECONNREFUSED)")
        equal(phone.children(), before, "nobody ends")
        equal(s.call("GET", "/bytes/5").status, 200)


def test_the_worker_dials_its_ports_alone(s):
    """Plugboard's and the application's; the helper that asks name servers:
    theirs. Landlock's rules for ports, ABI 4."""
    s.start_backend()
    dials(s, "worker", s.backend.ports["http"])


def test_the_helper_dials_name_servers_alone(s):
    dials(s, "lookup", 53)


def test_holding_descriptors(s):
    """All that one process may have, and the others do not notice."""
    phone = start(s, "worker", ["hold"])
    before = phone.children()
    order(phone.child("worker"), 0)
    phone.wait_log(r"attack: hold = -\d+ EMFILE")
    held = int(re.search(r"hold = -(\d+)", phone.log())[1])
    check(100 < held <= 16384, f"{held} descriptors")
    equal(phone.children()["tokend"], before["tokend"])
    equal(phone.ctl("version").returncode, 0)


def test_tokend_reads_the_store_behind_its_walls(s):
    """A store is a file that somebody else may have written."""
    if harness.SANDBOX == "off":
        raise LeftOut("this variant runs without a sandbox")
    s.start().stop()
    db = sqlite3.connect(f"{s.dir}/telephone.db", isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    phone = s.start(wait=None, DB_TIMEOUT="30s")
    pid = until(lambda: phone.children().get("tokend"), "tokend")
    until(lambda: has_walls(pid), "its walls stand")
    check(not phone.has_log(r"info tokend: token: "), "it has read the store")
    db.execute("ROLLBACK")
    db.close()
    phone.wait_joined()


# --- frames -------------------------------------------------------------------
def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def knows_passrights():
    """SO_PASSRIGHTS, from Linux 6.16 on."""
    with socket.socket(socket.AF_UNIX) as u:
        try:
            u.setsockopt(socket.SOL_SOCKET, 83, 0)
            return True
        except OSError:
            return False


def types():
    names = re.search(r"enum proto_type \{(.*?)PROTO_TYPES", read("common/proto.h"), re.S)[1]
    return {name: i for i, name in enumerate(re.findall(r"PROTO_(\w+)(?=[ ,=])", names), 1)}


def may_send(sender, receiver):
    """From the table that the executables were built from: what is not in it
    must be refused."""
    found = set()
    for row in re.findall(r"^    \{PROTO_(\w+), ([\w| ]+), ([\w| ]+),", read("common/proto.c"), re.M):
        roles = [side.replace("CHILD", "WORKER | TOKEND").split(" | ") for side in row[1:]]
        if sender in roles[0] and receiver in roles[1]:
            found.add(row[0])
    return found


def breach(s, evil, where, orders, pattern):
    """Each packet is one breach: logged by the receiver; the sender ends, or
    loses that conversation, and the receiver goes on."""
    phone = start(s, evil, orders)
    for number, attack in enumerate(orders):
        rest, old = others(phone, evil), phone.child(evil)
        order(old, number)
        phone.wait_log(pattern, count=number + 1)
        if where == "supervisor":
            phone.wait_log(rf"{evil} \(pid {old}\) is killed")
            survived(s, phone, evil, rest, old)
        else:
            equal(phone.children()["tokend"], rest["tokend"], "tokend goes on")
            equal(stat_of(phone.pid) is not None, True)
            os.kill(old, signal.SIGKILL)  # it has lost its tokend; a new one has not
            survived(s, phone, evil, rest, old)


def forbidden(sender, receiver):
    open_to = may_send(sender, receiver)
    check(3 <= len(open_to) <= 12, f"the table is not understood: {open_to}")
    return [n for name, n in types().items() if name not in open_to]


BROKEN = [  # type, flags, announced, sent, descriptors
    "0 0 0 0 0", "200 0 0 0 0", "{} 1 0 0 0", "{} 0 8 4 0", "{} 0 4 8 0", "{} 0 4294967295 0 0",
    "{} 0 70000 70000 0",
]
FULL = ["{} 0 0 0 1", "{} 0 0 0 3"]  # with descriptors, where the kernel delivers them


def frame_tests():
    for sender, receiver, where in (("WORKER", "SUPERVISOR", "supervisor"), ("TOKEND", "SUPERVISOR", "supervisor"),
                                    ("WORKER", "TOKEND", "peer")):
        evil = sender.lower()
        empty = types()["JOINED" if receiver == "SUPERVISOR" else "TOKEN_GET"]
        orders = [f"frame {where} {n} 0 0 0 0 1" for n in forbidden(sender, receiver)]
        orders += [f"frame {where} {broken.format(empty)} 1" for broken in BROKEN + (FULL if not knows_passrights() else [])]
        orders.append(f"hello {where}")
        for i in range(0, len(orders), 4):
            def test(s, evil=evil, where=where, part=orders[i:i + 4]):
                breach(s, evil, where, part, rf"warn \w+: {evil} sent [\w? ]+: ")
            globals()[f"test_{evil}_may_not_send_to_{receiver.lower()}_{i // 4}"] = test


frame_tests()


def test_no_frame_brings_a_descriptor(s):
    if not knows_passrights():
        raise LeftOut("this kernel delivers them")
    empty = types()["JOINED"]
    refused(s, "worker", [f"frame {where} {full.format(empty)} 1" for where in ("supervisor", "peer") for full in FULL])


def test_tokend_sends_no_descriptor(s):
    if not knows_passrights():
        raise LeftOut("this kernel delivers them")
    refused(s, "tokend", [f"frame supervisor {full.format(types()['READY'])} 1" for full in FULL])


def test_malformed_payloads_end_the_worker_alone(s):
    """What the table lets through and the decoder does not."""
    t = types()
    breach(s, "worker", "peer", [f"frame peer {t['TOKEN_PUT']} 0 64 64 0 1", f"frame peer {t['TOKEN_REFUSED']} 0 8 8 0 1"],
           r"warn tokend: worker sent a malformed \w+: ")


def test_a_flood(s):
    """200,000 questions whose answers nobody reads: tokend and supervisor
    answer others meanwhile, and keep few of them."""
    t = types()
    phone = start(s, "worker", [f"frame peer {t['TOKEN_GET']} 0 0 0 0 200000", f"frame supervisor {t['JOINED']} 0 0 0 0 200000"])
    tokend = phone.child("tokend")
    before = peak(tokend)
    for number in range(2):
        order(phone.child("worker"), number)
        for _ in range(5):
            equal(phone.ctl("version").returncode, 0)
    until(lambda: phone.status().get("pid") == phone.pid, "the supervisor answers")
    equal(phone.child("tokend"), tokend, "tokend goes on")
    check(peak(tokend) - before < 16 * 1024, f"tokend grew by {peak(tokend) - before} KiB")
    until(lambda: s.joined() >= 1 and s.call("GET", "/bytes/5").status == 200, "it serves", 60)


# --- one that does nothing any more, and burns the machine -----------------------
def spins(s, evil, words):
    phone = start(s, evil, ["spin"], DB_TIMEOUT="1s")
    rest, old = others(phone, evil), phone.child(evil)
    order(old, 0)
    phone.wait_log(words, seconds=50)
    survived(s, phone, evil, rest, old)
    until(lambda: (stat_of(old) or "Z")[0] == "Z", "it is gone")


def test_an_endless_loop_in_the_worker(s):
    spins(s, "worker", r"worker \(pid \d+\) is killed: it answers nothing any more")


def test_an_endless_loop_in_tokend(s):
    spins(s, "tokend", r"tokend \(pid \d+\) is killed: it answers nothing any more")


def test_an_endless_loop_in_the_lookup_helper(s):
    spins(s, "lookup", r"the look-up helper answers nothing any more")


# --- ports -----------------------------------------------------------------------
def connects(phone, number, port):
    """What became of a connect(2) of the worker to a port of this machine."""
    order(phone.child("worker"), number)
    line = phone.wait_log(rf"attack: connect {port} = ") and re.search(rf"attack: connect {port} = (.*)", phone.log())
    return line.group(1).strip()


def test_behind_a_proxy_plugboards_own_port_is_closed(s):
    """All that the worker may connect to is the proxy and the application."""
    s.start_board()
    proxy = Proxy(s.board.ports["http"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]  # Plugboard's, by its name
        phone = start(s, "worker", [f"connect {port}", f"connect {proxy.port}"], HTTP_PROXY=f"http://127.0.0.1:{proxy.port}",
                      PLUGBOARD_URL=f"ws://plugboard.test:{port}/telephone/websocket")
        if not phone.status()["sandbox"]["worker"]["connects"]:
            raise LeftOut("this kernel's Landlock has no rules for TCP")
        equal(connects(phone, 0, port), "-1 EACCES", "Plugboard's own port")
        equal(connects(phone, 1, proxy.port), "0", "the proxy's")
    proxy.close()


def test_without_a_proxy_plugboards_port_is_open(s):
    s.start_board()
    port = s.board.ports["http"]
    phone = start(s, "worker", [f"connect {port}"])
    equal(connects(phone, 0, port), "0")

