/* SPDX-License-Identifier: MIT */
/*
 * One walker for all kinds: an item is cut out of the text, split where its
 * kind has two parts, and judged by the kind's function.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "list.h"
#include "url.h"
#include "utf8.h"
#include "util.h"

/* How much of an item is shown in a fault. */
#define SHOWN 60

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies without the white space around it. */
static void
copy_trimmed(char *dst, const char *src, size_t len)
{
	while (len > 0 && is_blank(*src)) {
		src++;
		len--;
	}
	while (len > 0 && is_blank(src[len - 1]))
		len--;
	memcpy(dst, src, len);
	dst[len] = '\0';
}

static int
fault_of(char fault[LIST_FAULT_MAX], const char *name, const char *what)
{
	(void)util_fmt(
	    fault, LIST_FAULT_MAX, "\"%.*s\": %s", SHOWN, name, what);
	return -1;
}

/* --- cutting -------------------------------------------------------------- */

/* Up to the next comma. */
static void
cut_comma(const char **text, struct list_item *item)
{
	size_t len = strcspn(*text, ",");

	copy_trimmed(item->name, *text, len);
	*text += len;
	*text += **text == ',';
}

/* Up to the next "|" that is not "||"; what stands behind the first colon is
 * the value. */
static void
cut_field(const char **text, struct list_item *item)
{
	char whole[LIST_TEXT_MAX + 1];
	const char *p = *text, *colon;
	size_t n = 0;

	for (; *p != '\0'; p++) {
		if (*p == '|' && p[1] != '|')
			break;
		p += *p == '|'; /* "||" */
		whole[n++] = *p;
	}
	whole[n] = '\0';
	*text = *p == '|' ? p + 1 : p;
	colon = memchr(whole, ':', n);
	if (colon == NULL) {
		copy_trimmed(item->name, whole, n);
		return;
	}
	copy_trimmed(item->name, whole, (size_t)(colon - whole));
	copy_trimmed(item->value, colon + 1, n - (size_t)(colon - whole) - 1);
	item->prefix = true; /* for judge_field: there was a colon */
}

/* --- judging -------------------------------------------------------------- */

/* Names that no list may touch, and why. */
static const struct {
	const char *name;
	const char *why;
} reserved[] = {
    {"connection", NULL},
    {"expect", NULL},
    {"http2-settings", NULL},
    {"keep-alive", NULL},
    {"proxy-authenticate", NULL},
    {"proxy-authentication-info", NULL},
    {"proxy-authorization", NULL},
    {"proxy-connection", NULL},
    {"te", NULL},
    {"trailer", NULL},
    {"upgrade", NULL},
    {"content-length",
	"it frames the message (RFC 9112 §6.2), so telephone alone sets it"},
    {"transfer-encoding",
	"it frames the message (RFC 9112 §6.1), so telephone alone sets it"},
    {"host", "HOST_HEADER says what stands there"},
};

static const char *
reserved_why(const char *name, bool prefix)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(reserved); i++) {
		if (prefix ? !list_same_prefix(reserved[i].name, name)
			   : !list_same_name(reserved[i].name, name))
			continue;
		if (prefix)
			return "it covers a name that telephone needs or "
			       "removes itself; write a longer prefix";
		return reserved[i].why != NULL
		    ? reserved[i].why
		    : "it is for one hop only (RFC 9110 §7.6.1) and never "
		      "passed on; leave it out";
	}
	return NULL;
}

static int
judge_name(const struct list_item *item, char fault[LIST_FAULT_MAX])
{
	const char *why;

	if (!util_is_token(item->name, strlen(item->name)))
		return fault_of(fault, item->name,
		    "not a header name (letters, digits and -)");
	why = reserved_why(item->name, item->prefix);
	return why == NULL ? 1 : fault_of(fault, item->name, why);
}

static int
judge_field(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	bool colon = item->prefix;

	item->prefix = false;
	/* Not shown: without its colon it may be anything. */
	if (!colon || item->name[0] == '\0') {
		(void)util_fmt(fault, LIST_FAULT_MAX,
		    "a field has no name: write \"Name: value | Name: value\", "
		    "and || for a | inside a value");
		return -1;
	}
	if (item->value[0] == '\0')
		return fault_of(fault, item->name,
		    "it has no value; to remove a header use the REMOVE_ key");
	if (!utf8_is_valid((const uint8_t *)item->value, strlen(item->value)))
		return fault_of(fault, item->name, "its value is not UTF-8");
	return judge_name(item, fault);
}

static int
judge_request_field(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	return judge_field(item, fault);
}

static int
judge_response_field(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	int result = judge_field(item, fault);

	if (result == 1 && list_same_name(item->name, "set-cookie"))
		return fault_of(fault, item->name,
		    "plugboard carries one only, and it would replace the "
		    "application's; leave it out");
	return result;
}

static int
judge_removal(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	size_t len = strlen(item->name);

	if (len > 0 && item->name[len - 1] == '*') {
		item->name[len - 1] = '\0';
		item->prefix = true;
		if (len == 1)
			return fault_of(fault, "*",
			    "it would remove every header; name a prefix");
	}
	return judge_name(item, fault);
}

