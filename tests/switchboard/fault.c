/* SPDX-License-Identifier: MIT */
/* fault: the table of kinds. */
#include <string.h>

#include "board.h"
#include "fault.h"
#include "listen.h"
#include "phx.h"
#include "record.h"

static void
do_drop(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_end(p, PHX_END_DROP, 0, "");
}

static void
do_rst(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_end(p, PHX_END_RESET, 0, "");
}

static void
do_half(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_stall(p, true);
}

static void
do_stall(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_stall(p, false);
}

static void
do_resume(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_resume(p);
}

static void
do_crash(struct phx *p, const struct fault *f)
{
	(void)f;
	channel_crash(p, "{\"reason\":\"channel_crash\"}", "on demand");
}

static void
do_error(struct phx *p, const struct fault *f)
{
	(void)f;
	channel_crash(p, "{}", "on demand");
}

static void
do_phx_close(struct phx *p, const struct fault *f)
{
	(void)f;
	channel_stop(p);
}

/* The channel's process is gone, and nobody says so. */
static void
do_forget(struct phx *p, const struct fault *f)
{
	(void)f;
	channel_clear(p);
}

static void
do_close(struct phx *p, const struct fault *f)
{
	phx_end(p, PHX_END_CLOSE, f->code, f->reason);
}

/* By default a frame with all reserved bits and an opcode nobody knows. */
static void
do_garbage(struct phx *p, const struct fault *f)
{
	static const uint8_t junk[] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (f->bytes.len > 0)
		phx_send_raw(p, f->bytes.data, f->bytes.len);
	else
		phx_send_raw(p, junk, sizeof(junk));
}

static void
do_restart(struct phx *p, const struct fault *f)
{
	(void)f;
	phx_end(p, PHX_END_CLOSE, 1012, "");
}

static const struct {
	const char *kind;
	void (*run)(struct phx *, const struct fault *);
} kinds[] = {
    {"drop", do_drop},
    {"rst", do_rst},
    {"half", do_half},
    {"stall", do_stall},
    {"resume", do_resume},
    {"crash", do_crash},
    {"error", do_error},
    {"phx_close", do_phx_close},
    {"forget", do_forget},
    {"close", do_close},
    {"garbage", do_garbage},
    {"restart", do_restart},
};

/* A kind may end its own socket, never another. */
static int
run(void (*one)(struct phx *, const struct fault *), const struct fault *f)
{
	struct phx *p, *next;
	int n = 0;

	for (p = phx_next(NULL); p != NULL; p = next) {
		next = phx_next(p);
		if (f->socket != 0 && p->id != f->socket)
			continue;
		record_event(p->id, "fault", "%s", f->kind);
		board_log(
		    "socket %llu fault %s", (unsigned long long)p->id, f->kind);
		one(p, f);
		n++;
	}
	return n;
}

int
fault_do(const struct fault *f)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].kind, f->kind) != 0)
			continue;
		if (kinds[i].run == do_restart)
			listen_refuse(f->ms);
		return run(kinds[i].run, f);
	}
	return -1;
}
