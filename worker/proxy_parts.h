/* SPDX-License-Identifier: MIT */
/*
 * What the files of proxy.h share with each other, and with nobody else:
 * proxy.c has the list and who may join it, proxy_forward.c the conversation
 * with the backend, proxy_collect.c what it answers, proxy_answer.c the way
 * back.
 */
#ifndef WORKER_PROXY_PARTS_H
#define WORKER_PROXY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "head.h"
#include "proxy.h"
#include "request.h"

#define PROXY_ID_MAX 129
#define PROXY_METHOD_MAX 33
/* Of one request's head, and of one answer's. */
#define PROXY_FIELDS_MAX 200
#define PROXY_HEAD_BYTES_MAX (128 * 1024)

struct proxied {
	TAILQ_ENTRY(proxied) entry;
	struct proxy *owner;
	struct tunnel *tunnel; /* NULL: its join is over */
	char id[PROXY_ID_MAX];
	char method[PROXY_METHOD_MAX];
	struct backend_call *call; /* NULL: not begun, or over */
	uint8_t *sent;		   /* body, as long as the call may read it */
	int64_t began_ms;
	int status;
	struct head head;
	struct body *body;
	struct response *response; /* being sent */
	const char *refusal;	   /* why we aborted the backend's answer */
	const char *refusal_code;
	int refusal_status;
	char refusal_text[96]; /* where the reason is not a constant */
};

struct proxy {
	struct proxy_params params;
	TAILQ_HEAD(proxied_list, proxied) list;
	size_t in_flight;
	uint64_t count, failures;
	int64_t last_ms;
};

/* Takes the request out of the list; a call or answer that is under way ends
 * without a word. */
void proxied_free(struct proxied *);

/* Its answer has left whole, or cannot leave: frees it. */
void proxied_end(struct proxied *, bool sent);

/* The backend's answer, as it comes in. begin forgets what there was of one
 * before: 0, or -1 when out of memory. The others return -1 for an answer that
 * cannot be passed on, and refusal… says why; end, which comes last, leaves it
 * ready to be sent. */
int proxied_collect_begin(struct proxied *);
int proxied_collect_status(int status, void *proxied);
int proxied_collect_field(const char *line, size_t len, void *proxied);
int proxied_collect_body(const void *data, size_t len, void *proxied);
int proxied_collect_end(struct proxied *);

/* The spool's use has changed. */
void proxied_note_spool(const struct proxy *);

/* Sends the backend's answer, which is complete in status, head and body. */
void proxied_answer(struct proxied *);

/* Answers with an error of our own: a stable code, and a reason that names no
 * address. */
void proxied_refuse(
    struct proxied *, int status, const char *code, const char *reason);

/* Calls the backend. NULL, or what is wrong with the request; *status says
 * whose fault that is. */
const char *
proxied_forward(struct proxied *, const struct request *, int *status);

#endif
