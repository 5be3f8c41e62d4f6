/* SPDX-License-Identifier: MIT */
/* The memory of wipe.h. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "wipe.h"

void
wipe_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void *
wipe_realloc(void *p, size_t size)
{
	size_t old = p == NULL ? 0 : malloc_usable_size(p);
	void *fresh;

	if (size == 0) {
		wipe_free(p);
		return NULL;
	}
	if (old >= size && old <= 2 * size)
		return p;
	fresh = malloc(size);
	if (fresh == NULL)
		return NULL;
	if (p != NULL)
		memcpy(fresh, p, old < size ? old : size);
	wipe_free(p);
	return fresh;
}
