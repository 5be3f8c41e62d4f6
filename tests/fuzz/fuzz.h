/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is tests/fuzz/FOLDER/fuzz_X.c: it is
 * linked with FOLDER's archive, starts from the files in corpus/fuzz_X, and
 * says with FUZZ_MUST what has to hold for whatever was taken; the sanitizers
 * say the rest. `make fuzz` finds it by its name.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_MUST(x)                                                           \
	do {                                                                   \
		if (!(x)) {                                                    \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #x);                                     \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A copy that ends where the input ends, so that a sanitizer sees a read past
 * it; one NUL behind it, if `end` says so. */
static inline uint8_t *
fuzz_copy(const uint8_t *data, size_t len, int end)
{
	uint8_t *copy = malloc(len + (end || len == 0));

	FUZZ_MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	if (end)
		copy[len] = '\0';
	return copy;
}

#endif
