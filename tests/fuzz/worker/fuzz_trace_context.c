/* SPDX-License-Identifier: MIT */
/* trace_context.h: whatever a client writes into traceparent and tracestate,
 * and into the headers around them; and trace_json.h's reading of whatever a
 * collector answers. */
#include "fuzz.h"
#include "trace_context.h"
#include "trace_json.h"

static void
check_parent(const struct trace_parent *p)
{
	struct trace_parent again;
	char text[TRACE_PARENT_LEN + 1];
	struct json_str parent = {(uint8_t *)text, TRACE_PARENT_LEN};
	struct json_str state = {(uint8_t *)(uintptr_t)p->state, p->state_len};

	if (!p->valid)
		return;
	FUZZ_MUST(p->state_len <= TRACE_STATE_MAX);
	FUZZ_MUST(strlen(p->state) == p->state_len);
	FUZZ_MUST((p->flags & ~3) == 0);
	/* What is passed on is read there as it was here. */
	trace_context_format(text, p->trace_id, p->span_id, p->flags);
	trace_context_parse(&again, parent, &state);
	FUZZ_MUST(trace_context_same(p, &again));
}

static void
check_headers(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len, 0);
	struct trace_parent p;
	struct json_value v;

	if (json_parse(&v, copy, len) && v.type == JSON_OBJECT) {
		trace_context_read(&p, v.raw);
		FUZZ_MUST(memcmp(copy, data, len) == 0);
		check_parent(&p);
	}
	free(copy);
}

static void
check_answer(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len, 0);
	char text[TRACE_JSON_TEXT_MAX];
	uint64_t rejected;

	if (trace_json_answer(copy, len, &rejected, text) == 0)
		FUZZ_MUST(strlen(text) < sizeof(text));
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *line = memchr(data, '\n', len);
	struct trace_parent p;
	struct json_str parent, state;
	uint8_t *first, *rest;
	size_t n = line == NULL ? len : (size_t)(line - data);

	first = fuzz_copy(data, n, 0);
	rest = fuzz_copy(data + n, len - n, 0);
	parent = (struct json_str){first, n};
	state = (struct json_str){rest, len - n};
	if (state.len > 0) { /* without the line's end */
		state.data++;
		state.len--;
	}
	trace_context_parse(&p, parent, &state);
	check_parent(&p);
	free(first);
	free(rest);
	check_headers(data, len);
	check_answer(data, len);
	return 0;
}
