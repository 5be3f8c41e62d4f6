/* SPDX-License-Identifier: MIT */
/*
 * What the children say: HELLO, CONF_ACK, READY, JOINED and their status. One
 * table, one handler a row.
 */
#ifndef SUPERVISOR_DISPATCH_H
#define SUPERVISOR_DISPATCH_H

#include "child.h"

/* The operations of every child; their argument is the struct service. */
extern const struct child_ops dispatch_ops;

#endif
