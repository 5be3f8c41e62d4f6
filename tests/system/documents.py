# SPDX-License-Identifier: MIT
"""Does what README.md and docs/deployment.md say, as they say it: their commands are read there. README's
reader is an ordinary user who may use sudo and has the tree in ~/telephone, where `make deb` has been run."""
import os, re, shutil, subprocess

import checks
from checks import BOARD, APP, CONF, HERE, call, does, documented, joined, journal, main_pid, new_token, report, run, status, until

EDITOR = "/usr/local/bin/editor"
USER = "reader"


def edit_with(text):
    """Whatever is edited next: this is typed at its end, or where `systemctl edit` wants it."""
    checks.write(f"{HERE}/typed", text + "\n")
    checks.write(EDITOR, f"""#!/bin/sh
for file; do :; done # the last argument
if grep -q '^### Anything between' "$file"
then sed -i '/^### Anything between/r {HERE}/typed' "$file"
else cat {HERE}/typed >>"$file"
fi
""", 0o755)


def with_values(lines, **values):
    """The lines, with the reader's own values for those of the document, and its remarks."""
    for key, value in values.items():
        lines, count = re.subn(rf"^{key}=\S+", f"{key}={value}", lines, flags=re.M)
        report(count == 1, f"the lines name {key}", lines)
    return lines


def commands(block):
    return [re.sub(r"\s+# .*", "", line) for line in block.splitlines()]


def type_as_reader(command):
    """In a terminal of one who says yes."""
    done = run("su", "-", USER, "-c", f"cd ~/telephone && {command}", stdin="y\n", timeout=240)
    report(done.returncode == 0, f"README: {command}", f"{done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
    return done.stdout


def check_readme():
    first, second = documented("README.md")
    (lines,) = documented("README.md", "lines")
    edit_with(with_values(lines, PLUGBOARD_URL=f"ws://127.0.0.7:{BOARD}/telephone/websocket", TELEPHONE_TOKEN=new_token(),
                          BACKEND_PORT=APP))
    report(len(lines.splitlines()) == 3, "three lines of configuration", lines)
    make, rest = commands(first)[0].split(" && ", 1)
    report(make == "make deb", "README: make deb (before this machine was started)", make)
    for command in [rest, *commands(first)[1:]]:
        type_as_reader(command)
    report(joined(), "README: it joins", journal()[-1500:])
    report(call("GET", "/bytes/5")[0] == 200, "README: a request comes through")
    for command in commands(second):
        report("tunnels" in type_as_reader(command), f"README: {command} says how it stands")


def check_instance():
    (block,) = documented("deployment.md", "instance")
    checks.write("/etc/telephone/NAME.conf", open(CONF).read())
    checks.write("/root/token", new_token("name"))
    for command in commands(block):
        does(f"deployment: {command}", "sh", "-c", f"cd /root && {command}")
    report(joined("/run/telephone-NAME/telephone.sock") and call("GET", "/bytes/7", path_id="name")[0] == 200,
           "deployment: a second telephone serves", journal("telephone@NAME")[-1500:])
    run("systemctl", "disable", "--now", "telephone@NAME")
    os.unlink("/etc/telephone/NAME.conf")


def check_credentials():
    (block,) = documented("deployment.md", "credentials")
    (lines,) = documented("deployment.md", "lines")
    checks.write("/root/token", new_token("credential"))
    edit_with(lines)
    before = main_pid()
    for command in commands(block):
        # On a terminal, which is what an editor wants.
        does(f"deployment: {command}", "script", "-qec", f"cd /root && {command}", "/dev/null", SYSTEMD_EDITOR=EDITOR)
    report(main_pid() != before and joined() and until(lambda: status()["token"]["path_id"] == "credential"),
           "deployment: the token is the credential's", run("systemctl", "cat", "telephone").stdout[-500:] + journal()[-1500:])
    report(call("GET", "/bytes/5", path_id="credential")[0] == 200, "deployment: and serves")
    run("systemctl", "revert", "telephone")
    shutil.rmtree("/etc/credstore")  # what the reader made, the reader takes away


def check_documents():
    run("useradd", "-m", USER)
    checks.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    os.makedirs(f"/home/{USER}/telephone/build/deb")
    subprocess.run(f"cp {HERE}/*.deb /home/{USER}/telephone/build/deb/ && chown -R {USER}: /home/{USER}", shell=True, check=True)
    checks.start_other("demo-backend", ["--listen", f"127.0.0.1:{APP}"])
    for step in (check_readme, check_credentials, check_instance):
        step()
    does("purge", "apt-get", "purge", "-y", "telephone", DEBIAN_FRONTEND="noninteractive")
    report(not os.path.exists(CONF) and not os.path.exists("/var/lib/telephone"), "a purge leaves nothing of it")
