/* SPDX-License-Identifier: MIT */
/* envelope.h: what is left of a message does not depend on how it was cut, and
 * is what the parser of whole messages makes of it. */
#include "envelope.h"
#include "fuzz.h"
#include "phx.h"
#include "request.h"

static const char *
feed(struct envelope *e, const uint8_t *data, size_t len, size_t step)
{
	size_t at, n;

	envelope_init(e);
	for (at = 0; at < len; at += n) {
		uint8_t *piece;

		n = len - at < step ? len - at : step;
		piece = fuzz_copy(data + at, n, 0);
		envelope_feed(e, piece, n);
		free(piece);
	}
	FUZZ_MUST(e->len <= sizeof(e->text));
	return envelope_end(e);
}

static int
same(struct json_str a, struct json_str b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Unless something in it is too long to be kept. */
static void
agree(const struct phx_msg *whole, const struct phx_msg *left)
{
	struct request a, b;

	FUZZ_MUST(same(whole->join_ref, left->join_ref));
	FUZZ_MUST(same(whole->topic, left->topic));
	FUZZ_MUST(same(whole->event, left->event));
	(void)request_parse(&a, whole->payload.data, whole->payload.len);
	(void)request_parse(&b, left->payload.data, left->payload.len);
	FUZZ_MUST(same(a.request_id, b.request_id));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct envelope e, cut;
	const char *fault = feed(&e, data, len, len + 1);
	uint8_t *copy = fuzz_copy(data, len, 0);
	struct phx_msg whole, left;

	FUZZ_MUST(feed(&cut, data, len, 1) == fault);
	if (fault == NULL)
		FUZZ_MUST(
		    e.len == cut.len && memcmp(e.text, cut.text, e.len) == 0);
	if (phx_parse(&whole, copy, len) == NULL) {
		FUZZ_MUST(fault == NULL || strstr(fault, "too long") != NULL);
		if (fault == NULL) {
			FUZZ_MUST(phx_parse(&left, e.text, e.len) == NULL);
			agree(&whole, &left);
		}
	}
	free(copy);
	return 0;
}
