/* SPDX-License-Identifier: MIT */
/* The two fields of trace_context.h. */
#include <string.h>
#include <strings.h>

#include "trace_context.h"

#define MEMBERS_MAX 32		   /* §3.3.1.1 */
#define MEMBER_LONG 128		   /* §3.3.1.5: these go first */
#define KEY_MAX 256		   /* §3.3.1.3.1 */
#define VALUE_MAX 256		   /* §3.3.1.3.2 */
#define STATE_READ_MAX (24 * 1024) /* 32 of the longest, and blanks */

static const char parent_name[] = "traceparent";
static const char state_name[] = "tracestate";

struct span {
	const char *at;
	size_t len;
};

static struct span
trim(const char *at, size_t len)
{
	struct span s = {at, len};

	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* --- traceparent ---------------------------------------------------------- */

/* HEXDIGLC: upper case is malformed (§3.2.2). */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
take_bytes(const char *s, uint8_t *out, size_t len)
{
	int high, low;
	size_t i;

	for (i = 0; i < len; i++) {
		high = digit(s[2 * i]);
		low = high < 0 ? -1 : digit(s[2 * i + 1]);
		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
is_zero(const uint8_t *bytes, size_t len)
{
	uint8_t all = 0;
	size_t i;

	for (i = 0; i < len; i++)
		all |= bytes[i];
	return all == 0;
}

/* version "-" trace-id "-" parent-id "-" flags. Of a later version the same
 * beginning is read, and what stands behind it passed over (§4.3). */
static bool
take_parent(struct trace_parent *p, struct span s)
{
	uint8_t version, flags;

	if (s.len < TRACE_PARENT_LEN || s.at[2] != '-' || s.at[35] != '-' ||
	    s.at[52] != '-')
		return false;
	if (!take_bytes(s.at, &version, 1) ||
	    !take_bytes(s.at + 3, p->trace_id, TRACE_ID_LEN) ||
	    !take_bytes(s.at + 36, p->span_id, TRACE_SPAN_ID_LEN) ||
	    !take_bytes(s.at + 53, &flags, 1))
		return false;
	if (version == 0xff || (version == 0 && s.len != TRACE_PARENT_LEN) ||
	    (s.len > TRACE_PARENT_LEN && s.at[TRACE_PARENT_LEN] != '-'))
		return false;
	/* Flags that this level does not know are set to zero (§3.2.2.5). */
	p->flags = flags & (TRACE_SAMPLED | TRACE_RANDOM);
	return !is_zero(p->trace_id, TRACE_ID_LEN) &&
	    !is_zero(p->span_id, TRACE_SPAN_ID_LEN);
}

/* --- tracestate ----------------------------------------------------------- */

struct members {
	struct span all[MEMBERS_MAX];
	size_t key_len[MEMBERS_MAX];
	size_t count;
};

static bool
is_key(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > KEY_MAX)
		return false;
	for (i = 0; i < len; i++) {
		char c = s[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (i == 0 || c == '\0' || strchr("_-*/@", c) == NULL)
			return false;
	}
	return true;
}

static bool
is_value(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == ',' || s[i] == '=')
			return false;
	return len > 0 && len <= VALUE_MAX;
}

static bool
has_key(const struct members *m, const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (m->key_len[i] == len && memcmp(m->all[i].at, key, len) == 0)
			return true;
	return false;
}

/* Of a key that comes twice the first is the latest (§3.3.1.2). */
static bool
take_member(struct members *m, struct span s)
{
	const char *equals = memchr(s.at, '=', s.len);
	size_t len;

	if (equals == NULL)
		return false;
	len = (size_t)(equals - s.at);
	if (!is_key(s.at, len) || !is_value(equals + 1, s.len - len - 1))
		return false;
	if (has_key(m, s.at, len))
		return true;
	if (m->count == MEMBERS_MAX)
		return false;
	m->all[m->count] = s;
	m->key_len[m->count++] = len;
	return true;
}

static size_t
length_of(const struct members *m)
{
	size_t i, len = 0;

	for (i = 0; i < m->count; i++)
		len += m->all[i].len + (i > 0);
	return len;
}

static void
remove_member(struct members *m, size_t at)
{
	m->count--;
	memmove(
	    &m->all[at], &m->all[at + 1], (m->count - at) * sizeof(m->all[0]));
}

/* Whole members only: the long ones, then whatever is last. */
static void
shorten(struct members *m)
{
	size_t i;

	for (i = m->count; i > 0 && length_of(m) > TRACE_STATE_MAX; i--)
		if (m->all[i - 1].len > MEMBER_LONG)
			remove_member(m, i - 1);
	while (length_of(m) > TRACE_STATE_MAX)
		m->count--;
}

/* False: it is malformed. */
static bool
take_state(struct trace_parent *p, struct span text)
{
	struct members m = {.count = 0};
	const char *end = text.at + text.len, *at = text.at, *comma;
	size_t i;

	while (at <= end) {
		struct span s;

		comma = memchr(at, ',', (size_t)(end - at));
		if (comma == NULL)
			comma = end;
		s = trim(at, (size_t)(comma - at));
		if (s.len > 0 && !take_member(&m, s))
			return false;
		at = comma + 1;
	}
	shorten(&m);
	for (i = 0; i < m.count; i++) {
		if (i > 0)
			p->state[p->state_len++] = ',';
		memcpy(p->state + p->state_len, m.all[i].at, m.all[i].len);
		p->state_len += m.all[i].len;
	}
	return true;
}

void
trace_context_parse(struct trace_parent *p, struct json_str parent,
    const struct json_str *state)
{
	p->state_len = 0;
	p->valid = take_parent(p, trim((const char *)parent.data, parent.len));
	/* Without the one the other is not even read (§3.3). */
	if (p->valid && state != NULL && state->len > 0 &&
	    !take_state(p, trim((const char *)state->data, state->len)))
		p->state_len = 0;
	p->state[p->state_len] = '\0';
}

/* --- in a request --------------------------------------------------------- */

bool
trace_context_is_field(const char *name)
{
	return strcasecmp(name, parent_name) == 0 ||
	    strcasecmp(name, state_name) == 0;
}

static bool
is_named(struct json_str raw, const char *name)
{
	return (raw.len == strlen(name) &&
		   strncasecmp((char *)raw.data, name, raw.len) == 0) ||
	    json_name_is(raw, name);
}

/* Appends a value as it was before it was JSON. False: no room, no string. */
static bool
take_value(char *space, size_t size, size_t *len, const struct json_value *v)
{
	struct json_str s = {(uint8_t *)space + *len, v->raw.len};

	if (v->type != JSON_STRING || v->raw.len > size - *len)
		return false;
	memcpy(s.data, v->raw.data, s.len);
	if (!json_unescape(&s))
		return false;
	/* It is where it was: what is unescaped is never longer. */
	memmove(space + *len, s.data, s.len);
	*len += s.len;
	return true;
}

struct fields {
	unsigned parents; /* how many there are */
	bool bad_state;
	size_t parent_len, state_len;
	char parent[4 * TRACE_PARENT_LEN]; /* a later version may be longer */
	char state[STATE_READ_MAX];
};

/* Several tracestates are one, in their order (§3.3.1). */
static void
take_field(struct fields *f, struct json_str name, const struct json_value *v)
{
	if (is_named(name, parent_name)) {
		f->parents++;
		if (!take_value(
			f->parent, sizeof(f->parent), &f->parent_len, v))
			f->parents++; /* as good as two */
	} else if (is_named(name, state_name)) {
		if (f->state_len > 0 && f->state_len < sizeof(f->state))
			f->state[f->state_len++] = ',';
		if (!take_value(f->state, sizeof(f->state), &f->state_len, v))
			f->bad_state = true;
	}
}

void
trace_context_read(struct trace_parent *p, struct json_str headers)
{
	struct json_value v = {JSON_OBJECT, headers};
	struct json_str name, parent, state;
	struct json_cursor c;
	struct fields f;

	p->valid = false;
	if (headers.data == NULL)
		return;
	f.parents = 0;
	f.bad_state = false;
	f.parent_len = f.state_len = 0;
	json_enter(&c, &v);
	while (json_next_member(&c, &name, &v))
		take_field(&f, name, &v);
	if (f.parents != 1 || c.failed)
		return;
	parent = (struct json_str){(uint8_t *)f.parent, f.parent_len};
	state = (struct json_str){(uint8_t *)f.state, f.state_len};
	trace_context_parse(p, parent, f.bad_state ? NULL : &state);
}

bool
trace_context_same(const struct trace_parent *a, const struct trace_parent *b)
{
	if (a->valid != b->valid)
		return false;
	return !a->valid ||
	    (memcmp(a->trace_id, b->trace_id, TRACE_ID_LEN) == 0 &&
		memcmp(a->span_id, b->span_id, TRACE_SPAN_ID_LEN) == 0 &&
		a->flags == b->flags && strcmp(a->state, b->state) == 0);
}

/* --- writing -------------------------------------------------------------- */

void
trace_context_hex(char *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
}

void
trace_context_format(char out[TRACE_PARENT_LEN + 1],
    const uint8_t trace_id[TRACE_ID_LEN],
    const uint8_t span_id[TRACE_SPAN_ID_LEN], uint8_t flags)
{
	memcpy(out, "00-", 3);
	trace_context_hex(out + 3, trace_id, TRACE_ID_LEN);
	out[35] = '-';
	trace_context_hex(out + 36, span_id, TRACE_SPAN_ID_LEN);
	out[52] = '-';
	trace_context_hex(out + 53, &flags, 1);
	out[TRACE_PARENT_LEN] = '\0';
}
