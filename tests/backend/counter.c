/* SPDX-License-Identifier: MIT */
/* Counts for /count, /fail and /inflight; conn.c and ws.c feed them. */
#include <string.h>

#include "counter.h"

struct key {
	char name[COUNTER_KEY_MAX];
	size_t len;
	uint64_t n; /* 0: unused */
};

struct counters counter;
static struct key keys[2][COUNTER_KEYS];

void
counter_begin(void)
{
	counter.current++;
	if (counter.current > counter.maximum)
		counter.maximum = counter.current;
}

void
counter_end(void)
{
	counter.current--;
}

uint64_t
counter_key(enum counter_table table, const char *key, size_t len)
{
	if (len > COUNTER_KEY_MAX)
		return 0;
	for (size_t i = 0; i < COUNTER_KEYS; i++) {
		struct key *k = &keys[table][i];

		if (k->n == 0) {
			memcpy(k->name, key, len);
			k->len = len;
		}
		if (k->len == len && memcmp(k->name, key, len) == 0)
			return ++k->n;
	}
	return 0;
}
