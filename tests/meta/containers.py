# SPDX-License-Identifier: MIT
"""Faults of packaging/docker that show without an engine: what its files say to each other, and which keys they set."""
import re

import yaml

DOCKERFILE, COMPOSE = "packaging/docker/Dockerfile", "packaging/docker/compose.yaml"
# Ownership that Compose gives to secrets of a swarm only: it mounts a file as it is.
SWARM = {"uid", "gid", "mode"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def ignored():
    """What git is not to see is not to be in the image either."""
    kept = set(read(".dockerignore").split())
    yield from (f".dockerignore lacks {p}" for p in read(".gitignore").split() if p.strip("/") not in kept)


def of_dockerfile(text, keys):
    env = dict(re.findall(r"^(?:ENV )?\s*([A-Z_]+)=(\S+?)(?: \\)?$", text[text.index("\nENV "):], re.M))
    yield from (f"ENV: {k} is no key" for k in env if k not in keys)
    if re.search(r"^EXPOSE (\d+)$", text, re.M)[1] != env.get("HEALTH_CHECK_PORT"):
        yield "it exposes another port than HEALTH_CHECK_PORT"
    yield from (f"no {word}" for word in ("HEALTHCHECK", "STOPSIGNAL", "LABEL", "USER") if not re.search(f"^{word} ", text, re.M))


def of_compose(text, keys, user):
    services = yaml.safe_load(text)["services"]
    telephone = services["telephone"]
    yield from (f"{k} is no key" for k in telephone["environment"] if k not in keys)
    yield from (f"secret {s['source']}: Compose ignores {' '.join(SWARM & set(s))} of a file"
                for s in telephone["secrets"] if isinstance(s, dict) and SWARM & set(s))
    if f"chown {user} packaging/docker/secret" not in text:
        yield f"nobody tells the reader that {user} has to own the secret's file"
    if not any(t.startswith(f"/run/telephone:uid={user},") for t in telephone["tmpfs"]):
        yield f"/run/telephone is not {user}'s"
    if telephone["environment"].get("BACKEND_HOST") not in services:
        yield "BACKEND_HOST is no service of it"


def faults(keys):
    yield from ignored()
    text = read(DOCKERFILE)
    user = re.search(r"^USER (\d+):", text, re.M)[1]
    yield from (f"{DOCKERFILE}: {fault}" for fault in of_dockerfile(text, keys))
    yield from (f"{COMPOSE}: {fault}" for fault in of_compose(read(COMPOSE), keys, user))
