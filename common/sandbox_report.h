/* SPDX-License-Identifier: MIT */
/*
 * How a child's walls stand, told to the supervisor.
 */
#ifndef COMMON_SANDBOX_REPORT_H
#define COMMON_SANDBOX_REPORT_H

#include "sandbox.h"

struct peer;

/* Sends PROTO_SANDBOX of `process` (itself, or one that it forked) when its
 * level or its count has changed since the last time. */
void sandbox_report(struct peer *supervisor, enum sandbox_process);

#endif
