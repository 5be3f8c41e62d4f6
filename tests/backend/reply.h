/* SPDX-License-Identifier: MIT */
#ifndef REPLY_H
#define REPLY_H

#include "conn.h"

/*
 * Writing answers.  An endpoint calls either one of the whole answers
 * (text, bytes, stream), or reply_head, then reply_data as often as it
 * likes, then one end (end, linger, reset).  For HEAD and for statuses
 * without a body reply_data writes nothing, so endpoints need not care.
 *
 * Answers carry no date and no server field: a test compares them.
 */

#define REPLY_CHUNKED UINT64_MAX /* for length: not known before */

struct reply {
	int status;
	const char *type;   /* content-type, or NULL */
	const char *fields; /* lines with their CRLF, or NULL */
	uint64_t length;    /* of the body, or REPLY_CHUNKED */
	bool close;	    /* announce and do it */
};

const char *reply_reason(int status);

/* An interim answer, 1xx: a head and nothing else. */
void reply_interim(struct conn *conn, int status);

void reply_head(struct conn *conn, const struct reply *reply);
void reply_data(struct conn *conn, const void *data, size_t len);

/* The body is complete. */
void reply_end(struct conn *conn);

/* Ends the connection where it stands, behind what was written. */
void reply_cut(struct conn *conn);

/* Ends it at once with a TCP reset; unsent output is lost. */
void reply_reset(struct conn *conn);

/* Whole answers. */
void reply_text(struct conn *conn, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reply_bytes(
    struct conn *conn, const struct reply *reply, const void *data, size_t len);

/* The same, and the connection ends: a request nobody can trust. */
void reply_refuse(struct conn *conn, int status, const char *why);

/*
 * After reply_head, and these end the answer: a body of total bytes from
 * fill, or the request's own body, written as the peer takes it.
 */
void reply_stream(struct conn *conn, pattern_fill *fill, uint64_t total);
void reply_content(struct conn *conn);

/*
 * Timed: after reply_head, pieces from step, one now and one each ms; or,
 * before reply_head, nothing for ms and then step, which answers.
 */
void reply_every(struct conn *conn, int64_t ms, conn_step *step);
void reply_after(struct conn *conn, int64_t ms, conn_step *step);

/* For conn.c: room in the output, or the time has come. */
void reply_refill(struct conn *conn);
void reply_tick(struct conn *conn);

#endif
