/* SPDX-License-Identifier: MIT */
/* The decisions of token.h. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "secret.h"
#include "token.h"
#include "util.h"

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS (5 * 60 * 1000)
#define RETRY_MIN_MS 1000
#define BELIEVED_MIN_S 3600
/* A claim in milliseconds, or one for "never", is no length to reckon with. */
#define LIFE_MAX_S (100 * 365 * 86400LL)

void
tokens_init(struct tokens *t)
{
	memset(t, 0, sizeof(*t));
}

static void
token_free(struct token *token)
{
	secret_free(token->text, PROTO_TOKEN_MAX);
	free(token);
}

void
tokens_remove(struct tokens *t, struct token *token)
{
	unsigned i;

	for (i = 0; i < t->count; i++) {
		if (t->candidate[i] != token)
			continue;
		token_free(token);
		t->candidate[i] = t->candidate[--t->count];
		return;
	}
}

void
tokens_clear(struct tokens *t)
{
	while (t->count > 0)
		token_free(t->candidate[--t->count]);
}

static bool
is_expired(const struct token *token, int64_t now_s)
{
	return token->claims.exp_s <= now_s;
}

/* The higher wins, before iat and source do. */
enum rank {
	RANK_DEAD,
	RANK_REFUSED,
	RANK_EXPIRED,
	RANK_RESERVE,
	RANK_VALID,
	RANKS
};

static enum rank
rank(const struct token *token, int64_t now_s)
{
	bool expired = is_expired(token, now_s);

	if (token->revoked || (token->refused && expired))
		return RANK_DEAD;
	if (token->refused)
		return RANK_REFUSED;
	if (expired)
		return RANK_EXPIRED;
	return token->reserve ? RANK_RESERVE : RANK_VALID;
}

static bool
is_better(const struct token *a, const struct token *b, int64_t now_s)
{
	enum rank ra = rank(a, now_s), rb = rank(b, now_s);

	if (ra != rb)
		return ra > rb;
	if (ra == RANK_REFUSED && a->refusals != b->refusals)
		return a->refusals < b->refusals;
	if (a->issued_s != b->issued_s)
		return a->issued_s > b->issued_s;
	if (a->source != b->source)
		return a->source > b->source; /* refreshed, given, stored */
	if (a->claims.exp_s != b->claims.exp_s)
		return a->claims.exp_s > b->claims.exp_s;
	/* The server's last word: rows are numbered as they came, and what is
	 * not stored yet came last. */
	return b->row != -1 && (a->row == -1 || a->row > b->row);
}

struct token *
tokens_best(
    const struct tokens *t, int64_t now_s, enum proto_token_state *state)
{
	static const enum proto_token_state states[RANKS] = {
	    [RANK_DEAD] = PROTO_TOKEN_REFUSED_ALL,
	    [RANK_REFUSED] = PROTO_TOKEN_REFUSED_ALL,
	    [RANK_EXPIRED] = PROTO_TOKEN_EXPIRED,
	    [RANK_RESERVE] = PROTO_TOKEN_VALID,
	    [RANK_VALID] = PROTO_TOKEN_VALID,
	};
	struct token *best = NULL;
	unsigned i;

	for (i = 0; i < t->count; i++)
		if (best == NULL || is_better(t->candidate[i], best, now_s))
			best = t->candidate[i];
	*state = best == NULL ? PROTO_TOKEN_NONE : states[rank(best, now_s)];
	return best;
}

struct token *
tokens_offer(
    const struct tokens *t, int64_t now_s, enum proto_token_state *state)
{
	struct token *best = tokens_best(t, now_s, state);

	if (best != NULL && rank(best, now_s) != RANK_DEAD)
		return best;
	*state = PROTO_TOKEN_NONE;
	return NULL;
}

/* The worst but for `spared`, of the stored ones or of all. */
static struct token *
find_worst(const struct tokens *t, const struct token *spared, bool stored)
{
	int64_t now_s = util_wall_ms() / 1000;
	struct token *worst = NULL, *token;
	unsigned i;

	for (i = 0; i < t->count; i++) {
		token = t->candidate[i];
		if (token == spared || (stored && token->row == -1))
			continue;
		if (worst == NULL || is_better(worst, token, now_s))
			worst = token;
	}
	return worst;
}

static void
make_room(struct tokens *t)
{
	enum proto_token_state state;
	struct token *best, *worst;

	if (t->count < TOKEN_CANDIDATES_MAX)
		return;
	best = tokens_best(t, util_wall_ms() / 1000, &state);
	worst = find_worst(t, best, true);
	if (worst == NULL)
		worst = find_worst(t, best, false);
	if (t->on_evict != NULL)
		t->on_evict(worst, t->arg);
	tokens_remove(t, worst);
}

static struct token *
token_new(const char *text, const struct jwt *claims)
{
	struct token *token = calloc(1, sizeof(*token));

	if (token == NULL)
		fatalx("out of memory");
	token->text = secret_alloc(PROTO_TOKEN_MAX);
	(void)util_strlcpy(token->text, text, PROTO_TOKEN_MAX);
	token->claims = *claims;
	token->row = -1;
	token->since_ms = util_wall_ms();
	token->mono_ms = util_mono_ms();
	token->issued_s = claims->iat_s;
	if (token->issued_s > token->since_ms / 1000)
		token->issued_s = token->since_ms / 1000;
	return token;
}

