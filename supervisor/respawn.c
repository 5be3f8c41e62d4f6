/* SPDX-License-Identifier: MIT */
/* The arithmetic of respawn.h. */
#include "respawn.h"

#define FIRST_MS 200
#define CAP_MS 10000

int64_t
respawn_delay_ms(unsigned n)
{
	int64_t ms = FIRST_MS;

	for (; n > 1 && ms < CAP_MS; n--)
		ms *= 2;
	return ms < CAP_MS ? ms : CAP_MS;
}
