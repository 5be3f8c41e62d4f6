/* SPDX-License-Identifier: MIT */
/*
 * watch.h and exchange.h as telephonectl reads a worker in an attacker's
 * hands: of a page, what was read is written again, byte for byte, and its JSON
 * holds nothing that a terminal obeys. The first byte chooses what it is.
 */
#include "buf.h"
#include "fuzz.h"
#include "watch.h"

static void
look_at(const struct exchange *e)
{
	struct buf b;
	size_t i;

	buf_init(&b, 1u << 16);
	FUZZ_MUST(exchange_json(&b, e) == 0);
	FUZZ_MUST(b.len > 400 && b.data[b.len - 1] == '}');
	for (i = 0; i < b.len; i++) {
		FUZZ_MUST(b.data[i] >= 0x20 && b.data[i] != 0x7f);
		FUZZ_MUST(b.data[i] != 0xc2 || b.data[i + 1] >= 0xa0);
	}
	buf_clear(&b);
}

static void
read_page(const struct ipc_frame *f)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	struct watch_page page;
	struct exchange e;
	struct unpack u;
	struct pack p;
	bool all = true;
	int n;

	if (watch_page_open(f, &page, &u) == -1)
		return;
	watch_page_begin(&p, space);
	while ((n = watch_page_next(&u, &e)) == 1) {
		look_at(&e);
		all = all && watch_page_add(&p, &e);
	}
	if (n == 0 && all) {
		FUZZ_MUST((size_t)watch_page_end(&p, &page) == f->len);
		FUZZ_MUST(memcmp(space, f->payload, f->len) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	struct watch_greeting greeting;
	struct watch_question question;
	struct watch_load load;
	struct ipc_frame f = {.fd = -1};
	uint8_t *payload;
	int n = -1;

	if (len == 0 || len > IPC_PAYLOAD_MAX)
		return 0;
	payload = fuzz_copy(data + 1, len - 1, 0);
	f.payload = payload;
	f.len = (uint32_t)(len - 1);
	switch (data[0] % 4) {
	case 0:
		read_page(&f);
		break;
	case 1:
		if (watch_get_greeting(&f, &greeting) == 0)
			n = watch_put_greeting(space, &greeting);
		break;
	case 2:
		if (watch_get_question(&f, &question) == 0)
			n = watch_put_question(space, &question);
		break;
	default:
		if (watch_get_load(&f, &load) == 0)
			n = watch_put_load(space, &load);
	}
	if (n != -1)
		FUZZ_MUST(
		    (size_t)n == f.len && memcmp(space, payload, f.len) == 0);
	free(payload);
	return 0;
}
