#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the bill of materials of a build as SPDX 2.3 JSON: each executable
with its SHA-256, and each shared library it names, with the version and the
package it has on the machine that built it.

usage: sbom.py BUILD_DIR VERSION > telephone.spdx.json

SOURCE_DATE_EPOCH, else the date of the last commit, is the time of creation,
so that the same tree on the same system gives the same document.
"""
import datetime, hashlib, json, os, re, subprocess, sys

EXECUTABLES = ("telephone", "worker", "tokend", "telephonectl")
# Opened at run time by libwebsockets, so no executable names it.
DLOPENED = {"worker": ("libwebsockets-evlib_uv",)}


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    return done.stdout if done.returncode == 0 else ""


def created():
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct").strip()
    if not epoch:
        sys.exit("sbom: no time of creation: not a git checkout, so set SOURCE_DATE_EPOCH")
    return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def needed(executable):
    """The libraries in the executable's own list, and where they are found."""
    names = re.findall(r"NEEDED.*\[(.+?)\]", run("readelf", "-dW", executable))
    paths = dict(re.findall(r"^\s*(\S+) => (\S+)", run("ldd", executable), re.M))
    return {name: paths.get(name) for name in names}


def package_of(path):
    """Debian's name and version of the package that holds a file, or None."""
    real = os.path.realpath(path)
    for candidate in (path, real, real.removeprefix("/usr"), path.removeprefix("/usr")):
        owner = run("dpkg", "-S", candidate).split(":")[0].strip()
        if owner:
            return owner, run("dpkg-query", "-W", "-f", "${Version}", owner).split("\n")[0]
    return None


def spdx_id(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def library(name, path):
    package = {"SPDXID": spdx_id(name), "name": name, "downloadLocation": "NOASSERTION",
               "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"}
    owner = package_of(path) if path else None
    if owner:
        package["versionInfo"] = owner[1]
        package["comment"] = f"Debian package {owner[0]}"
        package["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                    "referenceLocator": f"pkg:deb/debian/{owner[0]}@{owner[1].replace('+', '%2B').replace(':', '%3A')}"}]
    return package


def dlopened(name):
    """The file of a plugin, which the loader's cache knows too."""
    found = re.search(rf"^\s*{re.escape(name)}\.so .*=> (\S+)", run("ldconfig", "-p") or run("/sbin/ldconfig", "-p"), re.M)
    return found and found.group(1)


def document(build, version):
    time = created()
    files, packages, relations, digest = [], {}, [], hashlib.sha256()
    for executable in EXECUTABLES:
        path = f"{build}/{executable}"
        if not os.path.exists(path):
            sys.exit(f"sbom: {path} is not there: run make first")
        file = spdx_id("file-" + executable)
        files.append({"SPDXID": file, "fileName": f"./{executable}", "fileTypes": ["BINARY"],
                      "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(path)}],
                      "licenseConcluded": "MIT", "licenseInfoInFiles": ["MIT"], "copyrightText": "NOASSERTION"})
        digest.update(sha256(path).encode())
        relations.append(("SPDXRef-telephone", "CONTAINS", file))
        for name, where in needed(path).items():
            packages.setdefault(name, library(name, where))
            relations.append((file, "DYNAMIC_LINK", spdx_id(name)))
        for name in DLOPENED.get(executable, ()):
            packages.setdefault(name, library(name, dlopened(name)))
            relations.append((spdx_id(name), "RUNTIME_DEPENDENCY_OF", file))
    main = {"SPDXID": "SPDXRef-telephone", "name": "telephone", "versionInfo": version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "MIT",
            "licenseDeclared": "MIT", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION"}
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"telephone-{version}",
            "documentNamespace": f"https://spdx.org/spdxdocs/telephone-{version}-{digest.hexdigest()[:32]}",
            "creationInfo": {"created": time, "creators": ["Tool: telephone-sbom"]},
            "packages": [main] + [packages[name] for name in sorted(packages)], "files": files,
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                               "relatedSpdxElement": "SPDXRef-telephone"}] +
                             [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
                              for a, kind, b in relations]}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: sbom.py BUILD_DIR VERSION")
    json.dump(document(sys.argv[1], sys.argv[2]), sys.stdout, indent=2)
    print()
