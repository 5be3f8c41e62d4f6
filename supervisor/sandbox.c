/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's rights, from when its sockets are bound. What it may not
 * call is inherited by its children, before their own walls stand and after,
 * so this table says what nobody here ever needs; the children's say what
 * each one needs. It has no Landlock: its children would inherit that, too.
 *
 * As root it keeps four capabilities: to give children their users (SETUID,
 * SETGID), to end one that hangs (KILL), and to read what the operator named on
 * a reload, whoever owns it (DAC_READ_SEARCH: what it could do anyway with
 * SETUID). None is for a chroot: the worker can open no path at all, and tokend
 * none outside of its directory. Of an ordinary user it keeps none: what he
 * gave it to start with (ambient ones, for a port below 1024) execve(2) would
 * hand on to every child.
 *
 * Of the resource limits it has those that its children may inherit, too: the
 * descriptors of the one that has most, and no core files (priv.h).
 */
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "conf.h"
#include "log.h"
#include "priv.h"
#include "sandbox.h"
#include "util.h"

static const struct sandbox_call calls[] = {
    /* other processes */
    SANDBOX_NO(ptrace),
    SANDBOX_NO(process_vm_readv),
    SANDBOX_NO(process_vm_writev),
    SANDBOX_NO(kcmp),
    SANDBOX_NO(pidfd_getfd),
    SANDBOX_NO(process_madvise),
    SANDBOX_NO(move_pages),
    SANDBOX_NO(migrate_pages),
    SANDBOX_NO(perf_event_open),
    /* the kernel */
    SANDBOX_NO(init_module),
    SANDBOX_NO(finit_module),
    SANDBOX_NO(delete_module),
    SANDBOX_NO(kexec_load),
    SANDBOX_NO(kexec_file_load),
    SANDBOX_NO(bpf),
    SANDBOX_FAIL(io_uring_setup, ENOSYS), /* libuv asks, and does without */
    SANDBOX_NO(io_uring_enter),
    SANDBOX_NO(io_uring_register),
    SANDBOX_NO(userfaultfd),
    SANDBOX_NO(add_key),
    SANDBOX_NO(request_key),
    SANDBOX_NO(keyctl),
    SANDBOX_NO(fanotify_init),
    SANDBOX_NO(syslog),
    SANDBOX_NO(lookup_dcookie),
    /* the machine */
    SANDBOX_NO(mount),
    SANDBOX_NO(umount2),
    SANDBOX_NO(pivot_root),
    SANDBOX_NO(fsopen),
    SANDBOX_NO(fsconfig),
    SANDBOX_NO(fsmount),
    SANDBOX_NO(fspick),
    SANDBOX_NO(open_tree),
    SANDBOX_NO(move_mount),
#ifdef SYS_mount_setattr
    SANDBOX_NO(mount_setattr),
#endif
    SANDBOX_NO(open_by_handle_at),
    SANDBOX_NO(name_to_handle_at),
    SANDBOX_NO(swapon),
    SANDBOX_NO(swapoff),
    SANDBOX_NO(reboot),
    SANDBOX_NO(acct),
    SANDBOX_NO(quotactl),
#ifdef SYS_quotactl_fd
    SANDBOX_NO(quotactl_fd),
#endif
    SANDBOX_NO(sethostname),
    SANDBOX_NO(setdomainname),
    SANDBOX_NO(settimeofday),
    SANDBOX_NO(clock_settime),
    SANDBOX_NO(adjtimex),
    SANDBOX_NO(clock_adjtime),
    SANDBOX_NO(personality),
    SANDBOX_NO(vhangup),
#ifdef SYS_iopl
    SANDBOX_NO(iopl),
    SANDBOX_NO(ioperm),
    SANDBOX_NO(modify_ldt),
#endif
    /* namespaces */
    SANDBOX_NO(unshare),
    SANDBOX_NO(setns),
    SANDBOX_IF_BITS(clone, 0, SANDBOX_NAMESPACES, 0),
    SANDBOX_NO(clone),
    SANDBOX_FAIL(clone3, ENOSYS), /* its flags stand in memory */
    /* sockets */
    SANDBOX_IF(socket, 0, AF_UNIX),
    SANDBOX_IF(socket, 0, AF_INET),
    SANDBOX_IF(socket, 0, AF_INET6),
    SANDBOX_IF(socket, 0, AF_NETLINK),
    SANDBOX_NO(socket),
};

static const int capabilities[] = {
    CAP_SETUID,
    CAP_SETGID,
    CAP_KILL,
    CAP_DAC_READ_SEARCH,
};

/* worker/sandbox.c has as many. */
#define FILES_MAX 16384

void
sandbox_enter(const struct conf *conf)
{
	static const struct sandbox_limits limits = {.files = FILES_MAX};
	struct sandbox_policy policy = {
	    .process = SANDBOX_SUPERVISOR,
	    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),
	    .inherited = true,
	    .otherwise = SANDBOX_ALLOW,
	    .calls = calls,
	    .call_count = UTIL_COUNT(calls),
	};
	char space[SANDBOX_TEXT_MAX];

	priv_keep(capabilities, priv_is_root() ? UTIL_COUNT(capabilities) : 0);
	if (policy.mode != SANDBOX_OFF)
		sandbox_limit(&limits);
	sandbox_apply(&policy, priv_is_root());
	if (policy.mode == SANDBOX_ENFORCE)
		log_info(
		    "sandbox: enforce, %s", sandbox_text(sandbox_own(), space));
	else
		log_warnx("sandbox: SANDBOX=%s: a process that is taken over "
			  "is held back by its user alone",
		    sandbox_mode_name(policy.mode));
}
