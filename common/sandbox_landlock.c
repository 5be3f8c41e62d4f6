/* SPDX-License-Identifier: MIT */
/*
 * Landlock (landlock(7)) by its three system calls. The kernel is asked for
 * its ABI; rights that it does not know are not asked for. The definitions
 * are our own: the headers of Debian 12 know the first ABI only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_parts.h"
#include "util.h"

/* The same numbers on every architecture. */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE 445
#define NR_RESTRICT_SELF 446

#define CREATE_VERSION 1u
#define RULE_PATH 1
#define RULE_PORT 2

#define FS_EXECUTE (1u << 0)
#define FS_WRITE_FILE (1u << 1)
#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_REG (1u << 8)
#define FS_REFER (1u << 13)	/* ABI 2 */
#define FS_TRUNCATE (1u << 14)	/* ABI 3 */
#define FS_IOCTL_DEV (1u << 15) /* ABI 5 */
#define FS_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define NET_BIND (1u << 0) /* ABI 4 */
#define NET_CONNECT (1u << 1)
#define SCOPE_ABSTRACT (1u << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1u << 1)

/* The kernel takes as much of it as the size says. */
struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed, port;
};

static uint64_t
known_fs(int abi)
{
	uint64_t all = (1u << 13) - 1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static uint64_t
rights_of(unsigned rights)
{
	uint64_t fs = 0;

	if ((rights & SANDBOX_READ) != 0)
		fs |= FS_READ_FILE;
	if ((rights & SANDBOX_LIST) != 0)
		fs |= FS_READ_DIR;
	if ((rights & SANDBOX_WRITE) != 0)
		fs |=
		    FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE | FS_TRUNCATE;
	return fs;
}

static void
add_path(int ruleset, const struct sandbox_path *p, uint64_t known)
{
	struct path_rule rule = {.allowed = rights_of(p->rights) & known};
	struct stat sb;

	rule.fd = open(p->path, O_PATH | O_CLOEXEC);
	if (rule.fd == -1)
		return;
	if (fstat(rule.fd, &sb) == 0 && !S_ISDIR(sb.st_mode))
		rule.allowed &= FS_FILE;
	if (syscall(NR_ADD_RULE, ruleset, RULE_PATH, &rule, 0) == -1)
		fatal("landlock takes no rule for %s", p->path);
	(void)close(rule.fd);
}

static void
add_port(int ruleset, uint16_t port)
{
	struct port_rule rule = {NET_CONNECT, port};

	if (syscall(NR_ADD_RULE, ruleset, RULE_PORT, &rule, 0) == -1)
		fatal("landlock takes no rule for port %u", port);
}

static int
make_ruleset(int abi, struct ruleset *r)
{
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	long fd;

	r->fs = known_fs(abi);
	r->net = abi >= 4 ? NET_BIND | NET_CONNECT : 0;
	r->scoped = abi >= 6 ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0;
	fd = syscall(NR_CREATE_RULESET, r, size, 0);
	if (fd == -1)
		fatal("landlock takes no rules");
	return (int)fd;
}

void
sandbox_landlock(const struct sandbox_policy *policy, struct sandbox_level *out)
{
	int abi = (int)syscall(NR_CREATE_RULESET, NULL, 0, CREATE_VERSION);
	struct ruleset r;
	size_t i;
	int fd;

	if (abi < 1)
		return; /* not built in, not switched on, or hidden from us */
	fd = make_ruleset(abi, &r);
	for (i = 0; i < policy->path_count; i++)
		add_path(fd, &policy->paths[i], r.fs);
	for (i = 0; i < policy->port_count && r.net != 0; i++)
		add_port(fd, policy->ports[i]);
	if (syscall(NR_RESTRICT_SELF, fd, 0) == -1)
		fatal("landlock cannot be entered");
	(void)close(fd);
	out->landlock = (uint8_t)abi;
	out->connects = r.net != 0;
	out->signals = r.scoped != 0;
}
