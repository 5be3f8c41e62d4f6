# SPDX-License-Identifier: MIT
"""The walls of each process, as the kernel and the telephone itself report
them. What runs into them is in tests/it/hostile."""
import os, pwd, re, signal, socket

import harness
from harness import LeftOut, check, equal, free_port, request, until

PROCESSES = ("worker", "lookup", "tokend")
# setgid, setuid, kill, dac_read_search
CAPABILITIES = 1 << 6 | 1 << 7 | 1 << 5 | 1 << 2


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f if ":" in line)}


def limits_of(pid):
    with open(f"/proc/{pid}/limits") as f:
        return {m[1]: m[2] for m in re.finditer(r"^Max (.+?)\s{2,}\S+\s+(\S+)", f.read(), re.M)}


def needs_walls():
    if harness.SANDBOX == "off":
        raise LeftOut("this variant runs without a sandbox")


def has_landlock():
    import ctypes
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def can_bind(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def check_walls(phone):
    for name, pid in {"telephone": phone.pid, **phone.children()}.items():
        st = status_of(pid)
        equal((st["NoNewPrivs"], st["Seccomp"]), ("1", "2"), name)
        equal(int(st["CapAmb"], 16) | int(st["CapInh"], 16), 0, f"capabilities of {name}")
        limits = limits_of(pid)
        equal(limits["core file size"], "0", name)
        if name in ("worker", "tokend"):
            equal(limits["processes"], "0", name)
        check(int(limits["open files"]) <= 16384, f"{name}: {limits['open files']} descriptors")
        if name == "worker":  # MEMORY_MAX, the rest, and what it had before
            check(int(limits["address space"]) < 2 << 30, f"{name}: {limits['address space']}")
        if name in ("lookup", "tokend"):
            equal(limits["open files"], "64", name)
            check(int(limits["address space"]) < 1 << 30, f"{name}: {limits['address space']}")
    sandbox = phone.status()["sandbox"]
    equal(sandbox["mode"], "enforce")
    equal(sandbox["telephone"]["seccomp"], True)
    for name in PROCESSES:
        wall = sandbox[name]
        equal((wall["seccomp"], wall["violations"]), (True, 0), name)
        equal(wall["landlock_abi"] > 0, has_landlock(), name)
        equal(wall["connects"], wall["landlock_abi"] >= 4, name)
    equal(sandbox["whole"], has_landlock())


def test_walls_stand(s):
    needs_walls()
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    equal(s.call("GET", "/bytes/5").status, 200)
    check_walls(phone)
    text = phone.ctl("status").stdout
    check(re.search(r"^sandbox +enforce, 0 violations\n  telephone +seccomp\n  worker +seccomp, ", text, re.M), text)
    check(phone.has_log(r"info telephone: sandbox: enforce, seccomp"), "said at start")
    for name in PROCESSES:
        check(phone.has_log(rf"info telephone: sandbox: {name}: seccomp, ") or not has_landlock(), f"{name} at start")
    metrics = lambda: request(port, "GET", "/metrics").body.decode()
    for name in ("telephone", *PROCESSES):
        until(lambda: f'telephone_sandbox_seccomp{{process="{name}"}} 1\n' in metrics(), f"the metric of {name}")
        check(f'telephone_sandbox_violations_total{{process="{name}"}} 0\n' in metrics(), metrics)
    abi = phone.status()["sandbox"]["worker"]["landlock_abi"]
    check(f'telephone_sandbox_landlock_abi{{process="worker"}} {abi}\n' in metrics(), metrics)


def test_walls_stand_as_root(s):
    needs_walls()
    state = os.path.join(s.dir, "state")
    os.mkdir(state, 0o700)
    os.chown(state, pwd.getpwnam("games").pw_uid, -1)
    phone = s.start(WORKER_USER="daemon", TOKEND_USER="games", TOKEN_DB_PATH=f"{state}/telephone.db")
    equal(s.call("GET", "/bytes/5").status, 200)
    check_walls(phone)
    st = status_of(phone.pid)
    equal(int(st["CapEff"], 16) & ~CAPABILITIES, 0, "capabilities of the supervisor")
    equal(int(st["CapPrm"], 16) & ~CAPABILITIES, 0, "capabilities of the supervisor")
    for name, pid in {"telephone": phone.pid, **phone.children()}.items():
        equal(int(status_of(pid)["CapBnd"], 16) & ~CAPABILITIES, 0, f"bounding set of {name}")
    for name, pid in phone.children().items():
        equal(int(status_of(pid)["CapPrm"], 16), 0, f"capabilities of {name}")
    equal(phone.ctl("reload").returncode, 0)
    phone.wait_log(r"info worker: joined ", count=2)
    equal(s.call("GET", "/bytes/5").status, 200)


test_walls_stand_as_root.needs_root = True


def test_capabilities_of_an_ordinary_user(s):
    """Given as systemd's AmbientCapabilities= gives them, with a port that needs one: nobody keeps any, and a worker that
    was killed has as few."""
    needs_walls()
    port = next(p for p in range(1023, 600, -1) if can_bind(p))
    os.chown(s.dir, harness.NOBODY, harness.NOBODY)
    s.start_board()
    s.start_backend()
    given = "+net_bind_service,+net_raw,+sys_ptrace"
    user = str(harness.NOBODY)
    phone = s.spawn(s.env(HEALTH_CHECK_PORT=port), prefix=(
        "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", given, "--ambient-caps", given))
    phone.wait_joined()
    os.kill(phone.child("worker"), signal.SIGKILL)
    phone.wait_log(r"info worker: joined ", count=2)
    check_walls(phone)
    for name, pid in {"telephone": phone.pid, **phone.children()}.items():
        st = status_of(pid)
        equal(int(st["CapPrm"], 16) | int(st["CapEff"], 16), 0, f"capabilities of {name}")
    until(lambda: request(port, "GET", "/readyz").status == 200, "the listener has its port")


test_capabilities_of_an_ordinary_user.needs_root = True


def test_sandbox_log(s):
    needs_walls()
    phone = s.start(SANDBOX="log")
    equal(s.call("GET", "/bytes/300000").status, 200)
    sandbox = phone.status()["sandbox"]
    equal((sandbox["mode"], sandbox["whole"]), ("log", False))
    equal((sandbox["worker"]["seccomp"], sandbox["worker"]["landlock_abi"]), (True, 0))
    check(phone.has_log(r"warn telephone: sandbox: SANDBOX=log"), "it is said")
    check(not phone.has_log(r"would refuse"), "nothing that works is a violation")


def test_sandbox_off(s):
    phone = s.start(SANDBOX="off")
    equal(s.call("GET", "/bytes/5").status, 200)
    sandbox = phone.status()["sandbox"]
    equal((sandbox["mode"], sandbox["whole"], sandbox["worker"]["seccomp"]), ("off", False, False))
    for pid in (phone.pid, *phone.children().values()):
        equal(status_of(pid)["Seccomp"], "0")
    check(phone.has_log(r"warn telephone: sandbox: SANDBOX=off"), "it is said")


def test_sandbox_of_another_kind(s):
    phone = s.start(wait=None, SANDBOX="maybe")
    phone.wait_exit(78)
    check(phone.has_log(r"SANDBOX: .*enforce.*log.*off"), "the choices are named")
