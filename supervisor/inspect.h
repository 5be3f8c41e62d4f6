/* SPDX-License-Identifier: MIT */
/*
 * The web page of INSPECT (worker/inspect.h), as far as it is the supervisor's:
 * whether there may be one on the health listener, and its token. That is drawn
 * once, so that an open page outlives the workers, and told to nobody but the
 * worker and whoever may ask on the control socket.
 */
#ifndef SUPERVISOR_INSPECT_H
#define SUPERVISOR_INSPECT_H

#include <stdbool.h>

#include "conf.h"
#include "proto.h"

struct inspect {
	char token[PROTO_INSPECT_LEN + 1];
	bool listens;
	bool local;	/* … on an address of this machine alone */
	char where[64]; /* host:port, as a URL of this machine has it */
};

/* The health listener, whoever bound it; -1: there is none. Before the
 * sandbox. */
void inspect_init(struct inspect *, int listener);

/* NULL, or why there can be no page with this configuration. */
const char *inspect_fault(const struct inspect *, const struct conf *);

/* Whether there is a page. */
bool inspect_is_on(const struct inspect *, const struct conf *);

/* Where it is, or "". */
void inspect_url(
    const struct inspect *, const struct conf *, char *dst, size_t size);

#endif
