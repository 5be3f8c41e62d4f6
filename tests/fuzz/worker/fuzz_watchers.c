/* SPDX-License-Identifier: MIT */
/*
 * watchers.h: a client that was handed over says whatever the input has, in
 * packets: two bytes of length, one that says how many descriptors go along (0
 * to 3), then the packet. Whatever it was, what is answered are frames that
 * telephonectl reads, at most one a question, and the next client is answered
 * by a page; no descriptor and no place is left over.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watchers.c"
#include "fuzz.h"

#define PACKETS_MAX 32

static struct event_base *base;
static struct watchers *watchers;
static struct ledger ledger;
static struct metrics metrics;
static struct ledger_entry running[3];

static int
connect_client(void)
{
	int sv[2];

	FUZZ_MUST(ipc_pair(sv) == 0);
	watchers_add(watchers, sv[0]);
	return sv[1];
}

/* The pace of answers is not what is tried here. */
static void
turn(void)
{
	struct watcher *c;

	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	TAILQ_FOREACH(c, &watchers->list, entry)
	c->answered_ms = 0;
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
send_packet(int fd, const uint8_t *data, size_t len, size_t fds)
{
	_Alignas(struct cmsghdr) uint8_t space[CMSG_SPACE(3 * sizeof(int))];
	const int passed[3] = {fd, fd, fd};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	memset(space, 0, sizeof(space));
	if (fds > 0) {
		msg.msg_control = space;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(c), passed, fds * sizeof(int));
	}
	(void)sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static unsigned
read_page(const struct ipc_frame *f)
{
	struct watch_page page;
	struct exchange e;
	struct unpack u;
	unsigned n = 0;
	int got;

	FUZZ_MUST(watch_page_open(f, &page, &u) == 0);
	while ((got = watch_page_next(&u, &e)) == 1)
		n++;
	FUZZ_MUST(got == 0);
	return n;
}

/* Reads what is answered; how many frames. */
static unsigned
hear(int fd, unsigned *entries)
{
	static uint8_t space[IPC_FRAME_MAX];
	struct watch_load load;
	struct ipc_frame f;
	unsigned n = 0;

	while (ipc_recv(fd, space, &f) == 1) {
		FUZZ_MUST(f.fd == -1);
		FUZZ_MUST(proto_check(&f, PROTO_WORKER, PROTO_CTL,
			      PROTO_RUNNING) == NULL);
		if (f.type == PROTO_EXCHANGES)
			*entries = read_page(&f);
		else if (f.type == PROTO_LOAD)
			FUZZ_MUST(watch_get_load(&f, &load) == 0);
		n++;
	}
	return n;
}

static void
ask_all(void)
{
	const struct watch_question question = {0, 0};
	uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame ask = {
	    .type = PROTO_EXCHANGES_GET, .payload = space, .fd = -1};
	unsigned entries = 0;
	int fd = connect_client();

	ask.len = (uint32_t)watch_put_question(space, &question);
	FUZZ_MUST(hear(fd, &entries) == 1);
	FUZZ_MUST(ipc_send(fd, &ask) == 0);
	turn();
	FUZZ_MUST(hear(fd, &entries) == 1 && entries == LEDGER_RECENT_MAX);
	(void)close(fd);
	turn();
}

static void
set_up(void)
{
	static struct ledger_entry e;
	int i;

	log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	base = event_base_new();
	FUZZ_MUST(base != NULL);
	metrics_init(&metrics);
	ledger_init(&ledger, &metrics, 1);
	watchers = watchers_create(base, &ledger, &metrics);
	for (i = 0; i < LEDGER_RECENT_MAX + 7; i++) {
		memset(&e, 0, sizeof(e));
		e.ws = i % 5 == 0;
		e.ws_outcome = "client";
		e.cause = i % 3 == 0 ? "backend_cut" : NULL;
		e.outcome = i % 3 == 0 ? METRICS_BACKEND_ERROR : METRICS_OK;
		ledger_begin(&ledger, &e);
		ledger_end(&ledger, &e);
	}
	for (i = 0; i < 3; i++)
		ledger_begin(&ledger, &running[i]);
}

static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	FUZZ_MUST(fd != -1);
	(void)close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned packets, entries = 0;
	int fd, free_fd;
	size_t n;

	if (watchers == NULL)
		set_up();
	free_fd = next_fd();
	fd = connect_client();
	FUZZ_MUST(hear(fd, &entries) == 1);
	for (packets = 0; len >= 3 && packets < PACKETS_MAX; packets++) {
		uint8_t *copy;

		n = (size_t)data[0] << 8 | data[1];
		n = n < len - 3 ? n : len - 3;
		copy = fuzz_copy(data + 3, n, 0);
		send_packet(fd, copy, n, data[2] % 4);
		free(copy);
		data += 3 + n;
		len -= 3 + n;
		turn();
		FUZZ_MUST(hear(fd, &entries) <= 1);
	}
	ask_all();
	(void)close(fd);
	turn();
	FUZZ_MUST(watchers->count == 0 && TAILQ_EMPTY(&watchers->list));
	FUZZ_MUST(next_fd() == free_fd);
	return 0;
}
