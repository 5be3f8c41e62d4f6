#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The page of INSPECT in a headless Chromium: a real telephone, with traffic
that comes through the switchboard.

usage: run.py BUILD_DIR [PATTERN] (from the top of the tree; `make check-inspect`)

The steps go on in one browser, in the order in which they stand here, and keep
screenshots in BUILD_DIR/screenshots; PATTERN chooses among all but the first. Whatever the console says in between (an
error of the script, a violation of the policy) is a failure.
"""
import http.client, http.server, json, os, random, re, shutil, signal, sys, tempfile, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "it"), HERE]
sys.dont_write_bytecode = True
import harness
from harness import Stage, check, equal, free_port, until
from webdriver import Browser

SECONDS = 300  # for all of it
PROGRAMS = ("telephone", "worker", "tokend", "telephonectl", "switchboard", "demo-backend")
CANARY = "canary" + os.urandom(8).hex()
HOSTILE = ("/%3Cscript%3Ewindow.hurt=1%3C/script%3E", "/%3Cimg%20src=x%20onerror=window.hurt=2%3E", "/%E2%80%AEgpj.exe",
           "/%E2%80%8B%EF%BB%BF", "/%1b%5B31mred", "/'%22%3E%3Cb%3Ebold", "/javascript:window.hurt=3", "/%D8%A7%D9%84%D8%B9")


class Shop(http.server.BaseHTTPRequestHandler):
    """An application: path → (status, seconds, bytes)."""
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    ANSWERS = {"/": (200, .004, 5200), "/assets/app.css": (200, .001, 18000), "/assets/app.js": (200, .001, 240000),
               "/login": (302, .012, 0), "/search": (200, .09, 9100), "/api/cart": (200, .02, 600), "/favicon.ico": (404, .001, 12),
               "/api/orders": (201, .045, 300), "/reports/2026.pdf": (200, .25, 1400000), "/api/stock": (503, .03, 20),
               "/events": (200, 2.2, 100)}

    def answer(self):
        path = self.path.partition("?")[0]
        status, seconds, length = self.ANSWERS.get(path, (200, .016, 800) if path.startswith("/products/") else (404, 0, 9))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if path.startswith("/wait/"):
            status, seconds = 200, int(path[6:]) / 1000
        time.sleep(seconds * random.uniform(.7, 1.6))
        self.send_response(status)
        self.send_header("content-length", str(length))
        self.send_header("set-cookie", f"session={CANARY}")
        self.end_headers()
        self.wfile.write(b"x" * length)

    do_GET = do_POST = answer

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # who asked is gone

    def log_message(self, *args):
        pass


class Application:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        self.server.daemon_threads = True
        self.ports = {"http": self.server.server_address[1]}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


VISITS = ["GET /", "GET /assets/app.css", "GET /assets/app.js", "GET /search", "GET /api/cart", "POST /api/orders", "GET /login",
          "GET /favicon.ico"] + [f"GET /products/{i}" for i in (17, 204, 1042, 3391)] * 2


class World:
    """All that the steps share."""

    def __init__(self, stage, shots):
        self.stage, self.shots, self.port = stage, shots, free_port()
        stage.start_board()
        stage.backend = Application()
        self.start_phone()
        self.stop, self.threads = threading.Event(), []
        for visits, pause in ((VISITS, .06), (VISITS, .1), (["GET /reports/2026.pdf", "GET /api/stock"], 3), (["GET /events"], 4)):
            self.threads.append(threading.Thread(target=self.visit, args=(visits, pause), daemon=True))
        for thread in self.threads:
            thread.start()
        self.browser = Browser()

    def start_phone(self):
        self.phone = self.stage.start(HEALTH_CHECK_PORT=self.port, INSPECT="on", TUNNELS="2")
        self.url = re.search(r"^page +(http://\S+)$", self.phone.ctl("status").stdout, re.M)[1]

    def visit(self, visits, pause):
        dice = random.Random()
        headers = {"Cookie": f"session={CANARY}", "Authorization": f"Bearer {CANARY}"}
        while not self.stop.wait(dice.expovariate(1 / pause)):
            method, target = dice.choice(visits).split()
            try:
                self.call(method, f"{target}?q={CANARY}", CANARY.encode() if method == "POST" else None, headers)
            except (OSError, http.client.HTTPException):
                self.stop.wait(.2)  # there is no switchboard just now

    def call(self, method, target, body=None, headers=None):
        return self.stage.call(method, target, body, headers)

    def shot(self, name, whole=False):
        self.browser.screenshot(f"{self.shots}/{name}.png", whole)

    def tidy(self):
        """As if nobody had touched it, whatever the step before has left."""
        self.browser.js("""
            if (typeof turn === "undefined") return;
            for (const id of ["f-text", "f-status", "f-slow"])
                document.getElementById(id).value = id === "f-slow" ? "0" : "";
            if (paused) onPause();
            open(null);""")

    def quiet(self, *allowed):
        """Nothing was said but what matches."""
        said = [e for e in self.browser.console() if not any(re.search(a, e["message"]) for a in allowed)]
        check(not said, f"the console says {said}")

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(10)
        self.browser.close()
        self.stage.close()


def text(w, selector):
    return w.browser.js("const e = document.querySelector(arguments[0]); return e && e.textContent;", selector)


def rows(w):
    """What the table shows of each: method, path, status, took, seen on the way."""
    return w.browser.js("return [...document.querySelectorAll('tr.row')].map(tr => [...tr.children].map(td => td.textContent));")


def focus(w):
    return w.browser.js("const e = document.activeElement; return e.id || e.className || e.tagName;")


# --- the steps ------------------------------------------------------------------
def step_it_loads_and_lives(w):
    b = w.browser
    time.sleep(8)  # of traffic, which the page knows from before it was opened
    b.look("light", 1280, 1000)
    b.open(w.url)
    b.until("document.title === 'Telephone: ready'", "it knows how telephone stands")
    b.until("document.querySelectorAll('#recent tr.row').length > 20", "rows appear")
    count = b.js("return ended.length;")
    b.until(f"ended.length > {count} + 5", "more come by themselves")
    equal(text(w, "#ready-text"), "Ready")
    equal(len(b.js("return [...document.querySelectorAll('#tunnels .good')];")), 2)
    check(re.fullmatch(r"5\d min \d+ s", text(w, "#token")), text(w, "#token"))
    check(re.search(r"worker up \d+ s", text(w, "#about")), text(w, "#about"))
    check(float(text(w, "#rate").partition("/")[0]) > 1, text(w, "#rate"))
    for plot in ("#rate-plot .rate-line", "#late-plot .p50", "#late-plot .p95"):
        check(len(b.js("return document.querySelector(arguments[0]).getAttribute('d');", plot)) > 60, plot)
    equal(b.js("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(arguments[0]));", w.url), [])
    w.quiet()


def step_light_and_dark(w):
    b = w.browser
    w.shot("light")
    paper = {}
    for scheme in ("light", "dark"):
        b.look(scheme, 1280, 1000)
        paper[scheme] = b.js("return getComputedStyle(document.body).backgroundColor;")
        low = b.js("""
            const style = getComputedStyle(document.documentElement), of = (n) => style.getPropertyValue(n).trim();
            const light = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
                .map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
                .reduce((n, c, i) => n + c * [.2126, .7152, .0722][i], 0);
            const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
            const low = [];
            for (const paper of ["--page", "--card", "--hover"])
                for (const ink of ["--ink", "--soft", "--good", "--warn", "--bad"])
                    if (ratio(of(paper), of(ink)) < 4.5) low.push([paper, ink, ratio(of(paper), of(ink))]);
            return low;""")
        equal(low, [], f"text that is hard to read, {scheme}")
    check(paper["light"] != paper["dark"], paper)
    time.sleep(1.2)
    w.shot("dark")
    b.look("light", 1280, 1000)
    w.quiet()


def step_an_exchange_is_told_as_it_was(w):
    b = w.browser
    w.call("GET", f"/wait/700?{CANARY}")
    found = "ended.find(x => x.path === '/wait/700')"
    b.until(f"{found} && rows.get({found}.key)", "its row")
    got = b.js(f"const x = {found}, tr = rows.get(x.key); return [x.status, x.duration_ms, tr.children[1].textContent,"
               "tr.children[2].textContent, [...tr.querySelectorAll('.bars i')].map(i => [i.className, i.offsetWidth])];")
    check(got[0] == 200 and 400 < got[1] < 3000, got)
    equal(got[2:4], ["GET/wait/700", "200"])
    widest = max(got[4], key=lambda part: part[1])
    check("first_byte" in widest[0] and widest[1] > 20, got[4])
    w.quiet()


def step_the_keyboard_reaches_everything(w):
    b = w.browser
    b.js("document.activeElement.blur(); scrollTo(0, 0);")
    order = []
    for _ in range(7):
        b.press("Tab")
        order.append(focus(w))
    equal(order, ["skip", "SUMMARY", "f-text", "f-status", "f-slow", "pause", "row"])
    outline = b.js("return getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth;")
    equal(outline, "solid2px", "the focus is seen")
    b.press("Home", "ArrowDown", "ArrowDown")
    at = b.js("return [...document.querySelectorAll('tr.row')].indexOf(document.activeElement);")
    check(at >= 2, at)
    b.press("Enter")
    b.until("document.activeElement.getAttribute('aria-expanded') === 'true'", "it is open")
    details = b.until("document.querySelector('tr.details') && document.querySelector('tr.details').textContent", "its details")
    key = b.js("return document.activeElement.x.key;")
    check(b.js("return document.activeElement.x.id;") in details, details)
    check(b.js("return document.querySelectorAll('tr.details .lane').length;") >= 2, "its phases")
    check(CANARY not in b.js("return document.documentElement.outerHTML;"), "what is private is on the page")
    time.sleep(1.5)
    check(b.js("return document.activeElement.x.key;") == key, "it stays where it was while others come")
    b.until("!document.getElementById('fresh').hidden", "and says that there are others")
    w.shot("details")
    b.press("Escape")
    equal(b.js("return document.querySelectorAll('tr.details').length;"), 0)
    w.quiet()


def step_filters(w):
    b = w.browser
    b.js("document.getElementById('f-text').focus();")
    b.press(*"products/10")
    b.until("document.querySelectorAll('tr.row').length > 0 && [...document.querySelectorAll('tr.row')].every("
            "tr => tr.children[1].textContent === 'GET/products/1042')", "those of that path alone")
    check(re.match(r"\d+ shown of the last", text(w, "#said")), text(w, "#said"))
    b.js("const e = document.getElementById('f-text'); e.value = ''; e.dispatchEvent(new Event('input')); "
         "document.getElementById('f-status').focus();")
    b.press(*"4xx")
    b.until("document.getElementById('f-status').value === '4'", "chosen by the keyboard")
    got = rows(w)
    check(got and {r[2] for r in got} == {"404"}, got[:3])
    b.press("Home", "Tab", "ArrowDown", "ArrowDown")
    b.until("document.getElementById('f-slow').value === '500' && document.getElementById('f-status').value === ''", "so is this")
    check(all(x >= 500 for x in b.js("return [...document.querySelectorAll('tr.row')].map(tr => tr.x.duration_ms);")), "slow ones")
    b.press("Home")
    b.until("document.querySelectorAll('tr.row').length > 20", "all again")
    w.quiet()


def step_pause(w):
    b = w.browser
    b.js("document.getElementById('pause').focus();")
    b.press("Enter")
    equal(b.js("return document.getElementById('pause').getAttribute('aria-pressed');"), "true")
    before = rows(w)
    b.until("waiting.length > 5", "others come")
    equal(rows(w), before, "the table stands still")
    check(re.fullmatch(r"Show \d+ new", text(w, "#fresh")), text(w, "#fresh"))
    b.press("Tab", "Space")
    b.until("document.querySelectorAll('#recent tr.row').length > 0 && waiting.length < 5", "they are shown")
    check(rows(w) != before, "they are shown")
    b.js("document.getElementById('pause').focus();")
    b.press("Enter")
    equal(b.js("return document.getElementById('pause').getAttribute('aria-pressed');"), "false")
    w.quiet()


def step_what_is_hostile_is_text(w):
    b = w.browser
    for target in HOSTILE:
        w.call("GET", target)
    b.until("['/<script>', '/<img', 'gpj.exe', '31mred', 'bold'].every(t => ended.some(x => x.path.includes(t)))", "they have come")
    shown = "\n".join(r[1] for r in rows(w))
    for want in ("/<script>window.hurt=1</script>", "<img src=x onerror=window.hurt=2>", "/\\u{202e}gpj.exe", "/\\u{200b}\\u{feff}",
                 "/\\u{1b}[31mred", "/'\"><b>bold"):
        check(want in shown, f"{want!r} in {shown!r}")
    check(not re.search("[\u202e\u200b\ufeff\x1b]", shown), "what turns text around")
    b.js("const e = document.getElementById('f-text'); e.value = 'window.hurt'; e.dispatchEvent(new Event('input'));"
         "open(ended.find(x => x.path.includes('<img')).key);")
    b.until("document.querySelector('tr.details')", "its details")
    equal(b.js("return document.querySelectorAll('main script, main img, main b, main a').length;"), 0)
    equal(b.js("return window.hurt === undefined;"), True)
    w.shot("hostile")
    b.js("open(null);")
    w.quiet()


def step_every_control_has_a_name(w):
    tree = w.browser.cdp("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "textbox", "searchbox", "combobox", "grid", "table", "image", "img", "link", "columnheader"}
    found = {}
    for node in tree:
        role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value", "")
        if role in wanted and not node.get("ignored"):
            found.setdefault(role, []).append(name)
    nameless = {role for role, names in found.items() if not all(n.strip() for n in names)}
    check(not nameless, f"without a name: {nameless}")
    check({"button", "combobox", "grid", "searchbox"} <= set(found), set(found))
    w.quiet()


def step_it_fits(w):
    b = w.browser
    for width in (1280, 900, 640, 390, 320):
        b.look("light", width, 900)
        time.sleep(0.3)
        equal(b.js("return document.documentElement.scrollWidth <= innerWidth;"), True, f"{width} pixels wide")
    b.look("dark", 390, 1500)
    time.sleep(1.2)
    w.shot("narrow")
    b.js("document.querySelector('details').open = true;")
    b.look("dark", 1280, 1000)
    time.sleep(1.2)
    w.shot("more")
    b.js("document.querySelector('details').open = false;")
    b.look("light", 1280, 1000, motion="reduce")
    equal(b.js("return getComputedStyle(document.getElementById('flight-bar')).transitionDuration;"), "0s")
    b.look("light", 1280, 1000)
    check(b.js("return getComputedStyle(document.getElementById('flight-bar')).transitionDuration;") != "0s", "it moves")
    w.quiet()


def step_more_run_than_are_told(w):
    """The oldest 16 stand in the table; how many there are is said."""
    b = w.browser
    threads = [threading.Thread(target=w.call, args=("GET", "/wait/6000"), daemon=True) for _ in range(24)]
    for thread in threads:
        thread.start()
    said = b.until("(document.getElementById('count').textContent.match(/, (\\d+) of (\\d+) running$/) || []).slice(1)[1] >= 24 && "
                   "document.getElementById('count').textContent", "more than are told")
    check(", 16 of " in said, said)
    for thread in threads:
        thread.join(30)
    w.quiet()


def step_more_than_are_told(w):
    """The worker remembers 256: of the others the page knows how many, and makes no peak of them."""
    b = w.browser
    peak, total, said = b.js("""
        const now = Date.now() - 60e3 - Date.now() % 1000;   // no other traffic is there
        const one = (seq, end) => ({ ...ended[0], number: seq, seq, kind: "request", state: "ended", duration_ms: 1,
            began: new Date(end - 1).toISOString() });
        const answer = (now_ms, missed, recent) => ({ worker: "1-1", now_ms, ended: 0, after, missed, recent, running: [], more: false,
            running_requests: 0, running_websockets: 0 });
        bins.clear();
        worker = "1-1";
        after = 0;
        take(answer(now - 30e3, 0, [one(10, now - 30e3)]));
        take(answer(now, 6000, Array.from({ length: 256 }, (_, i) => one(6011 + i, now - 500))));
        showTable();
        const counts = [...bins.values()].map((b) => b.count);
        return [Math.max(...counts), counts.reduce((n, c) => n + c, 0), document.getElementById("count").textContent];""")
    equal(total, 6257)
    check(peak <= 6000 / 30 + 256 + 1, f"{peak} in a second, of 200")
    check("6,000 more went by unseen" in said, said)
    b.open(w.url)
    b.until("document.querySelectorAll('#recent tr.row').length > 20", "it goes on")
    w.quiet()


def step_a_new_worker(w):
    """Neither a reload nor a crash ends an open page."""
    b = w.browser
    for end in ("reload", "crash"):
        old, seen = b.js("return worker;"), b.js("return ended.length;")
        if end == "reload":
            equal(w.phone.ctl("reload").returncode, 0)
        else:
            os.kill(w.phone.child("worker"), signal.SIGKILL)
        b.until(f"worker !== {json.dumps(old)} && document.getElementById('news').hidden && "
                f"ended.some(x => x.worker === worker && x.seq === 1) && ended[0].worker === worker", f"it goes on after a {end}")
        check(b.js("return ended.length;") >= min(seen, 1000), "what was known is still there")
        equal(b.js("return new Set(ended.map(x => x.key)).size === ended.length;"), True, "each of them once")
    w.quiet("Failed to load resource")


def step_not_ready(w):
    b = w.browser
    w.stage.board.stop()
    b.until("document.getElementById('ready-text').textContent.startsWith('Not ready: not joined')", "it says so")
    b.until("document.querySelectorAll('#tunnels .bad').length === 2", "by its tunnels")
    check("last end: connection refused" in text(w, "#tunnels"), text(w, "#tunnels"))
    time.sleep(1.2)
    w.shot("not-ready")
    w.quiet()


def step_no_answer_and_back(w):
    b = w.browser
    pids = [w.phone.pid, w.phone.child("worker")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        b.until("!document.getElementById('news').hidden", "it says that telephone does not answer")
        check("Telephone does not answer." in text(w, "#news"), text(w, "#news"))
        check(re.match(r"No answer for \d+ s", text(w, "#ready-text")), text(w, "#ready-text"))
        equal(b.js("return document.title;"), "Telephone: no answer")
        time.sleep(0.6)
        w.shot("no-answer")
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    b.until("document.getElementById('news').hidden && document.title === 'Telephone: not ready'", "and comes back by itself")
    w.quiet("Failed to load resource")


def step_gone(w):
    b = w.browser
    w.phone.stop()
    b.until("document.getElementById('news').textContent.startsWith('Telephone does not answer')", "nobody listens")
    w.stage.start_board()
    w.start_phone()
    b.until("document.getElementById('news').textContent.includes('telephonectl status')", "it is another's token now")
    b.open(w.url)
    b.until("document.title === 'Telephone: ready'", "the new address")
    w.quiet("Failed to load resource")


def step_the_policy_holds(w):
    """What a fault of the page could be used for is refused by the browser."""
    b = w.browser
    w.quiet()
    for script in ("document.body.innerHTML = '<b>x</b>'", "new Function('window.hurt = 4')()", "eval('window.hurt = 5')"):
        # Later, for what the driver runs itself is let off the policy.
        b.js("window.got = ''; setTimeout(() => { try { " + script + "; window.got = 'done'; } catch (e) { window.got = e.name; } });")
        got = b.until("window.got", script)
        check(got in ("TypeError", "EvalError"), f"{script}: {got}")
    b.js("""
        const img = document.createElement('img');
        img.setAttribute('src', 'http://127.0.0.1:9/x.png');
        document.body.append(img);
        const style = document.createElement('style');
        style.textContent = 'body { display: none }';
        document.head.append(style);""")
    until(lambda: sum("Content Security Policy" in e["message"] for e in b.console()) >= 1, "it is told")
    equal(b.js("return getComputedStyle(document.body).display;"), "block")
    equal(b.js("return window.hurt === undefined;"), True)
    equal(b.js("return fetch('http://127.0.0.1:9/').then(() => 'done', (e) => e.name);"), "TypeError")


STEPS = [value for name, value in list(globals().items()) if name.startswith("step_")]


def run_step(w, step):
    begin = time.monotonic()
    try:
        w.tidy()
        step(w)
        error = ""
    except Exception as e:
        error = str(e) if isinstance(e, AssertionError) and not isinstance(e, harness.Failure) else traceback.format_exc()
        try:
            w.shot(f"failed-{step.__name__[5:]}")
        except Exception:
            pass
    print(f"{'FAIL' if error else 'ok'}   inspect.{step.__name__[5:]} ({time.monotonic() - begin:.1f} s)", flush=True)
    if error:
        print("     " + error.replace("\n", "\n     "), flush=True)
    return not error


def too_long(sig, frame):
    raise RuntimeError(f"it takes longer than {SECONDS} s")


def main(build, pattern=""):
    steps = STEPS[:1] + [step for step in STEPS[1:] if re.search(pattern, step.__name__)]
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    shots = os.path.join(build, "screenshots")
    shutil.rmtree(shots, ignore_errors=True)
    os.makedirs(shots)
    good = 0
    with tempfile.TemporaryDirectory(prefix="telephone-bin-") as bin_dir, tempfile.TemporaryDirectory(prefix="telephone-it-") as directory:
        for program in PROGRAMS:
            shutil.copy2(os.path.join(build, program), bin_dir)
        os.chmod(bin_dir, 0o755)
        if os.geteuid() == 0:
            os.chown(directory, harness.NOBODY, harness.NOBODY)
        w = World(Stage(bin_dir, directory), shots)
        print(f"Chromium {w.browser.version}")
        try:
            for step in steps:
                good += run_step(w, step)
        finally:
            log = w.phone.log()
            w.close()
        if good < len(steps):
            print(log[-3000:])
    print(f"{good} passed, {len(steps) - good} failed; pictures in {shots}")
    return 0 if good == len(steps) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
