#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures what docs/performance.md says, and writes it there, between the marks.

usage: run.py BUILD_DIR [--print] [--traces] (from the top of the tree)

Switchboard, application, clients and telephone share this machine, and the
clients are Python: times from end to end are theirs, too. What telephone
itself costs is read from the kernel's accounts of its processes. --print
writes nothing. About a minute; --traces measures what tracing costs instead,
in instructions of the worker.
"""
import http.client, os, platform, re, shutil, statistics, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "it"))
sys.dont_write_bytecode = True
import harness, otelkit

PAGE = "docs/performance.md"
PROGRAMS = ("telephone", "worker", "tokend", "telephonectl", "switchboard", "demo-backend")
TICK = os.sysconf("SC_CLK_TCK")
ROUNDS = 3
# One client process of the loads: PORT TARGET COUNT METHOD SIZE.
CLIENT = """
import http.client, sys, time
port, target, count, method, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
body = b"x" * size if size else None
conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
times = []
for _ in range(count):
    begin = time.monotonic()
    try:
        conn.request(method, "/call/demo" + target, body)
        answer = conn.getresponse()
        n, code = len(answer.read()), answer.status
    except (OSError, http.client.HTTPException):
        conn.close()
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        code = 0
    times.append((time.monotonic() - begin, code))
for t, code in times:
    print(t, code)
"""


def memory_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(rf"{field}:\s+(\d+)", f.read())[1])


def cpu_s(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    return total / TICK


def load(stage, phone, clients, each, target, method="GET", size=0):
    """(requests a second, sorted times in ms, CPU of telephone in us a request, failures)"""
    pids = [phone.pid, *phone.children().values()]
    before, begin = cpu_s(pids), time.monotonic()
    procs = [subprocess.Popen([sys.executable, "-c", CLIENT, str(stage.board.ports["http"]), target, str(each), method,
                               str(size)], stdout=subprocess.PIPE, text=True) for _ in range(clients)]
    lines = [line.split() for p in procs for line in p.communicate()[0].splitlines()]
    seconds, used = time.monotonic() - begin, cpu_s(pids) - before
    times = sorted(float(t) * 1000 for t, _ in lines)
    return len(lines) / seconds, times, used * 1e6 / len(lines), sum(code != "200" for _, code in lines)


def rows(stage):
    begin = time.monotonic()
    phone = stage.start(TUNNELS="2", SPOOL_DIR=stage.dir)
    yield "start to joined", f"{(time.monotonic() - begin) * 1000:.0f} ms, programs around it included"
    worker = phone.child("worker")
    sizes = {name: memory_kb(pid) / 1024 for name, pid in {"supervisor": phone.pid, **phone.children()}.items()}
    yield "memory, idle (RSS)", ", ".join(f"{name} {mb:.1f} MB" for name, mb in sizes.items())
    load(stage, phone, 2, 200, "/bytes/100")  # warm
    for what, clients, each, target, method, size in (
            ("GET, 100 bytes, 1 client", 1, 3000, "/bytes/100", "GET", 0),
            ("GET, 100 bytes, 16 clients", 16, 400, "/bytes/100", "GET", 0),
            ("GET, 10 KB, 16 clients", 16, 300, "/utf8/10000", "GET", 0),
            ("POST, 10 KB, 16 clients", 16, 300, "/echo", "POST", 10000),
            ("GET, 1 MB, 4 clients", 4, 25, "/utf8/1000000", "GET", 0)):
        found = [load(stage, phone, clients, each, target, method, size) for _ in range(ROUNDS)]
        rate, times, cpu, failed = sorted(found, key=lambda f: f[0])[ROUNDS // 2]
        harness.check(sum(f[3] for f in found) == 0, f"{what}: requests failed")
        yield what, (f"{rate:.0f} a second; median {statistics.median(times):.1f} ms, 99 % within "
                     f"{times[int(len(times) * 0.99)]:.1f} ms; telephone's CPU {cpu:.0f} µs a request")
    before, used, begin = memory_kb(worker, "VmHWM"), cpu_s([worker]), time.monotonic()
    conn = http.client.HTTPConnection("127.0.0.1", stage.board.ports["http"], timeout=120)
    conn.request("GET", "/call/demo/utf8/100000000")
    harness.equal(len(conn.getresponse().read()), 100000000)
    seconds = time.monotonic() - begin
    yield "one answer of 100 MB", (f"{100 / seconds:.0f} MB/s; CPU {cpu_s([worker]) - used:.2f} s; the worker's peak memory grows "
                                   f"by {(memory_kb(worker, 'VmHWM') - before) / 1024:.1f} MB")
    yield "memory after all of it (RSS)", f"worker {memory_kb(worker) / 1024:.1f} MB"


TRACING = (("off", {}),
           ("on, no trace is sampled", {"OTEL_TRACES_SAMPLER": "always_off"}),
           ("on, one of ten", {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}),
           ("on, every one", {"OTEL_TRACES_SAMPLER": "always_on"}))


# Counted by valgrind, which no other load of the machine disturbs.
COUNTED = """#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file=%s %s/worker.real
"""


def instructions(build, requests, settings):
    """Of the worker's whole life, in which it serves so many requests."""
    with tempfile.TemporaryDirectory() as bin_dir, tempfile.TemporaryDirectory() as directory:
        os.chmod(bin_dir, 0o755)
        if os.geteuid() == 0:
            os.chown(directory, harness.NOBODY, harness.NOBODY)
        for program in PROGRAMS:
            shutil.copy2(os.path.join(build, program), bin_dir)
        os.rename(f"{bin_dir}/worker", f"{bin_dir}/worker.real")
        with open(f"{bin_dir}/worker", "w") as f:
            f.write(COUNTED % (f"{directory}/counted", bin_dir))
        os.chmod(f"{bin_dir}/worker", 0o755)
        stage, collector = harness.Stage(bin_dir, directory), otelkit.Collector()
        try:
            where = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} if settings else {}
            phone = stage.start(SANDBOX="off", HEARTBEAT_TIMEOUT="60s", **where, **settings)
            load(stage, phone, 1, requests, "/bytes/100")
            phone.stop()
        finally:
            stage.close()
            collector.stop()
        with open(f"{directory}/counted") as f:
            return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M)[1])


