/* SPDX-License-Identifier: MIT */
/* See sandbox.h. */
#include "log.h"
#include "sandbox.h"

void
sandbox_enter(void)
{
	log_debug("sandbox: no seccomp, no landlock in this version");
}
