/* SPDX-License-Identifier: MIT */
/* See walls.h. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "log.h"
#include "peer.h"
#include "walls.h"

void
walls_init(struct walls *w)
{
	int i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < SANDBOX_PROCESSES; i++)
		w->of[i].process = (enum sandbox_process)i;
}

void
walls_own(struct walls *w)
{
	w->of[SANDBOX_SUPERVISOR].level = *sandbox_own();
	w->known[SANDBOX_SUPERVISOR] = true;
}

static bool
speaks_for(enum proto_role role, enum sandbox_process process)
{
	if (role == PROTO_TOKEND)
		return process == SANDBOX_TOKEND;
	return process == SANDBOX_WORKER || process == SANDBOX_LOOKUP;
}

static void
log_level_of(const struct proto_sandbox *s)
{
	char space[SANDBOX_TEXT_MAX];
	const char *text = sandbox_text(&s->level, space);

	if (sandbox_is_whole(&s->level) || s->level.mode != SANDBOX_ENFORCE)
		log_info(
		    "sandbox: %s: %s", sandbox_process_name(s->process), text);
	else
		log_warnx(
		    "sandbox: %s: %s", sandbox_process_name(s->process), text);
}

static void
add(struct proto_sandbox *s, uint32_t n)
{
	s->violations +=
	    n < UINT32_MAX - s->violations ? n : UINT32_MAX - s->violations;
}

int
walls_take(struct walls *w, enum proto_role role, const struct ipc_frame *frame)
{
	struct proto_sandbox said, *s;

	if (proto_get_sandbox(frame, &said) == -1 ||
	    !speaks_for(role, said.process))
		return -1;
	s = &w->of[said.process];
	add(s, said.violations);
	if (!w->known[said.process] ||
	    sandbox_pack(&s->level) != sandbox_pack(&said.level)) {
		s->level = said.level;
		log_level_of(s);
	}
	w->known[said.process] = true;
	return 0;
}

bool
walls_on_end(struct walls *w, enum proto_role role, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		return false;
	add(&w->of[role == PROTO_TOKEND ? SANDBOX_TOKEND : SANDBOX_WORKER], 1);
	return true;
}

void
walls_tell(const struct walls *w, struct peer *peer)
{
	uint8_t space[IPC_PAYLOAD_MAX];
	int i;

	for (i = 0; i < SANDBOX_PROCESSES; i++)
		if (w->known[i])
			peer_send_put(peer, PROTO_SANDBOX, 0, space,
			    proto_put_sandbox(space, &w->of[i]));
}
