/* SPDX-License-Identifier: MIT */
/*
 * Where an answer of the application ends (RFC 9112 §4, §6 and §7), judged
 * from the bytes as they were received: libcurl takes a good deal for HTTP
 * that is not, and completes answers which nobody can know the end of. What
 * stands in a field is head.h's to judge. Pure.
 */
#ifndef WORKER_FRAMING_H
#define WORKER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framing_fault {
	FRAMING_OK,
	FRAMING_STATUS_LINE, /* §4: no status line of HTTP/1 */
	FRAMING_SWITCHED,    /* 101, which was not asked for */
	FRAMING_HEAD_LONG,   /* all heads together, those of a 1xx too */
	FRAMING_LENGTH,	     /* no number, repeated, or a list */
	FRAMING_BOTH,	     /* Content-Length and Transfer-Encoding */
	FRAMING_CODING,	     /* another one than "chunked", or by HTTP/1.0 */
	FRAMING_CHUNK,	     /* §7.1 */
	FRAMING_HEAD_CUT,    /* ended within its head */
	FRAMING_SHORT,	     /* ended before its Content-Length */
	FRAMING_NO_LAST,     /* ended without its last chunk */
	FRAMING_EXCESS,	     /* bytes behind its end */
	FRAMING_FAULTS
};

/* Bytes of all heads of an answer. Below libcurl's own bound (300 KB), which
 * it tells as if the connection had been lost. */
#define FRAMING_HEAD_MAX (256 * 1024)
/* … and their lines: those of one name are put together one by one. */
#define FRAMING_LINES_MAX 2000

struct framing {
	enum {
		FRAMING_START,	/* a status line must come */
		FRAMING_FIELDS, /* of this head */
		FRAMING_BODY,
	} stage;
	bool head_only; /* the answer to a HEAD */
	bool http10;
	bool chunked;
	int status;
	size_t head;	/* bytes of the heads so far */
	unsigned lines; /* of the heads so far */
	int64_t length; /* declared, -1: none */
	uint64_t seen;	/* bytes of the body so far, without coding */
	int chunk;	/* where in the coding, see framing.c */
	uint64_t left;	/* of this chunk */
	size_t line;	/* bytes of this line, or of the trailers */
	size_t trailer; /* … of this trailer */
};

/* head_only: the request was a HEAD. */
void framing_init(struct framing *, bool head_only);

/* The next line as received, with its line end, up to the empty one that ends
 * the head. A head of a 1xx is followed by another head. */
enum framing_fault framing_line(struct framing *, const char *, size_t len);

/* The status of the head that is being received, 0: none yet. */
int framing_status(const struct framing *);

/* True from the end of the final head on. */
bool framing_is_body(const struct framing *);

/* How many bytes of body were declared and will come; -1: not known. Good
 * once the field was seen. */
int64_t framing_declared(const struct framing *);

/* True when nothing but the end of the connection will end the body (RFC 9112
 * §6.3). Good from the end of the head on. */
bool framing_is_until_end(const struct framing *);

/*
 * Bytes behind the head as received, still with their transfer coding. Takes
 * some of them, sets *data and *data_len to the bytes of the body among those
 * (none: 0), and returns how many it took, at least one unless len is 0.
 */
size_t framing_decode(struct framing *, const uint8_t *in, size_t len,
    const uint8_t **data, size_t *data_len, enum framing_fault *);

/* All of it is here, and its end was told by more than that of its connection:
 * nothing that may still come has a say. */
bool framing_is_whole(const struct framing *);

/* The connection has nothing more for this answer: is it whole? */
enum framing_fault framing_end(const struct framing *);

#endif
