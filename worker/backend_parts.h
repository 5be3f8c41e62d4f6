/* SPDX-License-Identifier: MIT */
/* What backend.c shares with its parts, and with nobody else. */
#ifndef WORKER_BACKEND_PARTS_H
#define WORKER_BACKEND_PARTS_H

#include <curl/curl.h>

#include "backend.h"
#include "framing.h"

/* Which of our errors a fault of framing is. */
enum backend_error backend_error_framing(enum framing_fault);

/* Which of them libcurl's result is, in its own words and after what was seen
 * of the answer. */
enum backend_error
backend_error_of(CURLcode, const char *detail, const struct framing *);

/* The fields of a request, and those that libcurl would add by itself taken
 * away: at least one line. NULL when out of memory; curl_slist_free_all frees
 * it. */
struct curl_slist *backend_fields(const struct backend_request *);

#endif
