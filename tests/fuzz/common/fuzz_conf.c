/* SPDX-License-Identifier: MIT */
/* conf.h: any file at all, and what is taken of it survives the way to a
 * child. */
#include "conf.h"
#include "fuzz.h"
#include "proto.h"

static void
send_all(const struct conf *conf, unsigned to)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame f = {.type = PROTO_CONF, .fd = -1, .payload = space};
	struct conf there;
	int i, n;

	conf_init(&there);
	for (i = 0; i < CONF_KEYS; i++) {
		n = conf_put(space, conf, (enum conf_id)i, to);
		FUZZ_MUST(n != -1);
		f.len = (uint32_t)n;
		if (n == 0)
			continue;
		FUZZ_MUST(conf_get(&f, &there, to) == 0);
		FUZZ_MUST(strcmp(conf_text(conf, (enum conf_id)i),
			      conf_text(&there, (enum conf_id)i)) == 0);
		FUZZ_MUST(conf_num(conf, (enum conf_id)i) ==
		    conf_num(&there, (enum conf_id)i));
	}
	conf_clear(&there);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *text = fuzz_copy(data, len, 1);
	struct conf conf;
	int parsed;

	conf_init(&conf);
	parsed = conf_parse(&conf, (char *)text, len, "file");
	FUZZ_MUST((parsed == 0) == (conf.faults.len == 0));
	if (conf_finish(&conf) == 0) {
		send_all(&conf, CONF_TO_WORKER);
		send_all(&conf, CONF_TO_TOKEND);
	}
	conf_clear(&conf);
	free(text);
	return 0;
}
