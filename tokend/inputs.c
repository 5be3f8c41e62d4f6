/* SPDX-License-Identifier: MIT */
/* The readers of inputs.h. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "inputs.h"
#include "log.h"
#include "secret.h"
#include "util.h"

#define SECRET_MAX 1024
/* RFC 7518 §3.2: a key as long as the digest. */
#define JWT_KEY_SHORT 32

void
inputs_init(struct inputs *in)
{
	in->secret = in->previous = in->jwt_key = in->token = -1;
}

void
inputs_close(struct inputs *in)
{
	util_close(&in->secret);
	util_close(&in->previous);
	util_close(&in->jwt_key);
	util_close(&in->token);
}

/* Why secret_read failed. */
static const char *
read_fault(void)
{
	return errno == EFBIG ? "it is too long"
	    : errno == EINVAL ? "it holds a NUL"
			      : "it cannot be read";
}

static int
read_seal(int fd, const char *key, const char *(*judge)(const char *),
    struct seal **out)
{
	char *secret = secret_alloc(SECRET_MAX);
	const char *fault = NULL;

	if (secret_read(fd, secret, SECRET_MAX) == -1)
		fault = read_fault();
	else
		fault = judge(secret);
	if (fault == NULL)
		*out = seal_create(secret);
	else
		log_errorx("%s: %s", key, fault);
	secret_free(secret, SECRET_MAX);
	return fault == NULL ? EX_OK : EX_CONFIG;
}

int
inputs_secret(const struct inputs *in, struct seal **out)
{
	*out = NULL;
	if (in->secret != -1)
		return read_seal(
		    in->secret, "SECRET_KEY_BASE", seal_judge_secret, out);
	log_errorx("SECRET_KEY_BASE is missing: make one with openssl rand "
		   "-hex 32 and keep it; the stored token is sealed with it");
	return EX_CONFIG;
}

/* Any text: it may be an old, odd key that is on its way out. */
static const char *
judge_previous(const char *secret)
{
	return secret[0] == '\0' ? "it is empty" : NULL;
}

int
inputs_previous(const struct inputs *in, struct seal **out)
{
	*out = NULL;
	return in->previous == -1
	    ? EX_OK
	    : read_seal(in->previous, "SECRET_KEY_BASE_PREVIOUS",
		  judge_previous, out);
}

int
inputs_jwt_key(const struct inputs *in, struct jwt_key **out)
{
	const char *fault = NULL;
	struct jwt_key *key;
	long len;

	*out = NULL;
	if (in->jwt_key == -1)
		return EX_OK;
	key = secret_alloc(sizeof(*key));
	len = secret_read(in->jwt_key, key->text, sizeof(key->text));
	if (len == -1)
		fault = read_fault();
	else if (len == 0)
		fault = "it is empty";
	if (fault != NULL) {
		log_errorx("PLUGBOARD_JWT_SECRET_FILE: %s", fault);
		inputs_free_jwt_key(key);
		return EX_CONFIG;
	}
	if (len < JWT_KEY_SHORT)
		log_warnx("PLUGBOARD_JWT_SECRET_FILE: a key of %ld bytes can "
			  "be guessed; RFC 7518 asks for %d or more",
		    len, JWT_KEY_SHORT);
	key->len = (size_t)len;
	*out = key;
	return EX_OK;
}

void
inputs_free_jwt_key(struct jwt_key *key)
{
	secret_free(key, sizeof(*key));
}

static struct token *
read_token(int fd, struct tokens *tokens, const char **error)
{
	char *text = secret_alloc(PROTO_TOKEN_MAX);
	struct token *token = NULL;
	long len = secret_read(fd, text, PROTO_TOKEN_MAX);

	*error = NULL;
	if (len == -1)
		*error = errno == EFBIG ? "it is longer than 16383 bytes"
					: read_fault();
	else if (len > 0)
		token = tokens_add(tokens, text, PROTO_SOURCE_GIVEN, -1, error);
	secret_free(text, PROTO_TOKEN_MAX);
	return token;
}

int
inputs_token(const struct inputs *in, struct tokens *tokens, struct token **out)
{
	const char *error = NULL;

	*out = NULL;
	if (in->token == -1)
		return EX_OK;
	/* An empty file is no token, as an empty value. */
	*out = read_token(in->token, tokens, &error);
	if (error == NULL)
		return EX_OK;
	log_errorx("TELEPHONE_TOKEN is no token: %s; give it as Plugboard gave "
		   "it, or leave it unset",
	    error);
	return EX_CONFIG;
}

struct token *
inputs_sent(int fd, struct tokens *tokens, const char **error)
{
	struct token *token = NULL;

	/* Anything else could change under our eyes, or never end. */
	*error = "its descriptor is no sealed memory";
	if (!secret_is_sealed(fd))
		return NULL;
	token = read_token(fd, tokens, error);
	if (token == NULL && *error == NULL)
		*error = "it is empty";
	return token;
}
