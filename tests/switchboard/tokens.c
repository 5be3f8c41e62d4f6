/* SPDX-License-Identifier: MIT */
/* tokens: the book of jtis, bounded; the oldest are forgotten. */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "board.h"
#include "text.h"
#include "tokens.h"

#define NOTES_MAX 10000
#define SAME_MS 1000

struct note {
	TAILQ_ENTRY(note) entry;
	char *jti, *path_id;
	char *sub; /* of a refreshed one, or NULL */
	int64_t iat, exp;
	int64_t refreshed_ms; /* 0: not made by a refresh */
	bool superseded, revoked;
};

static TAILQ_HEAD(note_list, note) notes = TAILQ_HEAD_INITIALIZER(notes);
static size_t notes_len;

static void
forget(struct note *n)
{
	TAILQ_REMOVE(&notes, n, entry);
	notes_len--;
	free(n->jti);
	free(n->path_id);
	free(n->sub);
	free(n);
}

static struct note *
find(const char *jti)
{
	struct note *n;

	TAILQ_FOREACH_REVERSE(n, &notes, note_list, entry)
	if (strcmp(n->jti, jti) == 0)
		return n;
	return NULL;
}

/* The note of a jti, made when there is none. */
static struct note *
note(const char *jti, const char *path_id)
{
	struct note *n = find(jti);

	if (n != NULL)
		return n;
	if (notes_len == NOTES_MAX)
		forget(TAILQ_FIRST(&notes));
	n = buf_calloc(sizeof(*n));
	n->jti = buf_strdup(jti);
	n->path_id = buf_strdup(path_id);
	TAILQ_INSERT_TAIL(&notes, n, entry);
	notes_len++;
	return n;
}

char *
tokens_issue(const struct jwt *t)
{
	note(t->jti, t->path_id);
	return jwt_sign(t);
}

int
tokens_judge(const char *token, struct jwt *t, const char **why)
{
	struct note *n;

	if (jwt_verify(token, t, why) == -1)
		return -1;
	n = note(t->jti, t->path_id);
	if (n->revoked)
		*why = "revoked";
	else if (n->superseded)
		*why = "superseded";
	else if (t->exp <= board_wall_s())
		*why = "expired";
	else
		return 0;
	return -1;
}

static struct note *
find_fresh(const char *path_id)
{
	struct note *n;

	TAILQ_FOREACH_REVERSE(n, &notes, note_list, entry)
	if (n->refreshed_ms != 0 && !n->superseded && !n->revoked &&
	    board_now_ms() - n->refreshed_ms < SAME_MS &&
	    strcmp(n->path_id, path_id) == 0)
		return n;
	return NULL;
}

static struct note *
make_fresh(const char *path_id, const char *sub)
{
	char jti[TEXT_UUID_SIZE];
	struct note *n;

	TAILQ_FOREACH(n, &notes, entry)
	if (strcmp(n->path_id, path_id) == 0)
		n->superseded = true;
	text_uuid(jti);
	n = note(jti, path_id);
	n->sub = buf_strdup(sub);
	n->refreshed_ms = board_now_ms();
	n->iat = board_wall_s();
	n->exp = n->iat + board.settings.token_ttl;
	return n;
}

char *
tokens_refresh(const char *path_id, const char *sub, struct jwt *t)
{
	struct note *n = find_fresh(path_id);

	if (n == NULL)
		n = make_fresh(path_id, sub);
	t->jti = buf_strdup(n->jti);
	t->path_id = buf_strdup(n->path_id);
	t->sub = buf_strdup(n->sub);
	t->iat = n->iat;
	t->exp = n->exp;
	return jwt_sign(t);
}

void
tokens_revoke(const char *jti)
{
	note(jti, "")->revoked = true;
}

bool
tokens_is_revoked(const char *jti)
{
	struct note *n = find(jti);

	return n != NULL && n->revoked;
}

void
tokens_free(void)
{
	while (!TAILQ_EMPTY(&notes))
		forget(TAILQ_FIRST(&notes));
}
