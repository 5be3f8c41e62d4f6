/* SPDX-License-Identifier: MIT */
/* ws_frame.h: what a server sends, once in one piece and once in pieces as the
 * first byte says, must mean the same. */
#include "fuzz.h"
#include "ws_frame.h"

#define MESSAGE_MAX 1000
#define SEEN_MAX 64

struct seen {
	struct {
		enum ws_read what;
		enum ws_opcode opcode;
		size_t len;
		uint32_t sum;
		int code;
	} item[SEEN_MAX];
	size_t count;
};

static void
note(struct seen *s, const struct ws_reader *r, enum ws_read what)
{
	size_t i;

	if (s->count == SEEN_MAX)
		return;
	s->item[s->count].what = what;
	if (what == WS_READ_FAULT) {
		s->item[s->count].code = r->fault_code;
		FUZZ_MUST(r->fault != NULL && ws_code_is_wire(r->fault_code));
	} else {
		FUZZ_MUST(r->len <= MESSAGE_MAX);
		FUZZ_MUST(
		    r->opcode != WS_TEXT || utf8_is_valid(r->data, r->len));
		s->item[s->count].opcode = r->opcode;
		s->item[s->count].len = r->len;
		for (i = 0; i < r->len; i++)
			s->item[s->count].sum =
			    s->item[s->count].sum * 31 + r->data[i];
		if (r->opcode == WS_CLOSE)
			(void)ws_close_code(r->data, r->len);
	}
	s->count++;
}

static void
read_all(struct seen *s, const uint8_t *data, size_t len, size_t piece)
{
	struct ws_reader r;
	enum ws_read what = WS_READ_MORE;

	memset(s, 0, sizeof(*s));
	ws_reader_init(&r, MESSAGE_MAX);
	while (len > 0 && what != WS_READ_FAULT) {
		size_t n = piece < len ? piece : len, left = n;
		uint8_t *copy = fuzz_copy(data, n, 0);
		const uint8_t *at = copy;

		while (left > 0 && what != WS_READ_FAULT) {
			what = ws_reader_take(&r, &at, &left);
			FUZZ_MUST(what != WS_READ_MORE || left == 0);
			if (what != WS_READ_MORE)
				note(s, &r, what);
		}
		free(copy);
		data += n;
		len -= n;
	}
	ws_reader_clear(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct seen whole, pieces;

	if (len < 2)
		return 0;
	read_all(&whole, data + 1, len - 1, len);
	read_all(&pieces, data + 1, len - 1, data[0] % 16 + 1);
	FUZZ_MUST(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	return 0;
}
