/* SPDX-License-Identifier: MIT */
/* The thresholds of trace_sampler.h. */
#include <string.h>

#include "trace_sampler.h"

#define VALUES (UINT64_C(1) << 56)
#define RANDOM_LEN 7
#define RANDOM_DIGITS (2 * RANDOM_LEN)

static uint64_t
threshold_of(double ratio)
{
	if (!(ratio > 0)) /* also what is no number */
		return VALUES;
	if (ratio >= 1)
		return 0;
	/* Exact: a double times a power of two; 1 - ratio would not be. */
	return VALUES - (uint64_t)(ratio * (double)VALUES);
}

void
trace_sampler_init(
    struct trace_sampler *s, enum trace_sampler_kind kind, double ratio)
{
	s->parent_based = kind >= TRACE_PARENT_ALWAYS_ON;
	switch (kind) {
	case TRACE_ALWAYS_ON:
	case TRACE_PARENT_ALWAYS_ON:
		ratio = 1;
		break;
	case TRACE_ALWAYS_OFF:
	case TRACE_PARENT_ALWAYS_OFF:
		ratio = 0;
		break;
	case TRACE_RATIO:
	case TRACE_PARENT_RATIO:
		break;
	}
	s->threshold = threshold_of(ratio);
}

/* The member "ot" of a tracestate, or NULL. */
static const char *
find_ot(const char *state)
{
	while (strncmp(state, "ot=", 3) != 0) {
		state = strchr(state, ',');
		if (state == NULL)
			return NULL;
		state++;
	}
	return state + 3;
}

/* "rv:" and 14 digits among its fields, which ';' separates. */
static bool
find_rv(const char *state, uint64_t *value)
{
	const char *s = find_ot(state);
	uint64_t v = 0;
	size_t i;

	while (s != NULL && strncmp(s, "rv:", 3) != 0) {
		s = strpbrk(s, ";,");
		s = s == NULL || *s == ',' ? NULL : s + 1;
	}
	if (s == NULL)
		return false;
	s += 3;
	for (i = 0; i < RANDOM_DIGITS; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = s[i] == '\0' ? NULL : strchr(digits, s[i]);

		if (at == NULL)
			return false;
		v = v << 4 | (uint64_t)(at - digits);
	}
	*value = v;
	return s[i] == '\0' || s[i] == ';' || s[i] == ',';
}

static uint64_t
randomness_of(const struct trace_parent *p, const uint8_t id[TRACE_ID_LEN])
{
	uint64_t v = 0;
	size_t i;

	if (p->valid && find_rv(p->state, &v))
		return v;
	v = 0;
	for (i = TRACE_ID_LEN - RANDOM_LEN; i < TRACE_ID_LEN; i++)
		v = v << 8 | id[i];
	return v;
}

bool
trace_sampler_takes(const struct trace_sampler *s, const struct trace_parent *p,
    const uint8_t trace_id[TRACE_ID_LEN])
{
	if (s->parent_based && p->valid)
		return (p->flags & TRACE_SAMPLED) != 0;
	return randomness_of(p, trace_id) >= s->threshold;
}
