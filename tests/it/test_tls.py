# SPDX-License-Identifier: MIT
"""TLS to Plugboard and to the application: whom we trust, who we are, and
that each failure is named. The servers are Python's ssl, in front of the
switchboard; the certificates are made by openssl(1)."""
import concurrent.futures, os, select, socket, ssl, subprocess, threading

from harness import check, equal, free_port, request, until


class Certs:
    """A CA, and what it signs, in a directory."""

    def __init__(self, directory, name="ca"):
        self.dir, self.name = directory, name
        self.openssl("req", "-x509", *self.new_key(name), "-days", "2", "-subj", f"/CN={name}",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-out", self.pem(name))

    def openssl(self, *argv):
        done = subprocess.run(["openssl", *argv], capture_output=True)
        check(done.returncode == 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def pem(self, name):
        return f"{self.dir}/{name}.pem"

    def key(self, name):
        return f"{self.dir}/{name}.key"

    def new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key(name))

    def sign(self, name, san="DNS:localhost,IP:127.0.0.1", dates=()):
        """A certificate with its key; dates: -not_before and -not_after of openssl-ca(1)."""
        conf = f"{self.dir}/{name}.cnf"
        with open(conf, "w") as f:
            f.write(f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.dir}/{name}.txt\nnew_certs_dir={self.dir}\nrand_serial=yes\n"
                    f"default_md=sha256\npolicy=p\nx509_extensions=x\ndefault_days=2\nunique_subject=no\n"
                    f"[p]\ncommonName=supplied\n[x]\nsubjectAltName={san}\n")
        open(f"{self.dir}/{name}.txt", "w").close()
        self.openssl("req", "-new", *self.new_key(name), "-subj", f"/CN={name}", "-out", f"{self.dir}/{name}.csr")
        self.openssl("ca", "-batch", "-notext", "-config", conf, "-cert", self.pem(self.name), "-keyfile", self.key(self.name),
                     "-in", f"{self.dir}/{name}.csr", "-out", self.pem(name), *dates)
        os.chmod(self.key(name), 0o644)  # the telephone of the test is another user
        return self.pem(name)

    def pin(self, name):
        public = self.openssl("x509", "-in", self.pem(name), "-noout", "-pubkey")
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True,
                             check=True).stdout
        digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, capture_output=True,
                                check=True).stdout
        return subprocess.run(["openssl", "base64"], input=digest, capture_output=True, check=True).stdout.decode().strip()


def server_context(certs, name, version=None, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.pem(name), certs.key(name))
    if version is not None:
        context.minimum_version = context.maximum_version = version
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def copy(a, b):
    """One way between two plain sockets, by a thread of its own."""
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Front:
    """TLS in front of a port that speaks none. Remembers who came."""

    def __init__(self, context, to):
        self.context, self.to, self.peers, self.names = context, to, [], []
        context.sni_callback = lambda conn, name, _: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.one, args=(conn,), daemon=True).start()

    def one(self, conn):
        try:
            conn.settimeout(60)
            with self.context.wrap_socket(conn, server_side=True) as tls:
                self.peers.append(tls.getpeercert())
                with socket.create_connection(("127.0.0.1", self.to)) as plain:
                    self.relay(tls, plain)
        except OSError:
            pass

    @staticmethod
    def relay(tls, plain):
        """By one thread: a connection of OpenSSL's is not for two at once,
        not even when one of them only reads."""
        other = {tls: plain, plain: tls}
        while True:
            ready = [tls] if tls.pending() else select.select([tls, plain], [], [])[0]
            for sock in ready:
                data = sock.recv(65536)
                if not data:
                    return
                other[sock].sendall(data)

    def close(self):
        self.listener.close()


def start_front(s, context):
    if s.board is None:
        s.start_board()
    front = Front(context, s.board.ports["http"])
    return front, f"wss://localhost:{front.port}/telephone/websocket"


