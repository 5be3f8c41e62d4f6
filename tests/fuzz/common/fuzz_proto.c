/* SPDX-License-Identifier: MIT */
/*
 * proto.h. The first byte chooses a message, the rest is its payload: what a
 * decoder takes, its encoder writes again, byte for byte, and the table of
 * rules lets through.
 */
#include "fuzz.h"
#include "proto.h"

#define PAIR(name, type)                                                   \
	static int again_##name(const struct ipc_frame *f, uint8_t *space) \
	{                                                                  \
		static struct type v;                                      \
                                                                           \
		if (proto_get_##name(f, &v) == -1)                         \
			return -1;                                         \
		return proto_put_##name(space, &v);                        \
	}

PAIR(token, proto_token)
PAIR(refused, proto_refused)
PAIR(put, proto_put)
PAIR(worker_status, proto_worker_status)
PAIR(tokend_status, proto_tokend_status)
PAIR(supervisor_status, proto_supervisor_status)
PAIR(sandbox, proto_sandbox)
PAIR(figures, proto_figures)
PAIR(report, proto_report)
PAIR(log, proto_log)

static int
again_text(const struct ipc_frame *f, uint8_t *space)
{
	static char text[PROTO_TEXT_MAX];

	return proto_get_text(f, text) == -1 ? -1 : proto_put_text(space, text);
}

static int
again_inspect(const struct ipc_frame *f, uint8_t *space)
{
	char token[PROTO_INSPECT_LEN + 1];

	return proto_get_inspect(f, token) == -1
	    ? -1
	    : proto_put_inspect(space, token);
}

static int
again_u8(const struct ipc_frame *f, uint8_t *space)
{
	uint8_t v;

	return proto_get_u8(f, &v) == -1 ? -1 : proto_put_u8(space, v);
}

/* A HELLO of another build is well-formed, too. */
static int
again_hello(const struct ipc_frame *f, uint8_t *space)
{
	char build[PROTO_BUILD_MAX];
	enum proto_role role;

	if (proto_get_hello(f, &role, build) == -1 ||
	    strcmp(build, proto_build()) != 0)
		return -1;
	return proto_put_hello(space, role);
}

static const struct {
	enum proto_type type;
	int (*again)(const struct ipc_frame *, uint8_t *space);
} table[] = {
    {PROTO_HELLO, again_hello},
    {PROTO_FD, again_u8},
    {PROTO_TEXT, again_text},
    {PROTO_INSPECT, again_inspect},
    {PROTO_TOKEN, again_token},
    {PROTO_TOKEN_REFUSED, again_refused},
    {PROTO_TOKEN_PUT, again_put},
    {PROTO_WORKER_STATUS, again_worker_status},
    {PROTO_TOKEND_STATUS, again_tokend_status},
    {PROTO_SUPERVISOR_STATUS, again_supervisor_status},
    {PROTO_SANDBOX, again_sandbox},
    {PROTO_TOKEND_FIGURES, again_figures},
    {PROTO_TOKEN_REPORT, again_report},
    {PROTO_LOG_LEVEL, again_log},
};
#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

/* Somebody may send it to somebody in some state. */
static int
is_allowed(const struct ipc_frame *f)
{
	unsigned from, to, state;

	for (from = PROTO_SUPERVISOR; from <= PROTO_CTL; from++)
		for (to = PROTO_SUPERVISOR; to <= PROTO_CTL; to++)
			for (state = PROTO_NEW; state <= PROTO_RUNNING;
			     state *= 2)
				if (proto_check(f, (enum proto_role)from,
					(enum proto_role)to,
					(enum proto_state)state) == NULL)
					return 1;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t space[IPC_PAYLOAD_MAX];
	struct ipc_frame f = {.fd = -1};
	uint8_t *payload;
	size_t which;
	int n;

	if (len == 0 || len > IPC_PAYLOAD_MAX)
		return 0;
	which = data[0] % TABLE_LEN;
	payload = fuzz_copy(data + 1, len - 1, 0);
	f.type = (uint16_t)table[which].type;
	f.fd = f.type == PROTO_FD ? 0 : -1;
	f.payload = payload;
	f.len = (uint32_t)(len - 1);
	n = table[which].again(&f, space);
	if (n != -1) {
		FUZZ_MUST(
		    (size_t)n == f.len && memcmp(space, payload, f.len) == 0);
		FUZZ_MUST(is_allowed(&f));
	}
	/* Any type at all, among all that may be asked of the table. */
	f.type = (uint16_t)(data[0] << 8 | (len > 1 ? data[1] : 0));
	(void)is_allowed(&f);
	(void)proto_name(f.type);
	free(payload);
	return 0;
}
