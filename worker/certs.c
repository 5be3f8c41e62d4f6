/* SPDX-License-Identifier: MIT */
/* What is read for whom. */
#include <stdbool.h>
#include <strings.h>

#include "certs.h"
#include "conf.h"
#include "log.h"
#include "otel.h"
#include "tls.h"
#include "url.h"
#include "util.h"

struct side {
	struct tls *tls;
	enum conf_id ca, cert, key;
	bool needed;
};

static struct tls_file
file_of(const struct conf *conf, enum conf_id id)
{
	struct tls_file f = {conf_keys[id].name, conf_text(conf, id)};

	return f;
}

static int
load_identity(const struct side *s, const struct conf *conf)
{
	struct tls_file cert = file_of(conf, s->cert);
	struct tls_file key = file_of(conf, s->key);

	if (!conf_is_set(conf, s->cert))
		return 0;
	return tls_load_identity(
	    s->tls, &cert, conf_is_set(conf, s->key) ? &key : &cert);
}

/* The system's CAs, for all sides that have none of their own. */
static int
load_system(struct side *sides, size_t count, const struct conf *conf)
{
	struct tls *first = NULL;
	const char *bundle;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!sides[i].needed || conf_is_set(conf, sides[i].ca))
			continue;
		if (first != NULL) {
			tls_trust_as(sides[i].tls, first);
			continue;
		}
		first = sides[i].tls;
		bundle = tls_load_system(first);
		if (bundle == NULL) {
			log_errorx("no CA bundle can be read: install the "
				   "package ca-certificates, or set %s",
			    conf_keys[sides[i].ca].name);
			return -1;
		}
		log_debug("certificates are verified by %s", bundle);
	}
	return 0;
}

int
certs_load(const struct conf *conf, struct tls *plugboard, struct tls *backend,
    struct tls *collector)
{
	struct side sides[] = {
	    {plugboard, CONF_PLUGBOARD_CA_FILE, CONF_PLUGBOARD_CLIENT_CERT,
		CONF_PLUGBOARD_CLIENT_KEY, false},
	    {backend, CONF_BACKEND_CA_FILE, CONF_BACKEND_CLIENT_CERT,
		CONF_BACKEND_CLIENT_KEY, false},
	    {collector,
		otel_pick(conf, CONF_OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
		    CONF_OTEL_EXPORTER_OTLP_CERTIFICATE),
		otel_pick(conf,
		    CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE,
		    CONF_OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE),
		otel_pick(conf, CONF_OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY,
		    CONF_OTEL_EXPORTER_OTLP_CLIENT_KEY),
		false},
	};
	int result = 0;
	struct url url;
	size_t i;

	sides[0].needed =
	    url_parse(&url, conf_text(conf, CONF_PLUGBOARD_URL)) == NULL &&
	    url.tls;
	sides[1].needed =
	    strcasecmp(conf_text(conf, CONF_BACKEND_SCHEME), "https") == 0;
	sides[2].needed =
	    collector != NULL && otel_endpoint(conf, &url) && url.tls;
	for (i = 0; i < UTIL_COUNT(sides); i++) {
		struct tls_file ca = file_of(conf, sides[i].ca);

		if (!sides[i].needed)
			continue;
		if (ca.path[0] != '\0' && tls_load_ca(sides[i].tls, &ca) == -1)
			result = -1;
		if (load_identity(&sides[i], conf) == -1)
			result = -1;
	}
	if (load_system(sides, UTIL_COUNT(sides), conf) == -1)
		result = -1;
	if (tls_pin(plugboard, conf_text(conf, CONF_PLUGBOARD_PIN)) == -1)
		result = -1; /* conf.c has accepted it: cannot be */
	return result;
}
