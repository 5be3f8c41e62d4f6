/* SPDX-License-Identifier: MIT */
#ifndef COUNTER_H
#define COUNTER_H

#include <stddef.h>
#include <stdint.h>

/* What this process counts.  Pure state, no socket. */

#define COUNTER_KEYS 64	   /* per table */
#define COUNTER_KEY_MAX 64 /* bytes of a key, at most */

enum counter_table {
	COUNTER_COUNT, /* /count?key= */
	COUNTER_FAIL   /* /fail/N?key= */
};

struct counters {
	uint64_t requests;   /* seen since the start */
	uint64_t current;    /* open now */
	uint64_t maximum;    /* open at once, at most */
	uint64_t websockets; /* open now, not in current */
};

extern struct counters counter;

/* A request opens and ends. */
void counter_begin(void);
void counter_end(void);

/* Adds one to a key's count and returns it; 0 when the table is full. */
uint64_t counter_key(enum counter_table table, const char *key, size_t len);

#endif