def traces(build):
    if shutil.which("valgrind") is None:
        sys.exit("instructions are counted by valgrind: install it")
    off = None
    for name, settings in TRACING:
        few, many = (instructions(build, n, settings) for n in (200, 1200))
        count = (many - few) / 1000
        off = off or count
        yield name, f"{count / 1000:.0f} thousand" + (f", {(count / off - 1) * 100:+.0f} %" if count != off else "")


def write(lines, mark):
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    head, rest = page.split(begin)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(head + begin + "\n" + "\n".join(lines) + "\n\n" + end + rest.split(end)[1])


def main():
    build, is_traces = sys.argv[1], "--traces" in sys.argv
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    lines = ["| what | measured |", "|---|---|",
             f"| machine | {os.cpu_count()} CPUs{', ' + model[1] if model else ''}, Linux {platform.release().split('-')[0]} |"]
    with tempfile.TemporaryDirectory(prefix="telephone-bin-") as bin_dir, \
            tempfile.TemporaryDirectory(prefix="telephone-bench-") as directory:
        for program in PROGRAMS:
            shutil.copy2(os.path.join(build, program), bin_dir)
        os.chmod(bin_dir, 0o755)
        if os.geteuid() == 0:
            os.chown(directory, harness.NOBODY, harness.NOBODY)
        stage = harness.Stage(bin_dir, directory)
        try:
            for what, figure in traces(build) if is_traces else rows(stage):
                lines.append(f"| {what} | {figure} |")
                print(f"{what}: {figure}", flush=True)
        finally:
            stage.close()
    if "--print" not in sys.argv:
        write(lines, "traces" if is_traces else "bench")


main()
