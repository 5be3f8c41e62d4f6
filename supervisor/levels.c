/* SPDX-License-Identifier: MIT */
/* The levels of levels.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "levels.h"
#include "service.h"
#include "util.h"

void
levels_find_journal(struct levels *l)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	/* Somebody may have sent standard error elsewhere since. */
	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return;
	(void)util_fmt(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	l->journal = strcmp(own, stream) == 0;
	log_set_journal(l->journal);
}

static enum log_level
level_of(const struct service *s, enum proto_log_who who)
{
	if (s->levels.given[who])
		return s->levels.level[who];
	return (enum log_level)conf_num(&s->conf, CONF_LOG_LEVEL);
}

void
levels_tell(const struct service *s, struct child *c)
{
	struct proto_log log = {
	    .who = child_role(c) == PROTO_WORKER ? PROTO_LOG_WORKER
						 : PROTO_LOG_TOKEND,
	    .journal = s->levels.journal,
	};
	uint8_t space[IPC_PAYLOAD_MAX];

	log.level = level_of(s, log.who);
	peer_send_put(child_peer(c), PROTO_LOG_LEVEL, 0, space,
	    proto_put_log(space, &log));
}

static void
tell(const struct service *s, struct child *c)
{
	if (c != NULL && child_is_running(c))
		levels_tell(s, c);
}

static void
tell_all(const struct service *s)
{
	size_t i;

	log_set_level(level_of(s, PROTO_LOG_SUPERVISOR));
	tell(s, s->tokend);
	tell(s, s->worker);
	tell(s, s->fresh);
	for (i = 0; i < SERVICE_WORKERS_MAX; i++)
		tell(s, s->old[i]);
}

void
levels_set(struct service *s, const struct proto_log *log)
{
	size_t i;

	for (i = 0; i < PROTO_LOG_WHOS; i++) {
		if (log->who != PROTO_LOG_ALL && log->who != i)
			continue;
		s->levels.given[i] = true;
		s->levels.level[i] = log->level;
	}
	tell_all(s);
}

void
levels_reset(struct service *s)
{
	memset(s->levels.given, 0, sizeof(s->levels.given));
	tell_all(s);
}
