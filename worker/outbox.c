/* SPDX-License-Identifier: MIT */
/* The queue of outbox.h. */
#include <stdlib.h>
#include <string.h>

#include "outbox.h"

struct outbox_entry {
	TAILQ_ENTRY(outbox_entry) entry;
	struct outbox_message message;
	bool begun, urgent;
	bool late;
};

void
outbox_init(struct outbox *o)
{
	TAILQ_INIT(&o->list);
	TAILQ_INIT(&o->late);
	o->passed = 0;
	o->count = 0;
	o->held = 0;
}

/* The one whose turn it is, NULL: none is left. */
static struct outbox_entry *
first(struct outbox *o)
{
	struct outbox_entry *e = TAILQ_FIRST(&o->list);
	struct outbox_entry *late = TAILQ_FIRST(&o->late);

	if (late == NULL ||
	    (e != NULL && (e->begun || o->passed < OUTBOX_PASS_MAX)))
		return e;
	TAILQ_REMOVE(&o->late, late, entry);
	TAILQ_INSERT_HEAD(&o->list, late, entry);
	o->passed = 0;
	return late;
}

static void
end_first(struct outbox *o, bool sent)
{
	struct outbox_entry *e = first(o);

	TAILQ_REMOVE(&o->list, e, entry);
	o->count--;
	o->held -= e->message.held;
	if (sent && e->message.sent != NULL)
		e->message.sent(e->message.sent_arg);
	e->message.end(e->message.arg, sent);
	free(e);
}

void
outbox_clear(struct outbox *o)
{
	while (!outbox_is_empty(o))
		end_first(o, false);
}

bool
outbox_is_empty(const struct outbox *o)
{
	return TAILQ_EMPTY(&o->list) && TAILQ_EMPTY(&o->late);
}

const struct outbox_message *
outbox_fresh(struct outbox *o)
{
	const struct outbox_entry *e = first(o);

	return e == NULL || e->begun ? NULL : &e->message;
}

int
outbox_push(struct outbox *o, const struct outbox_message *message, bool urgent)
{
	struct outbox_entry *e = calloc(1, sizeof(*e)), *at;

	if (e == NULL) {
		message->end(message->arg, false);
		return -1;
	}
	e->message = *message;
	e->urgent = urgent;
	at = urgent ? TAILQ_FIRST(&o->list) : NULL;
	while (at != NULL && (at->begun || at->urgent))
		at = TAILQ_NEXT(at, entry);
	e->late = !urgent && message->yields && message->len >= OUTBOX_LONG;
	if (e->late && TAILQ_EMPTY(&o->late))
		o->passed = 0;
	if (e->late)
		TAILQ_INSERT_TAIL(&o->late, e, entry);
	else if (at != NULL)
		TAILQ_INSERT_BEFORE(at, e, entry);
	else
		TAILQ_INSERT_TAIL(&o->list, e, entry);
	o->count++;
	o->held += message->held;
	return 0;
}

void
outbox_read(struct outbox *o, uint8_t *out, size_t cap,
    struct outbox_fragment *fragment)
{
	struct outbox_entry *e = first(o);

	fragment->first = !e->begun;
	fragment->last = false;
	e->begun = true;
	fragment->len =
	    e->message.read(e->message.arg, out, cap, &fragment->last);
	if (!e->late)
		o->passed += fragment->len;
}

void
outbox_pop(struct outbox *o)
{
	end_first(o, true);
}

struct text {
	size_t len, sent;
	uint8_t data[];
};

static size_t
text_read(void *arg, uint8_t *out, size_t cap, bool *done)
{
	struct text *t = arg;
	size_t n = t->len - t->sent < cap ? t->len - t->sent : cap;

	memcpy(out, t->data + t->sent, n);
	t->sent += n;
	*done = t->sent == t->len;
	return n;
}

static void
text_end(void *arg, bool sent)
{
	(void)sent;
	free(arg);
}

int
outbox_text(struct outbox_message *message, const uint8_t *data, size_t len)
{
	struct text *t = malloc(sizeof(*t) + len);

	if (t == NULL)
		return -1;
	t->len = len;
	t->sent = 0;
	memcpy(t->data, data, len);
	memset(message, 0, sizeof(*message));
	message->read = text_read;
	message->end = text_end;
	message->arg = t;
	message->len = len;
	message->held = sizeof(*t) + len + sizeof(struct outbox_entry);
	return 0;
}
