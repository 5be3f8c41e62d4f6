#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Breaks copies of the tree in the ways of catalogue.py, one at a time, and
asks the tests that must notice; with --walls in those of walls.py.

usage: run.py [--walls] [--compile] BUILD_DIR [PATTERN] (from the top of the tree, after `make`)

First and last a copy is built with a comment more, and all these tests pass:
else a test that always fails would catch everything. In between each mutant
applies at exactly one place (a wall: at one for each of its layers), compiles,
and fails at least one of its tests: anything else (it survives, its code is
gone, it does not compile) is a failure. PATTERN chooses mutants by name. The
copies begin with the objects of BUILD_DIR, so that each mutant costs a
compilation and some links, and work side by side.

With --compile nothing is copied and no test runs: each mutant applies and
compiles, which is what a change elsewhere may take from it (seconds; a test of
tests/meta).
"""
import argparse, concurrent.futures, glob, os, queue, re, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from catalogue import MUTANTS
from tell import TELL
from walls import WALLS

TEST_SECONDS = 300  # a mutant may also make something wait for ever
COPIES = (os.cpu_count() or 1) + 1  # tests wait more than they work
LEFT_OUT = shutil.ignore_patterns("build", ".git", "__pycache__")
BUILT = ("obj", "*.a", "flags", "version.c", "telephone", "worker", "tokend", "telephonectl", "switchboard",
         "demo-backend", "hostile")
FOLDERS = ("worker", "tokend", "common", "supervisor")
# What a change of any of these may go into.
PROGRAMS = [f"build/{name}" for name in ("telephone", "telephonectl", "worker", "tokend", "hostile/worker", "hostile/tokend")]
UNIT = "unit:"  # what a pattern of tests begins with that names a unit test


class Fault(Exception):
    pass


def run(tree, *argv, seconds=900):
    """(exit status, output); None when it took too long."""
    process = subprocess.Popen(argv, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.terminate()
        output, _ = process.communicate()
        return None, output


def copy(out, tree):
    """The tree and what was built of it, with the same times."""
    shutil.copytree(".", tree, ignore=LEFT_OUT, symlinks=True)
    os.mkdir(f"{tree}/build")
    for path in (p for pattern in BUILT for p in glob.glob(f"{out}/{pattern}")):
        to = f"{tree}/build/{os.path.basename(path)}"
        shutil.copytree(path, to) if os.path.isdir(path) else shutil.copy2(path, to)
    with open(f"{out}/version.c", encoding="utf-8") as f:
        version = re.search(r'version\[\] = "(.*)"', f.read())[1]
    with open(f"{tree}/VERSION", "w", encoding="utf-8") as f:
        f.write(version + "\n")  # by git it could change, and no worker of another version is taken


def commands(tree, targets):
    """What make would run for them, were everything older: {source: its compilation}, [what follows]. Make itself would
    build all anew, for the folder is a flag of its."""
    status, output = run(tree, "make", "-n", "NO_DEPS=1", "VARIANT=release", "O=build", *targets)
    if status != 0:
        sys.exit(output)
    compile, link = {}, []
    for line in output.splitlines():
        source = re.search(r" -c -o \S+\.o (\S+\.c)$", line)
        if source:
            compile[source[1]] = line
        elif re.search(rf"\brcs build/({'|'.join(FOLDERS)})\.a | -o ({'|'.join(targets)}) ", line):
            link.append(line)
    return compile, link


def do(tree, lines):
    for line in lines:
        status, output = run(tree, "sh", "-c", line)
        if status != 0:
            raise Fault("it does not compile:\n" + output[-3000:])


def build(tree, targets, sources):
    """The targets, after a change of these sources."""
    compile, link = commands(tree, targets)
    own = [line for path, line in compile.items() if path in sources or path.startswith("tests/unit/")]
    for path in re.findall(r" -o (build/\S+)", " ".join(own + link)):
        os.makedirs(os.path.dirname(f"{tree}/{path}"), exist_ok=True)
    do(tree, own + link)


def unit_test(tree, name, sources):
    build(tree, [f"build/unit/{name}"], sources)
    status, output = run(tree, f"build/unit/{name}", seconds=TEST_SECONDS)
    return ([name], [], output) if status == 0 else ([], [name], output)


def tests(tree, pattern, sources, jobs="2"):
    """Names of those that passed and of those that failed after a change of these sources, and what they said."""
    if pattern.startswith(UNIT):
        return unit_test(tree, pattern[len(UNIT):], sources)
    build(tree, PROGRAMS, sources)
    status, output = run(tree, sys.executable, "-B", "tests/it/run.py", "build", "-j", jobs, "-k", pattern,
                         seconds=TEST_SECONDS)
    if status is None:
        return [], ["(no end)"], output
    return [re.findall(rf"^{word} +(\S+) \(", output, re.M) for word in ("ok", "FAIL")] + [output]


def find(tree, mutant):
    """[(path, old, new)] of the only place where it applies; of a wall, of the one for each layer."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in glob.glob(f"{tree}/{folder}/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found += [(path, old, new) for old, new in mutant.pairs for _ in range(text.count(old))]
    want = len(mutant.pairs) if mutant.layers else 1
    if len(found) != want or len(set(found)) != want:
        raise Fault(f"its code was found {len(found)} times: its catalogue has to follow the change")
    return found


