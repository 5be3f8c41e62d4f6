/* SPDX-License-Identifier: MIT */
/* status: the HTTP statuses that Phoenix (Plug.Conn.Status) has names for. */
#ifndef SWITCHBOARD_STATUS_H
#define SWITCHBOARD_STATUS_H

/* The reason phrase, NULL for a status Phoenix does not know. */
const char *status_reason(int status);

#endif
