/* SPDX-License-Identifier: MIT */
/* The checks of the texts in conf_keys that have a form of their own. Each
 * returns NULL, or what is wrong. */
#ifndef COMMON_CONF_CHECK_H
#define COMMON_CONF_CHECK_H

#include <stdint.h>

const char *conf_check_health_path(const char *text);
const char *conf_check_backend_url(const char *text);
const char *conf_check_clients(const char *text);
const char *conf_check_path_limits(const char *text);
const char *conf_check_rate(const char *text);
const char *conf_check_retry_on(const char *text);

struct conf;
/* Adds what is wrong with bounds that belong together to the faults. */
void conf_check_limits(struct conf *);

/* A place of RATE_CLIENTS_MAX; worker/rate_clients.c holds itself to it. */
#define CONF_CLIENT_BYTES 36

/* MEMORY_MAX, or what it is by default; and what of it is kept for the worker
 * itself with its table of clients, and for one message of each tunnel on its
 * way in. Bytes. */
int64_t conf_memory_max(const struct conf *);
int64_t conf_memory_reserved(const struct conf *);

#endif
