/* SPDX-License-Identifier: MIT */
/* seal.h: what a store holds is opened when it was sealed with the key, and
 * not otherwise. */
#include "fuzz.h"
#include "seal.h"

#define SECRET \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OUT_MAX 64

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct seal *seal;
	char *sealed = (char *)fuzz_copy(data, len, 1), *out = malloc(OUT_MAX);
	char again[SEAL_TEXT_MAX(OUT_MAX)], back[OUT_MAX];

	if (seal == NULL)
		seal = seal_create(SECRET);
	FUZZ_MUST(out != NULL);
	memset(out, 'x', OUT_MAX);
	if (seal_open(seal, sealed, out, OUT_MAX) == 0) {
		/* The corpus holds it; another one cannot be made up. */
		FUZZ_MUST(strcmp(out, "a.b.c") == 0);
		FUZZ_MUST(seal_close(seal, out, again, sizeof(again)) == 0);
		FUZZ_MUST(seal_open(seal, again, back, sizeof(back)) == 0);
		FUZZ_MUST(strcmp(out, back) == 0);
	} else {
		FUZZ_MUST(out[0] == '\0'); /* wiped */
	}
	free(out);
	free(sealed);
	return 0;
}
