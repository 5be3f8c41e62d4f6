# SPDX-License-Identifier: MIT
"""A tokend of one's own: the test is its supervisor and its worker, and speaks the messages of common/proto.h. Numbers
are read from the headers. For what a whole telephone would make slow, or would hide."""
import base64, json, os, re, resource, select, signal, socket, struct, subprocess, time

import harness
from harness import check

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def enum(path, name, prefix, first=0):
    with open(f"{TOP}/{path}") as f:
        body = re.sub(r"/\*.*?\*/", "", re.search(rf"enum {name} \{{(.*?)\}};", f.read(), re.S)[1], flags=re.S)
    names = [m.split("=")[0].strip() for m in body.split(",") if m.strip()]
    return {n.removeprefix(prefix): i for i, n in enumerate(names, first)}


TYPE = enum("common/proto.h", "proto_type", "PROTO_", 1)
NAME = {v: k for k, v in TYPE.items()}
FD = enum("common/proto.h", "proto_fd", "PROTO_FD_")
STATE = enum("common/proto.h", "proto_token_state", "PROTO_TOKEN_")
REFRESH = enum("common/proto.h", "proto_refresh", "PROTO_REFRESH_")
CONF = enum("common/conf.h", "conf_id", "CONF_")
WORKER = enum("common/proto.h", "proto_role", "PROTO_")["WORKER"]


def text(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<I", len(data)) + data


def strings(data):
    found = []
    while data:
        n, = struct.unpack_from("<I", data)
        found.append(data[4:4 + n].decode())
        data = data[4 + n:]
    return found


def made(iat, exp, jti, path_id="demo"):
    """A token that no Plugboard has made; iat and exp in seconds since 1970."""
    b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    claims = {"sub": "s", "path_id": path_id, "jti": jti, "iat": int(iat), "exp": int(exp)}
    return f"{b64(b'{}')}.{b64(json.dumps(claims).encode())}.{b64(jti.encode() * 4)}"


class Conversation:
    """One end of a channel of packets."""

    def __init__(self):
        self.sock, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.asked = None  # the refresh that is waited for
        self.other.setblocking(False)  # it belongs to the description, so to tokend too

    def send(self, kind, payload=b"", id=0, fd=None):
        packet = struct.pack("<HHII", TYPE[kind], 0, id, len(payload)) + payload
        if fd is None:
            self.sock.send(packet)
        else:
            socket.send_fds(self.sock, [packet], [fd])

    def receive(self, seconds=5):
        """(name, id, payload), or None at its end."""
        check(select.select([self.sock], [], [], seconds)[0], "tokend is silent")
        try:
            packet = self.sock.recv(70000)
        except ConnectionResetError:
            return None
        if not packet:
            return None
        kind, _, id, _ = struct.unpack_from("<HHII", packet)
        if NAME[kind] == "REFRESH_DUE":
            self.asked = id
        return NAME[kind], id, packet[12:]

    def wait(self, *kinds, seconds=5):
        while True:
            got = self.receive(seconds)
            if got is None or got[0] in kinds:
                return got

    def close(self):
        self.sock.close()
        self.other.close()


class Tokend:
    """Born until READY, or until it has left (code: what it said in CONF_ACK). The log is a file in the stage's folder."""

    def __init__(self, s, secret=None, previous=None, token=None, db=None, file_limit=None, **conf):
        self.stage, self.secret, self.previous, self.token = s, secret or s.secret, previous, token
        self.file_limit = file_limit  # bytes that a file may grow to (RLIMIT_FSIZE)
        self.conf = {"TOKEN_DB_PATH": db or f"{s.dir}/t.db", "SANDBOX": harness.SANDBOX or "enforce", **conf}
        self.log_path = f"{s.dir}/tokend.log"
        self.channel, self.proc, self.worker, self.code = None, None, None, None
        self.start()

    def start(self):
        self.channel = Conversation()
        drop = {"user": harness.NOBODY, "group": harness.NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        other = self.channel.other.fileno()

        def take_3():
            os.dup2(other, 3)
            os.set_inheritable(3, True)
            if self.file_limit:  # here, as tests share the process that runs them
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_limit,) * 2)
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [f"{self.stage.bin}/tokend"], close_fds=False, preexec_fn=take_3, cwd=self.stage.dir, env={}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **drop)
        self.channel.other.close()
        _, _, hello = self.channel.wait("HELLO")
        self.build = strings(hello[1:])[0]
        self.connect()
        self.give()
        self.code = self.channel.wait("CONF_ACK")[2][0]
        if self.code == 0:
            check(self.channel.wait("READY") is not None, "tokend left before READY")
            self.greet()

    def give(self):
        """Configuration and secrets: at birth, or a reload."""
        for key, value in self.conf.items():
            if value is not None:
                self.channel.send("CONF", bytes([CONF[key]]) + text(str(value)))
        for kind, value in (("SECRET", self.secret), ("PREVIOUS", self.previous), ("TOKEN", self.token)):
            if value is not None:
                self.pass_secret("FD", bytes([FD[kind]]), value)
        self.channel.send("CONF_END")

    def pass_secret(self, kind, payload, value, id=0):
        fd = os.memfd_create("secret", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, value.encode())
            harness_seal(fd)
            self.channel.send(kind, payload, id, fd)
        finally:
            os.close(fd)

    def connect(self):
        """A new worker; the one before is gone."""
        if self.worker is not None:
            self.worker.close()
        self.worker = Conversation()
        self.channel.send("FD", bytes([FD["PEER"]]), fd=self.worker.other.fileno())
        self.worker.other.close()

    def greet(self):
        self.worker.send("HELLO", bytes([WORKER]) + text(self.build))
        check(self.worker.wait("HELLO") is not None, "no HELLO")

    def put(self, token, id=0, outcome="OK"):
        self.worker.asked = None
        self.worker.send("TOKEN_PUT", bytes([REFRESH[outcome]]) + text(token), id)

    def is_asked(self, seconds):
        """For a refresh, by now or within these seconds."""
        end = time.monotonic() + seconds
        while self.worker.asked is None and select.select([self.worker.sock], [], [], max(0, end - time.monotonic()))[0]:
            self.worker.receive()
        return self.worker.asked is not None

    def refresh(self, token, seconds=5):
        """Waits to be asked, and answers; the news are read."""
        check(self.is_asked(seconds), "nobody asks for a refresh")
        self.put(token, self.worker.asked)
        check(self.worker.wait("TOKEN") is not None, "no news")

    def refused(self, jti, status=403):
        self.worker.send("TOKEN_REFUSED", struct.pack("<H", status) + text(jti))

    def offered(self):
        """(state, jti) of what a worker would present."""
        self.worker.send("TOKEN_GET", id=77)
        while True:
            name, id, payload = self.worker.wait("TOKEN")
            if id == 77:
                state = {v: k for k, v in STATE.items()}[payload[0]]
                return state, strings(payload[9:])[1]

    def set(self, token):
        self.pass_secret("TOKEN_SET", b"", token, id=5)
        return self.channel.wait("TOKEN_REPORT")[2]

    def rotate(self):
        self.channel.send("TOKEN_ROTATE", id=6)
        return self.channel.wait("TOKEN_REPORT")[2]

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.end()

    def stop(self):
        try:
            self.channel.send("STOP", b"\0")
        except OSError:
            pass
        return self.end()

    def end(self):
        code = self.proc.wait(timeout=30)
        self.channel.close()
        if self.worker is not None:
            self.worker.close()
            self.worker = None
        return code


def harness_seal(fd):
    import fcntl
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
