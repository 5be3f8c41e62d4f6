/* SPDX-License-Identifier: MIT */
/* The diagnosis of diagnose.h. Faults of what was given are said by inputs.c,
 * those of the store by store_fault.c, both on standard error. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "diagnose.h"
#include "log.h"
#include "priv.h"
#include "secret.h"
#include "util.h"

#define FIRST_FD 3
/* The store may be busy; somebody is waiting for us. */
#define TIMEOUT_MS 2000

struct seals {
	struct seal *seal, *previous;
};

static void
parse_words(struct diagnosis *c, char **words)
{
	int fd = FIRST_FD;

	for (; *words != NULL; words++) {
		if (strcmp(*words, "secret") == 0)
			c->inputs.secret = fd++;
		else if (strcmp(*words, "previous") == 0)
			c->inputs.previous = fd++;
		else if (strcmp(*words, "jwt_key") == 0)
			c->inputs.jwt_key = fd++;
		else if (strcmp(*words, "token") == 0)
			c->inputs.token = fd++;
		else if (strcmp(*words, "report") == 0)
			c->report = true;
		else if (strcmp(*words, "json") == 0)
			c->report = c->json = true;
		else if (strcmp(*words, "move-aside") == 0)
			c->move_aside = true;
		else if (strncmp(*words, "db=", 3) == 0)
			c->db = *words + 3;
		else
			log_exit(
			    EX_USAGE, "tokend --check: what is %s?", *words);
	}
}

/* --- the store ------------------------------------------------------------ */

struct reading {
	struct diagnosis *check;
	const struct seals *seals;
	char *text;
};

static bool
opens(struct seal *seal, const char *sealed, char *text)
{
	return seal != NULL &&
	    seal_open(seal, sealed, text, PROTO_TOKEN_MAX) == 0;
}

static bool
read_row(int64_t id, const char *sealed, void *arg)
{
	struct reading *r = arg;
	struct diagnosis *c = r->check;
	const char *error;
	struct token *token;

	c->rows++;
	if (!opens(r->seals->seal, sealed, r->text)) {
		if (!opens(r->seals->previous, sealed, r->text))
			return true;
		c->by_previous++;
	}
	c->readable++;
	token = tokens_add(&c->tokens, r->text, PROTO_SOURCE_STORE, id, &error);
	if (token == NULL)
		c->no_tokens++;
	else if (token->claims.exp_s <= util_wall_ms() / 1000)
		c->expired++;
	return true;
}

/* Root looks with the eyes of the store's owner, and leaves no file of its
 * own beside it. */
static void
become_owner(const char *path)
{
	struct priv_user user = {.name = "the store's owner"};
	struct stat sb;

	if (!priv_is_root() || stat(path, &sb) == -1 || sb.st_uid == 0 ||
	    sb.st_gid == 0)
		return;
	user.uid = sb.st_uid;
	user.gid = sb.st_gid;
	priv_drop(&user);
}

static void
look_at_store(struct diagnosis *c, const struct seals *seals)
{
	struct store_params params = {
	    .path = c->db, .timeout_ms = TIMEOUT_MS, .read_only = true};
	struct reading r = {.check = c, .seals = seals};
	struct store *store = NULL;

	become_owner(c->db);
	c->fault = store_open(&store, &params);
	if (c->fault != STORE_OK)
		return;
	r.text = secret_alloc(PROTO_TOKEN_MAX);
	c->fault = store_each(store, read_row, &r);
	secret_free(r.text, PROTO_TOKEN_MAX);
	store_close(store);
}

/* --- moving it aside ------------------------------------------------------ */

static bool
is_unreadable(const struct diagnosis *c)
{
	return c->fault == STORE_DAMAGED || c->fault == STORE_NEWER ||
	    (c->fault == STORE_OK && c->rows > 0 && c->readable == 0 &&
		c->secret_code == EX_OK);
}

/* The file itself last: what is left of an interrupted move is still the
 * unreadable store. */
static void
move_aside(struct diagnosis *c)
{
	static const char *const suffixes[] = {"-wal", "-shm", ""};
	char stamp[32], from[1100], to[1100];
	time_t now = (time_t)(util_wall_ms() / 1000);
	struct tm tm;
	size_t i;
	int fd = open(c->db, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1) {
		log_warn("%s is in use or cannot be opened, and stays", c->db);
		util_close(&fd);
		return;
	}
	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "aside-%Y%m%dT%H%M%SZ", &tm);
	for (i = 0; i < UTIL_COUNT(suffixes); i++) {
		(void)util_fmt(from, sizeof(from), "%s%s", c->db, suffixes[i]);
		(void)util_fmt(
		    to, sizeof(to), "%s.%s%s", c->db, stamp, suffixes[i]);
		if (rename(from, to) == 0) {
			if (suffixes[i][0] == '\0')
				(void)util_strlcpy(
				    c->moved_to, to, sizeof(c->moved_to));
		} else if (errno != ENOENT) {
			log_warn("%s cannot be renamed", from);
			break;
		}
	}
	util_close(&fd);
	if (c->moved_to[0] != '\0')
		log_audit(LOG_LEVEL_WARN, "unreadable",
		    "the store was moved to %s", c->moved_to);
}

/* --- the whole ------------------------------------------------------------ */

/* The first fault; without one, whether there is a token to go on with. */
static int
judge(const struct diagnosis *c)
{
	const int codes[] = {
	    c->secret_code, c->previous_code, c->jwt_key_code, c->token_code};
	enum proto_token_state state;
	size_t i;

	for (i = 0; i < UTIL_COUNT(codes); i++)
		if (codes[i] != EX_OK)
			return codes[i];
	if (!c->report)
		return EX_OK;
	if (c->moved_to[0] == '\0') {
		if (c->fault != STORE_OK && c->fault != STORE_ABSENT)
			return store_fault_code(c->fault);
		if (c->rows > 0 && c->readable == 0)
			return EX_CONFIG;
	}
	(void)tokens_best(&c->tokens, util_wall_ms() / 1000, &state);
	return state == PROTO_TOKEN_VALID ? EX_OK : 1;
}

int
diagnose_main(char **words)
{
	struct seals seals = {NULL, NULL};
	struct jwt_key *key = NULL;
	static struct diagnosis c;
	int code;

	inputs_init(&c.inputs);
	tokens_init(&c.tokens);
	parse_words(&c, words);
	c.jwt_key_code = inputs_jwt_key(&c.inputs, &key);
	c.tokens.key = key;
	c.token_code = inputs_token(&c.inputs, &c.tokens, &c.given);
	c.secret_code = inputs_secret(&c.inputs, &seals.seal);
	c.previous_code = inputs_previous(&c.inputs, &seals.previous);
	if (c.report && c.db != NULL) {
		look_at_store(&c, &seals);
		if (c.move_aside && is_unreadable(&c))
			move_aside(&c);
	}
	code = judge(&c);
	if (c.json)
		diagnose_print_json(&c, code);
	else if (c.report)
		diagnose_print(&c, code);
	if (c.report && (fflush(stdout) == EOF || ferror(stdout))) {
		log_warnx("standard output cannot be written");
		code = EX_IOERR;
	}
	tokens_clear(&c.tokens);
	seal_free(seals.seal);
	seal_free(seals.previous);
	inputs_free_jwt_key(key);
	return code;
}
