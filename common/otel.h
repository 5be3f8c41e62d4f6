/* SPDX-License-Identifier: MIT */
/*
 * OpenTelemetry's environment variables as far as telephone knows them: what
 * their texts mean, which of two that say the same counts, and whether all of
 * them together turn tracing on. Pure.
 */
#ifndef COMMON_OTEL_H
#define COMMON_OTEL_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "url.h"

#define OTEL_TEXT_MAX 4000 /* of a list of pairs */
#define OTEL_PAIRS_MAX 64

/* Tracing is on: there is an endpoint, or OTEL_TRACES_EXPORTER asks for one,
 * and nothing says no. */
bool otel_is_on(const struct conf *);

/* Where spans go: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it is, else
 * OTEL_EXPORTER_OTLP_ENDPOINT (by default http://localhost:4318) and
 * /v1/traces. False: there is none that can be read. */
bool otel_endpoint(const struct conf *, struct url *);

/* Of two keys that say the same, the one of traces when it is set. */
enum conf_id
otel_pick(const struct conf *, enum conf_id traces, enum conf_id all);

/* "key=value,key=value", blanks around both, values percent-encoded where they
 * need be. */
struct otel_pair {
	char key[OTEL_TEXT_MAX + 1];
	char value[OTEL_TEXT_MAX + 1];
};
/* The next one of *text: 1, 0 at the end, -1: it is malformed. */
int otel_next_pair(const char **text, struct otel_pair *);

/* 0 to 1, or -1: it is no such number. */
double otel_ratio(const char *text);

/* Checks of single keys: NULL, or what is wrong; never shows a value. */
const char *otel_endpoint_fault(const char *text);
const char *otel_headers_fault(const char *text);
const char *otel_attributes_fault(const char *text);
const char *otel_ratio_fault(const char *text);
const char *otel_name_fault(const char *text); /* of a service */

/* What is wrong with all of them together, while tracing is on: adds faults
 * and warnings. */
void otel_check(struct conf *);

#endif
