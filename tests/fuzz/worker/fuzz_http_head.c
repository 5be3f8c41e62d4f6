/* SPDX-License-Identifier: MIT */
/* http_head.h: whatever comes to the health listener; in pieces it means what
 * the whole means. */
#include "fuzz.h"
#include "http_head.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head whole, part;
	uint8_t *copy = fuzz_copy(data, len, 0);
	int status = http_head_parse(copy, len, &whole), early = 0;
	size_t n;

	if (status == 200) {
		FUZZ_MUST(whole.path[0] == '/');
		FUZZ_MUST(strlen(whole.path) < HTTP_PATH_MAX);
		FUZZ_MUST(strlen(whole.query) < HTTP_PATH_MAX);
		FUZZ_MUST(strchr(whole.path, '?') == NULL);
	}
	/* The first that says something says it for good. */
	for (n = 0; n < len && len < 600 && early == 0; n++)
		early = http_head_parse(copy, n, &part);
	FUZZ_MUST(early == 0 || early == status);
	free(copy);
	return 0;
}
