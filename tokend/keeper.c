/* SPDX-License-Identifier: MIT */
/* The joints of keeper.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper.h"
#include "log.h"
#include "secret.h"
#include "util.h"

#define SECRET_MAX 1024
#define SEALED_MAX SEAL_TEXT_MAX(PROTO_TOKEN_MAX)

/* --- what the operator gave ----------------------------------------------- */

struct seal *
keeper_read_secret(int fd, int *code)
{
	struct seal *seal = NULL;
	const char *fault = NULL;
	char *secret;

	*code = EX_CONFIG;
	if (fd == -1) {
		log_errorx("SECRET_KEY_BASE is missing: make one with openssl "
			   "rand -hex 32 and keep it; the stored token is "
			   "sealed with it");
		return NULL;
	}
	secret = secret_alloc(SECRET_MAX);
	if (secret_read(fd, secret, SECRET_MAX) == -1)
		fault = errno == EFBIG ? "it is too long"
		    : errno == EINVAL  ? "it holds a NUL"
				       : "it cannot be read";
	else
		fault = seal_judge_secret(secret);
	if (fault == NULL)
		seal = seal_create(secret);
	else
		log_errorx("SECRET_KEY_BASE: %s", fault);
	secret_free(secret, SECRET_MAX);
	return seal;
}

int
keeper_read_given(struct tokens *tokens, int fd)
{
	const char *error = NULL;
	char *text;
	int code = EX_OK;
	long len;

	if (fd == -1)
		return EX_OK;
	text = secret_alloc(PROTO_TOKEN_MAX);
	len = secret_read(fd, text, PROTO_TOKEN_MAX);
	if (len == -1)
		error = errno == EFBIG ? "it is longer than 16383 bytes"
		    : errno == EINVAL  ? "it holds a NUL"
				       : "it cannot be read";
	else if (len > 0) /* an empty file is no token, as an empty value */
		(void)tokens_add(tokens, text, PROTO_SOURCE_GIVEN, -1, &error);
	if (error != NULL) {
		log_errorx("TELEPHONE_TOKEN is no token: %s", error);
		code = EX_CONFIG;
	}
	secret_free(text, PROTO_TOKEN_MAX);
	return code;
}

/* --- the store ------------------------------------------------------------ */

struct reading {
	struct seal *seal;
	struct tokens *tokens; /* NULL: only try */
	char *text;
	unsigned rows, readable;
};

static bool
read_row(int64_t id, const char *sealed, void *arg)
{
	struct reading *r = arg;
	const char *error;

	r->rows++;
	if (seal_open(r->seal, sealed, r->text, PROTO_TOKEN_MAX) == -1)
		return true;
	if (r->tokens == NULL) {
		r->readable++;
		return false;
	}
	if (tokens_add(r->tokens, r->text, PROTO_SOURCE_STORE, id, &error) !=
	    NULL)
		r->readable++;
	else
		log_warnx("row %" PRId64 " of the store holds no token: %s", id,
		    error);
	return r->rows < 10 * TOKEN_CANDIDATES_MAX; /* the newest will do */
}

/* 0, or 78 when there are rows and none of them could be read. */
static int
read_rows(struct keeper *k, struct seal *seal, struct tokens *tokens)
{
	struct reading r = {.seal = seal, .tokens = tokens};
	int result;

	r.text = secret_alloc(PROTO_TOKEN_MAX);
	result = store_each(k->store, read_row, &r);
	secret_free(r.text, PROTO_TOKEN_MAX);
	if (result == -1)
		return EX_CONFIG;
	if (r.rows > 0 && r.readable == 0) {
		log_errorx("nothing in the store can be read with this "
			   "SECRET_KEY_BASE: give the one that it was sealed "
			   "with, or move the store aside and give a token in "
			   "TELEPHONE_TOKEN; the store was not changed");
		return EX_CONFIG;
	}
	if (r.readable < r.rows)
		log_warnx("%u of %u rows in the store cannot be read with "
			  "this SECRET_KEY_BASE",
		    r.rows - r.readable, r.rows);
	return EX_OK;
}

int
keeper_try_seal(struct keeper *k, struct seal *seal)
{
	return read_rows(k, seal, NULL);
}

int
keeper_open(struct keeper *k, const struct conf *conf, bool was_root)
{
	struct store_params params = {
	    .path = conf_text(conf, CONF_TOKEN_DB_PATH),
	    .timeout_ms = conf_num(conf, CONF_DB_TIMEOUT),
	    .was_root = was_root,
	};
	int code = store_open(&k->store, &params);

	if (code != EX_OK)
		return code;
	code = read_rows(k, k->seal, &k->tokens);
	if (code != EX_OK)
		return code;
	return store_adopt(k->store) == 0 ? EX_OK : EX_CANTCREAT;
}

void
keeper_close(struct keeper *k)
{
	store_close(k->store);
	k->store = NULL;
	seal_free(k->seal);
	k->seal = NULL;
	tokens_clear(&k->tokens);
}

/* --- keeping -------------------------------------------------------------- */

struct token *
keeper_best(const struct keeper *k, enum proto_token_state *state)
{
	return tokens_best(&k->tokens, util_wall_ms() / 1000, state);
}

static void
save(struct keeper *k, struct token *token)
{
	char *sealed = malloc(SEALED_MAX);

	if (sealed != NULL &&
	    seal_close(k->seal, token->text, sealed, SEALED_MAX) == 0)
		token->row = store_save(k->store, sealed, token->claims.exp_s);
	k->unsaved = token->row == -1;
	if (k->unsaved)
		log_errorx("the current token is not stored: a restart would "
			   "need a new one; trying again");
	free(sealed);
}

/* What is expired, and not the last one standing. */
static void
remove_expired(struct keeper *k, const struct token *best)
{
	int64_t now_s = util_wall_ms() / 1000;
	struct token *token;
	unsigned i;

	for (i = 0; i < k->tokens.count;) {
		token = k->tokens.candidate[i];
		if (token == best || token->claims.exp_s > now_s) {
			i++;
			continue;
		}
		if (token->row != -1)
			(void)store_delete(k->store, token->row);
		tokens_remove(&k->tokens, token);
	}
}

void
keeper_save(struct keeper *k)
{
	enum proto_token_state state;
	struct token *best = keeper_best(k, &state);

	k->unsaved = false;
	if (best == NULL)
		return;
	if (best->row == -1)
		save(k, best);
	if (!k->unsaved && state == PROTO_TOKEN_VALID)
		remove_expired(k, best);
}
