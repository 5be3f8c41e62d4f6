/* SPDX-License-Identifier: MIT */
/* What libcurl is told to send, and all that it may not do by itself. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend_parts.h"
#include "tls.h"
#include "util.h"

#define URL_MAX_EXTRA 300 /* scheme, host and port in front of the target */
/* A request that is sent once at most takes no connection that has been idle
 * for longer (libcurl counts whole seconds): the application may be closing
 * it. */
#define YOUNG_S 1
#define OLD_S 118

static int
close_socket(void *arg, curl_socket_t fd)
{
	struct backend *b = arg;

	backend_idle_remove(&b->kept, fd);
	return close(fd);
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	return tls_share(arg, ctx) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static void
set_method(CURL *e, const struct backend_request *r)
{
	curl_easy_setopt(
	    e, CURLOPT_MAXAGE_CONN, r->once ? (long)YOUNG_S : (long)OLD_S);
	if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return; /* as CUSTOMREQUEST it would wait for a body */
	}
	if (r->body_len > 0 || r->send_length) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(
		    e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    r->body_len > 0 ? (const char *)r->body : "");
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
}

static void
set_transfer(struct backend *b, CURL *e)
{
	const struct backend_params *p = &b->params;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	/* framing.h decodes, and takes nothing but what RFC 9112 allows. */
	curl_easy_setopt(e, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, b);
	/* The bound on idle connections (count_running) is 1 at least. */
	if (p->idle_max == 0)
		curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	/* Of all bounds the only one that libcurl keeps: whatever it says of
	 * time is said of this one. */
	curl_easy_setopt(
	    e, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_timeout_ms);
	if (p->unix_path[0] != '\0')
		curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, p->unix_path);
	if (strcmp(p->scheme, "https") != 0)
		return;
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, p->tls);
	curl_easy_setopt(e, CURLOPT_SHARE, b->sessions);
}

static int
set_url(struct backend *b, CURL *e, const char *target)
{
	size_t size = strlen(target) + URL_MAX_EXTRA;
	char *url = malloc(size);
	CURLcode code;

	if (url == NULL)
		return -1;
	(void)util_fmt(url, size, "%s://%s:%u%s", b->params.scheme, b->host,
	    b->params.port, target);
	code = curl_easy_setopt(e, CURLOPT_URL, url);
	free(url);
	return code == CURLE_OK ? 0 : -1;
}

int
backend_prepare(struct backend_call *c, const struct backend_request *r)
{
	struct backend *b = c->owner;

	c->easy = curl_easy_init();
	if (c->easy == NULL || (c->fields = backend_fields(r)) == NULL ||
	    set_url(b, c->easy, r->target) == -1)
		return -1;
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->fields);
	set_method(c->easy, r);
	set_transfer(b, c->easy);
	return backend_listen(c);
}
