/* SPDX-License-Identifier: MIT */
/* What those who look on are answered (watchers.h), from what there is. */
#ifndef WORKER_WATCHERS_ANSWER_H
#define WORKER_WATCHERS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger;
struct metrics;
struct watch_question;

struct watchers_source {
	const struct ledger *ledger;
	const struct metrics *metrics;
	bool draining;
};

/* Each writes the payload to space (IPC_PAYLOAD_MAX bytes) and returns its
 * length. */
int watchers_page(const struct watchers_source *, const struct watch_question *,
    uint8_t *space);
int watchers_load(const struct watchers_source *, uint8_t *space);

#endif
