/* SPDX-License-Identifier: MIT */
/* See walls.h. */
#include "log.h"
#include "metrics.h"
#include "proto.h"
#include "sandbox_report.h"
#include "walls.h"

void
walls_report(struct peer *supervisor)
{
	sandbox_report(supervisor, SANDBOX_WORKER);
	sandbox_report(supervisor, SANDBOX_LOOKUP);
}

void
walls_take(const struct ipc_frame *frame, struct metrics *metrics)
{
	struct proto_sandbox s;

	if (proto_get_sandbox(frame, &s) == -1)
		fatalx("the supervisor sent a malformed SANDBOX");
	metrics_set_walls(metrics, &s);
}
