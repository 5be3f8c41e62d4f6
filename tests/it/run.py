#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs every function test_* of tests/it/**/test_*.py, each on a stage of its own.

usage: run.py BUILD_DIR [-k PATTERN] [-j JOBS] [-v] [--soak]

Started by root, telephones run as nobody but in test_root.py, which needs
root and is counted as left out otherwise.
"""
import argparse, concurrent.futures, glob, importlib, os, re, shutil, signal, subprocess, sys, tempfile, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import harness

PROGRAMS = ("telephone", "worker", "tokend", "telephonectl", "switchboard", "demo-backend")


def find_tests(pattern, soak):
    for path in sorted(glob.glob(os.path.join(HERE, "**", "test_*.py"), recursive=True)):
        name = os.path.relpath(path, HERE)[:-3].replace(os.sep, ".")
        module = importlib.import_module(name)
        for attr, value in vars(module).items():
            if attr.startswith("test_") and callable(value) and re.search(pattern, f"{name}.{attr}") \
                    and getattr(value, "soak", False) == soak:
                yield f"{name}.{attr}", value


def run_one(name, test, bin_dir, verbose):
    if getattr(test, "needs_root", False) and os.geteuid() != 0:
        return "left out", 0, "needs root"
    directory = tempfile.mkdtemp(prefix="telephone-it-")
    stage = harness.Stage(bin_dir, directory)
    stage.as_root = getattr(test, "needs_root", False)
    if os.geteuid() == 0 and not stage.as_root:
        os.chown(directory, harness.NOBODY, harness.NOBODY)
    elif stage.as_root:
        os.chmod(directory, 0o755)
    begin, error, left_out = time.monotonic(), "", ""
    for step in (lambda: test(stage), stage.close):
        try:
            step()
        except harness.LeftOut as e:
            left_out = str(e)
        except Exception as e:
            error += traceback.format_exc() if verbose or not isinstance(e, harness.Failure) else f"{e}\n"
    if error:
        for phone in stage.phones:
            error += f"--- {os.path.basename(phone.log_path)}\n" + phone.log()[-6000:]
    shutil.rmtree(directory, ignore_errors=True)
    result = "FAIL" if error else "left out" if left_out else "ok"
    return result, time.monotonic() - begin, error or left_out


def copy_programs(build, to):
    """Where nobody can reach them, whatever the checkout's own rights are."""
    for program in PROGRAMS:
        shutil.copy2(os.path.join(build, program), to)
    shutil.copytree(os.path.join(build, "hostile"), os.path.join(to, "hostile"))
    os.chmod(to, 0o755)
    if glob.glob(os.path.join(build, "obj", "*", "*.gcno")) and os.geteuid() == 0:
        # Coverage is written by whoever runs, to files of whoever came first.
        os.umask(0)
        subprocess.run(["chmod", "-R", "a+rwX", os.path.join(build, "obj")], check=True)


def main():
    # Started in the background of a shell all of this would ignore it, the telephones too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("-k", default="")
    parser.add_argument("-j", type=int, default=4)
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--soak", action="store_true", help="those that are too long for every day")
    args = parser.parse_args()
    counts, lock, begin = {"ok": 0, "FAIL": 0, "left out": 0}, threading.Lock(), time.monotonic()
    tests = list(find_tests(args.k, args.soak))
    with open(os.path.join(args.build, "flags")) as f:
        if re.search(r"-fsanitize|--coverage", f.read()):
            harness.SANDBOX = "off"  # neither can open a file of its own in there
            harness.INSTRUMENTED = True
    with tempfile.TemporaryDirectory(prefix="telephone-bin-") as bin_dir:
        copy_programs(args.build, bin_dir)

        def job(item):
            name, test = item
            result, seconds, error = run_one(name, test, bin_dir, args.v)
            with lock:
                counts[result] += 1
                print(f"{result:4} {name} ({seconds:.1f} s)", flush=True)
                if error:
                    print("     " + error.replace("\n", "\n     "), flush=True)

        together = [t for t in tests if not getattr(t[1], "alone", False)]
        with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
            list(pool.map(job, together))
        for item in tests:
            if getattr(item[1], "alone", False):
                job(item)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['left out']} left out, "
          f"{time.monotonic() - begin:.0f} s")
    return 1 if counts["FAIL"] or not counts["ok"] else 0


sys.exit(main())
