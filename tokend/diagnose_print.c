/* SPDX-License-Identifier: MIT */
/* The two forms of a diagnosis (diagnose.h), and what each finding asks for. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "diagnose.h"
#include "jsonout.h"
#include "util.h"

static int64_t
now_s(void)
{
	return util_wall_ms() / 1000;
}

static const struct token *
best(const struct diagnosis *c, enum proto_token_state *state)
{
	return tokens_best(&c->tokens, now_s(), state);
}

static bool
has_no_token(const struct diagnosis *c)
{
	return c->tokens.count == 0;
}

static bool
is_expired(const struct diagnosis *c)
{
	enum proto_token_state state;

	return best(c, &state) != NULL && state == PROTO_TOKEN_EXPIRED;
}

static bool
is_in_future(const struct diagnosis *c)
{
	enum proto_token_state state;
	const struct token *token = best(c, &state);

	return token != NULL && token_skew_s(token, now_s()) > 0;
}

static bool
has_no_key_for_store(const struct diagnosis *c)
{
	return c->fault == STORE_OK && c->rows > 0 && c->readable == 0 &&
	    c->moved_to[0] == '\0';
}

static bool
has_some_unreadable(const struct diagnosis *c)
{
	return c->readable > 0 && c->readable < c->rows;
}

static bool
wants_rotation(const struct diagnosis *c)
{
	return c->by_previous > 0;
}

static bool
needs_previous_no_more(const struct diagnosis *c)
{
	return c->inputs.previous != -1 && c->previous_code == EX_OK &&
	    c->by_previous == 0 && c->readable == c->rows;
}

static bool
is_damaged(const struct diagnosis *c)
{
	return c->fault == STORE_DAMAGED && c->moved_to[0] == '\0';
}

static bool
was_moved(const struct diagnosis *c)
{
	return c->moved_to[0] != '\0';
}

static bool
is_unverified(const struct diagnosis *c)
{
	return c->tokens.count > 0 && c->tokens.key == NULL;
}

static bool
lacks_secret(const struct diagnosis *c)
{
	return c->secret_code != EX_OK;
}

static bool
lacks_good_token(const struct diagnosis *c)
{
	return c->token_code != EX_OK;
}

static const struct {
	bool (*applies)(const struct diagnosis *);
	const char *text;
} advice[] = {
    {lacks_secret,
	"set SECRET_KEY_BASE to 64 hex digits (openssl rand -hex 32) and keep "
	"it: the stored token is sealed with it"},
    {lacks_good_token,
	"correct TELEPHONE_TOKEN, or take it away if a token "
	"is stored"},
    {has_no_key_for_store,
	"give the SECRET_KEY_BASE that the store was sealed with, in "
	"SECRET_KEY_BASE_PREVIOUS if it is to be replaced; if it is lost: "
	"telephonectl token check --move-aside, and a new token"},
    {is_damaged,
	"restore the store from a backup, or: telephonectl token check "
	"--move-aside, and a new token"},
    {was_moved,
	"the store was moved aside: a new one is made at the next "
	"start; give a token in TELEPHONE_TOKEN"},
    {has_some_unreadable,
	"some rows were sealed with another key: give it in "
	"SECRET_KEY_BASE_PREVIOUS if they matter"},
    {wants_rotation,
	"start or reload telephone: rows of the previous key "
	"will be sealed with the present one"},
    {needs_previous_no_more,
	"SECRET_KEY_BASE_PREVIOUS is no longer needed: take it away"},
    {has_no_token, "give a token: TELEPHONE_TOKEN, or telephonectl token set"},
    {is_expired,
	"all tokens are expired by this clock: check the clock, or "
	"get a new token"},
    {is_in_future, "the token was issued in the future: check the clock"},
    {is_unverified,
	"signatures are not verified: PLUGBOARD_JWT_SECRET_FILE "
	"would"},
};

/* --- for people ----------------------------------------------------------- */

static const char *
word(int fd, int code)
{
	return code != EX_OK ? "faulty" : fd == -1 ? "none" : "ok";
}

static void
print_time(const char *name, int64_t s)
{
	int64_t left_s = s - now_s();
	time_t t = (time_t)s;
	char text[32];
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	(void)printf("  %-11s%s UTC (%s%" PRId64 " s%s)\n", name, text,
	    left_s >= 0 ? "in " : "", left_s >= 0 ? left_s : -left_s,
	    left_s >= 0 ? "" : " ago");
}

