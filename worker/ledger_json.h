/* SPDX-License-Identifier: MIT */
/*
 * An entry of the ledger for those outside: as the struct that telephonectl is
 * sent, and as the JSON object that exchange.h documents. Pure.
 */
#ifndef WORKER_LEDGER_JSON_H
#define WORKER_LEDGER_JSON_H

#include <stdint.h>

#include "exchange.h"

struct buf;
struct ledger_entry;

/* One that has ended, or that runs and has come as far as now_us (util.h's
 * util_mono_us). */
void
ledger_exchange(struct exchange *, const struct ledger_entry *, int64_t now_us);

/* Appends the object. 0, or -1 with `failed` set in the buffer. */
int ledger_json(struct buf *, const struct ledger_entry *, int64_t now_us);

#endif
