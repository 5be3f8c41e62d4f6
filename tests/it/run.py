#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs every function test_* of tests/it/**/test_*.py, each on a stage of its own.

usage: run.py BUILD_DIR [-k PATTERN] [-j JOBS] [-v] [--soak] [--again N]

With --again, up to N tests that failed among others are run twice more, alone,
and are called unsteady when they pass both times: a machine that is shared
stalls now and then for longer than any test should wait. What they said is
printed like any failure: look at it. More than N, and all of them have failed.

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


class Run:
    """Runs tests and keeps the count."""

    def __init__(self, bin_dir, verbose):
        self.bin_dir, self.verbose, self.lock = bin_dir, verbose, threading.Lock()
        self.counts, self.failed, self.unsteady = {"ok": 0, "FAIL": 0, "left out": 0}, [], []

    def one(self, item):
        name, test = item
        result, seconds, error = run_one(name, test, self.bin_dir, self.verbose)
        with self.lock:
            self.counts[result] += 1
            if result == "FAIL":
                self.failed.append(item)
            print(f"{result:4} {name} ({seconds:.1f} s)", flush=True)
            if error:
                print("     " + error.replace("\n", "\n     "), flush=True)
        return result

    def all(self, tests, jobs):
        alone = [t for t in tests if getattr(t[1], "alone", False)]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(self.one, [t for t in tests if t not in alone]))
        for item in alone:
            self.one(item)

    def again(self, most):
        """Those that failed, when they are no more than `most`."""
        if len(self.failed) > most:
            return
        before, self.failed = self.failed, []
        for item in before:
            self.counts["FAIL"] -= 1
            print(f"again, alone: {item[0]}", flush=True)
            if self.one(item) == "ok" and self.one(item) == "ok":
                self.unsteady.append(item[0])
                self.counts["ok"] -= 1  # it is one test

    def summary(self):
        words = f"{self.counts['ok']} passed, {self.counts['FAIL']} failed, {self.counts['left out']} left out"
        return words + (f", unsteady: {' '.join(self.unsteady)}" if self.unsteady else "")


def main():
    # Started in the background of a shell all of this would ignore it, the telephones too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("-k", default="")
    parser.add_argument("-j", type=int, default=4)
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--soak", action="store_true", help="those that are too long for every day")
    parser.add_argument("--again", type=int, default=0, metavar="N", help="up to N that failed may show that they can pass")
    args = parser.parse_args()
    begin = time.monotonic()
    with open(os.path.join(args.build, "flags")) as f:
        if re.search(r"-fsanitize|--coverage", f.read()):
            harness.SANDBOX = "off"  # neither can open a file of its own in there
            harness.INSTRUMENTED = True
    with tempfile.TemporaryDirectory(prefix="telephone-bin-") as bin_dir:
        copy_programs(args.build, bin_dir)
        run = Run(bin_dir, args.v)
        run.all(list(find_tests(args.k, args.soak)), args.j)
        run.again(args.again)
    print(f"{run.summary()}, {time.monotonic() - begin:.0f} s")
    return 1 if run.counts["FAIL"] or not run.counts["ok"] else 0


sys.exit(main())
