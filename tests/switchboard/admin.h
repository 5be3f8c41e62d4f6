/* SPDX-License-Identifier: MIT */
/*
 * admin: /admin/…, how tests and people look in and interfere.  README.md of
 * this folder lists it.
 */
#ifndef SWITCHBOARD_ADMIN_H
#define SWITCHBOARD_ADMIN_H

#include "http.h"

/* Serve a request below /admin/; it is answered at once. */
void admin_answer(struct http *);

#endif
