/* SPDX-License-Identifier: MIT */
/*
 * The worker's one loop: libevent, with libwebsockets in it. Debian 12's
 * libwebsockets 4.1 has no libevent plugin and no public custom loop, so it
 * runs on its libuv plugin, and that libuv loop is nested in libevent: its
 * backend descriptor is watched, its next timer is followed, and each wakes
 * uv_run(UV_RUN_NOWAIT). Only public interfaces of all three are used.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

struct event_base;
struct lws_context;
struct lws_protocols;
struct ssl_ctx_st;
struct loop;

/*
 * Creates the event base, the nested libuv loop and the libwebsockets context
 * with these protocols (which must outlive the loop); lws_context_user() gives
 * user back to their callbacks. tls is the SSL_CTX of all its connections
 * (tls.h; it stays the caller's and outlives the loop), NULL: lws's own. Call
 * it before the sandbox: libwebsockets dlopens its libuv plugin here. Returns
 * NULL when the plugin is missing or there is no memory; the cause was logged
 * by the libraries on stderr.
 */
struct loop *loop_create(
    const struct lws_protocols *protocols, struct ssl_ctx_st *tls, void *user);

/* The priority of events that go before all others; those of no priority have
 * the lower one. */
#define LOOP_FIRST 0

struct event_base *loop_base(struct loop *);
struct lws_context *loop_lws(struct loop *);

/*
 * Must follow every call into libwebsockets from outside its own callbacks:
 * libuv queues changes of its descriptors until its loop turns. Cheap, and
 * any number of kicks in one turn of libevent cost one uv_run.
 */
void loop_kick(struct loop *);

/* Runs until loop_stop. Returns 0, or -1 when libevent failed. */
int loop_run(struct loop *);
void loop_stop(struct loop *);

/* Destroys the context (open connections are closed), then both loops. */
void loop_free(struct loop *);

#endif
