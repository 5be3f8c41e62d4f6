/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's last step before it starts anybody: its sockets are bound,
 * and from here on it only forks, waits and passes descriptors. The place is
 * fixed; no layer is applied yet.
 */
#ifndef SUPERVISOR_SANDBOX_H
#define SUPERVISOR_SANDBOX_H

void sandbox_enter(void);

#endif
