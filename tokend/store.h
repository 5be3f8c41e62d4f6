/* SPDX-License-Identifier: MIT */
/*
 * The store: one SQLite file with the Go Telephone's schema, which stays
 * readable and writable by it. Knows sealed texts, not tokens. Every fault is
 * logged here, once, with its remedy; the caller learns the exit code.
 *
 * Opening changes nothing in a file that is already there: store_adopt does,
 * once the caller has seen that it can read it.
 */
#ifndef TOKEND_STORE_H
#define TOKEND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_params {
	const char *path;
	int64_t timeout_ms; /* for a locked file */
	bool was_root;	    /* started by root: the remedies name commands */
};

/* 0 and *out, or a sysexits code: 73 (cannot create), 77 (no permission), 69
 * (in use), 78 (not a store, damaged, too new). */
int store_open(struct store **out, const struct store_params *);
void store_close(struct store *); /* NULL is fine */

/* Calls back for each row, newest first (updated_at, then id), until it
 * returns false. 0, or -1: the file cannot be read. */
int store_each(struct store *,
    bool (*cb)(int64_t id, const char *sealed, void *arg), void *arg);

/* Makes the file ours: mode 0600, WAL, indexes, user_version. 0 or -1. */
int store_adopt(struct store *);

/* Adds a row, durably (synchronous=FULL). Its id, or -1. */
int64_t store_save(struct store *, const char *sealed, int64_t exp_s);

/* 0 or -1. */
int store_delete(struct store *, int64_t id);

/* Rows, or -1. */
int64_t store_count(struct store *);

void store_set_timeout(struct store *, int64_t timeout_ms);

/* "2026-01-02 03:04:05.678901234+00:00", the fraction only when it is not
 * zero: what the Go Telephone's driver writes. */
#define STORE_TIME_MAX 48
void store_format_time(char dst[STORE_TIME_MAX], int64_t s, int64_t ns);

#endif
