# SPDX-License-Identifier: MIT
"""Faults of .github/workflows that show without their service: form, what jobs refer to, what their commands name."""
import glob, os, re

import yaml

TOP = {"name", "on", "permissions", "env", "jobs", "concurrency", "defaults"}
JOB = {"runs-on", "needs", "strategy", "container", "steps", "if", "env", "permissions", "timeout-minutes", "name", "services"}
STEP = {"name", "id", "if", "uses", "with", "run", "env", "working-directory", "shell", "timeout-minutes"}
EVENTS = {"push", "pull_request", "schedule", "workflow_dispatch", "workflow_call", "release"}
# What a bare image of Debian's lacks of what the tree needs before it can help itself.
NEEDED = {"git", "make", "ca-certificates"}


def of_matrix(job):
    matrix = job.get("strategy", {}).get("matrix", {})
    return set(matrix) - {"include", "exclude"} | {k for row in matrix.get("include", []) for k in row}


def of_command(run, targets):
    for words in re.findall(r"(?:^|&& |; )make ((?:[\w.=-]+ ?)+)", run, re.M):
        for word in words.split():
            if not word.startswith("-") and "=" not in word and word not in targets:
                yield f"there is no target {word}"
    for script in re.findall(r"(?:^|&& )((?:\./)?[\w.-]+/[\w./-]+)", run, re.M):
        if script.startswith((".ci/", "tests/", "packaging/")) and not os.access(script, os.X_OK):
            yield f"{script} cannot be executed"


def of_job(name, job, jobs, targets):
    yield from (f"unknown key {k}" for k in set(job) - JOB)
    yield from (f"it needs {n}, which is none" for n in [job.get("needs", [])] if n and n not in jobs)
    if "runs-on" not in job or not job.get("steps"):
        yield "no runs-on or no steps"
    known, ready = of_matrix(job), set()
    text = yaml.safe_dump(job)
    yield from (f"matrix.{m} is not defined" for m in re.findall(r"\$\{\{ *matrix\.(\w+)", text) if m not in known)
    yield from (f"unknown context {c}" for c in re.findall(r"\$\{\{ *(\w+)", text)
                if c not in {"matrix", "github", "secrets", "env", "needs", "steps", "runner", "inputs"})
    for number, step in enumerate(job.get("steps", []), 1):
        where = f"step {number}"
        yield from (f"{where}: unknown key {k}" for k in set(step) - STEP)
        if ("uses" in step) == ("run" in step):
            yield f"{where}: one of uses and run"
        if "uses" in step and not re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"]):
            yield f"{where}: {step['uses']} names no version"
        run = step.get("run", "")
        yield from (f"{where}: {fault}" for fault in of_command(run, targets))
        if "apt-get install" in run:
            ready |= set(run.split())
        if "container" in job and re.search(r"(^|\s)(make |\.ci/)", run) and not NEEDED <= ready and "apt-get" not in run:
            yield f"{where}: nobody has installed {' '.join(sorted(NEEDED - ready))}"


def faults(targets):
    """Of all workflows; `targets` are those of make."""
    for path in sorted(glob.glob(".github/workflows/*.yml")):
        with open(path, encoding="utf-8") as f:
            flow = yaml.safe_load(f)
        flow["on"] = flow.pop(True, flow.get("on"))  # YAML 1.1 reads "on" as a truth
        yield from (f"{path}: unknown key {k}" for k in set(flow) - TOP)
        if "permissions" not in flow:
            yield f"{path}: it has all permissions"
        events = flow["on"] if isinstance(flow["on"], (list, dict)) else [flow["on"]]
        yield from (f"{path}: unknown event {e}" for e in set(events) - EVENTS)
        for name, job in flow["jobs"].items():
            yield from (f"{path}: {name}: {fault}" for fault in of_job(name, job, flow["jobs"], targets))


def of_ci(targets):
    """The same of .ci/run."""
    with open(".ci/run", encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                yield from (f".ci/run: {fault}" for fault in of_command(line, targets | {"deps"}))
