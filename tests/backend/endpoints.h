/* SPDX-License-Identifier: MIT */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include <stdint.h>

struct conn;

/*
 * Everything the table in route.c points at; what each answers stands
 * there.  The second argument is the number in the path, or 0.
 */

/* content.c */
void content_bytes(struct conn *conn, uint64_t n);
void content_utf8(struct conn *conn, uint64_t n);
void content_binary(struct conn *conn, uint64_t n);
void content_allbytes(struct conn *conn, uint64_t n);
void content_gzip(struct conn *conn, uint64_t n);
void content_png(struct conn *conn, uint64_t n);

/* mirror.c */
void mirror_echo(struct conn *conn, uint64_t n);
void mirror_headers(struct conn *conn, uint64_t n);
void mirror_target(struct conn *conn, uint64_t n);

/* fields.c */
void fields_status(struct conn *conn, uint64_t n);
void fields_redirect(struct conn *conn, uint64_t n);
void fields_cookies(struct conn *conn, uint64_t n);
void fields_dup(struct conn *conn, uint64_t n);
void fields_latin1(struct conn *conn, uint64_t n);
void fields_hop(struct conn *conn, uint64_t n);

/* timed.c */
void timed_delay(struct conn *conn, uint64_t n);
void timed_slow(struct conn *conn, uint64_t n);
void timed_sse(struct conn *conn, uint64_t n);
void timed_hang(struct conn *conn, uint64_t n);

/* fault.c */
void fault_close(struct conn *conn, uint64_t n);
void fault_closechunked(struct conn *conn, uint64_t n);
void fault_reset(struct conn *conn, uint64_t n);
void fault_raw(struct conn *conn, uint64_t n);

/* tally.c */
void tally_count(struct conn *conn, uint64_t n);
void tally_fail(struct conn *conn, uint64_t n);
void tally_inflight(struct conn *conn, uint64_t n);

/* ws.c */
void ws_echo(struct conn *conn, uint64_t n);
void ws_close(struct conn *conn, uint64_t n);

#endif