/*
 * From when the schedule counts. The clocks of two machines may differ by more
 * than a token lives. What a refresh brought was issued in that moment; of its
 * life there is left what this clock says, but a fifth at least, or each would
 * be due when it comes. Of another one whose iat is yet to come only the length
 * of its life is known: it is due at once.
 */
static void
schedule(struct token *token)
{
	int64_t since_s = token->since_ms / 1000;
	int64_t life_s = token->claims.exp_s - token->claims.iat_s;
	int64_t left_s = token->claims.exp_s - since_s;

	if (life_s > LIFE_MAX_S)
		life_s = LIFE_MAX_S;
	token->life_s = life_s;
	token->from_ms = token->issued_s * 1000;
	if (token->source == PROTO_SOURCE_REFRESH) {
		token->from_ms = since_s * 1000;
		if (left_s < life_s)
			token->life_s =
			    left_s > life_s / 5 ? left_s : life_s / 5;
	} else if (token_skew_s(token, since_s) > 0) {
		token->from_ms = token->since_ms - life_s * 1000;
	}
}

static struct token *
find_text(const struct tokens *t, const char *text)
{
	unsigned i;

	for (i = 0; i < t->count; i++)
		if (strcmp(t->candidate[i]->text, text) == 0)
			return t->candidate[i];
	return NULL;
}

struct token *
tokens_add(struct tokens *t, const char *text, enum proto_source source,
    int64_t row, const char **error)
{
	struct token *token = find_text(t, text);
	struct jwt claims;

	*error = jwt_parse(&claims, text);
	if (*error == NULL && t->key != NULL)
		*error = jwt_verify(t->key, text);
	if (*error != NULL)
		return NULL;
	if (token == NULL) {
		make_room(t);
		token = token_new(text, &claims);
		token->source = source;
		schedule(token);
		t->candidate[t->count++] = token;
	}
	token->source = source;
	token->verified = t->key != NULL;
	if (row != -1)
		token->row = row;
	return token;
}

bool
tokens_refuse(struct tokens *t, const char *jti, uint16_t status, unsigned by)
{
	struct token *token;
	bool found = false;
	unsigned i;

	for (i = 0; i < t->count; i++) {
		token = t->candidate[i];
		if (strcmp(token->claims.jti, jti) != 0)
			continue;
		found = found || !token->refused;
		token->refused = true;
		token->refusals++;
		token->status = status;
		token->said_by = by;
	}
	return found;
}

unsigned
tokens_refused(const struct tokens *t)
{
	unsigned i, n = 0;

	for (i = 0; i < t->count; i++)
		n += t->candidate[i]->refused;
	return n;
}

static void
forgive_one(struct token *token)
{
	token->refused = token->revoked = false;
	token->refusals = 0;
}

void
tokens_forgive(struct tokens *t)
{
	unsigned i;

	for (i = 0; i < t->count; i++)
		forgive_one(t->candidate[i]);
}

unsigned
tokens_unsay(struct tokens *t, unsigned by)
{
	struct token *token;
	unsigned i, n = 0;

	for (i = 0; i < t->count; i++) {
		token = t->candidate[i];
		if (!token->refused || token->said_by != by)
			continue;
		forgive_one(token);
		n++;
	}
	return n;
}

int64_t
token_skew_s(const struct token *token, int64_t now_s)
{
	int64_t ahead_s = token->claims.iat_s - now_s;

	return ahead_s > TOKEN_SKEW_S ? ahead_s : 0;
}

int64_t
token_now_ms(const struct token *token, int64_t wall_ms, int64_t mono_ms)
{
	int64_t ms = token->since_ms + mono_ms - token->mono_ms;

	return wall_ms > ms ? wall_ms : ms;
}

/* ms, spread by ±percent. */
static int64_t
jitter(int64_t ms, int64_t percent, uint32_t random)
{
	int64_t span = ms * percent / 100;

	return ms - span + (2 * span * (int64_t)(random >> 8) >> 24);
}

void
token_believe(struct token *token, const struct token *before)
{
	int64_t max_s = 2 * before->life_s;

	if (max_s < BELIEVED_MIN_S)
		max_s = BELIEVED_MIN_S;
	if (token->life_s > max_s)
		token->life_s = max_s;
}

int64_t
token_due_ms(const struct token *token, int64_t interval_ms, uint32_t random)
{
	int64_t life_ms = token->life_s * 1000, due_ms;
	int64_t latest_ms = token->from_ms + life_ms / 6 * 5;

	if (interval_ms > 0)
		due_ms = token->since_ms + jitter(interval_ms, 5, random);
	else
		due_ms = token->from_ms + jitter(life_ms / 2, 5, random);
	return due_ms < latest_ms ? due_ms : latest_ms;
}

int64_t
token_retry_ms(
    const struct token *token, unsigned n, int64_t now_ms, uint32_t random)
{
	int64_t left_ms = token->claims.exp_s * 1000 - now_ms;
	int64_t ms = RETRY_FIRST_MS;

	for (; n > 1 && ms < RETRY_MAX_MS; n--)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	if (left_ms > 0 && ms > left_ms / 4)
		ms = left_ms / 4;
	if (ms < RETRY_MIN_MS)
		ms = RETRY_MIN_MS;
	return jitter(ms, 25, random);
}