static void
print_token(const char *title, const struct token *token)
{
	(void)printf("%s, from %s\n", title, proto_source_name(token->source));
	(void)printf("  %-11s%s\n", "path_id", token->claims.path_id);
	(void)printf("  %-11s%s\n", "subject", token->claims.sub);
	(void)printf("  %-11s%s\n", "jti", token->claims.jti);
	print_time("issued", token->claims.iat_s);
	print_time("expires", token->claims.exp_s);
	(void)printf("  %-11s%s\n", "signature",
	    token->verified ? "verified" : "not verified");
}

static const char *
store_word(const struct diagnosis *c)
{
	return c->fault == STORE_ABSENT ? "there is none yet"
	    : c->moved_to[0] != '\0'	? "unreadable, moved aside"
	    : c->fault != STORE_OK	? store_fault_name(c->fault)
	    : has_no_key_for_store(c)	? "no key for it"
					: "ok";
}

void
diagnose_print(const struct diagnosis *c, int code)
{
	enum proto_token_state state;
	const struct token *token = best(c, &state);
	size_t i;

	(void)printf(
	    "secret       %s\n", word(c->inputs.secret, c->secret_code));
	(void)printf(
	    "previous     %s\n", word(c->inputs.previous, c->previous_code));
	(void)printf(
	    "jwt key      %s\n", word(c->inputs.jwt_key, c->jwt_key_code));
	(void)printf("given token  %s\n", word(c->inputs.token, c->token_code));
	(void)printf("store        %s: %s\n", c->db, store_word(c));
	if (c->fault == STORE_OK)
		(void)printf("rows         %u, readable %u (with the previous "
			     "key %u), expired %u, no tokens %u\n",
		    c->rows, c->readable, c->by_previous, c->expired,
		    c->no_tokens);
	if (c->moved_to[0] != '\0')
		(void)printf("moved to     %s\n", c->moved_to);
	if (c->given != NULL && c->given != token)
		print_token("given", c->given);
	if (token != NULL)
		print_token(state == PROTO_TOKEN_VALID
			? "to be used"
			: "to be tried once, for it is expired",
		    token);
	for (i = 0; i < UTIL_COUNT(advice); i++)
		if (advice[i].applies(c))
			(void)printf("advice       %s\n", advice[i].text);
	(void)printf("result       %s\n",
	    code == EX_OK   ? "there is a usable token"
		: code == 1 ? "there is no usable token"
			    : "something is wrong");
}

/* --- for programs --------------------------------------------------------- */

static void
print_token_json(const char *name, const struct token *token)
{
	(void)printf(",\"%s\":", name);
	if (token == NULL) {
		(void)printf("null");
		return;
	}
	(void)printf("{\"source\":");
	jsonout_string(proto_source_name(token->source));
	jsonout_text("path_id", token->claims.path_id);
	jsonout_text("subject", token->claims.sub);
	jsonout_text("jti", token->claims.jti);
	jsonout_int("iat", token->claims.iat_s);
	jsonout_int("exp", token->claims.exp_s);
	jsonout_bool("expired", token->claims.exp_s <= now_s());
	jsonout_bool("verified", token->verified);
	(void)printf("}");
}

void
diagnose_print_json(const struct diagnosis *c, int code)
{
	enum proto_token_state state;
	const struct token *token = best(c, &state);
	const char *comma = "";
	size_t i;

	(void)printf("{\"ok\":%s", code == EX_OK ? "true" : "false");
	jsonout_int("code", code);
	jsonout_text("secret", word(c->inputs.secret, c->secret_code));
	jsonout_text("previous", word(c->inputs.previous, c->previous_code));
	jsonout_text("jwt_key", word(c->inputs.jwt_key, c->jwt_key_code));
	jsonout_text("given", word(c->inputs.token, c->token_code));
	print_token_json("given_token", c->given);
	print_token_json("token", token);
	jsonout_text("state", proto_token_state_name(state));
	(void)printf(",\"store\":{\"path\":");
	jsonout_string(c->db);
	jsonout_text("state", store_fault_name(c->fault));
	jsonout_int("rows", c->rows);
	jsonout_int("readable", c->readable);
	jsonout_int("by_previous", c->by_previous);
	jsonout_int("expired", c->expired);
	jsonout_text("moved_to", c->moved_to);
	(void)printf("},\"advice\":[");
	for (i = 0; i < UTIL_COUNT(advice); i++) {
		if (!advice[i].applies(c))
			continue;
		(void)printf("%s", comma);
		jsonout_string(advice[i].text);
		comma = ",";
	}
	(void)printf("]}\n");
}
