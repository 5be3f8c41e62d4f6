# SPDX-License-Identifier: MIT
"""Configuration and command lines, as a newcomer would get them wrong."""
import os, subprocess

from harness import check, equal, until


def run(s, program, *args, env=None):
    return subprocess.run([f"{s.bin}/{program}", *args], cwd=s.dir, env=env or {}, capture_output=True, text=True,
                          timeout=30)


def write(s, text, name=".env"):
    path = os.path.join(s.dir, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o644)
    return path


def test_all_faults_in_one_pass(s):
    path = write(s, "PLUGBOARD_URL=http://x\nBACKEND_PORT=99999\n# fine\nREQUEST_TIMEOUT=30\nPLUGBORD_URL=ws://x\n"
                    "MAX_BACKOFF=1s\nINITIAL_BACKOFF=2s\nSECRET_KEY_BASE=tooshort\nnonsense\nCHUNK_SIZE=1\n", "conf")
    done = run(s, "telephone", "-n", "-f", path)
    equal(done.returncode, 78, done.stderr)
    for words in ("conf:1: PLUGBOARD_URL: ", "conf:2: BACKEND_PORT: ", "conf:4: REQUEST_TIMEOUT: ", "write 30s",
                  "conf:5: PLUGBORD_URL is not a key of telephone; did you mean PLUGBOARD_URL?",
                  "INITIAL_BACKOFF: 2s is longer than MAX_BACKOFF", "conf:9: not KEY=value", "conf:10: CHUNK_SIZE: ",
                  "SECRET_KEY_BASE: it is not 64 hex digits"):
        check(words in done.stderr, f"{words!r} in {done.stderr}")
    check("tooshort" not in done.stderr, "a secret's value is shown")


def test_good_configuration(s):
    path = write(s, f"export PLUGBOARD_URL=\"ws://localhost:4000/x\" # comment\nSECRET_KEY_BASE='{s.secret}'\r\n"
                    "HEARTBEAT_INTERVAL=1m30s\nCONNECTION_MONITOR_INTERVAL=5s\nAPP_NAME=other\n", "conf")
    done = run(s, "telephone", "-n", "-f", path)
    equal((done.returncode, done.stdout), (0, "configuration ok\n"), done.stderr)
    check("APP_NAME" not in done.stderr, "an application's key is none of our business")


def test_dot_env_and_precedence(s):
    s.start_board()
    s.start_backend()
    env = s.env()
    write(s, "".join(f"{k}={v}\n" for k, v in env.items() if k != "BACKEND_PORT") + "BACKEND_PORT=1\nLOG_LEVEL=error\n")
    phone = s.spawn({"BACKEND_PORT": env["BACKEND_PORT"], "CONTROL_SOCKET": env["CONTROL_SOCKET"]},
                    ["--log-level", "info"])
    if os.geteuid() != 0 or not s.as_root:
        phone.wait_joined()
    equal(s.call("GET", "/bytes/5").status, 200, "environment over file")
    check(phone.has_log(r"info telephone: ready"), "flag over file")


def test_json_log(s):
    import json
    phone = s.start(args=["--log-format", "json"], wait=None)
    until(lambda: '"joined telephone:demo' in phone.log(), "joined")
    phone.stop()
    for line in phone.log().splitlines():
        check(line.startswith("{"), line)
        entry = json.loads(line)
        check({"ts", "level", "proc", "msg"} <= set(entry), line)


def test_command_line(s):
    equal(run(s, "telephone", "--no-such").returncode, 64)
    equal(run(s, "telephone", "extra").returncode, 64)
    done = run(s, "telephone", "--version")
    check(done.returncode == 0 and done.stdout.startswith("telephone "), done.stdout)
    done = run(s, "telephone", "--help")
    check(done.returncode == 0 and "--file" in done.stdout, done.stdout)
    equal(run(s, "telephone", "-f", "/no/such/file").returncode, 78)
    equal(run(s, "telephonectl").returncode, 64)
    equal(run(s, "telephonectl", "nonsense").returncode, 64)
    done = run(s, "telephonectl", "-s", f"{s.dir}/none", "status")
    equal(done.returncode, 69)
    check("no telephone is running here" in done.stderr, done.stderr)


def test_a_file_that_is_not_read_lacks_no_secret(s):
    """Whoever believed that SECRET_KEY_BASE is missing would make another one, and lose the store."""
    binary = write(s, "SECRET_KEY_BASE=\0", "binary")
    for path, words in ((f"{s.dir}/none", "cannot be read: No such file or directory; -f names another file"),
                        (s.dir, "cannot be read: Is a directory; -f names another file"),
                        (binary, "holds a NUL: it is no text file")):
        for flags in (["-n"], []):
            done = run(s, "telephone", *flags, "-f", path)
            equal(done.returncode, 78, (path, flags))
            check(words in done.stderr and "SECRET_KEY_BASE" not in done.stderr, done.stderr)


def test_children_alone(s):
    equal(run(s, "tokend", "--nonsense").returncode, 64)
    done = run(s, "tokend", "--check")
    equal(done.returncode, 78)
    check("SECRET_KEY_BASE is missing" in done.stderr, done.stderr)


def test_secret_files(s):
    s.start_board()
    secret = write(s, s.secret + "\n", "secret")
    token = write(s, s.token() + "\n", "token")
    phone = s.start(SECRET_KEY_BASE=None, TELEPHONE_TOKEN=None, SECRET_KEY_BASE_FILE=secret, TELEPHONE_TOKEN_FILE=token)
    check(phone.has_log(rf"SECRET_KEY_BASE_FILE: {secret} is open to others"), "a warning with chmod")
    phone.stop()
    other = s.start(wait=None, SECRET_KEY_BASE=None, SECRET_KEY_BASE_FILE="/no/such")
    other.wait_exit(78)
    check(other.has_log(r"SECRET_KEY_BASE_FILE: /no/such cannot be read"), "it says so")


def test_credentials_directory(s):
    s.start_board()
    credentials = os.path.join(s.dir, "credentials")
    os.mkdir(credentials)
    os.chmod(credentials, 0o755)
    write(s, s.secret, "credentials/secret_key_base")
    write(s, s.token(), "credentials/telephone_token")
    s.start(SECRET_KEY_BASE="f" * 64, TELEPHONE_TOKEN=None, CREDENTIALS_DIRECTORY=credentials).stop()


def test_sd_notify(s):
    import socket
    path = os.path.join(s.dir, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as n:
        n.bind(path)
        os.chmod(path, 0o777)
        n.settimeout(20)
        phone = s.start(NOTIFY_SOCKET=path)
        equal(n.recv(100), b"READY=1")
        phone.stop()
        while (said := n.recv(100)).startswith(b"STATUS="):
            pass
        equal(said, b"STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000")
