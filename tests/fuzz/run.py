#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the fuzz targets of a build for a while each, two at a time.

usage: run.py BUILD_DIR SECONDS [PATTERN] (from the top of the tree)

A target starts from tests/fuzz/corpus/NAME and from what earlier runs found
interesting (BUILD_DIR/found/NAME, not kept in the tree). Every input is also
run once, so that what was ever a fault and put into the corpus stays mended.
A fault leaves its input in BUILD_DIR/faults/; run the target with that file as
its argument to see it again.
"""
import concurrent.futures, glob, os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def fuzz(build, target, seconds):
    name = os.path.basename(target)
    found, faults, corpus = f"{build}/found/{name}", f"{build}/faults/", f"{HERE}/corpus/{name}"
    os.makedirs(found, exist_ok=True)
    os.makedirs(faults, exist_ok=True)
    argv = [target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
            f"-artifact_prefix={faults}{name}-", found]
    if os.path.isdir(corpus):
        argv.append(corpus)
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env={
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"})
    return name, done.returncode, done.stderr


def main():
    build, seconds = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    pattern = sys.argv[3] if len(sys.argv) > 3 else ""
    targets = [t for t in sorted(glob.glob(f"{build}/target/*/fuzz_*"))
               if os.access(t, os.X_OK) and not t.endswith(".d") and re.search(pattern, os.path.basename(t))]
    if not targets:
        sys.exit(f"no fuzz target matches {pattern!r}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, status, text in pool.map(lambda t: fuzz(build, t, seconds), targets):
            runs = re.search(r"number_of_executed_units: (\d+)", text)
            edges = re.findall(r"cov: (\d+)", text)
            failed += status != 0
            print(f"{'FAIL' if status else 'ok  '} {name}: {runs[1] if runs else '?'} inputs, "
                  f"{edges[-1] if edges else '?'} edges", flush=True)
            if status:
                print(text[-6000:])
    print(f"{len(targets) - failed} of {len(targets)} targets without a fault, {seconds} s each")
    return 1 if failed else 0


sys.exit(main())
