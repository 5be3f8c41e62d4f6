/* SPDX-License-Identifier: MIT */
/*
 * The head says how the body is framed; a chunked one goes through a state for
 * each part of RFC 9112 §7.1. Strict where the RFC says MUST, because the one
 * who is asked to guess will guess wrong one day.
 */
#include <string.h>
#include <strings.h>

#include "framing.h"

/* Bytes of a chunk's size line with its extensions, of a trailer (libcurl takes
 * 4095, and tells a longer one as if the connection had been lost), and of all
 * trailers. */
#define CHUNK_LINE_MAX 4096
#define TRAILER_MAX 4000
#define TRAILERS_MAX (64 * 1024)
/* Digits of a size: more than 2^60 bytes are nobody's answer. */
#define CHUNK_DIGITS_MAX 15

enum chunk {
	CHUNK_SIZE,	 /* hexadecimal digits */
	CHUNK_SPACE,	 /* that may stand behind them */
	CHUNK_EXTENSION, /* from ";" on, ignored */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* at the begin of a line */
	CHUNK_TRAILER_LINE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END
};

void
framing_init(struct framing *f, bool head_only)
{
	memset(f, 0, sizeof(*f));
	f->head_only = head_only;
	f->length = -1;
}

int
framing_status(const struct framing *f)
{
	return f->status;
}

bool
framing_is_body(const struct framing *f)
{
	return f->stage == FRAMING_BODY;
}

/* RFC 9112 §6.3, the first two rules. */
static bool
is_bodiless(const struct framing *f)
{
	return f->head_only || f->status == 204 || f->status == 304;
}

int64_t
framing_declared(const struct framing *f)
{
	return is_bodiless(f) || f->chunked ? -1 : f->length;
}

bool
framing_is_until_end(const struct framing *f)
{
	return !is_bodiless(f) && !f->chunked && f->length < 0;
}

/* --- the head ------------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
without_line_end(const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	return len;
}

/* §4: HTTP/1.x SP 3DIGIT [SP reason]. */
static enum framing_fault
take_status(struct framing *f, const char *line, size_t len)
{
	static const char version[] = "HTTP/1.";
	const char *p = line + 9;
	unsigned lines;
	size_t i, head;

	if (len < 12 || memcmp(line, version, 7) != 0 || !is_digit(line[7]) ||
	    line[8] != ' ')
		return FRAMING_STATUS_LINE;
	if (p[0] < '1' || p[0] > '9' || !is_digit(p[1]) || !is_digit(p[2]) ||
	    (len > 12 && line[12] != ' '))
		return FRAMING_STATUS_LINE;
	for (i = 12; i < len; i++)
		if (line[i] == '\r' || line[i] == '\0')
			return FRAMING_STATUS_LINE;
	head = f->head;
	lines = f->lines;
	framing_init(f, f->head_only);
	f->head = head;
	f->lines = lines;
	f->http10 = line[7] == '0';
	f->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	f->stage = FRAMING_FIELDS;
	return f->status == 101 ? FRAMING_SWITCHED : FRAMING_OK;
}

/* §6.2. A repeated or listed value may be taken for one when all are equal;
 * whoever sends such a thing has two opinions on the length. */
static enum framing_fault
take_length(struct framing *f, const char *value, size_t len)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_digit(value[i]) || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, value[i] - '0', &n))
			return FRAMING_LENGTH;
	if (len == 0 || f->length >= 0)
		return FRAMING_LENGTH;
	f->length = n;
	return f->chunked ? FRAMING_BOTH : FRAMING_OK;
}

/* §6.1. No coding was offered, so "chunked" is the only one that may come, and
 * not from HTTP/1.0, which does not know it. */
static enum framing_fault
take_coding(struct framing *f, const char *value, size_t len)
{
	if (f->http10 || f->chunked || len != 7 ||
	    strncasecmp(value, "chunked", 7) != 0)
		return FRAMING_CODING;
	f->chunked = true;
	return f->length >= 0 ? FRAMING_BOTH : FRAMING_OK;
}

static bool
is_ows(char c)
{
	return c == ' ' || c == '\t';
}

static enum framing_fault
take_field(struct framing *f, const char *line, size_t len)
{
	static const struct {
		const char *name;
		enum framing_fault (*take)(
		    struct framing *, const char *, size_t);
	} fields[] = {
	    {"content-length", take_length},
	    {"transfer-encoding", take_coding},
	};
	const char *colon = memchr(line, ':', len), *value, *end = line + len;
	size_t i, name_len;

	if (colon == NULL)
		return FRAMING_OK; /* head.h refuses it */
	name_len = (size_t)(colon - line);
	for (value = colon + 1; value < end && is_ows(*value);)
		value++;
	while (end > value && is_ows(end[-1]))
		end--;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == name_len &&
		    strncasecmp(fields[i].name, line, name_len) == 0)
			return fields[i].take(f, value, (size_t)(end - value));
	return FRAMING_OK;
}

enum framing_fault
framing_line(struct framing *f, const char *line, size_t len)
{
	if (f->stage != FRAMING_BODY &&
	    ((f->head += len) > FRAMING_HEAD_MAX ||
		++f->lines > FRAMING_LINES_MAX))
		return FRAMING_HEAD_LONG;
	len = without_line_end(line, len);
	switch (f->stage) {
	case FRAMING_START:
		return take_status(f, line, len);
	case FRAMING_FIELDS:
		if (len > 0)
			return take_field(f, line, len);
		f->stage = f->status < 200 ? FRAMING_START : FRAMING_BODY;
		return FRAMING_OK;
	default: /* a trailer, which comes by framing_decode as well */
		return FRAMING_OK;
	}
}

