/* SPDX-License-Identifier: MIT */
/*
 * control.h: one client after another says whatever the input has, behind a
 * first byte that says which children there are, in packets (packets.h).
 * Whatever it was, the next client is answered, what is answered are frames,
 * and no descriptor and no client is left over.
 *
 * The children, a reload and the walls are not there: what the conversation
 * asks of them is recorded by the functions below instead of theirs.
 */
#include <errno.h>

#include "control.c"
#include "packets.h"

#define PACKETS_MAX 64

static struct service service;
static struct control *control;
static const void *reloading; /* whom a reload would answer */
static int a_child, a_worker; /* that there is one is all that is known */
static bool worker_runs;
static struct peer *to_worker;
static int worker_end; /* of its channel */

/* --- what control.c asks of others ---------------------------------------- */

void
reload_start(struct service *s, const struct reload_ops *ops, void *arg)
{
	FUZZ_MUST(s == &service && ops != NULL);
	reloading = arg;
}

void
reload_forget(struct reload *r, void *arg)
{
	(void)r;
	if (reloading == arg)
		reloading = NULL;
}

bool
service_ask_status(struct service *s, struct child *c)
{
	return s == &service && c != NULL;
}

bool
service_reconnect(struct service *s)
{
	return s == &service;
}

void
service_drain(struct service *s)
{
	FUZZ_MUST(s == &service);
}

void
walls_tell(const struct walls *w, struct peer *peer)
{
	FUZZ_MUST(w == &service.walls && peer != NULL);
}

pid_t
child_pid(const struct child *c)
{
	FUZZ_MUST(c != NULL);
	return 1;
}

bool
child_is_running(const struct child *c)
{
	return c == (void *)&a_worker && worker_runs;
}

enum proto_role
child_role(const struct child *c)
{
	FUZZ_MUST(c != NULL); /* asked of those that run */
	return PROTO_WORKER;
}

struct peer *
child_peer(struct child *c)
{
	FUZZ_MUST(c == (void *)&a_worker && worker_runs);
	return to_worker;
}

/* --- a client ------------------------------------------------------------- */

static int
connect_client(void)
{
	int sv[2];

	FUZZ_MUST(ipc_pair(sv) == 0);
	client_create(control, sv[0]);
	return sv[1];
}

static void
turn(void)
{
	(void)event_base_loop(service.base, EVLOOP_NONBLOCK);
}

/* Reads what is answered; returns how many frames are of this type. */
static unsigned
hear(int fd, enum proto_type type)
{
	static uint8_t space[IPC_FRAME_MAX];
	struct ipc_frame f;
	unsigned n = 0;
	int got;

	while ((got = ipc_recv(fd, space, &f)) == 1) {
		FUZZ_MUST(f.fd == -1 && f.type < PROTO_TYPES);
		n += f.type == type;
	}
	FUZZ_MUST(got == 0 || errno == EAGAIN || errno == ECONNRESET ||
	    errno == EPIPE);
	return n;
}

/* Any client is told the version once, whoever was there before. */
static void
ask_version(void)
{
	const struct ipc_frame ask = {.type = PROTO_VERSION, .fd = -1};
	int fd = connect_client();

	FUZZ_MUST(ipc_send(fd, &ask) == 0);
	turn();
	FUZZ_MUST(hear(fd, PROTO_TEXT) == 1);
	(void)close(fd);
	turn();
}

/* What the worker gets are sockets of clients with nothing on them, and it
 * leaves at once. */
static void
be_worker(void)
{
	static uint8_t space[IPC_FRAME_MAX];
	struct ipc_frame f;
	uint8_t byte;

	while (ipc_recv(worker_end, space, &f) == 1) {
		FUZZ_MUST(f.type == PROTO_WATCHER && f.fd != -1 && f.len == 0);
		FUZZ_MUST(recv(f.fd, &byte, 1, MSG_DONTWAIT) == -1 &&
		    errno == EAGAIN);
		ipc_close_fd(&f.fd);
	}
	FUZZ_MUST(peer_waiting(to_worker) == 0);
}

static void
set_up(void)
{
	static struct config config;
	int sv[2];

	log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	service.base = event_base_new();
	service.config = &config;
	FUZZ_MUST(service.base != NULL && ipc_pair(sv) == 0);
	control = control_create(&service, sv[0]);
	FUZZ_MUST(ipc_pair(sv) == 0);
	worker_end = sv[1];
	to_worker = peer_create(&(struct peer_params){.base = service.base,
	    .fd = sv[0],
	    .self = PROTO_SUPERVISOR,
	    .other = PROTO_WORKER,
	    .ops = &peer_ops});
	peer_set_state(to_worker, PROTO_RUNNING);
}

/* Which children there are, and whether the worker is there for clients. */
static void
set_children(uint8_t which)
{
	service.worker = (which & 1) ? (void *)&a_worker : NULL;
	service.tokend = (which & 2) ? (void *)&a_child : NULL;
	worker_runs = (which & 4) != 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packets packets;
	unsigned count;
	int fd, free_fd;

	if (len == 0)
		return 0;
	if (control == NULL)
		set_up();
	free_fd = packets_next_fd();
	set_children(data[0]);
	packets = (struct packets){data + 1, len - 1};
	fd = connect_client();
	for (count = 0; count < PACKETS_MAX && packets_next(&packets, fd);
	     count++) {
		turn();
		be_worker();
		(void)hear(fd, PROTO_DONE);
	}
	ask_version();
	(void)close(fd);
	turn();
	FUZZ_MUST(control->count == 0 && reloading == NULL);
	FUZZ_MUST(packets_next_fd() == free_fd);
	return 0;
}
