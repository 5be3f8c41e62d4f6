# SPDX-License-Identifier: MIT
"""Three network namespaces in a row: telephone, a router, switchboard. What the
router drops is dropped silently, and nobody but the kernel has a part in it.
"""
import ctypes, os, shutil, subprocess, threading

from harness import LeftOut, check

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
counter, lock = [0], threading.Lock()

# family: (telephone, its router, switchboard, its router), bits
ADDRESSES = {
    4: (("10.98.1.2", "10.98.1.1", "10.98.2.2", "10.98.2.1"), 24, 32),
    6: (("fd98:1::2", "fd98:1::1", "fd98:2::2", "fd98:2::1"), 64, 128),
}


def ip(*args, ns=None):
    done = subprocess.run(["ip", *(("-n", ns) if ns else ()), *args], capture_output=True, text=True)
    check(done.returncode == 0, f"ip {' '.join(args)}: {done.stderr}")


class Net:
    def __init__(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise LeftOut("network namespaces need root and iproute2")
        with lock:
            counter[0] += 1
            self.names = [f"telephone-{os.getpid()}-{counter[0]}-{x}" for x in "abc"]
        self.phone, self.router, self.board = self.names
        self.made = []

    def __enter__(self):
        if subprocess.run(["ip", "netns", "add", self.names[0]], capture_output=True).returncode != 0:
            raise LeftOut("this kernel lets us make no network namespace")
        self.made.append(self.names[0])
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        for name in self.names[1:]:
            ip("netns", "add", name)
            self.made.append(name)
        for name in self.names:
            ip("link", "set", "lo", "up", ns=name)
        for end, here, there in ((self.phone, "e0", "r1"), (self.board, "e0", "r2")):
            ip("link", "add", here, "netns", end, "type", "veth", "peer", "name", there, "netns", self.router)
        for family, (addresses, bits, _) in ADDRESSES.items():
            for ns, dev, address in zip((self.phone, self.router, self.board, self.router), ("e0", "r1", "e0", "r2"),
                                        addresses):
                ip("addr", "add", f"{address}/{bits}", "dev", dev, *(["nodad"] if family == 6 else []), ns=ns)
        for ns, dev in ((self.phone, "e0"), (self.router, "r1"), (self.board, "e0"), (self.router, "r2")):
            ip("link", "set", dev, "up", ns=ns)
        for family, (addresses, _, _) in ADDRESSES.items():
            ip(f"-{family}", "route", "add", "default", "via", addresses[1], ns=self.phone)
            ip(f"-{family}", "route", "add", "default", "via", addresses[3], ns=self.board)
        self.inside(self.router, self.forward)

    @staticmethod
    def forward():
        # /proc/sys/net is that of the thread that opens it.
        for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            try:
                with open(f"/proc/sys/net/{path}", "w") as f:
                    f.write("1")
            except OSError as e:
                raise LeftOut(f"/proc/sys/net/{path} cannot be written: {e.strerror}") from None

    def inside(self, ns, call):
        """Sockets and children that call makes are of that namespace."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(f"/var/run/netns/{ns}", "rb") as there:
            self.enter(there)
            try:
                return call()
            finally:
                self.enter(before)

    @staticmethod
    def enter(file):
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def targets(self, family, direction):
        addresses, _, bits = ADDRESSES[family]
        return [f"{a}/{bits}" for a, on in ((addresses[2], direction in ("out", "both")),
                                            (addresses[0], direction in ("in", "both"))) if on]

    def cut(self, family, direction):
        for target in self.targets(family, direction):
            ip(f"-{family}", "route", "add", "blackhole", target, ns=self.router)

    def heal(self, family, direction):
        for target in self.targets(family, direction):
            ip(f"-{family}", "route", "del", "blackhole", target, ns=self.router)

    def __exit__(self, *_):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
