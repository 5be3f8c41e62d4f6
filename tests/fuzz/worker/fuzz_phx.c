/* SPDX-License-Identifier: MIT */
/* phx.h, json.h and request.h: a message of Plugboard's, down to the fields of
 * a request; a text that is taken out of it can be put into one of ours. */
#include "fuzz.h"
#include "phx.h"
#include "request.h"
#include "utf8.h"

/* Escaped and unescaped again it is the same. */
static void
there_and_back(struct json_str s)
{
	struct json_str back;
	struct buf b;

	if (s.data == NULL || !utf8_is_valid(s.data, s.len))
		return;
	buf_init(&b, 1 << 24);
	FUZZ_MUST(json_put_str(&b, s.data, s.len) == 0);
	back.data = b.data + 1;
	back.len = b.len - 2;
	FUZZ_MUST(json_unescape(&back));
	FUZZ_MUST(back.len == s.len && memcmp(back.data, s.data, s.len) == 0);
	buf_clear(&b);
}

static void
read_request(struct json_str payload)
{
	struct request_fields it;
	struct json_str name, value;
	struct request r;

	if (request_parse(&r, payload.data, payload.len) != NULL)
		return;
	FUZZ_MUST(r.request_id.data != NULL && r.method.len > 0);
	there_and_back(r.body);
	request_fields_init(&it, &r);
	while (request_next_field(&it, &name, &value))
		FUZZ_MUST(name.data != NULL && value.data != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len, 0);
	struct phx_reply reply;
	struct phx_msg msg;
	char text[32];
	int64_t n;

	if (phx_parse(&msg, copy, len) == NULL) {
		FUZZ_MUST(msg.topic.data != NULL && msg.event.data != NULL);
		there_and_back(msg.topic);
		there_and_back(msg.event);
		(void)phx_parse_reply(&reply, msg.payload);
		if (!phx_get_str(msg.payload, "token", text, sizeof(text)))
			FUZZ_MUST(text[0] == '\0');
		(void)phx_get_int(msg.payload, "expires_in", &n);
		read_request(msg.payload);
	}
	free(copy);
	return 0;
}
