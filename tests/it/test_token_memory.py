# SPDX-License-Identifier: MIT
"""Where keys and tokens stand in the memory of the three processes: read through /proc/PID/mem, as root may, and as a
core image would show it (without what MADV_DONTDUMP leaves out)."""
import base64, hashlib, os, re, subprocess

import harness
from harness import LeftOut, check, equal, until
from test_tls import Certs

SALT = b"telephone-token-encryption-v1"


def image(pid, core=False):
    """(address, name, bytes) of each mapping that can be read."""
    if os.geteuid() != 0:
        raise LeftOut("reading the memory of others needs root")
    if harness.INSTRUMENTED:
        raise LeftOut("a sanitizer keeps what was freed, and maps terabytes")
    with open(f"/proc/{pid}/smaps") as f:
        text = f.read()
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for m in re.finditer(r"^([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)\n(?:[A-Z].*\n)*?VmFlags: (.*)$", text, re.M):
            begin, end, flags = int(m[1], 16), int(m[2], 16), m[5].split()
            if m[3][0] != "r" or m[4] in ("[vvar]", "[vsyscall]", "[vvar_vclock]") or core and "dd" in flags:
                continue
            try:
                mem.seek(begin)
                found.append((begin, m[4], mem.read(end - begin)))
            except OSError:
                pass  # memfd_secret: not even the kernel reads it
    check(sum(len(data) for _, _, data in found) > 1 << 20, f"nothing could be read of {pid}")
    return found


def count(mappings, *needles):
    return sum(data.count(needle) for _, _, data in mappings for needle in needles)


def where(mappings, needle):
    return [(hex(at + m.start()), name) for at, name, data in mappings for m in re.finditer(re.escape(needle), data)]


def key_forms(secret):
    """The key as it is given, as bytes, and what is derived from it."""
    return (secret.encode(), bytes.fromhex(secret), hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, 100000))


def token_forms(token):
    """The whole, and each part that is this token's alone: claims, in text and in base64, and signature."""
    _, claims, signature = token.split(".")
    return (signature.encode(), claims.encode(), base64.urlsafe_b64decode(claims + "=="), base64.urlsafe_b64decode(signature + "=="))


def processes(phone):
    return {"supervisor": phone.pid, "worker": phone.child("worker"), "tokend": phone.child("tokend"),
            "lookup": phone.child("lookup")}


def test_the_key_is_nowhere_but_in_tokend(s):
    phone = s.start()
    pids = processes(phone)
    for name, pid in pids.items():
        for core in (False, True):
            if name == "tokend" and not core:
                continue  # the one place
            mappings = image(pid, core)
            for form in key_forms(s.secret):
                equal(where(mappings, form), [], f"the key in {name}, core image {core}")
    # The search finds what is there.
    check(count(image(pids["worker"]), b"telephone: worker") > 0, "the search finds nothing at all")


def test_the_key_in_a_file_of_configuration(s):
    """The way of a key that the supervisor has had in its hands."""
    s.start_board()
    env = s.env()
    path = f"{s.dir}/telephone.env"
    with open(path, "w") as f:
        f.write(f"# a comment\nSECRET_KEY_BASE={env.pop('SECRET_KEY_BASE')}\nTELEPHONE_TOKEN={env['TELEPHONE_TOKEN']}\n")
    token = env.pop("TELEPHONE_TOKEN")
    os.chmod(path, 0o644)
    phone = s.spawn(env, ["-f", path])
    phone.wait_joined()
    equal(phone.ctl("reload").returncode, 0)  # read a second time
    for name, pid in processes(phone).items():
        for form in (() if name == "tokend" else key_forms(s.secret)):
            equal(where(image(pid), form), [], f"the key in {name}")
    for form in token_forms(token):
        equal(where(image(phone.pid), form), [], "the token in the supervisor")


def test_earlier_tokens_are_gone(s):
    """After a refresh: from supervisor and tokend at once."""
    s.start_board(token_ttl=3600)
    old = s.token(ttl=6, iat=0)
    phone = s.start(TELEPHONE_TOKEN=old)
    phone.wait_log(r"token refreshed: jti ")
    until(lambda: phone.status()["token"]["source"] == "refresh", "the new one is in use")
    for name in ("supervisor", "tokend"):
        for core in (False, True):
            mappings = image(processes(phone)[name], core)
            for form in token_forms(old):
                equal(where(mappings, form), [], f"the earlier token in {name}, core image {core}")


CURRENT_MAX = 2  # pieces that the libraries keep of the token in use: there was one when docs/tokens.md was written


def kept_by_connections(s, tunnels):
    """libwebsockets 4.3 keeps what a connection was opened with, the token in its path included, as long as that
    connection lives; 4.1 frees it (and it is wiped) when the handshake is done. Nothing public reaches it."""
    return tunnels if harness.libwebsockets(s) >= 19 else 0


