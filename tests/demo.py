#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make demo`: Plugboard's stand-in, an application and telephone, together.

usage: demo.py BUILD_DIR [--once]

Prints a curl line that goes through all of them, and where the page is that
shows it. Ctrl-C, SIGTERM, or the end of any of them ends all and removes what
they left. --once runs that line itself, asks for the page, and leaves.
"""
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing to remove yet
import os, re, secrets, shutil, socket, subprocess, sys, tempfile, time, urllib.request

NOBODY = 65534


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Demo:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.dir = tempfile.mkdtemp(prefix="telephone-demo-")
        os.chmod(self.dir, 0o755)
        self.procs = []

    def program(self, name):
        """Starts one that prints its port on its first line."""
        proc = subprocess.Popen([f"{self.build}/{name}", "--quiet"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                text=True, start_new_session=True)
        self.procs.append((name, proc))
        return int(re.search(r"http=(\d+)", proc.stdout.readline()).group(1))

    def telephone(self, board, backend):
        url = f"http://127.0.0.1:{board}/admin/token?path_id=demo&ttl=3600&iat=-10"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as answer:
            token = answer.read().decode().strip()
        state = os.path.join(self.dir, "state")
        os.mkdir(state, 0o700)
        env = {
            "PLUGBOARD_URL": f"ws://127.0.0.1:{board}/telephone/websocket",
            "BACKEND_HOST": "127.0.0.1",
            "BACKEND_PORT": str(backend),
            "SECRET_KEY_BASE": secrets.token_hex(32),
            "TELEPHONE_TOKEN": token,
            "TOKEN_DB_PATH": f"{state}/telephone.db",
            "CONTROL_SOCKET": f"{state}/control.sock",
            "HEALTH_CHECK_PORT": str(free_port()),
            "INSPECT": "on",
            **{k: v for k, v in os.environ.items() if k.startswith("OTEL_")},
        }
        drop, bin_dir = {}, self.build
        if os.geteuid() == 0:
            # As an ordinary user would, and without users of its own. The
            # copy can be reached whatever the rights of the checkout are.
            os.chown(state, NOBODY, NOBODY)
            drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            bin_dir = os.path.join(self.dir, "bin")
            os.mkdir(bin_dir, 0o755)
            for name in ("telephone", "worker", "tokend"):
                shutil.copy2(f"{self.build}/{name}", bin_dir)
        log = open(self.log_path(), "wb")
        proc = subprocess.Popen([f"{bin_dir}/telephone"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                cwd=state, start_new_session=True, **drop)
        log.close()
        self.procs.append(("telephone", proc))
        self.socket = env["CONTROL_SOCKET"]

    def log_path(self):
        return os.path.join(self.dir, "telephone.log")

    def wait_joined(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.ended():
            with open(self.log_path(), errors="replace") as f:
                if " joined telephone:" in f.read():
                    return True
            time.sleep(0.01)
        with open(self.log_path(), errors="replace") as f:
            sys.stderr.write(f.read())
        return False

    def page(self):
        """Where the page of INSPECT is: telephonectl tells it, and nobody else."""
        done = subprocess.run([f"{self.build}/telephonectl", "-s", self.socket, "status"], capture_output=True, text=True, timeout=30)
        return re.search(r"^page +(http://\S+)$", done.stdout, re.M).group(1)

    def ended(self):
        return [name for name, proc in self.procs if proc.poll() is not None]

    def stop(self):
        for _, proc in reversed(self.procs):
            if proc.poll() is None:
                proc.terminate()
            try:
                proc.wait(timeout=20)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def leave(*_):
    raise KeyboardInterrupt


def run(demo, once):
    board, backend = demo.program("switchboard"), demo.program("demo-backend")
    demo.telephone(board, backend)
    if not demo.wait_joined():
        print("demo: telephone did not join; its log stands above", file=sys.stderr)
        return 1
    curl = ["curl", "-si", f"http://127.0.0.1:{board}/call/demo/"]
    if once:
        done = subprocess.run(curl, capture_output=True, text=True, timeout=30)
        print(done.stdout)
        with urllib.request.urlopen(demo.page(), timeout=10) as answer:
            page = answer.read()
        return 0 if done.stdout.startswith("HTTP/1.1 200") and b"<title>Telephone</title>" in page else 1
    print(f"""
The application listens on 127.0.0.1:{backend}, Plugboard's stand-in on 127.0.0.1:{board},
and telephone has dialled out from the one to the other. Try:

    {' '.join(curl)}

See it go by, in a browser on this machine:

    {demo.page()}

What telephone does, and what it says:

    {demo.build}/telephonectl -s {demo.socket} status
    tail -f {demo.log_path()}

Ctrl-C ends the demo.""", flush=True)
    while not demo.ended():
        time.sleep(0.2)
    print(f"demo: {demo.ended()[0]} has ended", file=sys.stderr)
    return 1


def main():
    if not 2 <= len(sys.argv) <= 3 or sys.argv[2:] not in ([], ["--once"]):
        print("usage: demo.py BUILD_DIR [--once]", file=sys.stderr)
        return 64
    both = {signal.SIGINT, signal.SIGTERM}
    for number in both:
        signal.signal(number, leave)
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    demo = Demo(sys.argv[1])
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
        return run(demo, sys.argv[2:] == ["--once"])
    except KeyboardInterrupt:
        print()
        return 0
    finally:
        for number in both:
            signal.signal(number, signal.SIG_IGN)
        demo.stop()


sys.exit(main())
