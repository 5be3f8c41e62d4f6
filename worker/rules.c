/* SPDX-License-Identifier: MIT */
/*
 * The order of a request's rules: what is not trusted goes, then what
 * REMOVE_ names and what ADD_ is about to set, in one pass; then HOST_HEADER,
 * ADD_ and VIA put theirs.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "list.h"
#include "log.h"
#include "rules.h"
#include "util.h"

struct rule {
	char *name; /* or method, or path */
	char *value;
	size_t len; /* of name */
	bool prefix;
};

struct rule_list {
	struct rule *rule;
	size_t count;
};

enum lists {
	ADD_REQUEST,
	ADD_RESPONSE,
	REMOVE_REQUEST,
	REMOVE_RESPONSE,
	METHODS,
	ALLOW,
	DENY,
	LISTS
};

/* The values of TRUST_FORWARDED. From ON onward they count proxies. */
enum trust {
	TRUST_OFF,
	TRUST_RELAY,
	TRUST_ON
};

enum host {
	HOST_BACKEND,
	HOST_PASS,
	HOST_NAME
};

struct rules {
	struct rule_list list[LISTS];
	enum host host;
	char *host_name;
	enum trust trust;
	char *via;   /* "1.1 name", or NULL */
	char *allow; /* "allow: GET, POST" */
	bool refuses_cookies;
};

/* --- compiling ------------------------------------------------------------ */

static int
add_rule(struct rule_list *l, const struct list_item *item)
{
	struct rule *grown =
	    reallocarray(l->rule, l->count + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	l->rule = grown;
	grown += l->count++;
	grown->name = strdup(item->name);
	grown->value = strdup(item->value);
	grown->len = strlen(item->name);
	grown->prefix = item->prefix;
	return grown->name == NULL || grown->value == NULL ? -1 : 0;
}

static int
compile_list(struct rule_list *l, enum list_kind kind, const char *text)
{
	struct list_item item;
	char fault[LIST_FAULT_MAX];
	int result;

	while ((result = list_next(kind, &text, &item, fault)) == 1)
		if (add_rule(l, &item) == -1)
			return -1;
	if (result == -1) /* the supervisor has judged it */
		fatalx("a list of the configuration: %s", fault);
	return 0;
}

static int
compile_lists(struct rules *r, const struct conf *c)
{
	static const enum conf_id keys[LISTS] = {
	    [ADD_REQUEST] = CONF_ADD_REQUEST_HEADERS,
	    [ADD_RESPONSE] = CONF_ADD_RESPONSE_HEADERS,
	    [REMOVE_REQUEST] = CONF_REMOVE_REQUEST_HEADERS,
	    [REMOVE_RESPONSE] = CONF_REMOVE_RESPONSE_HEADERS,
	    [METHODS] = CONF_ALLOW_METHODS,
	    [ALLOW] = CONF_ALLOW_PATHS,
	    [DENY] = CONF_DENY_PATHS,
	};
	size_t i;

	for (i = 0; i < LISTS; i++)
		if (compile_list(&r->list[i], conf_keys[keys[i]].list,
			conf_text(c, keys[i])) == -1)
			return -1;
	return 0;
}

/* The names that go out as an answer's are in lower case there. */
static void
lower_names(struct rule_list *l)
{
	size_t i;
	char *c;

	for (i = 0; i < l->count; i++)
		for (c = l->rule[i].name; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c | 0x20);
}

/* "allow: GET, POST" (RFC 9110 §10.2.1). */
static char *
compile_allow(const struct rule_list *methods)
{
	struct buf b;
	size_t i;

	buf_init(&b, LIST_TEXT_MAX * 2);
	(void)buf_puts(&b, "allow: ");
	for (i = 0; i < methods->count; i++) {
		if (i > 0)
			(void)buf_puts(&b, ", ");
		(void)buf_puts(&b, methods->rule[i].name);
	}
	if (buf_putc(&b, '\0') == -1) {
		buf_clear(&b);
		return NULL;
	}
	return (char *)b.data;
}

static int
compile_texts(struct rules *r, const struct conf *c)
{
	const char *host = conf_text(c, CONF_HOST_HEADER);
	const char *via = conf_text(c, CONF_VIA);
	size_t size = strlen(via) + 5;

	r->host = strcmp(host, "backend") == 0 ? HOST_BACKEND
	    : strcmp(host, "pass") == 0	       ? HOST_PASS
					       : HOST_NAME;
	r->host_name = strdup(host);
	r->allow = compile_allow(&r->list[METHODS]);
	if (strcmp(via, "off") != 0) {
		r->via = malloc(size);
		if (r->via == NULL)
			return -1;
		(void)util_fmt(r->via, size, "1.1 %s", via);
	}
	return r->host_name == NULL || r->allow == NULL ? -1 : 0;
}

struct rules *
rules_create(const struct conf *c)
{
	struct rules *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->trust = (enum trust)conf_num(c, CONF_TRUST_FORWARDED);
	r->refuses_cookies = conf_num(c, CONF_SET_COOKIE_OVERFLOW) == 1;
	if (compile_lists(r, c) == -1 || compile_texts(r, c) == -1) {
		rules_free(r);
		return NULL;
	}
	lower_names(&r->list[ADD_RESPONSE]);
	return r;
}

void
rules_free(struct rules *r)
{
	size_t i, k;

	if (r == NULL)
		return;
	for (i = 0; i < LISTS; i++) {
		for (k = 0; k < r->list[i].count; k++) {
			free(r->list[i].rule[k].name);
			free(r->list[i].rule[k].value);
		}
		free(r->list[i].rule);
	}
	free(r->host_name);
	free(r->via);
	free(r->allow);
	free(r);
}

/* --- heads ---------------------------------------------------------------- */

static bool
is_in(const struct rule_list *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->rule[i].prefix ? list_same_prefix(name, l->rule[i].name)
				      : list_same_name(name, l->rule[i].name))
			return true;
	return false;
}