# What the words of the log are called in telephone_reconnects_total.
REASONS = {"unknown ca": "tls_unknown_ca", "name mismatch": "tls_name_mismatch", "expired": "tls_expired",
           "not yet valid": "tls_not_yet_valid", "pin mismatch": "tls_pin", "client certificate": "tls_client_certificate",
           "protocol version": "tls_protocol_version", "plain text": "tls_plain_text", "": "tls"}


def counted(port, words):
    """The reason is counted, and no other."""
    reason = next(r for w, r in REASONS.items() if words.startswith(w))
    lines = [x for x in request(port, "GET", "/metrics").body.decode().splitlines() if "reconnects_total{" in x]
    seen = {x.split('"')[1] for x in lines if not x.endswith(" 0")}
    check(seen == {reason}, f"{reason} is counted: {seen}")


def refused(s, context, words, **more):
    """A telephone meets this server and says these words, and counts and shows the cause by its own name."""
    more.setdefault("HEALTH_CHECK_PORT", free_port())
    front, url = start_front(s, context)
    phone = s.start(wait=None, PLUGBOARD_URL=url, MAX_BACKOFF="2s", **more)
    phone.wait_log(rf"ended: tls failed: {words}")
    cause = next(w for w in REASONS if words.startswith(w))
    until(lambda: phone.status()["worker"]["last_end"] == (f"tls failed: {cause}" if cause else "tls failed"), cause)
    counted(more["HEALTH_CHECK_PORT"], words)
    front.close()
    return phone


def test_ca_file(s):
    certs = Certs(s.dir)
    certs.sign("server")
    front, url = start_front(s, server_context(certs, "server"))
    phone = s.start(PLUGBOARD_URL=url, PLUGBOARD_CA_FILE=certs.pem("ca"))
    equal(s.call("GET", "/bytes/300000").body, s.direct("/bytes/300000").body)
    equal(front.names, ["localhost"], "server name indication")
    equal(len(front.peers), 1, "handshakes")
    front.close()
    check(not phone.has_log("ended:"), "at the first attempt")


def test_ca_file_is_in_place_of_the_system_store(s):
    mine, other = Certs(s.dir), Certs(s.dir, "other")
    mine.sign("server")
    refused(s, server_context(mine, "server"), r"unknown ca: unable to get local issuer certificate",
            PLUGBOARD_CA_FILE=other.pem("other"))


def test_unknown_ca(s):
    certs = Certs(s.dir)
    certs.sign("server")
    refused(s, server_context(certs, "server"), r"unknown ca: unable to get local issuer certificate")


