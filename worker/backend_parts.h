/* SPDX-License-Identifier: MIT */
/*
 * What the files of backend.h share with each other, and with nobody else:
 * backend.c has the calls, backend_setup.c tells libcurl what to send,
 * backend_receive.c hears what comes back, backend_loop.c drives it.
 */
#ifndef WORKER_BACKEND_PARTS_H
#define WORKER_BACKEND_PARTS_H

#include <stdbool.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "backend.h"
#include "backend_idle.h"
#include "framing.h"

struct event;

TAILQ_HEAD(backend_calls, backend_call);

struct backend_call {
	TAILQ_ENTRY(backend_call) entry;
	struct backend *owner;
	const struct backend_ops *ops;
	void *arg;
	CURL *easy;
	struct curl_slist *fields;
	struct curl_slist *resolve;
	struct event *timer; /* first byte, then idle, then the rest of the
				request; NULL: nothing to wait for */
	bool added;	     /* to the multi handle: in `running` */
	bool begun;	     /* a byte of the request may have been sent */
	bool stale;   /* … on a connection that was closing, to no use */
	bool aborted; /* by a callback of ours */
	bool excess;  /* libcurl saw bytes behind the answer */
	int64_t asked_us, added_us;
	int64_t *connect_us; /* the caller's, or NULL */
	struct framing framing;
	enum framing_fault fault;
	struct ssl_st *tls;	  /* whose end is the answer's; else NULL */
	int64_t heard_ms;	  /* when bytes of the answer came last */
	int64_t body_len;	  /* of the request */
	int64_t sent;		  /* of that, when the timer looked last */
	enum backend_error early; /* found before libcurl was asked */
	char error[CURL_ERROR_SIZE];
};

struct backend {
	struct backend_params params;
	CURLM *multi;
	CURLSH *sessions; /* of TLS, to be resumed: no handle lives so long */
	struct names *names;
	struct event *timer;
	struct event *report; /* calls that failed early, or may now begin */
	struct backend_calls waiting, running;
	unsigned running_count;
	struct backend_idle kept; /* connections */
	char host[256];		  /* as it stands in a URL */
};

/* backend.c: ends a call and tells its owner. */
void backend_finish(struct backend_call *, enum backend_error);

/* backend_loop.c: libcurl's sockets and its timer become events. 0 or -1. */
int backend_attach(struct backend *);

/* backend_setup.c: an easy handle for this request. 0 or -1. */
int backend_prepare(struct backend_call *, const struct backend_request *);

/* backend_receive.c: libcurl's callbacks; the timers of a call. */
int backend_listen(struct backend_call *);

/* Which of our errors a fault of framing is. */
enum backend_error backend_error_framing(enum framing_fault);

/* Which of them libcurl's result is, in its own words and after what was seen
 * of the answer. */
enum backend_error
backend_error_of(CURLcode, const char *detail, const struct framing *);

/* The fields of a request, and those that libcurl would add by itself taken
 * away: at least one line. NULL when out of memory; curl_slist_free_all frees
 * it. */
struct curl_slist *backend_fields(const struct backend_request *);

#endif
