/* SPDX-License-Identifier: MIT */
/*
 * One WebSocket to Plugboard (protocol.md §1): connect with token and vsn,
 * whole text messages in, a bounded queue of messages out, and one report of
 * its end. Knows no Phoenix message (channel.h does) and decides nothing about
 * when to connect again (tunnel.h does). All that libwebsockets does behind
 * one's back stays in the files of this name.
 */
#ifndef WORKER_PLUGBOARD_H
#define WORKER_PLUGBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox.h"
#include "pace.h"
#include "proto.h"
#include "proxy_url.h"
#include "url.h"

struct ceiling_sent;
struct loop;
struct lws_protocols;
struct plugboard;
struct resolve;
struct tls;

/* Longest text of an end that is kept whole. */
#define PLUGBOARD_TEXT_MAX 320

/* Why a connection ended or an attempt failed. */
struct plugboard_end {
	enum proto_reason reason;
	uint16_t detail;       /* HTTP status or close code, 0: none */
	int32_t retry_after_s; /* the server asks for it, -1: it does not */
	const char *text;      /* for the log, or NULL; borrowed */
};

struct plugboard_ops {
	/* The server answered 101. */
	void (*on_open)(void *arg);
	/* A whole text message; data may be changed, and is gone after the
	 * call. The plugboard may be closed or dropped inside. */
	void (*on_message)(uint8_t *data, size_t len, void *arg);
	/* Once for each plugboard_connect that returned 0 and was not
	 * dropped; the plugboard is idle again. Never from inside
	 * plugboard_connect. */
	void (*on_gone)(const struct plugboard_end *, void *arg);
	/* A message longer than message_max (whole_len): its bytes were thrown
	 * away, and this is what is left of it (envelope.h). Else as
	 * on_message. */
	void (*on_too_long)(
	    uint8_t *data, size_t len, size_t whole_len, void *arg);
	/* A message that is no WebSocket text, or one that is too long and
	 * nothing is left of: it was discarded. */
	void (*on_discard)(size_t len, const char *why, void *arg);
	/* The next message in the queue is a long one, and nothing can go
	 * between its fragments: what is urgent should be queued now. */
	void (*on_long)(void *arg);
};

struct plugboard_params {
	struct loop *loop;
	struct resolve *resolve;
	struct tls *tls;
	struct url url;
	const struct proxy_url *proxy; /* copied; NULL: none */
	int64_t connect_timeout_ms;    /* resolve to 101 */
	size_t message_max;	       /* bytes of one message received */
	int64_t send_timeout_ms;       /* without any progress in sending */
	int64_t message_send_ms; /* from first to last byte of a message */
	const struct plugboard_ops *ops;
	void *arg;
};

/* What loop_create needs to know of libwebsockets' protocols. */
const struct lws_protocols *plugboard_protocols(void);

/* NULL when out of memory. Idle at first. */
struct plugboard *plugboard_create(const struct plugboard_params *);
/* Drops the connection, frees everything. NULL is fine. */
void plugboard_free(struct plugboard *);

/*
 * Resolves, dials, and opens the WebSocket with this token, which is copied
 * and wiped again. Only while idle. 0, or -1 (out of memory): then no callback
 * comes.
 */
int plugboard_connect(struct plugboard *, const char *token);

bool plugboard_is_open(const struct plugboard *);

/* Queues a message; urgent ones go before all that have not begun. When the
 * socket is not open, it ends at once unsent. */
void
plugboard_send(struct plugboard *, const struct outbox_message *, bool urgent);

/* Queues a copy of len bytes of text as one message. 0, or -1: out of
 * memory. */
int plugboard_send_text(
    struct plugboard *, const uint8_t *data, size_t len, bool urgent);

/* How sending goes, as of now; good until the next call. */
const struct pace *plugboard_pace(struct plugboard *);

/* What this connection, or the last one, has sent. */
struct ceiling_sent *plugboard_sent(struct plugboard *);

/* Sends what is queued, then a close frame (RFC 6455 §7.1.2); on_gone
 * follows. */
void plugboard_close(struct plugboard *, uint16_t code, const char *reason);

/* Ends the connection or attempt at once; on_gone does not come. */
void plugboard_drop(struct plugboard *);

#endif
