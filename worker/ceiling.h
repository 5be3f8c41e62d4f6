/* SPDX-License-Identifier: MIT */
/*
 * How long a message may be that goes to Plugboard (protocol.md §2). One that
 * is too long for it ends the whole WebSocket with close code 1009, and with
 * it every other request there, and how long that is differs from one
 * Plugboard to the next: so it is learnt, for all tunnels together and beyond
 * the end of each.
 *
 * An accepted length is one that a heartbeat behind it proved: messages are
 * read in order. A refused one is the longest of what was not proved when 1009
 * came: whichever of those was too long, the longest would have been, too.
 * What is as long as a refused one is not sent, until one of that length is
 * tried again after retry_ms: a Plugboard may have become another. When that
 * is refused, too, the next try is twice as far, up to a day. Pure.
 */
#ifndef WORKER_CEILING_H
#define WORKER_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics;

/* A close with 1009 behind shorter messages says nothing about length, and
 * must not stop every answer. */
#define CEILING_LEAST (64 * 1024)
#define CEILING_HOLD_MAX_MS (24 * 3600000LL)

struct ceiling {
	uint64_t fixed;	   /* by the configuration; 0: no such bound */
	uint64_t accepted; /* the longest, 0: none yet */
	uint64_t refused;  /* the shortest, 0: none */
	int64_t retry_ms;
	int64_t hold_ms, again_ms; /* the next try, when refused is not 0 */
};

/* What one connection has sent: all zero at first. */
struct ceiling_sent {
	uint64_t len;	   /* of the message under way, so far */
	uint64_t unproved; /* the longest since a heartbeat was sent … */
	uint64_t asked;	   /* … and before it, until it is acknowledged */
};

void ceiling_init(struct ceiling *, uint64_t fixed, int64_t retry_ms);

/* The longest message that may be sent; UINT64_MAX: no bound is known. */
uint64_t ceiling_max(const struct ceiling *);
/* … and that by the configuration alone. */
uint64_t ceiling_fixed(const struct ceiling *);

/* Whether one longer than ceiling_max may be tried now, and no other for a
 * while. */
bool ceiling_try(struct ceiling *, int64_t now_ms);

/* len bytes of a message were handed over, perhaps its last ones. */
void ceiling_wrote(struct ceiling_sent *, size_t len, bool last);

/* A heartbeat was, and was acknowledged. True: something was learnt. */
void ceiling_asked(struct ceiling_sent *);
bool ceiling_proved(struct ceiling *, struct ceiling_sent *);

/* The connection was closed with 1009. True: something was learnt. */
bool
ceiling_refused(struct ceiling *, const struct ceiling_sent *, int64_t now_ms);

void ceiling_note(const struct ceiling *, struct metrics *);

#endif
