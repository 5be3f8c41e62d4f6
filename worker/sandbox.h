/* SPDX-License-Identifier: MIT */
/*
 * The worker's last step of birth: everything is open and warm, the user is
 * the right one, and from here on it may only do what it needs. The place is
 * fixed; no layer is applied yet beyond what priv.h does.
 */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

void sandbox_enter(void);

#endif