/* --- the body ------------------------------------------------------------- */

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
next_chunk_line(struct framing *f, enum chunk chunk)
{
	f->chunk = (int)chunk;
	f->line = 0;
}

static bool
step_space(struct framing *f, uint8_t c)
{
	if (c == '\r')
		f->chunk = CHUNK_SIZE_LF;
	else if (c == ';')
		f->chunk = CHUNK_EXTENSION;
	return c == '\r' || c == ';' || is_ows((char)c);
}

static bool
step_size(struct framing *f, uint8_t c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		f->left = f->left << 4 | (uint64_t)digit;
		return f->line <= CHUNK_DIGITS_MAX;
	}
	if (f->line <= 1) /* no digit at all */
		return false;
	f->chunk = CHUNK_SPACE;
	return step_space(f, c);
}

static bool
step_extension(struct framing *f, uint8_t c)
{
	if (c == '\r')
		f->chunk = CHUNK_SIZE_LF;
	return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r';
}

static bool
step_line_feed(struct framing *f, uint8_t c)
{
	if (f->chunk == CHUNK_SIZE_LF)
		next_chunk_line(f, f->left > 0 ? CHUNK_DATA : CHUNK_TRAILER);
	else if (f->chunk == CHUNK_DATA_LF)
		next_chunk_line(f, CHUNK_SIZE);
	else
		f->chunk = f->chunk == CHUNK_END_LF ? CHUNK_END : CHUNK_TRAILER;
	return c == '\n';
}

static bool
step_data_end(struct framing *f, uint8_t c)
{
	f->chunk = CHUNK_DATA_LF;
	return c == '\r';
}

/* Trailers are discarded (RFC 9110 §6.5.1): this wire has no place for them. */
static bool
step_trailer(struct framing *f, uint8_t c)
{
	bool at_begin = f->chunk == CHUNK_TRAILER;

	f->trailer = at_begin ? 1 : f->trailer + 1;
	if (c == '\r')
		f->chunk = at_begin ? CHUNK_END_LF : CHUNK_TRAILER_LF;
	else
		f->chunk = CHUNK_TRAILER_LINE;
	return c != '\n' && c != '\0' && f->trailer <= TRAILER_MAX;
}

/* One byte of the coding itself. */
static enum framing_fault
step(struct framing *f, uint8_t c)
{
	static bool (*const steps[])(struct framing *, uint8_t) = {
	    [CHUNK_SIZE] = step_size,
	    [CHUNK_SPACE] = step_space,
	    [CHUNK_EXTENSION] = step_extension,
	    [CHUNK_SIZE_LF] = step_line_feed,
	    [CHUNK_DATA_CR] = step_data_end,
	    [CHUNK_DATA_LF] = step_line_feed,
	    [CHUNK_TRAILER] = step_trailer,
	    [CHUNK_TRAILER_LINE] = step_trailer,
	    [CHUNK_TRAILER_LF] = step_line_feed,
	    [CHUNK_END_LF] = step_line_feed,
	};
	size_t max = f->chunk < CHUNK_TRAILER ? CHUNK_LINE_MAX : TRAILERS_MAX;

	if (f->chunk == CHUNK_END)
		return FRAMING_EXCESS;
	if (++f->line > max || !steps[f->chunk](f, c))
		return FRAMING_CHUNK;
	return FRAMING_OK;
}

static size_t
decode_chunked(struct framing *f, const uint8_t *in, size_t len,
    size_t *data_len, enum framing_fault *fault)
{
	size_t i;

	if (f->chunk == CHUNK_DATA) {
		*data_len = f->left < len ? (size_t)f->left : len;
		f->left -= *data_len;
		if (f->left == 0)
			next_chunk_line(f, CHUNK_DATA_CR);
		return *data_len;
	}
	for (i = 0; i < len && f->chunk != CHUNK_DATA; i++) {
		*fault = step(f, in[i]);
		if (*fault != FRAMING_OK)
			break;
	}
	return i;
}

size_t
framing_decode(struct framing *f, const uint8_t *in, size_t len,
    const uint8_t **data, size_t *data_len, enum framing_fault *fault)
{
	size_t taken = len;

	*fault = FRAMING_OK;
	*data = in;
	*data_len = 0;
	if (len == 0)
		return 0;
	if (is_bodiless(f)) {
		*fault = FRAMING_EXCESS;
	} else if (f->chunked) {
		taken = decode_chunked(f, in, len, data_len, fault);
	} else {
		*data_len = len;
		if (f->length >= 0 && len > (uint64_t)f->length - f->seen)
			*fault = FRAMING_EXCESS;
	}
	f->seen += *data_len;
	return taken;
}

bool
framing_is_whole(const struct framing *f)
{
	return f->stage == FRAMING_BODY && !framing_is_until_end(f) &&
	    framing_end(f) == FRAMING_OK;
}

enum framing_fault
framing_end(const struct framing *f)
{
	if (f->stage != FRAMING_BODY)
		return FRAMING_HEAD_CUT;
	if (is_bodiless(f))
		return FRAMING_OK;
	if (f->chunked)
		return f->chunk == CHUNK_END ? FRAMING_OK : FRAMING_NO_LAST;
	if (f->length >= 0 && f->seen < (uint64_t)f->length)
		return FRAMING_SHORT;
	return FRAMING_OK;
}