def worker_after_refresh(s, **more):
    """The worker holds the current token, that is its work; of earlier ones, nothing."""
    old = s.token(ttl=6, iat=0)
    phone = s.start(TELEPHONE_TOKEN=old, TUNNELS="2", **more)
    phone.wait_log(r"token refreshed: jti ")
    until(lambda: phone.status()["worker"]["tunnels_joined"] == 2, "both tunnels")
    s.call("GET", "/bytes/1000")
    mappings = image(phone.child("worker"))
    for form in token_forms(old):
        copies = where(mappings, form)
        check(len(copies) <= kept_by_connections(s, 2), f"the earlier token in the worker: {copies}")
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=3)
    until(lambda: phone.status()["worker"]["tunnels_joined"] == 2, "both tunnels again")
    mappings = image(phone.child("worker"))
    for form in token_forms(old):
        equal(where(mappings, form), [], "the earlier token in the worker, after a new handshake")
    return phone


def test_earlier_tokens_are_gone_from_the_worker(s):
    s.start_board(token_ttl=3600)
    worker_after_refresh(s)


def test_earlier_tokens_are_gone_from_the_worker_with_tls(s):
    certs = Certs(s.dir)
    certs.sign("server")
    s.start_board("--tls", "127.0.0.1:0", "--cert", certs.pem("server"), "--key", certs.key("server"))
    s.set(token_ttl=3600)
    worker_after_refresh(s, PLUGBOARD_URL=f"wss://localhost:{s.board.ports['tls']}/telephone/websocket",
                         PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_what_the_worker_keeps_of_the_current_token(s):
    """Bounded, and known: a library that starts to hoard shows here."""
    phone = s.start(TUNNELS="2")
    until(lambda: phone.status()["worker"]["tunnels_joined"] == 2, "both tunnels")
    copies = where(image(phone.child("worker")), token_forms(phone.env["TELEPHONE_TOKEN"])[0])
    check(len(copies) <= CURRENT_MAX + kept_by_connections(s, 2), copies)


def test_a_token_that_was_set_leaves_no_trace(s):
    phone = s.start()
    token = s.token(iat=0)
    done = subprocess.run([f"{s.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "token", "set"], input=token,
                          capture_output=True, text=True, timeout=60, env={})
    equal(done.returncode, 0, done.stdout)
    for form in token_forms(token):
        equal(where(image(phone.pid), form), [], "in the supervisor")
        equal(where(image(phone.child("tokend"), core=True), form), [], "in a core image of tokend")


def test_environment_and_command_lines_are_clean(s):
    phone = s.start()
    token = phone.env["TELEPHONE_TOKEN"]
    for name, pid in processes(phone).items():
        for what in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{what}", "rb") as f:
                text = f.read()
            for form in key_forms(s.secret)[:1] + token_forms(token)[:2]:
                check(form not in text, f"{what} of {name} holds a secret")
            check(name == "supervisor" or what == "cmdline" or text.strip(b"\0") == b"", f"environment of {name}: {text!r}")


def limits(pid):
    with open(f"/proc/{pid}/limits") as f:
        return re.search(r"Max core file size +(\S+) +(\S+)", f.read()).groups()


def test_no_core_is_ever_written(s):
    if harness.INSTRUMENTED:
        raise LeftOut("without a sandbox debuggers and sanitizers may look")
    phone = s.start()
    for name, pid in processes(phone).items():
        equal(limits(pid), ("0", "0"), f"core limits of {name}")
        if os.geteuid() == 0:  # not dumpable: what stands in /proc belongs to root
            equal(os.stat(f"/proc/{pid}/mem").st_uid, 0, f"{name} can be traced by its user")


def test_memory_for_secrets_is_guarded(s):
    """Locked, in no core, by memfd_secret where there is one, and between pages that nobody may touch."""
    phone = s.start()
    if os.geteuid() != 0:
        raise LeftOut("reading the maps of others needs root")
    with open(f"/proc/{phone.child('tokend')}/smaps") as f:
        text = f.read()
    if harness.INSTRUMENTED:
        raise LeftOut("a sanitizer maps what it likes")
    maps = [(int(m[1], 16), int(m[2], 16), m[3], m[4], m[5].split()) for m in re.finditer(
        r"^([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)\n(?:[A-Z].*\n)*?VmFlags: (.*)$", text, re.M)]
    secret = [m for m in maps if "dd" in m[4] and m[2].startswith("rw") and ("lo" in m[4] or "secretmem" in m[3])]
    check(secret, "tokend has no memory for secrets")
    for begin, end, _, name, _ in secret:
        for edge in (begin - 1, end):
            beside = [m for m in maps if m[0] <= edge < m[1]]
            check(beside and beside[0][2].startswith("---"), f"no guard beside {begin:x}-{end:x} {name}: {beside}")
