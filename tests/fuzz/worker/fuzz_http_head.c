/* SPDX-License-Identifier: MIT */
/* http_head.h: whatever comes to the health listener; in pieces it means what
 * the whole means. */
#include <strings.h>

#include "fuzz.h"
#include "http_head.h"

/* As a browser would have it that never leaves this machine. */
static int
names_loopback(const char *host)
{
	return strncasecmp(host, "localhost", 9) == 0 ||
	    strncmp(host, "127.", 4) == 0 || host[0] == '[';
}

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
		FUZZ_MUST(strlen(whole.host) < HTTP_HOST_MAX);
		if (http_head_is_local(&whole))
			FUZZ_MUST(whole.has_host && names_loopback(whole.host));
	}
	/* The first that says something says it for good. */
	for (n = 0; n < len && len < 600 && early == 0; n++)
		early = http_head_parse(copy, n, &part);
	FUZZ_MUST(early == 0 || early == status);
	free(copy);
	return 0;
}
