/* SPDX-License-Identifier: MIT */
/*
 * watchers.h: a client that was handed over says whatever the input has, in
 * packets (packets.h). Whatever it was, what is answered are frames that
 * telephonectl reads, at most one a question, and the next client is answered
 * by a page; no descriptor and no place is left over.
 */
#include "watchers.c"
#include "packets.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packets packets = {data, len};
	unsigned count, entries = 0;
	int fd, free_fd;

	if (watchers == NULL)
		set_up();
	free_fd = packets_next_fd();
	fd = connect_client();
	FUZZ_MUST(hear(fd, &entries) == 1);
	for (count = 0; count < PACKETS_MAX && packets_next(&packets, fd);
	     count++) {
		turn();
		FUZZ_MUST(hear(fd, &entries) <= 1);
	}
	ask_all();
	(void)close(fd);
	turn();
	FUZZ_MUST(watchers->count == 0 && TAILQ_EMPTY(&watchers->list));
	FUZZ_MUST(packets_next_fd() == free_fd);
	return 0;
}
