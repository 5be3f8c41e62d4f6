/* SPDX-License-Identifier: MIT */
/* Two passes, as in request.c: found first, then unescaped. */
#include <string.h>

#include "util.h"
#include "ws_event.h"

#define CHECK (1U << WS_EVENT_CHECK)
#define CONNECT (1U << WS_EVENT_CONNECT)
#define FRAME (1U << WS_EVENT_FRAME)
#define CLOSE (1U << WS_EVENT_CLOSE)

enum {
	CHECK_ID,
	CONNECTION_ID,
	PATH,
	QUERY,
	HEADERS,
	OPCODE,
	DATA,
	CODE,
	REASON,
	MEMBERS
};

/* Of a close, code and reason may be missing: it ends the session anyway. */
static const struct {
	const char *name;
	enum json_type type;
	unsigned needed; /* by which events */
	const char *fault;
} members[MEMBERS] = {
    [CHECK_ID] = {"check_id", JSON_STRING, CHECK, "no check_id"},
    [CONNECTION_ID] = {"connection_id", JSON_STRING, CONNECT | FRAME | CLOSE,
	"no connection_id"},
    [PATH] = {"path", JSON_STRING, CHECK | CONNECT, "no path"},
    [QUERY] = {"query_string", JSON_STRING, 0, "query_string is no string"},
    [HEADERS] = {"headers", JSON_OBJECT, CHECK | CONNECT, "no headers"},
    [OPCODE] = {"opcode", JSON_STRING, FRAME, "no opcode"},
    [DATA] = {"data", JSON_STRING, FRAME, "no data"},
    [CODE] = {"code", JSON_NUMBER, 0, "code is no number"},
    [REASON] = {"reason", JSON_STRING, 0, "reason is no string"},
};

static bool
find(struct json_value found[MEMBERS], uint8_t *payload, size_t len)
{
	struct json_cursor c;
	struct json_value v;
	struct json_str name;
	size_t i;

	(void)json_open(&c, JSON_OBJECT, payload, len);
	while (json_next_member(&c, &name, &v))
		for (i = 0; i < MEMBERS; i++)
			if (json_name_is(name, members[i].name))
				found[i] = v;
	return !c.failed;
}

static bool
take_id(struct ws_event *e, const struct json_str *s)
{
	size_t i;

	if (s->len == 0 || s->len > WS_ID_MAX)
		return false;
	for (i = 0; i < s->len; i++)
		if (s->data[i] <= 0x20 || s->data[i] >= 0x7f)
			return false;
	memcpy(e->id, s->data, s->len);
	e->id[s->len] = '\0';
	return true;
}

static const char *
take(struct ws_event *e, size_t i, struct json_value *v)
{
	struct json_str *const out[MEMBERS] = {
	    [PATH] = &e->path,
	    [QUERY] = &e->query,
	    [HEADERS] = &e->headers,
	    [OPCODE] = &e->opcode,
	    [DATA] = &e->data,
	    [REASON] = &e->reason,
	};

	if (v->type != members[i].type ||
	    (v->type == JSON_STRING && !json_unescape(&v->raw)))
		return members[i].fault;
	if (i == CODE)
		return json_int(v, &e->code) ? NULL : "code is no integer";
	if (out[i] == NULL)
		return take_id(e, &v->raw)
		    ? NULL
		    : "an id is not 1 to 128 printable characters";
	*out[i] = v->raw;
	return NULL;
}

const char *
ws_event_parse(
    struct ws_event *e, enum ws_event_type type, uint8_t *payload, size_t len)
{
	struct json_value found[MEMBERS];
	const char *fault = NULL;
	size_t i;

	memset(e, 0, sizeof(*e));
	memset(found, 0, sizeof(found));
	e->code = 1005;
	if (!find(found, payload, len))
		return "not a JSON object";
	for (i = 0; i < MEMBERS && fault == NULL; i++) {
		bool needed = (members[i].needed & 1U << type) != 0;

		/* The other event's id is nobody's business here. */
		if (i <= CONNECTION_ID && !needed)
			continue;
		if (found[i].raw.data != NULL && found[i].type != JSON_NULL)
			fault = take(e, i, &found[i]);
		else if (needed)
			fault = members[i].fault;
	}
	return fault;
}
