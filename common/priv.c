/* SPDX-License-Identifier: MIT */
/* Users and privileges (priv.h). */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "log.h"
#include "priv.h"
#include "util.h"

/* LeakSanitizer attaches to its own process with ptrace, which needs it
 * dumpable. */
#if defined(__SANITIZE_ADDRESS__)
#define PRIV_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PRIV_DUMPABLE 1
#endif
#endif
#ifndef PRIV_DUMPABLE
#define PRIV_DUMPABLE 0
#endif

int
priv_lookup(struct priv_user *user, const char *name)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		if (errno == ENOENT || errno == ESRCH)
			errno = 0;
		return -1;
	}
	user->uid = pw->pw_uid;
	user->gid = pw->pw_gid;
	(void)util_strlcpy(user->name, name, sizeof(user->name));
	return 0;
}

bool
priv_is_root(void)
{
	return geteuid() == 0;
}

static void
set_dumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, PRIV_DUMPABLE) == -1)
		fatal("this process cannot be made undumpable");
}

/* It must not be possible to get back. */
static void
verify(const struct priv_user *user)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid, one;

	if (getresuid(&ruid, &euid, &suid) == -1 ||
	    getresgid(&rgid, &egid, &sgid) == -1)
		fatal("the new user cannot be verified");
	if (ruid != user->uid || euid != user->uid || suid != user->uid ||
	    rgid != user->gid || egid != user->gid || sgid != user->gid)
		fatalx("the change to user %s is incomplete", user->name);
	if (getgroups(1, &one) != 1 || one != user->gid)
		fatalx("groups were left behind with user %s", user->name);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		fatalx("user %s can become root again", user->name);
}

void
priv_drop(const struct priv_user *user)
{
	if (user->uid == 0 || user->gid == 0)
		fatalx("user %s is root, or in its group", user->name);
	if (setgroups(1, &user->gid) == -1 ||
	    setresgid(user->gid, user->gid, user->gid) == -1 ||
	    setresuid(user->uid, user->uid, user->uid) == -1)
		fatal("cannot become user %s", user->name);
	verify(user);
	set_dumpable(); /* a change of user resets it */
}

/* --- capabilities --------------------------------------------------------- */

static uint64_t
set_of(const int *capabilities, size_t count)
{
	uint64_t set = 0;
	size_t i;

	for (i = 0; i < count; i++)
		set |= 1ULL << capabilities[i];
	return set;
}

static void
bound(uint64_t keep)
{
	int cap;

	for (cap = 0; cap < 64; cap++) {
		if ((keep & 1ULL << cap) != 0 ||
		    prctl(PR_CAPBSET_READ, cap) != 1)
			continue; /* kept, gone, or unknown to this kernel */
		if (prctl(PR_CAPBSET_DROP, cap) == -1 && errno != EPERM)
			fatal("capability %d cannot be given up", cap);
	}
	/* EPERM: without SETPCAP. What is not permitted now stays so for us;
	 * a container that gave us no SETPCAP has bounded us itself. */
}

void
priv_keep(const int *capabilities, size_t count)
{
	uint64_t keep = set_of(capabilities, count);
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	size_t i;

	bound(keep);
	if (syscall(SYS_capget, &header, data) == -1)
		fatal("the capabilities cannot be read");
	for (i = 0; i < UTIL_COUNT(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) == -1)
		fatal("capabilities cannot be given up");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void
priv_harden(void)
{
	struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no_new_privs cannot be set");
	set_dumpable();
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN);
}

void
priv_die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		fatal("the parent's death cannot be watched");
	if (getppid() != parent)
		_exit(0); /* it died before */
}
