/* SPDX-License-Identifier: MIT */
/*
 * tokend's last step of birth: the store is open, the user is the right one,
 * and from here on it may only do what it needs. The place is fixed; no layer
 * is applied yet beyond what priv.h does.
 */
#ifndef TOKEND_SANDBOX_H
#define TOKEND_SANDBOX_H

void sandbox_enter(void);

#endif