def test_name_mismatch(s):
    certs = Certs(s.dir)
    certs.sign("server", san="DNS:other.example,IP:127.0.0.2")
    refused(s, server_context(certs, "server"), r"name mismatch: the certificate is not for localhost",
            PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_address_in_the_url(s):
    certs = Certs(s.dir)
    certs.sign("good", san="IP:127.0.0.1")
    front, _ = start_front(s, server_context(certs, "good"))
    s.start(PLUGBOARD_URL=f"wss://127.0.0.1:{front.port}/telephone/websocket", PLUGBOARD_CA_FILE=certs.pem("ca"))
    equal(front.names, [None], "an address is no server name (RFC 6066)")
    front.close()
    certs.sign("bad", san="DNS:localhost")
    front, _ = start_front(s, server_context(certs, "bad"))
    phone = s.start(wait=None, PLUGBOARD_URL=f"wss://127.0.0.1:{front.port}/telephone/websocket",
                    PLUGBOARD_CA_FILE=certs.pem("ca"), CONTROL_SOCKET=f"{s.dir}/2.sock", TOKEN_DB_PATH=f"{s.dir}/2.db")
    phone.wait_log(r"tls failed: name mismatch: the certificate is not for 127\.0\.0\.1")
    front.close()


def test_expired(s):
    certs = Certs(s.dir)
    certs.sign("server", dates=("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))
    refused(s, server_context(certs, "server"), r"expired: certificate has expired", PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_not_yet_valid(s):
    certs = Certs(s.dir)
    certs.sign("server", dates=("-startdate", "20400101000000Z", "-enddate", "20410101000000Z"))
    refused(s, server_context(certs, "server"), r"not yet valid: certificate is not yet valid; is the clock",
            PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_protocol_version(s):
    certs = Certs(s.dir)
    certs.sign("server")
    refused(s, server_context(certs, "server", ssl.TLSVersion.TLSv1_1),
            r"protocol version: the server speaks neither TLS 1\.2 nor 1\.3", PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_handshake_alert(s):
    certs = Certs(s.dir)
    certs.sign("server")
    context = server_context(certs, "server", ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("PSK")  # no cipher in common
    refused(s, context, r"handshake alert: the server sent: handshake failure", PLUGBOARD_CA_FILE=certs.pem("ca"))


def test_client_certificate_wanted(s):
    certs = Certs(s.dir)
    certs.sign("server")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        phone = refused(s, server_context(certs, "server", version, certs.pem("ca")), r"client certificate wanted: ",
                        PLUGBOARD_CA_FILE=certs.pem("ca"))
        phone.stop()


def test_client_certificate(s):
    certs, other = Certs(s.dir), Certs(s.dir, "other")
    certs.sign("server")
    certs.sign("client", san="DNS:client.example")
    other.sign("stranger", san="DNS:stranger.example")
    with open(f"{s.dir}/both.pem", "w") as f:
        f.write(open(certs.pem("client")).read() + open(certs.key("client")).read())
    for n, more in enumerate(({"PLUGBOARD_CLIENT_CERT": certs.pem("client"), "PLUGBOARD_CLIENT_KEY": certs.key("client")},
                              {"PLUGBOARD_CLIENT_CERT": f"{s.dir}/both.pem"})):
        front, url = start_front(s, server_context(certs, "server", client_ca=certs.pem("ca")))
        phone = s.start(PLUGBOARD_URL=url, PLUGBOARD_CA_FILE=certs.pem("ca"), CONTROL_SOCKET=f"{s.dir}/{n}.sock",
                        TOKEN_DB_PATH=f"{s.dir}/{n}.db", **more)
        equal(front.peers[0]["subject"], ((("commonName", "client"),),), "who we are")
        phone.stop()
        front.close()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        phone = refused(s, server_context(certs, "server", version, certs.pem("ca")),
                        r"client certificate refused(: the server sent alert: unknown CA|, most likely: )",
                        PLUGBOARD_CA_FILE=certs.pem("ca"), PLUGBOARD_CLIENT_CERT=other.pem("stranger"),
                        PLUGBOARD_CLIENT_KEY=other.key("stranger"))
        phone.stop()


def test_pins(s):
    certs, other = Certs(s.dir), Certs(s.dir, "other")
    certs.sign("server")
    good, ca, bad = certs.pin("server"), certs.pin("ca"), other.pin("other")
    for n, pins in enumerate((good, ca, f"{bad},sha256/{good}")):
        front, url = start_front(s, server_context(certs, "server"))
        phone = s.start(PLUGBOARD_URL=url, PLUGBOARD_CA_FILE=certs.pem("ca"), PLUGBOARD_PIN=pins,
                        CONTROL_SOCKET=f"{s.dir}/{n}.sock", TOKEN_DB_PATH=f"{s.dir}/{n}.db")
        check(not phone.has_log("ended:"), f"{pins} fits")
        phone.stop()
        front.close()
    refused(s, server_context(certs, "server"), r"pin mismatch: ", PLUGBOARD_CA_FILE=certs.pem("ca"),
            PLUGBOARD_PIN=bad).stop()
    # A pin does not stand in for a chain.
    refused(s, server_context(certs, "server"), r"unknown ca: ", PLUGBOARD_CA_FILE=other.pem("other"), PLUGBOARD_PIN=good)


def test_reload_takes_the_files_anew(s):
    """A CA and a pin are read by each new worker; while they do not fit, the
    old worker serves on, and the log says why."""
    certs, other = Certs(s.dir), Certs(s.dir, "other")
    certs.sign("server")
    front, url = start_front(s, server_context(certs, "server"))
    s.start_backend()
    path = f"{s.dir}/conf"

    def write(ca, pin):
        with open(path, "w") as f:
            f.write(f"PLUGBOARD_CA_FILE={ca}\nPLUGBOARD_PIN={pin}\n")
        os.chmod(path, 0o644)
    write(certs.pem("ca"), certs.pin("server"))
    phone = s.spawn(s.env(PLUGBOARD_URL=url), ["-f", path])
    phone.wait_joined()
    old = phone.child("worker")
    write(certs.pem("ca"), other.pin("other"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reload = pool.submit(phone.ctl, "reload")
        phone.wait_log("ended: tls failed: pin mismatch: ")
        equal(s.call("GET", "/bytes/5").status, 200, "the old one serves")
        done = reload.result()
    check(done.returncode != 0 and "given up" in done.stderr, done.stderr)
    until(lambda: phone.child("worker") == old, "the other one is gone")
    write(certs.pem("ca"), f"{other.pin('other')},{certs.pin('server')}")
    equal(phone.ctl("reload").returncode, 0)
    until(lambda: phone.children().get("worker") not in (None, old), "another worker serves")
    equal(s.call("GET", "/bytes/5").status, 200, "with the new pins")
    front.close()


def plain_server(answer):
    """Waits for something and answers it with these bytes; None: with nothing, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                conn = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=(conn,), daemon=True).start()

    def one(conn):
        with conn:
            try:
                conn.settimeout(60)
                if conn.recv(100000) and answer is not None:
                    conn.sendall(answer)
                while conn.recv(100000):
                    pass
            except OSError:
                pass
    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_plain_text_there(s):
    for answer in (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"220 mail ready\r\n"):
        listener = plain_server(answer)
        port = free_port()
        phone = s.start(wait=None, PLUGBOARD_URL=f"wss://localhost:{listener.getsockname()[1]}/x", TELEPHONE_TOKEN=token(s),
                        HEALTH_CHECK_PORT=port)
        phone.wait_log(r"ended: tls failed: plain text: what answers on this port speaks no TLS")
        counted(port, "plain text")
        phone.stop()
        listener.close()


def token(s):
    if s.board is None:
        s.start_board()
    return s.token()


def test_no_answer_to_the_handshake(s):
    listener = plain_server(None)
    phone = s.start(wait=None, PLUGBOARD_URL=f"wss://localhost:{listener.getsockname()[1]}/x", TELEPHONE_TOKEN=token(s),
                    CONNECT_TIMEOUT="500ms")
    phone.wait_log(r"ended: timeout: no answer to the TLS handshake within CONNECT_TIMEOUT")
    listener.close()


def test_cut_off(s):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                conn = listener.accept()[0]
                conn.recv(100000)
                conn.close()
        except OSError:
            pass
    threading.Thread(target=serve, daemon=True).start()
    phone = s.start(wait=None, PLUGBOARD_URL=f"wss://localhost:{listener.getsockname()[1]}/x", TELEPHONE_TOKEN=token(s))
    phone.wait_log(r"ended: tls failed: the handshake was cut off")
    listener.close()


def test_two_handshakes_at_once_keep_their_own_causes(s):
    """One tunnel meets an expired certificate, the other one, at the same
    moment, one for another name."""
    certs = Certs(s.dir)
    certs.sign("old", dates=("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))
    certs.sign("other", san="DNS:other.example")
    contexts, gate, lock = [server_context(certs, n) for n in ("old", "other")], threading.Barrier(2), threading.Lock()
    listener = socket.create_server(("127.0.0.1", 0))

    def one(conn, context):
        try:
            conn.settimeout(20)
            conn.recv(1, socket.MSG_PEEK)  # both have begun
            gate.wait(20)
            with lock:
                context.wrap_socket(conn, server_side=True)
        except (OSError, threading.BrokenBarrierError):
            pass

    def serve():
        for n in range(2):
            try:
                conn = listener.accept()[0]
                while not conn.recv(1, socket.MSG_PEEK):  # a connection that was given up
                    conn = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=(conn, contexts[n]), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    phone = s.start(wait=None, TUNNELS="2", PLUGBOARD_URL=f"wss://localhost:{listener.getsockname()[1]}/x",
                    TELEPHONE_TOKEN=token(s), PLUGBOARD_CA_FILE=certs.pem("ca"), INITIAL_BACKOFF="20s", MAX_BACKOFF="20s")
    phone.wait_log(r"tunnel \d to \S+ ended: ", count=2)
    equal(len(phone.has_log(r"(?s).*").group(0).split("tls failed: expired")) - 1, 1, "expired")
    equal(len(phone.log().split("tls failed: name mismatch")) - 1, 1, "name mismatch")
    listener.close()


# --- what the configuration says -------------------------------------------------
def test_files_that_are_not_there(s):
    s.start_board()
    keys = ("PLUGBOARD_CA_FILE", "PLUGBOARD_CLIENT_CERT", "PLUGBOARD_CLIENT_KEY", "BACKEND_CA_FILE",
            "BACKEND_CLIENT_CERT", "BACKEND_CLIENT_KEY")
    env = s.env(**{k: f"{s.dir}/none-{k}" for k in keys})
    done = subprocess.run([f"{s.bin}/telephone", "-n"], env=env, cwd=s.dir, capture_output=True, text=True)
    equal(done.returncode, 78, done.stderr)
    for k in keys:
        check(f"{k}: {s.dir}/none-{k} cannot be read: No such file or directory; name a PEM file" in done.stderr,
              f"{k}: {done.stderr}")
    done = subprocess.run([f"{s.bin}/telephone", "-n"], capture_output=True, text=True, cwd=s.dir,
                          env=s.env(PLUGBOARD_CA_FILE=s.dir, PLUGBOARD_CLIENT_KEY="/dev/null"))
    equal(done.returncode, 78, done.stderr)
    check(f"PLUGBOARD_CA_FILE: {s.dir} is not a regular file" in done.stderr, done.stderr)
    check("PLUGBOARD_CLIENT_KEY: it is of no use without PLUGBOARD_CLIENT_CERT" in done.stderr, done.stderr)


def test_files_that_are_not_what_they_should_be(s):
    certs = Certs(s.dir)
    certs.sign("client")
    certs.sign("other")
    certs.openssl("pkey", "-in", certs.key("client"), "-aes256", "-passout", "pass:x", "-out", f"{s.dir}/locked.key")
    certs.openssl("x509", "-in", certs.pem("ca"), "-outform", "der", "-out", f"{s.dir}/ca.der")
    os.chmod(f"{s.dir}/locked.key", 0o644)
    s.start_board()
    client = certs.pem("client")
    for n, (more, words) in enumerate((
            ({"PLUGBOARD_CA_FILE": f"{s.dir}/ca.der"}, r"PLUGBOARD_CA_FILE: \S+/ca\.der holds no certificate in PEM form; from DER"),
            ({"PLUGBOARD_CLIENT_CERT": client, "PLUGBOARD_CLIENT_KEY": certs.key("other")},
             r"PLUGBOARD_CLIENT_KEY: \S+/other\.key does not belong to the client's certificate"),
            ({"PLUGBOARD_CLIENT_CERT": client, "PLUGBOARD_CLIENT_KEY": f"{s.dir}/locked.key"},
             r"PLUGBOARD_CLIENT_KEY: \S+/locked\.key is encrypted, and nobody can be asked"),
            ({"PLUGBOARD_CLIENT_CERT": certs.key("client")}, r"PLUGBOARD_CLIENT_CERT: \S+/client\.key holds no certificate in PEM form"),
            ({"PLUGBOARD_CLIENT_CERT": client}, r"PLUGBOARD_CLIENT_CERT: \S+/client\.pem holds no private key in PEM form"),
            ({"BACKEND_SCHEME": "https", "BACKEND_CA_FILE": certs.key("client"), "PLUGBOARD_URL": "ws://127.0.0.1:1/"},
             r"BACKEND_CA_FILE: \S+/client\.key holds no certificate in PEM form"),
    )):
        env = {"PLUGBOARD_URL": "wss://localhost:1/", "CONTROL_SOCKET": f"{s.dir}/{n}.sock", "TOKEN_DB_PATH": f"{s.dir}/{n}.db"}
        phone = s.start(wait=None, **{**env, **more})
        phone.wait_exit(78)
        check(phone.has_log(r"error worker: " + words), phone.log())


def test_malformed_pins(s):
    s.start_board()
    for pin in ("AAAA", "A" * 43, "A" * 43 + "==", "A" * 42 + "B=", ",".join(["A" * 43 + "="] * 17), "A" * 43 + "= x"):
        done = subprocess.run([f"{s.bin}/telephone", "-n"], env=s.env(PLUGBOARD_PIN=pin), cwd=s.dir, capture_output=True,
                              text=True)
        equal(done.returncode, 78, pin)
        check("PLUGBOARD_PIN: it is no list of up to 16 pins" in done.stderr, done.stderr)


def test_ws_that_leaves_the_machine_is_warned_about(s):
    s.start_board()
    for url, warned in (("ws://192.0.2.7/x", True), ("ws://plugboard.example/x", True), ("ws://localhost:4000/", False),
                        ("ws://127.0.0.5:4000/", False), ("ws://[::1]:4000/", False), ("wss://plugboard.example/x", False)):
        done = subprocess.run([f"{s.bin}/telephone", "-n"], env=s.env(PLUGBOARD_URL=url), cwd=s.dir, capture_output=True,
                              text=True)
        equal(done.returncode, 0, done.stderr)
        equal("carries the token in clear; use wss://" in done.stderr, warned, url)
    done = subprocess.run([f"{s.bin}/telephone", "-n"], env=s.env(PLUGBOARD_PIN="A" * 43 + "="), cwd=s.dir,
                          capture_output=True, text=True)
    check("PLUGBOARD_URL: ws:// is not verified" in done.stderr, done.stderr)


# --- the application --------------------------------------------------------------
def test_https_application(s):
    certs = Certs(s.dir)
    certs.sign("server", san="DNS:localhost")
    certs.sign("client", san="DNS:client.example")
    s.start_backend()
    front = Front(server_context(certs, "server", client_ca=certs.pem("ca")), s.backend.ports["http"])
    https = {"BACKEND_SCHEME": "https", "BACKEND_PORT": front.port, "BACKEND_HOST": "localhost"}
    us = {"BACKEND_CLIENT_CERT": certs.pem("client"), "BACKEND_CLIENT_KEY": certs.key("client")}
    s.start(BACKEND_CA_FILE=certs.pem("ca"), **https, **us)
    equal(s.call("GET", "/bytes/300000").body, s.direct("/bytes/300000").body)
    equal(front.peers[0]["subject"], ((("commonName", "client"),),), "who we are")
    for n, (more, words) in enumerate((
            ({"BACKEND_CA_FILE": certs.pem("ca")}, "alert|certificate required|reset|handshake"),  # no client certificate
            (us, "unable to get local issuer certificate|self.signed certificate"),  # the system's CAs
            ({**us, "BACKEND_CA_FILE": certs.pem("ca"), "BACKEND_HOST": "127.0.0.1"}, "127\\.0\\.0\\.1"),  # not in its name
    )):
        phone = s.start(CONTROL_SOCKET=f"{s.dir}/{n}.sock", TOKEN_DB_PATH=f"{s.dir}/{n}.db",
                        TELEPHONE_TOKEN=s.token(f"p{n}"), **{**https, **more})
        answer = s.call("GET", "/bytes/5", path_id=f"p{n}")
        equal(answer.status, 502, words)
        check(answer.json()["error"].startswith("backend_"), answer.body)
        if n > 0:
            equal(answer.json()["error"], "backend_tls")
            phone.wait_log(words)  # behind the answer
    front.close()
