#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs build/bridge against switchboard over ws and wss, and against nobody.

usage: run.py BUILD_DIRECTORY
"""
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

COUNT = "5000"


def token(port):
    url = f"http://127.0.0.1:{port}/admin/token?path_id=bridge&ttl=600"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as r:
        return r.read().decode().strip()


def bridge(build, *args):
    return subprocess.run([os.path.join(build, "bridge"), *args], timeout=120).returncode


def checks(build, line):
    http, tls = re.fullmatch(r"switchboard http=(\d+) tls=(\d+)\n", line).groups()
    jwt = token(http)
    yield "ws", bridge(build, http, jwt, COUNT) == 0
    yield "wss", bridge(build, tls, jwt, COUNT, "tls") == 0
    yield "a refused token ends it", bridge(build, http, "no.such.token", "1") == 1
    yield "a closed port ends it", bridge(build, "1", jwt, "1") == 1


def main(build):
    passed = failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        cert, key = os.path.join(tmp, "cert.pem"), os.path.join(tmp, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
            check=True, stderr=subprocess.DEVNULL)
        board = subprocess.Popen(
            [os.path.join(build, "switchboard"), "--quiet", "--tls", "127.0.0.1:0", "--cert", cert, "--key", key],
            stdout=subprocess.PIPE, text=True)
        try:
            for name, ok in checks(build, board.stdout.readline()):
                print("ok  " if ok else "FAIL", "bridge:", name)
                passed, failed = passed + ok, failed + (not ok)
        finally:
            board.terminate()
            board.wait(timeout=10)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main(sys.argv[1]))