static int
judge_method(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	if (!util_is_token(item->name, strlen(item->name)))
		return fault_of(fault, item->name,
		    "not a method (RFC 9110 §9.1), such as GET, POST");
	return 1;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes where it stands. False: a "%" that encodes nothing, or a NUL. */
static bool
decode(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		if (*s == '%') {
			int high = hex_digit(s[1]);
			int low = high < 0 ? -1 : hex_digit(s[2]);

			if (low < 0 || high + low == 0)
				return false;
			*out++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return true;
}

static bool
has_dots(const char *path)
{
	const char *p;
	size_t n;

	for (p = path; *p != '\0'; p += n) {
		p += *p == '/';
		n = strcspn(p, "/");
		if ((n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return true;
	}
	return strstr(path, "//") != NULL;
}

static int
judge_path(struct list_item *item, char fault[LIST_FAULT_MAX])
{
	size_t len;

	if (item->name[0] != '/')
		return fault_of(fault, item->name, "a path begins with /");
	if (strpbrk(item->name, "*?") != NULL)
		return fault_of(fault, item->name,
		    "no pattern and no query is needed: a path covers all "
		    "that is below it (write %2A for a real *)");
	if (!decode(item->name))
		return fault_of(fault, item->name,
		    "a % must be followed by two hex digits, and not by 00");
	if (has_dots(item->name))
		return fault_of(
		    fault, item->name, "write it without . and .. and //");
	len = strlen(item->name);
	if (item->name[len - 1] == '/')
		item->name[len - 1] = '\0';
	return 1;
}

/* --- walking -------------------------------------------------------------- */

static const struct {
	void (*cut)(const char **, struct list_item *);
	int (*judge)(struct list_item *, char[LIST_FAULT_MAX]);
} kinds[] = {
    [LIST_ADD_REQUEST] = {cut_field, judge_request_field},
    [LIST_ADD_RESPONSE] = {cut_field, judge_response_field},
    [LIST_REMOVE_REQUEST] = {cut_comma, judge_removal},
    [LIST_REMOVE_RESPONSE] = {cut_comma, judge_removal},
    [LIST_METHODS] = {cut_comma, judge_method},
    [LIST_PATHS] = {cut_comma, judge_path},
};

int
list_next(enum list_kind kind, const char **text, struct list_item *item,
    char fault[LIST_FAULT_MAX])
{
	if (strlen(*text) > LIST_TEXT_MAX) {
		(void)util_fmt(fault, LIST_FAULT_MAX,
		    "it is longer than %d characters", LIST_TEXT_MAX);
		return -1;
	}
	if (**text == '\0')
		return 0;
	item->name[0] = item->value[0] = '\0';
	item->prefix = false;
	kinds[kind].cut(text, item);
	return kinds[kind].judge(item, fault);
}

/* True when an item before `end` has this name. */
static bool
was_added(enum list_kind kind, const char *text, const char *end,
    const struct list_item *again)
{
	struct list_item item;
	char fault[LIST_FAULT_MAX];

	while (text < end && list_next(kind, &text, &item, fault) == 1)
		if (text < end && list_same_name(item.name, again->name))
			return true;
	return false;
}

int
list_judge(enum list_kind kind, const char *text, char fault[LIST_FAULT_MAX])
{
	bool adds = kind == LIST_ADD_REQUEST || kind == LIST_ADD_RESPONSE;
	const char *begin = text;
	struct list_item item;
	int result;

	while ((result = list_next(kind, &text, &item, fault)) == 1)
		if (adds && was_added(kind, begin, text, &item))
			return fault_of(fault, item.name,
			    "it is added twice; join the values with a comma");
	return result;
}

/* --- single texts --------------------------------------------------------- */

/* RFC 3986 §3.2.2, without what only a literal may have. */
#define REG_NAME                                                              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%" \
	"!$&'()*+,;="

bool
list_is_authority(const char *text)
{
	const char *port = text;

	if (*text == '[') {
		port += 1 + strspn(text + 1, REG_NAME ":");
		if (port == text + 1 || *port++ != ']')
			return false;
	} else {
		port += strspn(text, REG_NAME);
	}
	/* §3.2.3: which may be empty. */
	if (*port == ':')
		port += 1 + strspn(port + 1, "0123456789");
	return text[0] != '\0' && text[0] != ':' && *port == '\0';
}

/* host, host:port, [v6] or [v6]:port; url.h knows how. */
static bool
is_host_and_port(const char *text)
{
	char whole[LIST_TEXT_MAX + 8];
	struct url u;

	return list_is_authority(text) && strchr(text, ',') == NULL &&
	    util_fmt(whole, sizeof(whole), "ws://%s/", text) &&
	    url_parse(&u, whole) == NULL;
}

const char *
list_host_header_fault(const char *text)
{
	if (strcmp(text, "backend") == 0 || strcmp(text, "pass") == 0 ||
	    is_host_and_port(text))
		return NULL;
	return "it is neither backend nor pass nor a host with or without "
	       "port, such as app.example.com or [::1]:8080";
}

const char *
list_via_fault(const char *text)
{
	if (util_is_token(text, strlen(text)) || is_host_and_port(text))
		return NULL;
	return "it is neither off nor a name that may stand in Via (RFC 9110 "
	       "§7.6.3), such as telephone or gw.example.com:8080";
}

/* --- names ---------------------------------------------------------------- */

static char
folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return (char)(c == '_' ? '-' : c);
}

bool
list_same_prefix(const char *name, const char *prefix)
{
	for (; *prefix != '\0'; name++, prefix++)
		if (folded(*name) != folded(*prefix))
			return false;
	return true;
}

bool
list_same_name(const char *a, const char *b)
{
	for (; *a != '\0' && folded(*a) == folded(*b); a++, b++)
		;
	return *a == *b;
}
