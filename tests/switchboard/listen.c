/* SPDX-License-Identifier: MIT */
/*
 * listen: two listeners at most.  Callbacks of all connections are deferred
 * to the loop, so nothing here or in http is entered twice.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "board.h"
#include "listen.h"

#define RETRY_MS 100
#define BEV_OPTIONS (BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)

struct listener {
	struct sockaddr_storage address; /* with the real port */
	int address_len;
	SSL_CTX *tls;		    /* NULL: plain */
	struct evconnlistener *evl; /* NULL: refusing */
};

static struct listener listeners[2];
static size_t listeners_len;
static struct event *reopen_timer;
static const struct http_service *service;

void
listen_set_service(const struct http_service *s)
{
	service = s;
}

static void
on_accept(struct evconnlistener *evl, evutil_socket_t fd, struct sockaddr *peer,
    int peer_len, void *arg)
{
	struct listener *l = arg;
	struct bufferevent *bev = NULL;
	int on = 1;
	SSL *ssl;

	(void)evl;
	(void)peer;
	(void)peer_len;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (l->tls == NULL) {
		bev = bufferevent_socket_new(board.base, fd, BEV_OPTIONS);
	} else if ((ssl = SSL_new(l->tls)) != NULL) {
		bev = bufferevent_openssl_socket_new(board.base, fd, ssl,
		    BUFFEREVENT_SSL_ACCEPTING, BEV_OPTIONS);
		if (bev != NULL)
			bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
		else
			SSL_free(ssl);
	}
	if (bev == NULL)
		evutil_closesocket(fd);
	else
		http_start(bev, service);
}

static void
on_error(struct evconnlistener *evl, void *arg)
{
	(void)evl;
	(void)arg;
	board_log("accept: %s", strerror(errno));
	listen_refuse(RETRY_MS); /* out of descriptors: not in a loop */
}

static int
open_listener(struct listener *l)
{
	l->evl = evconnlistener_new_bind(board.base, on_accept, l,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    512, (struct sockaddr *)&l->address, l->address_len);
	if (l->evl == NULL)
		return -1;
	evconnlistener_set_error_cb(l->evl, on_error);
	return 0;
}

static int
port_of(struct listener *l)
{
	socklen_t len = sizeof(l->address);

	getsockname(evconnlistener_get_fd(l->evl),
	    (struct sockaddr *)&l->address, &len);
	l->address_len = (int)len;
	if (l->address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&l->address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&l->address)->sin_port);
}

/* HOST:PORT in numbers, IPv6 in brackets; libevent's parser bars port 0. */
static int
parse_address(struct listener *l, const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV |
				AI_PASSIVE,
			    .ai_socktype = SOCK_STREAM},
			*ai;
	char host[64];
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;

	if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		return -1;
	memcpy(host, address, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return -1;
	memcpy(&l->address, ai->ai_addr, ai->ai_addrlen);
	l->address_len = (int)ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

/* Takes the context over, also on failure. */
static int
add(const char *address, SSL_CTX *tls)
{
	struct listener *l = &listeners[listeners_len];

	l->tls = tls;
	if (parse_address(l, address) == -1) {
		fprintf(stderr, "switchboard: not an address: %s\n", address);
	} else if (open_listener(l) == -1) {
		fprintf(stderr, "switchboard: cannot listen on %s: %s\n",
		    address, strerror(errno));
	} else {
		listeners_len++;
		return port_of(l);
	}
	SSL_CTX_free(tls);
	return -1;
}

int
listen_plain(const char *address)
{
	return add(address, NULL);
}

int
listen_tls(const char *address, const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	const char *why;

	if (tls == NULL)
		return -1;
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
		why = ERR_reason_error_string(ERR_peek_error());
		fprintf(stderr, "switchboard: cannot use %s and %s: %s\n", cert,
		    key, why != NULL ? why : strerror(errno));
		SSL_CTX_free(tls);
		return -1;
	}
	return add(address, tls);
}

static void
on_reopen(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (size_t i = 0; i < listeners_len; i++)
		if (listeners[i].evl == NULL &&
		    open_listener(&listeners[i]) == -1)
			board_timer_set(reopen_timer, RETRY_MS);
}

void
listen_refuse(int64_t ms)
{
	if (reopen_timer == NULL &&
	    (reopen_timer = evtimer_new(board.base, on_reopen, NULL)) == NULL)
		abort();
	for (size_t i = 0; i < listeners_len; i++)
		if (listeners[i].evl != NULL) {
			evconnlistener_free(listeners[i].evl);
			listeners[i].evl = NULL;
		}
	board_timer_set(reopen_timer, ms);
}

void
listen_free_all(void)
{
	for (size_t i = 0; i < listeners_len; i++) {
		if (listeners[i].evl != NULL)
			evconnlistener_free(listeners[i].evl);
		SSL_CTX_free(listeners[i].tls);
	}
	if (reopen_timer != NULL)
		event_free(reopen_timer);
	listeners_len = 0;
}
