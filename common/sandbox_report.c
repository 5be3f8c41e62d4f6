/* SPDX-License-Identifier: MIT */
/* See sandbox_report.h. */
#include "log.h"
#include "peer.h"
#include "proto.h"
#include "sandbox_report.h"

void
sandbox_report(struct peer *supervisor, enum sandbox_process process)
{
	static struct {
		uint32_t level, violations;
	} told[SANDBOX_PROCESSES];
	struct proto_sandbox s = {.process = process};
	uint8_t space[IPC_PAYLOAD_MAX];
	uint32_t violations;
	uint32_t level = sandbox_shared(process, &violations);

	if (level == told[process].level &&
	    violations == told[process].violations)
		return;
	sandbox_unpack(&s.level, level);
	s.violations = violations - told[process].violations;
	told[process].level = level;
	told[process].violations = violations;
	peer_send_put(
	    supervisor, PROTO_SANDBOX, 0, space, proto_put_sandbox(space, &s));
}