/* What proxies say of the client, and a client may say of itself. */
static bool
is_forwarded(const char *name)
{
	static const char *const names[] = {"forwarded", "x-forwarded",
	    "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"};
	size_t i;

	if (list_same_prefix(name, "x-forwarded-"))
		return true;
	for (i = 0; i < UTIL_COUNT(names); i++)
		if (list_same_name(name, names[i]))
			return true;
	return false;
}

static bool
goes_from_request(const char *name, const void *arg)
{
	const struct rules *r = arg;

	return (r->host != HOST_PASS && strcasecmp(name, "host") == 0) ||
	    (r->trust == TRUST_OFF && is_forwarded(name)) ||
	    is_in(&r->list[REMOVE_REQUEST], name) ||
	    is_in(&r->list[ADD_REQUEST], name);
}

static bool
goes_from_response(const char *name, const void *arg)
{
	const struct rules *r = arg;

	return is_in(&r->list[REMOVE_RESPONSE], name) ||
	    is_in(&r->list[ADD_RESPONSE], name);
}

static const char *
put_all(const struct rule_list *l, struct head *h)
{
	const char *error = NULL;
	size_t i;

	for (i = 0; i < l->count && error == NULL; i++)
		error = head_put(h, l->rule[i].name, l->rule[i].value);
	return error;
}

/* RFC 9112 §3.2: one Host, and one that can be one. */
static const char *
check_host(const struct head *h)
{
	const struct head_field *host = NULL;
	size_t i;

	for (i = 0; i < head_count(h); i++) {
		if (strcasecmp(head_field(h, i)->name, "host") != 0)
			continue;
		if (host != NULL)
			return "there is more than one host";
		host = head_field(h, i);
	}
	return host == NULL || list_is_authority(host->value)
	    ? NULL
	    : "host is not a host and port";
}

const char *
rules_request(const struct rules *r, struct head *h)
{
	const char *error = r->host == HOST_PASS ? check_host(h) : NULL;

	if (error != NULL)
		return error;
	head_filter(h, goes_from_request, r);
	if (r->host == HOST_NAME)
		error = head_put(h, "host", r->host_name);
	if (error == NULL)
		error = put_all(&r->list[ADD_REQUEST], h);
	if (error == NULL && r->via != NULL)
		error = head_join(h, "via", r->via);
	return error;
}

const char *
rules_response(const struct rules *r, struct head *h)
{
	if (r->list[REMOVE_RESPONSE].count + r->list[ADD_RESPONSE].count == 0)
		return NULL;
	head_filter(h, goes_from_response, r);
	return put_all(&r->list[ADD_RESPONSE], h);
}

unsigned
rules_trusted_hops(const struct rules *r)
{
	return r->trust < TRUST_ON ? 0 : (unsigned)r->trust - TRUST_ON + 1;
}

bool
rules_refuses_cookies(const struct rules *r)
{
	return r->refuses_cookies;
}

/* --- methods and paths ---------------------------------------------------- */

/* True for the rule's path, and for all below it. */
static bool
covers(const struct rule *rule, const uint8_t *path, size_t len)
{
	return rule->len == 0 ||
	    (len >= rule->len && memcmp(path, rule->name, rule->len) == 0 &&
		(len == rule->len || path[rule->len] == '/'));
}

static bool
is_covered(const struct rule_list *l, const uint8_t *path, size_t len)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (covers(&l->rule[i], path, len))
			return true;
	return false;
}

static bool
has_method(const struct rule_list *l, const char *method)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (strcmp(l->rule[i].name, method) == 0)
			return true;
	return l->count == 0;
}

/* As it stands, and as a lenient application may read it: one of the two is
 * enough to deny, both are needed to allow. */
static int
judge_path(const struct rules *r, struct json_str path, bool *admitted)
{
	const struct rule_list *allow = &r->list[ALLOW], *deny = &r->list[DENY];
	struct buf clean;

	*admitted = true;
	if (allow->count + deny->count == 0)
		return 0;
	buf_init(&clean, path.len + 1);
	if (head_path_clean(&clean, path) == -1) {
		buf_clear(&clean);
		return -1;
	}
	if (is_covered(deny, path.data, path.len) ||
	    is_covered(deny, clean.data, clean.len))
		*admitted = false;
	else if (allow->count > 0)
		*admitted = is_covered(allow, path.data, path.len) &&
		    is_covered(allow, clean.data, clean.len);
	buf_clear(&clean);
	return 0;
}

bool
rules_admit(const struct rules *r, const char *method, struct json_str path,
    struct rules_refusal *why)
{
	bool admitted;

	if (judge_path(r, path, &admitted) == -1) {
		*why = (struct rules_refusal){
		    503, "overloaded", "out of memory", NULL};
		return false;
	}
	if (!admitted) {
		*why = (struct rules_refusal){403, "path_not_allowed",
		    "this path is not open through this telephone", NULL};
		return false;
	}
	if (!has_method(&r->list[METHODS], method)) {
		*why = (struct rules_refusal){405, "method_not_allowed",
		    "this method is not open through this telephone", r->allow};
		return false;
	}
	return true;
}
