# SPDX-License-Identifier: MIT
"""The tunnel through an HTTP proxy: CONNECT, credentials, NO_PROXY, and each
way in which a proxy can fail. The proxy is a few lines of Python and keeps
what it was sent byte for byte; it alone knows what plugboard.test is."""
import base64, re, socket, subprocess, threading, time

from harness import check, equal, free_port, request, until
from test_tls import Certs, Front, copy, server_context

NAME = "plugboard.test"


class Proxy:
    def __init__(self, port, answer=b"HTTP/1.1 200 Connection established\r\n\r\n", pieces=False):
        self.port_of_target, self.answer, self.pieces = port, answer, pieces
        self.requests, self.first, self.pipes = [], [], []
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
        head = b""
        try:
            conn.settimeout(60)
            while b"\r\n\r\n" not in head:
                data = conn.recv(1)
                if not data:  # a connection that was given up before it was used
                    check(head == b"", "half a request")
                    return
                head += data
            self.requests.append(head)
            if self.answer is None:
                while conn.recv(1000):
                    pass
                return
            for i in range(0, len(self.answer), 7 if self.pieces else 100000):
                conn.sendall(self.answer[i:i + 7 if self.pieces else None])
                time.sleep(0.005 if self.pieces else 0)
            if b" 200 " in self.answer:
                with socket.create_connection(("127.0.0.1", self.port_of_target)) as to:
                    self.pipes.append((conn, to))
                    threading.Thread(target=copy, args=(to, conn), daemon=True).start()
                    self.first.append(conn.recv(100000))
                    to.sendall(self.first[-1])
                    copy(conn, to)
            else:
                conn.shutdown(socket.SHUT_WR)
                while conn.recv(1000):
                    pass
        except OSError:
            pass
        finally:
            conn.close()

    def cut(self):
        for pair in self.pipes:
            for conn in pair:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pipes.clear()

    def close(self):
        self.listener.close()


def start(s, proxy, wait="joined", user="", **more):
    n = len(s.phones)
    env = {"HTTP_PROXY": f"http://{user}127.0.0.1:{proxy.port if proxy else free_port()}",
           "PLUGBOARD_URL": f"ws://{NAME}:4321/telephone/websocket",
           "CONTROL_SOCKET": f"{s.dir}/{n}.sock", "TOKEN_DB_PATH": f"{s.dir}/{n}.db"}
    return s.start(wait=wait, **{**env, **more})


def http_port(s):
    if s.board is None:
        s.start_board()
    return s.board.ports["http"]


def test_ws_through_a_proxy(s):
    proxy = Proxy(http_port(s))
    phone = start(s, proxy)
    equal(proxy.requests, [f"CONNECT {NAME}:4321 HTTP/1.1\r\nHost: {NAME}:4321\r\n\r\n".encode()])
    check(phone.has_log(rf"info worker: tunnel 1 goes through the proxy 127\.0\.0\.1, port {proxy.port}"), "it says so")
    for target in ("/bytes/3000000", "/binary/300000"):
        check(s.call("GET", target).body == s.direct(target).body, f"{target} differs")
    check(f"\r\nhost: {NAME}:4321\r\n" in proxy.first[0].decode().lower(), "the Host of the upgrade is Plugboard's")
    proxy.cut()
    phone.wait_log(r"ended: connection lost")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(len(proxy.requests), 2, "asked again")
    equal(s.call("GET", "/bytes/5").status, 200)
    proxy.close()


