# SPDX-License-Identifier: MIT
"""The web page of INSPECT: who may see it, what it may do, and what it never
shows. tests/inspect has it in a browser."""
import base64, hashlib, json, os, re, socket, sys, time, urllib.parse

import harness
from harness import check, equal, free_port, request, until
from test_health import raw, status_of
from test_manager import ACTIVATE

KEYS = {"worker", "version", "uptime_ms", "ready", "draining", "reasons", "tunnels", "token_left_s", "backend", "breaker",
        "outcomes", "in_flight", "waiting", "websockets", "retries", "memory_held", "memory_refused", "spool_bytes", "bytes_in",
        "bytes_out", "heartbeat_rtt_ms", "rate_limited", "reconnects", "memory_max", "memory_resident", "limits", "sandbox"}


def page_of(phone):
    """The path of the page, as telephonectl tells it."""
    found = re.search(r"^page +(http://\S+)$", phone.ctl("status").stdout, re.M)
    return found and urllib.parse.urlsplit(found[1])


def start(s, **more):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, **{"INSPECT": "on", **more})
    return port, phone, page_of(phone).path


def recent(port, path, after=0):
    return request(port, "GET", f"{path}requests?after={after}").json()


def test_off_is_not_there(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    equal(page_of(phone), None)
    equal(phone.status()["page"], False)
    for path in ("/inspect/", "/inspect", "/inspect//", "/inspect/" + "0" * 32 + "/", "/inspect/" + "0" * 32 + "/state"):
        equal(request(port, "GET", path).status, 404, path)


def test_the_page_and_its_documents(s):
    port, phone, path = start(s)
    check(re.fullmatch(r"/inspect/[0-9a-f]{32}/", path), path)
    for each in (path, path[:-1]):
        answer = request(port, "GET", each)
        equal((answer.status, answer.headers["content-type"]), (200, "text/html; charset=utf-8"), each)
        check(answer.body.startswith(b"<!doctype html>") and answer.body.rstrip().endswith(b"</html>"), "whole")
    head = raw(port, f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    check(head.endswith(b"\r\n\r\n") and b"Content-Length: %d\r\n" % len(answer.body) in head, head)
    equal(status_of(raw(port, f"POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())), 405)
    state = request(port, "GET", path + "state").json()
    equal(set(state), KEYS)
    equal((state["ready"], state["reasons"], len(state["tunnels"]), state["tunnels"][0]["state"]), (True, [], 1, "joined"))
    equal(set(state["tunnels"][0]), {"number", "state", "joined_ms", "heartbeat_ms", "retry_ms", "last_end", "last_end_detail"})
    check(3000 < state["token_left_s"] <= 3600, state["token_left_s"])
    equal([p["process"] for p in state["sandbox"]], ["telephone", "worker", "lookup", "tokend"])
    check(state["memory_resident"] > 1 << 20 and state["limits"]["in_flight"] == 256, state)
    equal(request(port, "GET", path + "nothing").status, 404)


def test_what_went_by_is_told_once(s):
    port, phone, path = start(s)
    for i in range(3):
        s.call("GET", f"/bytes/{i + 1}")
    s.call("POST", "/echo", b"12345")
    first = recent(port, path)
    equal([(x["path"], x["status"], x["seq"]) for x in first["recent"]],
          [("/bytes/1", 200, 1), ("/bytes/2", 200, 2), ("/bytes/3", 200, 3), ("/echo", 200, 4)])
    equal((first["ended"], first["after"], first["missed"], first["more"], first["running"]), (4, 0, 0, False, []))
    check(abs(first["now_ms"] / 1000 - time.time()) < 30, first["now_ms"])
    equal(recent(port, path, 4)["recent"], [])
    equal([x["seq"] for x in recent(port, path, 2)["recent"]], [3, 4])
    late = recent(port, path, (1 << 64) - 1)
    equal((late["recent"], late["more"], late["missed"]), ([], False, 0), "the numbers of another worker")
    for query in ("after=", "after=x", "after=-1", "after=1x", "after=18446744073709551616", "x", "after=1&after=2", "after=+1"):
        equal(request(port, "GET", f"{path}requests?{query}").status, 400, query)
    state = request(port, "GET", path + "state").json()
    equal((state["outcomes"]["total"], state["outcomes"]["ok"], state["bytes_in"]), (4, 4, 5))


def test_those_that_run(s):
    import concurrent.futures
    port, phone, path = start(s)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(s.call, "GET", "/delay/4000") for _ in range(20)]
        got = until(lambda: (d := recent(port, path))["running_requests"] == 20 and d, "they run")
        equal(len(got["running"]), 16, "the oldest")
        equal({(x["path"], x["state"], x["seq"]) for x in got["running"]}, {("/delay/4000", "running", None)})
        equal({c.result().status for c in calls}, {200})
    equal(recent(port, path)["running_requests"], 0)


def test_many_come_in_parts(s):
    """Each answer is bounded; nothing is told twice or left out of what is kept."""
    port, phone, path = start(s)
    count = 0
    for i in range(330):
        count += s.call("GET", f"/bytes/{i}" + "/x" * 90).status > 0
    equal(count, 330)
    seen, after, answers = [], 0, 0
    while True:
        answer = request(port, "GET", f"{path}requests?after={after}")
        check(len(answer.body) < 80 * 1024, len(answer.body))
        got, answers = answer.json(), answers + 1
        equal(got["missed"], 330 - 256 if after == 0 else 0)
        seen += [x["seq"] for x in got["recent"]]
        after = seen[-1]
        if not got["more"]:
            break
    equal(seen, list(range(75, 331)))
    check(answers > 1, "in parts")


def test_a_wrong_token_is_as_any_other_path(s):
    port, phone, path = start(s)
    token = path.split("/")[2]
    nothing = raw(port, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(status_of(nothing), 404)
    wrong = ["f" + token[1:] if token[0] != "f" else "e" + token[1:], token[:-1] + ("0" if token[-1] != "0" else "1"),
             token[:-1], token[:16], token.upper() if token.upper() != token else "F" * 32, "0" * 32, "", token[::-1] + "x"]
    for each in wrong:
        for below in ("", "/", "/state", "/requests"):
            got = raw(port, f"GET /inspect/{each}{below} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            equal(got, nothing, f"{each}{below}")
    for target in (f"/inspect/{token}x/", f"/inspect/{token}//", f"/inspect/{token}/state/", f"/x/inspect/{token}/", f"//inspect/{token}/",
                   f"/Inspect/{token}/", f"/inspect/%30{token[1:]}/"):
        equal(status_of(raw(port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())), 404, target)


def test_only_names_of_this_machine_are_answered(s):
    """DNS rebinding: a page from elsewhere asks with its own name."""
    port, phone, path = start(s)

    def ask(host, below=""):
        line = "" if host is None else f"Host: {host}\r\n"
        return raw(port, f"GET {path}{below} HTTP/1.1\r\n{line}\r\n".encode())
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "127.0.0.1", f"[::1]:{port}"):
        equal(status_of(ask(host)), 200, host)
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", None,
                 "localhost:1@evil.example", "evil.localhost"):
        for below in ("", "state", "requests?after=0"):
            got = ask(host, below)
            equal(status_of(got), 403, (host, below))
            check(b"INSPECT=any" in got and b"{" not in got and b"<" not in got, got)
    got = raw(port, f"GET {path}state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".encode())
    equal(status_of(got), 400)
    equal(status_of(raw(port, b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")), 200, "all else is as it was")


def test_any_answers_to_all_names(s):
    port, phone, path = start(s, INSPECT="any", HEALTH_LISTEN="0.0.0.0")
    equal(page_of(phone).netloc, f"127.0.0.1:{port}")
    equal(status_of(raw(port, f"GET {path} HTTP/1.1\r\nHost: status.example\r\n\r\n".encode())), 200)
    equal(request(port, "GET", "/inspect/" + "0" * 32 + "/").status, 404)


def test_its_policy_is_that_of_what_is_in_it(s):
    port, phone, path = start(s)
    answer = request(port, "GET", path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    html = answer.body.decode()
    for name in ("script", "style"):
        parts = re.findall(rf"<{name}[^>]*>(.*?)</{name}>", html, re.S)
        equal(len(parts), 1, name)
        digest = base64.b64encode(hashlib.sha256(parts[0].encode()).digest()).decode()
        equal(policy[f"{name}-src"], f"'sha256-{digest}'", name)
    equal({k: v for k, v in policy.items() if k not in ("script-src", "style-src")}, {
        "default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'"})
    check(not re.search(r"unsafe|\*|https?:", answer.headers["content-security-policy"]), policy)
    for below, type_ in (("", "text/html; charset=utf-8"), ("state", "application/json"), ("requests", "application/json")):
        got = request(port, "GET", path + below).headers
        equal([got.get(k) for k in ("cache-control", "x-content-type-options", "referrer-policy", "x-frame-options",
                                    "cross-origin-resource-policy", "content-type")],
              ["no-store", "nosniff", "no-referrer", "DENY", "same-origin", type_], below)
        check("frame-ancestors 'none'" in got["content-security-policy"], got)
        check("access-control-allow-origin" not in got and "set-cookie" not in got, got)
    # One file: no event handler, nothing that is loaded, no HTML of a text.
    check(not re.search(r"""<(?:script|img|iframe|object|embed|source|video|audio)\b[^>]*\bsrc|<link(?![^>]*"data:)|\son\w+=|\bstyle=|"""
                        r"""@import|url\(|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|https?://(?!www\.w3\.org/2000/svg)""",
                        html), "what has no business there")


def test_what_is_private_is_never_shown(s):
    """Canaries in all that a request and its answer have."""
    port, phone, path = start(s)
    names = ["query", "cookie", "authorization", "body", "field", "referer", "fragment", "user"]
    canary = {name: f"canary{name}{os.urandom(6).hex()}" for name in names}
    headers = {"Cookie": f"session={canary['cookie']}", "Authorization": f"Bearer {canary['authorization']}",
               "X-Secret": canary["field"], "Referer": f"http://x/?{canary['referer']}", "User-Agent": canary["user"]}
    equal(s.call("POST", f"/echo/one?token={canary['query']}", canary["body"].encode(), headers).status in (200, 404), True)
    s.call("POST", f"/echo?q={canary['query']}", canary["body"].encode(), headers)
    s.call("GET", f"/headers?{canary['query']}", headers=headers)
    s.call("GET", f"/reset?{canary['query']}", headers=headers)
    s.call("GET", f"/bytes/1%3F{canary['fragment']}", headers=headers)
    got = recent(port, path)
    check(len(got["recent"]) >= 4 and any(x["failed"] for x in got["recent"]), got)
    shown = json.dumps(got) + request(port, "GET", path + "state").body.decode() + request(port, "GET", path).body.decode()
    for name, value in canary.items():
        check(value not in shown, f"{name} is shown")
    for key in ("SECRET_KEY_BASE", "TELEPHONE_TOKEN"):
        check(phone.env[key] not in shown and phone.env[key].split(".")[-1] not in shown, key)
    check("/headers" in shown, "the paths are")


def test_strange_paths_stay_json(s):
    port, phone, path = start(s)
    for target in ("/%3Cscript%3Ealert(1)%3C/script%3E", "/%22%7D%5D%5C", "/%E2%80%AEevil", "/%00x", "/%1b%5B31m", "/%C2%85", "/a%0d%0ab"):
        s.call("GET", target)
    text = request(port, "GET", f"{path}requests").body.decode()
    check(all(" " <= c for c in text.rstrip("\n")), "control characters are escaped")
    equal({x["path"] for x in json.loads(text)["recent"]}, {
        "/<script>alert(1)</script>", '/"}]\\', "/\u202eevil", "/", "/\x1b[31m", "/\x85", "/a\r\nb"})


def test_the_token_is_nowhere_else(s):
    port, phone, path = start(s, LOG_LEVEL="debug")
    token = path.split("/")[2]
    for below in ("", "state", "requests", "nothing"):
        request(port, "GET", path + below)
    raw(port, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
    s.call("GET", "/bytes/1")
    phone.ctl("reload")
    check(token not in phone.ctl("status", "--json").stdout, "in --json")
    equal(phone.status()["page"], True)
    check(token not in request(port, "GET", "/metrics").body.decode(), "in the metrics")
    for pid in [phone.pid, *phone.children().values()]:
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    check(token.encode() not in f.read(), f"in {name}")
            except PermissionError:
                pass
    phone.stop()
    check(token not in phone.log(), "in the log")


def test_it_lives_through_reload_and_crash(s):
    port, phone, path = start(s)
    s.call("GET", "/bytes/1")
    before = recent(port, path)
    equal(phone.ctl("reload").returncode, 0)
    equal(page_of(phone).path, path)
    after = until(lambda: (d := recent(port, path))["worker"] != before["worker"] and d, "the new worker answers")
    equal((after["ended"], after["recent"]), (0, []), "and counts anew")
    pid = phone.child("worker")
    os.kill(pid, 9)

    def answers():
        try:
            return recent(port, path)["worker"] not in (before["worker"], after["worker"])
        except (OSError, ValueError):
            return False
    until(answers, "the next one answers")
    equal(page_of(phone).path, path)


def test_each_start_has_its_own(s):
    port, phone, path = start(s)
    phone.stop()
    phone = s.spawn(dict(phone.env))
    phone.wait_joined()
    check(page_of(phone).path != path, "the same token twice")
    equal(request(port, "GET", path).status, 404)


def test_turned_on_and_off_by_a_reload(s):
    port = free_port()
    s.start_board()
    s.start_backend()
    env = s.env(HEALTH_CHECK_PORT=port)
    conf = os.path.join(s.dir, "conf")

    def write(value):
        with open(conf, "w") as f:
            f.write("".join(f"{k}={v}\n" for k, v in env.items()) + f"INSPECT={value}\n")
        os.chmod(conf, 0o644)
    write("off")
    phone = s.spawn({"CONTROL_SOCKET": env["CONTROL_SOCKET"]}, ["-f", conf])
    phone.wait_joined()
    equal(page_of(phone), None)
    write("on")
    equal(phone.ctl("reload").returncode, 0)
    path = page_of(phone).path
    until(lambda: request(port, "GET", path).status == 200, "there it is")
    write("off")
    equal(phone.ctl("reload").returncode, 0)
    until(lambda: request(port, "GET", path).status == 404, "it is gone")
    equal(page_of(phone), None)


def test_not_on_an_open_listener(s):
    s.start_board()
    for host in ("0.0.0.0", "::"):
        phone = s.spawn(s.env(HEALTH_CHECK_PORT=free_port(), HEALTH_LISTEN=host, INSPECT="on"))
        phone.wait_exit(78)
        errors = [line for line in phone.log().splitlines() if " error " in line]
        equal(len(errors), 1, errors)
        check("INSPECT: " in errors[0] and "HEALTH_LISTEN=127.0.0.1" in errors[0] and "INSPECT=any" in errors[0], errors[0])


def test_not_on_an_open_socket_of_systemd(s):
    s.start_board()
    port = free_port()
    code = ACTIVATE.replace('("127.0.0.1", port)', '("0.0.0.0", port)')
    env = s.env(INSPECT="on")
    phone = s.spawn(env, prefix=(sys.executable, "-c", code, "tcp", str(port), "0"))
    phone.wait_exit(78)
    check(phone.has_log(r"error telephone: INSPECT: the health listener is open to the network"), phone.log())
    phone = s.spawn(env, prefix=(sys.executable, "-c", ACTIVATE, "tcp", str(port), "0"))
    phone.wait_joined()
    equal(request(port, "GET", page_of(phone).path).status, 200, "on a loopback one it is there")


def test_without_a_listener_a_warning(s):
    phone = s.start(INSPECT="on")
    equal(page_of(phone), None)
    check(phone.has_log(r"warn telephone: INSPECT: there is no health listener, .* set HEALTH_CHECK_PORT"), phone.log())


def small_window(port):
    """A client that has next to no room for what it does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.settimeout(30)
    sock.connect(("127.0.0.1", port))
    return sock


def test_slow_readers_cost_little_and_hold_up_nobody(s):
    port, phone, path = start(s)
    for i in range(256):
        s.call("GET", f"/bytes/{i}" + "/x" * 90)
    size = len(request(port, "GET", f"{path}requests").body)
    check(size > 50000, size)
    before = request(port, "GET", path + "state").json()["memory_resident"]
    held = []
    for i in range(300):
        sock = small_window(port)
        target = "requests" if i % 3 else ""
        try:
            sock.sendall(f"GET {path}{target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        except ConnectionError:
            pass
        held.append(sock)
        if i % 30 == 0:
            begin = time.monotonic()
            equal(request(port, "GET", "/readyz").status, 200)
            check(time.monotonic() - begin < 5, "it waits for those who do not read")
    grown = request(port, "GET", path + "state").json()["memory_resident"] - before
    print(f"     300 who do not read: {grown / 1024:.0f} KiB more resident")
    check(harness.INSTRUMENTED or grown < 8 << 20, f"{grown} bytes more")
    for sock in held:
        sock.close()
    equal(phone.status()["worker_restarts"], 0)


def test_what_is_held_is_bounded(s):
    """HTTP_HELD_MAX of answers, whoever takes them or not: the oldest of those
    who do not are let go."""
    port, phone, path = start(s)
    for i in range(256):
        s.call("GET", f"/bytes/{i}" + "/x" * 90)
    ask = f"GET {path}requests HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    size = len(raw(port, ask))
    most = (2 << 20) // size
    check(25 < most < 50, size)
    held = []
    for _ in range(60):
        sock = small_window(port)
        sock.sendall(ask)
        held.append(sock)
    until(lambda: request(port, "GET", "/livez").status == 200, "all of them were heard")
    whole = []
    for i, sock in enumerate(held):
        got = 0
        try:
            while piece := sock.recv(65536):
                got += len(piece)
        except ConnectionError:
            pass
        sock.close()
        if got >= size - 8:  # the time in it may be shorter
            whole.append(i)
    check(20 <= len(whole) <= most + 1, f"{len(whole)} of 60 had all of it, at most {most} can")
    equal(whole[-15:], list(range(45, 60)), "the oldest are let go")


def test_a_slow_reader_gets_all_of_it(s):
    port, phone, path = start(s)
    whole = request(port, "GET", path).body
    with small_window(port) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = b""
        while piece := sock.recv(4096):
            got += piece
            time.sleep(0.01)
    equal(got.partition(b"\r\n\r\n")[2], whole)
