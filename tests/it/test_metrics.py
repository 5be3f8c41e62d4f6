# SPDX-License-Identifier: MIT
"""/metrics as Prometheus sees it, and that what is shown is true."""
import json, os, re, shutil, subprocess, time

from harness import LeftOut, check, equal, free_port, request, until
from wskit import TEXT, connect


def promtool(*args, text=None):
    if shutil.which("promtool") is None:
        raise LeftOut("promtool is not installed")
    return subprocess.run(["promtool", *args], input=text, capture_output=True, text=True, timeout=60)


def scrape(port):
    return request(port, "GET", "/metrics").body.decode()


def samples(port):
    return {name: float(value) for name, _, value in
            (line.rpartition(" ") for line in scrape(port).splitlines() if not line.startswith("#"))}


def test_promtool_finds_nothing_to_say(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    s.call("GET", "/bytes/100")
    s.call("GET", "/reset")
    got = promtool("check", "metrics", text=scrape(port))
    equal((got.returncode, got.stderr.strip(), got.stdout.strip()), (0, "", ""))


def test_all_series_are_there_from_the_start(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    before = samples(port)
    for method in ("GET", "POST", "PATCH", "BREW"):
        s.call(method, "/echo", b"x")
    for target in ("/status/301", "/status/404", "/status/500", "/reset", "/nothing"):
        s.call("GET", target)
    ws = connect(s, "/ws")
    ws.send(TEXT, "x")
    ws.recv()
    after = samples(port)
    equal(set(after) - set(before), set(), "series that came later")
    check(all(v == 0 for k, v in before.items() if k.startswith("telephone_request")), "they begin at zero")
    check(len(after) < 600, f"{len(after)} series")


def test_requests_by_method_class_and_outcome(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port, DENY_PATHS="/secret", REQUEST_TIMEOUT="500ms")
    for method, target in (("GET", "/bytes/10"), ("GET", "/status/404"), ("DELETE", "/bytes/10"), ("BREW", "/bytes/10"),
                           ("GET", "/secret"), ("POST", "/reset"), ("GET", "/hang")):
        s.call(method, target)
    got = {k: v for k, v in samples(port).items() if k.startswith("telephone_requests_total") and v}
    want = [("GET", "2xx", "ok"), ("GET", "4xx", "ok"), ("DELETE", "2xx", "ok"), ("other", "2xx", "ok"),
            ("GET", "4xx", "refused"), ("POST", "5xx", "backend_error"), ("GET", "5xx", "timeout")]
    equal(got, {f'telephone_requests_total{{method="{m}",status_class="{c}",outcome="{o}"}}': 1.0 for m, c, o in want})


def test_durations_fall_where_they_belong(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    s.call("GET", "/delay/300")
    s.call("GET", "/bytes/5")
    got = samples(port)
    name = "telephone_request_duration_seconds"
    equal(got[f"{name}_count"], 2)
    equal(got[f'{name}_bucket{{le="60"}}'] - got[f'{name}_bucket{{le="0.25"}}'], 1, "the slow one")
    check(0.3 <= got[f"{name}_sum"] < 20, got[f"{name}_sum"])
    phase = "telephone_request_phase_seconds"
    check(0.25 <= got[f'{phase}_sum{{phase="first_byte"}}'] < 20, got)
    parts = sum(v for k, v in got.items() if k.startswith(f"{phase}_sum"))
    check(abs(parts - got[f"{name}_sum"]) < 0.01, f"phases {parts}, all {got[f'{name}_sum']}")
    equal(got[f'{phase}_count{{phase="retry"}}'], 0)


def test_figures_of_the_process(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port, TUNNELS=3)
    until(lambda: s.joined() == 3, "three tunnels")
    until(lambda: samples(port)['telephone_tunnels{state="joined"}'] == 3, "so say the metrics")
    got = samples(port)
    with open(f"/proc/{phone.child('worker')}/status") as f:
        rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024
    check(rss / 2 < got["process_resident_memory_bytes"] < rss * 2, f"{got['process_resident_memory_bytes']}, not {rss}")
    check(5 < got["process_open_fds"] < 100 < got["process_max_fds"], got)
    check(abs(got["process_start_time_seconds"] - time.time()) < 100, got["process_start_time_seconds"])
    check(0 < got["process_cpu_seconds_total"] < 60, got["process_cpu_seconds_total"])
    check(3000 < got["telephone_token_expires_in_seconds"] <= 3600, got["telephone_token_expires_in_seconds"])


def test_figures_follow_the_tunnel(s):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    equal(samples(port)["telephone_tunnels_joined"], 1)
    for n in (2, 3):
        s.fault("drop")
        phone.wait_log("joined ", count=n)
        until(lambda: samples(port)["telephone_tunnels_joined"] == 1, "one is joined again")
    s.board.stop()
    until(lambda: samples(port)["telephone_tunnels_joined"] == 0, "none is joined")
    s.board = None


MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "monitoring")


def test_alerts_fire_and_keep_quiet(s):
    got = promtool("test", "rules", f"{MONITORING}/alerts_test.yml")
    equal(got.returncode, 0, got.stdout + got.stderr)
    with open(f"{MONITORING}/alerts.yml") as f, open(f"{MONITORING}/alerts_test.yml") as g:
        alerts, tests = re.findall(r"alert: (\w+)", f.read()), g.read()
    for name in alerts:
        check(f"name: {name} fires\n" in tests and f"name: {name} keeps quiet\n" in tests, f"{name} has its tests")


def expressions():
    """Of the dashboard, as Prometheus is asked."""
    with open(f"{MONITORING}/dashboard.json") as f:
        panels = json.load(f)["panels"]
    for panel in panels:
        check(panel["targets"], panel["title"])
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_dashboard_and_alerts_ask_for_what_there_is(s):
    port = free_port()
    s.start(HEALTH_CHECK_PORT=port)
    text = scrape(port)
    there = set(re.findall(r"^((?:telephone|process)_\w+)", text, re.M))
    labels = set(re.findall(r'(\w+="[^"]*")', text))
    with open(f"{MONITORING}/alerts.yml") as f:
        asked = [*expressions(), *re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)\n +(?:for|labels):", f.read())]
    check(len(asked) > 35, f"{len(asked)} expressions")
    for expr in asked:
        for name in re.findall(r"\b(?:telephone|process)_\w+", expr):
            check(name in there, f"{name} of {expr}")
        for label in re.findall(r'(?:outcome|status_class|state|phase|reason)="[^"]*"', expr):
            check(label in labels, f"{label} of {expr}")
    rules = {"groups": [{"name": "x", "rules": [{"record": f"x:{i}", "expr": e} for i, e in enumerate(expressions())]}]}
    path = f"{s.dir}/rules.json"
    with open(path, "w") as f:
        json.dump(rules, f)  # JSON is YAML
    got = promtool("check", "rules", path)
    equal(got.returncode, 0, got.stdout + got.stderr)