def change(paths, texts):
    for path in paths:
        with open(path, "w", encoding="utf-8") as f:
            f.write(texts[path])


def try_one(tree, mutant):
    """The tests that noticed."""
    found, before = find(tree, mutant), {}
    for path, _, _ in found:
        with open(path, encoding="utf-8") as f:
            before[path] = f.read()
    after = dict(before)
    for path, old, new in found:
        after[path] = after[path].replace(old, new)
    sources = [os.path.relpath(path, tree) for path in before]
    objects = [f"{tree}/build/obj/{source[:-2]}.o" for source in sources]
    for path in objects:
        shutil.copy2(path, path + ".kept")
    try:
        change(before, after)
        passed, failed, output = tests(tree, mutant.tests, sources)
    finally:
        change(before, before)
        for path in objects:
            os.replace(path + ".kept", path)
    if not failed:
        raise Fault(f"it survives {', '.join(passed) or 'because no test ran'}: {'' if passed else output[-2000:]}")
    return failed


def compiles(lines, mutant):
    """As it is compiled, but from a pipe and to nowhere."""
    found, after = find(".", mutant), {}
    for path, old, new in found:
        if path not in after:
            with open(path, encoding="utf-8") as f:
                after[path] = f.read()
        after[path] = after[path].replace(old, new)
    for path, text in after.items():
        source = os.path.relpath(path)
        argv, count = re.subn(r" -c -o \S+\.o \S+\.c$", f" -iquote {os.path.dirname(source)} -fsyntax-only -x c -", lines[source])
        done = subprocess.run(re.sub(r" -M\w+", "", argv), shell=True, input=text, capture_output=True, text=True)
        if count != 1 or done.returncode != 0:
            raise Fault(f"{source}: it does not compile:\n{done.stderr[-3000:]}")


def compile_all(chosen, what):
    """Nothing is run: a mutant whose code has changed under it would be noticed too late."""
    status, output = run(".", "make", "-Bn", "NO_DEPS=1", "VARIANT=release", "WERROR=1", "O=build", *PROGRAMS)
    lines = {m[1]: line for line in output.splitlines() if (m := re.search(r" -c -o \S+\.o (\S+\.c)$", line))}
    if status != 0 or not lines:
        sys.exit(f"make does not say how it compiles: {output[-3000:]}")
    faults = []

    def one(mutant):
        try:
            compiles(lines, mutant)
        except Fault as fault:
            faults.append(f"{mutant.name}: {fault}")
    with concurrent.futures.ThreadPoolExecutor(COPIES) as pool:
        list(pool.map(one, chosen))
    print("\n".join([*faults, f"{len(chosen) - len(faults)} of {len(chosen)} {what} compile"]))
    return 1 if faults else 0


def report(trees, mutant):
    """A line about one mutant; true when it was caught."""
    at, tree = time.monotonic(), trees.get()
    try:
        noticed = try_one(tree, mutant)
        return True, f"caught   {mutant.name}: {', '.join(noticed)} ({time.monotonic() - at:.0f} s)"
    except Fault as fault:
        return False, f"FAIL     {mutant.name}: {fault}"
    finally:
        trees.put(tree)


def control(tree, chosen, begin):
    """As a mutant is tried, with a change that changes nothing."""
    with open(f"{tree}/worker/main.c", "a", encoding="utf-8") as f:
        f.write("/* the same */\n")
    units = sorted({m.tests for m in chosen if m.tests.startswith(UNIT)})
    others = "|".join(sorted({f"({m.tests})" for m in chosen if not m.tests.startswith(UNIT)}))
    count = 0
    for pattern in units + ([others] if others else []):
        passed, failed, output = tests(tree, pattern, ["worker/main.c"], jobs="4")
        if failed or not passed:
            sys.exit(f"the tree itself fails: {', '.join(failed) or 'no test ran'}\n{output[-3000:]}")
        count += len(passed)
    print(f"ok       the tree as it is, {count} tests ({time.monotonic() - begin:.0f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--walls", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("build")
    parser.add_argument("pattern", nargs="?", default="")
    args = parser.parse_args()
    out, what = os.path.abspath(args.build), "walls" if args.walls else "mutants"
    chosen = [m for m in (WALLS if args.walls else MUTANTS + TELL) if re.search(args.pattern, m.name)]
    if not chosen:
        sys.exit(f"no name of the {what} matches {args.pattern!r}")
    if args.compile:
        return compile_all(chosen, what)
    begin, top, trees = time.monotonic(), os.path.join(out, what), queue.Queue()
    shutil.rmtree(top, ignore_errors=True)
    copies = [f"{top}/{n}" for n in range(min(COPIES, len(chosen)))]
    for tree in copies:
        copy(out, tree)
        trees.put(tree)
    control(copies[0], chosen, begin)
    caught = 0
    with concurrent.futures.ThreadPoolExecutor(len(copies)) as pool:
        for good, line in pool.map(lambda m: report(trees, m), chosen):
            caught += good
            print(line, flush=True)
    control(copies[0], chosen, begin)
    print(f"{caught} of {len(chosen)} {what} caught, {time.monotonic() - begin:.0f} s")
    shutil.rmtree(top, ignore_errors=True)
    return 0 if caught == len(chosen) else 1


sys.exit(main())
