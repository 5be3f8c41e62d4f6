/* SPDX-License-Identifier: MIT */
/*
 * What the files of proxy.h share with each other, and with nobody else:
 * proxy.c has the list and the life of a request, proxy_admit.c says who is let
 * in, proxy_try.c when the backend is called, how often, and for how long,
 * proxy_forward.c is the conversation with it, proxy_collect.c what it answers,
 * proxy_answer.c the way back, proxy_refuse.c the answers of our own.
 */
#ifndef WORKER_PROXY_PARTS_H
#define WORKER_PROXY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backend.h"
#include "buf.h"
#include "clients.h"
#include "head.h"
#include "ledger.h"
#include "limit.h"
#include "memory.h"
#include "path_limits.h"
#include "proxy.h"
#include "quiet.h"
#include "request.h"
#include "retry.h"
#include "trace.h"

#define PROXY_ID_MAX 129
#define PROXY_METHOD_MAX 33
/* Of one request's head, and of one answer's. */
#define PROXY_FIELDS_MAX 200
#define PROXY_HEAD_BYTES_MAX (128 * 1024)

enum proxied_stage {
	PROXIED_NEW,
	PROXIED_WAITING,   /* for one of MAX_INFLIGHT */
	PROXIED_CALLING,   /* the backend */
	PROXIED_PAUSED,	   /* until the next try */
	PROXIED_ANSWERING, /* the answer stands in the tunnel's queue */
};

/* What goes to the backend: kept as long as it may be sent again. */
struct proxied_out {
	struct head head;
	struct buf target; /* with a NUL */
	uint8_t *body;
	size_t body_len;
	bool send_length;
};

struct proxied {
	TAILQ_ENTRY(proxied) link;
	TAILQ_ENTRY(proxied) wait; /* PROXIED_WAITING */
	struct proxy *owner;
	struct tunnel *tunnel; /* NULL: its join is over */
	enum proxied_stage stage;
	char id[PROXY_ID_MAX];
	char method[PROXY_METHOD_MAX];
	struct ledger_entry entry;
	struct trace_exchange *trace; /* NULL: it is not traced */
	int64_t began_ms, deadline_ms, expires_ms;
	struct event *timer; /* deadline, or the end of a wait before it */
	bool slot;	     /* counts as running */
	size_t held;	     /* bytes of its body, for the limit */
	size_t cost;	     /* about what it takes, but for its answer */
	size_t counted;	     /* … and the answer's head, by the memory */
	struct proxied_out out;

	/* The try under way. */
	struct backend_call *call; /* NULL: not begun, or over */
	unsigned tries;
	bool probe;   /* it is the breaker's */
	bool judged;  /* the breaker knows how it went */
	bool discard; /* its answer is not wanted: there will be another try */

	/* The answer. */
	int status;
	struct head head;
	size_t response_max;
	struct body *body;
	struct response *response; /* being sent */
	bool begun;		   /* some of it has been read */
	struct buf small;	   /* … an error of our own */
	size_t small_sent;
	/* Set by proxied_head when the client may not come, or not now. */
	const struct clients_refusal *barred;
	const char *refusal; /* why we aborted the backend's answer */
	const char *refusal_code;
	int refusal_status;
	const char *refusal_field; /* one more of its answer, or NULL */
	char refusal_text[96];	   /* where the reason is not a constant */
	char detail[96];	   /* what libcurl says besides, for the log */
};

TAILQ_HEAD(proxied_list, proxied);

struct proxy {
	struct proxy_params params;
	struct proxied_list list, waiting;
	struct event *advance; /* those that wait may go on */
	size_t in_flight;
	uint64_t count, failures, answered, bereft;
	int64_t last_ms;
	struct limit limit;
	struct path_limits paths;
	struct clients *clients;
	struct memory memory;
	struct retry retry;
	struct breaker breaker;
	enum breaker_state breaker_told;
	struct quiet quiet; /* refusals that are not worth a line each */
};

/* --- proxy.c -------------------------------------------------------------- */

/* Takes the request out of the list; a call or answer that is under way ends
 * without a word. */
void proxied_free(struct proxied *);

/* Its answer has left whole, or cannot leave: frees it. */
void proxied_end(struct proxied *, bool sent);

/* --- proxy_admit.c -------------------------------------------------------- */

int proxied_configure(struct proxy *); /* 0, or -1: no memory */

/* Lets the request in, has it wait, or refuses it. */
void proxied_admit(struct proxied *, const struct request *);

/* Refuses one that is malformed; logs and counts it. */
void proxied_refuse_request(struct proxied *, int status, const char *reason);

/* Has those go on that wait and may. */
void proxied_advance(struct proxy *);

/* It waits no longer, and will not run. */
void proxied_leave_queue(struct proxied *);

/* It will not be sent again: frees what was kept for that. */
void proxied_release(struct proxied *);

/* Its answer's head has changed. */
void proxied_count(struct proxied *);

/* It is about to be worked on. False: there is no memory for that, and it was
 * refused. */
bool proxied_count_call(struct proxied *);

/* It is freed: gives back all that it was counted for. */
void proxied_leave(struct proxied *);

/* --- proxy_try.c ---------------------------------------------------------- */

/* Calls the backend, or refuses. */
void proxied_try(struct proxied *);

/* The call, if any, is given up. */
void proxied_give_up(struct proxied *);

/* An answer begins with this status. True: there will be another try, and
 * this one's answer is of no interest. */
bool proxied_heard(struct proxied *, int status);

/* A try ended so. True: there will be another one. */
bool proxied_tried(struct proxied *, enum backend_error);

/* The timer is due: by stage, a wait is over or the request out of time. */
void proxied_on_timer(int fd, short what, void *arg);

/* Sets it: to the deadline, or to a time before it. */
void proxied_await(struct proxied *, int64_t at_ms);

/* --- proxy_forward.c ------------------------------------------------------ */

/* Fills in p->out. NULL, or what is wrong with the request; *status says whose
 * fault that is. */
const char *
proxied_prepare(struct proxied *, const struct request *, int *status);
void proxied_out_clear(struct proxied_out *);

/* Sends p->out. NULL: no memory. */
struct backend_call *proxied_call(struct proxied *);

/* --- proxy_collect.c ------------------------------------------------------ */

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
/* --- proxy_answer.c and proxy_refuse.c ------------------------------------ */

/* Sends the backend's answer, which is complete in status, head and body. */
void proxied_answer(struct proxied *);

/* Answers with an error of our own: a stable code, and a reason that names no
 * address. */
void proxied_refuse(
    struct proxied *, int status, const char *code, const char *reason);

/* The same for a limit of ours, with a Retry-After where wait_ms is not 0;
 * logged, but not each of very many. */
struct proxied_refusal {
	int status;
	const char *code, *reason;
};
void proxied_refuse_limit(
    struct proxied *, const struct proxied_refusal *, int64_t wait_ms);
extern const struct proxied_refusal proxied_breaker_open;

/* Encodes such an error into p->small, and reads it from there, as struct
 * outbox_message wants it. */
void proxied_put_error(
    struct proxied *, const struct proxied_refusal *, int64_t wait_ms);
size_t proxied_read_error(void *arg, uint8_t *out, size_t cap, bool *done);

/* --- proxy_head.c --------------------------------------------------------- */

/* Fills in the head and the target of p->out, and *declared: Content-Length,
 * -1 without one. NULL, or what is wrong with the request: *status and perhaps
 * refusal_code and refusal_field say more. */
const char *proxied_head(
    struct proxied *, const struct request *, int64_t *declared, int *status);

#endif
