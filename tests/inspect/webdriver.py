# SPDX-License-Identifier: MIT
"""A headless Chromium, driven over WebDriver (W3C) with the standard library.

It speaks to 127.0.0.1 alone: nothing that it would do for itself on a network
is left on, and every name but an address resolves to nothing.
"""
import base64, http.client, json, os, shutil, socket, subprocess, tempfile, time

KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "ArrowDown": "\ue015", "ArrowUp": "\ue013",
        "Home": "\ue011", "End": "\ue010", "Shift": "\ue008", "Space": " "}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
         "--window-size=1280,900"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Browser:
    def __init__(self, timeout=30):
        self.home, self.port, self.timeout = tempfile.mkdtemp(prefix="telephone-chromium-"), free_port(), timeout
        self.proc = self.session = None
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "TMPDIR": self.home, "LANG": "C.UTF-8", "TZ": "UTC"}
        self.proc = subprocess.Popen(["chromedriver", f"--port={self.port}", "--log-level=SEVERE"], env=env, cwd=self.home,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     start_new_session=True)
        try:
            self.wait_for_driver()
            made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"binary": shutil.which("chromium"),
                                       "args": [*FLAGS, f"--user-data-dir={self.home}/profile"]}}}})
        except BaseException:
            self.close()
            raise
        self.session = made["sessionId"]
        self.version = made["capabilities"]["browserVersion"]

    def wait_for_driver(self):
        end = time.monotonic() + self.timeout
        while True:
            try:
                if self.call("GET", "/status")["ready"]:
                    return
            except OSError:
                if time.monotonic() > end or self.proc.poll() is not None:
                    raise
            time.sleep(0.05)

    def call(self, method, path, body=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            conn.request(method, path, None if body is None else json.dumps(body), {"content-type": "application/json"})
            answer = conn.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            conn.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {value.get('error')}: {value.get('message', '')[:500]}")
        return value

    def do(self, command, **body):
        return self.call("POST", f"/session/{self.session}/{command}", body)

    def cdp(self, command, **params):
        return self.do("goog/cdp/execute", cmd=command, params=params)

    # --- what a test wants ----------------------------------------------------
    def open(self, url):
        self.do("url", url=url)

    def js(self, script, *args):
        return self.do("execute/sync", script=script, args=list(args))

    def until(self, script, what, seconds=30):
        """Until the expression is true; its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.js(f"return ({script});")
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    def press(self, *keys):
        """One after the other; "Shift+Tab" holds the first."""
        actions = []
        for key in keys:
            parts = [KEYS.get(k, k) for k in key.split("+")]
            actions += [{"type": "keyDown", "value": k} for k in parts]
            actions += [{"type": "keyUp", "value": k} for k in reversed(parts)]
        self.do("actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def look(self, scheme="light", width=1280, height=900, motion="no-preference"):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                         {"name": "prefers-reduced-motion", "value": motion}])
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path, whole=False):
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

    def console(self):
        """What the page, or the browser about it, has said since the last time."""
        return self.do("se/log", type="browser")

    def close(self):
        if self.session:
            try:
                self.call("DELETE", f"/session/{self.session}")
            except (OSError, RuntimeError, ValueError):
                pass
        if self.proc:
            self.proc.terminate()
            try:
                self.proc.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        shutil.rmtree(self.home, ignore_errors=True)
