/* SPDX-License-Identifier: MIT */
/* The looking of figures.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "figures.h"
#include "log.h"
#include "metrics.h"
#include "tunnels.h"
#include "util.h"

/* Descriptors beyond that are not looked for: each costs a system call. */
#define FDS_LOOK_MAX 4096

static int statm = -1;
static int64_t fds_max;

void
figures_open(void)
{
	struct rlimit limit = {0, 0};

	statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	fds_max = (int64_t)limit.rlim_cur;
}

/* Of proc_pid_statm(5) the second number, in pages; 0: unknown. */
int64_t
figures_resident(void)
{
	char text[128], *end;
	ssize_t n = statm == -1 ? -1 : pread(statm, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	(void)strtoll(text, &end, 10);
	return strtoll(end, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static int64_t
cpu_ms(void)
{
	struct rusage r;

	if (getrusage(RUSAGE_SELF, &r) == -1)
		return 0;
	return (int64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 +
	    (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

static int64_t
open_fds(void)
{
	int64_t n = 0;
	int fd;

	for (fd = 0; fd < FDS_LOOK_MAX; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

void
figures_take(struct metrics *m, const struct tunnels *tunnels)
{
	int64_t expiry_s = metrics_get(m, METRICS_TOKEN_EXPIRY);
	unsigned states[PROTO_TUNNELS];
	unsigned i;

	tunnels_states(tunnels, states);
	for (i = 0; i < PROTO_TUNNELS; i++)
		metrics_set(m, METRICS_TUNNEL_NO_TOKEN + i, states[i]);
	metrics_set(m, METRICS_TOKEN_LEFT,
	    expiry_s == 0 ? 0 : expiry_s - util_wall_ms() / 1000);
	metrics_set(m, METRICS_LOG_DROPPED, (int64_t)log_dropped());
	metrics_set(
	    m, METRICS_PROCESS_START, metrics_get(m, METRICS_START_TIME));
	metrics_set(m, METRICS_PROCESS_CPU, cpu_ms());
	metrics_set(m, METRICS_PROCESS_MEMORY, figures_resident());
	metrics_set(m, METRICS_PROCESS_FDS, open_fds());
	metrics_set(m, METRICS_PROCESS_FDS_MAX, fds_max);
}
