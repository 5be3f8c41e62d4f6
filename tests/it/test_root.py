# SPDX-License-Identifier: MIT
"""Started by root: a user for each process. Uses users that every Debian has."""
import os, pwd, subprocess

from harness import LeftOut, check, equal, until

WORKER, TOKEND = "daemon", "games"


def store_directory(s):
    path = os.path.join(s.dir, "state")
    os.mkdir(path, 0o700)
    os.chown(path, pwd.getpwnam(TOKEND).pw_uid, -1)
    return path


def ids(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f if ":" in line)
    return {k: fields[k].split() for k in ("Uid", "Gid", "Groups", "NoNewPrivs", "CapEff")}


def test_three_users(s):
    phone = s.start(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=store_directory(s) + "/telephone.db")
    equal(s.call("GET", "/bytes/5").status, 200)
    equal(phone.status()["separate_users"], True)
    children = phone.children()
    for name, user in (("worker", WORKER), ("tokend", TOKEND), ("lookup", WORKER)):
        pw, got = pwd.getpwnam(user), ids(children[name])
        equal(got["Uid"], [str(pw.pw_uid)] * 4, name)
        equal(got["Gid"], [str(pw.pw_gid)] * 4, name)
        equal(got["Groups"], [str(pw.pw_gid)], name)
        equal((got["NoNewPrivs"], got["CapEff"]), (["1"], ["0" * 16]), name)
    equal(ids(phone.pid)["Uid"], ["0"] * 4)
    for link in os.listdir(f"/proc/{children['worker']}/fd"):
        check("telephone.db" not in os.readlink(f"/proc/{children['worker']}/fd/{link}"), "the worker holds the store")


def test_missing_users(s):
    phone = s.start(wait=None, WORKER_USER="no-such-user-1", TOKEND_USER="no-such-user-2")
    phone.wait_exit(78)
    errors = [line for line in phone.log().splitlines() if " error " in line]
    equal(len(errors), 1, phone.log())
    for words in ("useradd --system", "no-such-user-1", "no-such-user-2", "WORKER_USER"):
        check(words in errors[0], errors[0])


def test_one_user_for_both(s):
    phone = s.start(wait=None, WORKER_USER=WORKER, TOKEND_USER=WORKER)
    phone.wait_exit(78)
    check(phone.has_log("must be two users"), "it says so")


def test_store_of_another_user(s):
    path = os.path.join(s.dir, "state")
    os.mkdir(path, 0o700)
    phone = s.start(wait=None, WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=f"{path}/telephone.db")
    phone.wait_exit(77)
    check(phone.has_log(rf"as root run: install -d -o {TOKEND} -m 0700 "), "the commands are named")
    equal(os.stat(path).st_uid, 0, "owner of what was found")


CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


def certificate(directory, name):
    cert, key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def with_system_ca(s, name):
    """A telephone whose system CA store, in a mount namespace of its own, is
    the certificate of a switchboard that calls itself `name`."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise LeftOut("mount namespaces are not allowed here")
    cert, key = certificate(s.dir, name)
    s.start_board("--tls", "127.0.0.1:0", "--cert", cert, "--key", key)
    s.start_backend()
    env = s.env(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=store_directory(s) + "/telephone.db",
                PLUGBOARD_URL=f"wss://localhost:{s.board.ports['tls']}/telephone/websocket", PATH=os.environ["PATH"])
    return s.spawn(env, prefix=["unshare", "-m", "sh", "-c", f'mount --bind {cert} {CA_FILE} && exec "$@"', "sh"])


def test_wss_with_the_system_store(s):
    phone = with_system_ca(s, "localhost")
    phone.wait_joined()
    for target in ("/bytes/3000000", "/binary/300000", "/utf8/100001"):
        check(s.call("GET", target).body == s.direct(target).body, f"{target} differs")
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(s.call("GET", "/bytes/5").status, 200)


def test_wss_name_mismatch(s):
    phone = with_system_ca(s, "other.example")
    phone.wait_log(r"ended: tls failed: hostname mismatch")
    equal(phone.status()["ready"], False)


for test in list(globals().values()):
    if callable(test) and getattr(test, "__name__", "").startswith("test_") and test.__module__ == __name__:
        test.needs_root = True