def test_wss_through_a_proxy(s):
    certs = Certs(s.dir)
    certs.sign("server", san=f"DNS:{NAME}")
    front = Front(server_context(certs, "server"), http_port(s))
    proxy = Proxy(front.port)
    wrong = Proxy(front.port)
    phone = start(s, wrong, PLUGBOARD_URL=f"wss://{NAME}/telephone/websocket", PLUGBOARD_CA_FILE=certs.pem("ca"),
                  HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    equal(proxy.requests, [f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n".encode()])
    equal(wrong.requests, [], "HTTP_PROXY is for ws://")
    equal(front.names, [NAME], "server name indication")
    check(s.call("GET", "/bytes/300000").body == s.direct("/bytes/300000").body, "it differs")
    check(not phone.has_log("ended:"), "at the first attempt")
    # TLS is Plugboard's, through the proxy: a certificate for another name is refused.
    other = start(s, None, wait=None, PLUGBOARD_URL="wss://other.test/telephone/websocket",
                  PLUGBOARD_CA_FILE=certs.pem("ca"), HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    other.wait_log(r"ended: tls failed: name mismatch: the certificate is not for other\.test")
    for x in (front, proxy, wrong):
        x.close()


def test_credentials(s):
    proxy = Proxy(http_port(s))
    phone = start(s, proxy, user="us%65r:s3cr%40t%3Apass@", LOG_LEVEL="debug")
    field = [l for l in proxy.requests[0].split(b"\r\n") if l.lower().startswith(b"proxy-authorization:")]
    coded = base64.b64encode(b"user:s3cr@t:pass").decode()
    equal(field, [f"Proxy-Authorization: Basic {coded}".encode()])
    equal(s.call("GET", "/bytes/5").status, 200)
    said = phone.log() + phone.ctl("status").stdout + phone.ctl("status", "--json").stdout
    for secret in ("s3cr", "us%65r", coded):
        check(secret not in said, f"{secret} was told")
    proxy.close()


def test_a_wrong_proxy_url_is_refused_and_not_shown(s):
    http_port(s)
    for value, words in (("https://u:s3cret@p:1", "only a proxy that speaks HTTP itself"),
                         ("socks5://u:s3cret@p:1", "only a proxy that speaks HTTP itself"),
                         ("http://u:s3cret%zz@p:1", "its password is malformed"),
                         ("http://u:s3cret@p:99999", "its port is not a number"),
                         ("http://u:s3cret@p:1/x", "it must not hold a path")):
        done = subprocess.run([f"{s.bin}/telephone", "-n"], env=s.env(HTTP_PROXY=value), cwd=s.dir,
                              capture_output=True, text=True)
        equal(done.returncode, 78, done.stderr)
        check(f"environment: HTTP_PROXY: {words}" in done.stderr, done.stderr)
        check("s3cret" not in done.stderr + done.stdout, done.stderr)


def test_no_proxy_and_the_lower_case_names(s):
    port = http_port(s)
    proxy = Proxy(port)
    local = f"ws://localhost:{port}/telephone/websocket"
    start(s, proxy, PLUGBOARD_URL=local, NO_PROXY="example.com, .localhost").stop()
    equal(proxy.requests, [], "localhost is exempt")
    start(s, None, HTTP_PROXY=None, http_proxy=f"127.0.0.1:{proxy.port}", PLUGBOARD_URL=local, no_proxy="example.com").stop()
    equal(len(proxy.requests), 1, "and here it is not")
    start(s, proxy, PLUGBOARD_URL=f"ws://127.0.0.1:{port}/telephone/websocket", no_proxy="127.0.0.0/8").stop()
    equal(len(proxy.requests), 1, "a block of addresses")
    proxy.close()


def test_the_application_is_never_behind_it(s):
    proxy = Proxy(http_port(s))
    start(s, proxy, BACKEND_HOST="localhost", HTTPS_PROXY="http://127.0.0.1:1")
    equal(s.call("GET", "/bytes/5").status, 200)
    check(all(r.startswith(b"CONNECT plugboard.test:4321 ") for r in proxy.requests), proxy.requests)
    proxy.close()


def test_answers_in_pieces_and_with_a_preface(s):
    answer = b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.0 200 fine\r\nVia: 1.1 somebody\r\n\r\n"
    proxy = Proxy(http_port(s), answer, pieces=True)
    phone = start(s, proxy)
    equal(s.call("GET", "/bytes/300000").body, s.direct("/bytes/300000").body)
    check(not phone.has_log("ended:"), "at the first attempt")
    proxy.close()


def test_every_failure_has_its_name(s):
    def failing(proxy, words, reason, **more):
        health = free_port()
        phone = start(s, proxy, wait=None, HEALTH_CHECK_PORT=health, CONNECT_TIMEOUT="1s", **more)
        phone.wait_log(rf"tunnel 1 to ws://{NAME}:4321/\S+ ended: {words}")
        metrics = request(health, "GET", "/metrics").body.decode()
        found = re.search(rf'telephone_reconnects_total{{reason="{reason}"}} (\d+)', metrics)
        check(found and int(found.group(1)) > 0, f"{reason} is counted")
        phone.stop()
        if proxy:
            proxy.close()

    port = http_port(s)
    failing(None, "proxy unreachable: Connection refused; next", "proxy_unreachable")
    failing(None, "proxy unreachable: .*(resolver|[Nn]ame)", "proxy_unreachable", HTTP_PROXY="http://no-such-proxy.invalid:1")
    failing(Proxy(port, b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"),
            "proxy wants credentials 407: the proxy wants a user and a password", "proxy_auth")
    failing(Proxy(port, b"HTTP/1.1 407 No\r\n\r\n"), "proxy wants credentials 407: the proxy takes neither this user",
            "proxy_auth", user="a:b@")
    failing(Proxy(port, b"HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!"),
            "proxy status 403: the proxy did not connect to plugboard; next", "proxy_status")
    failing(Proxy(port, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "proxy status 502: ", "proxy_status")
    failing(Proxy(port, None), "proxy timeout: the proxy did not answer CONNECT within CONNECT_TIMEOUT", "proxy_timeout")
    failing(Proxy(port, b"HTTP/1.1 20"), "proxy failed: the proxy hung up before it answered", "proxy_failed")
    failing(Proxy(port, b"SSH-2.0-x\r\n\r\n"), "proxy failed: what the proxy answered is no HTTP", "proxy_failed")
    failing(Proxy(port, b"HTTP/1.1 403 x\r\nx: " + b"y" * 9000), "proxy failed: the proxy's answer is longer than 8 KiB",
            "proxy_failed")


def test_a_proxy_does_not_take_the_blame_for_plugboard(s):
    s.start_board(handshake="503", retry_after=2)
    proxy = Proxy(http_port(s))
    phone = start(s, proxy, wait=None)
    phone.wait_log(r"ended: http status 503; next attempt in 2\.\d s")
    s.set(handshake="ok")
    phone.wait_joined()
    proxy.close()


def test_a_proxy_that_comes_back(s):
    port, dead = http_port(s), socket.create_server(("127.0.0.1", 0))
    at = dead.getsockname()[1]
    dead.close()
    phone = start(s, None, wait=None, HTTP_PROXY=f"http://127.0.0.1:{at}")
    phone.wait_log(r"ended: proxy unreachable")
    proxy = Proxy(port)
    relay = socket.create_server(("127.0.0.1", at), reuse_port=False)
    threading.Thread(target=forward, args=(relay, proxy.port), daemon=True).start()
    phone.wait_joined()
    relay.close()
    proxy.close()


def forward(listener, port):
    while True:
        try:
            conn = listener.accept()[0]
            to = socket.create_connection(("127.0.0.1", port))
        except OSError:
            return
        for pair in ((conn, to), (to, conn)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
