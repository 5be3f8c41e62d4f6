/* SPDX-License-Identifier: MIT */
/*
 * The reader collects a head byte by byte (2 to 10 of them), judges it, then
 * takes the payload in as large pieces as come. Text is judged as it arrives,
 * so that a fault is found with the byte that makes it.
 */
#include <string.h>

#include "ws_frame.h"
#include "util.h"

/* A buffer above this is not kept beyond its message. */
#define KEEP_MAX (64 * 1024)

/* --- close codes ---------------------------------------------------------- */

bool
ws_code_is_wire(int code)
{
	if (code >= 1000 && code <= 1014)
		return code < 1004 || code > 1006;
	return code >= 3000 && code <= 4999;
}

int
ws_code_to_wire(int64_t code)
{
	if (code == 1005)
		return 1000;
	if (code < 0 || code > 4999 || !ws_code_is_wire((int)code))
		return 1011;
	return (int)code;
}

int
ws_close_code(const uint8_t *data, size_t len)
{
	int code;

	if (len == 0)
		return 1005;
	if (len == 1)
		return -1;
	code = data[0] << 8 | data[1];
	if (!ws_code_is_wire(code) || !utf8_is_valid(data + 2, len - 2))
		return -1;
	return code;
}

size_t
ws_put_close(uint8_t payload[WS_CONTROL_MAX], int code, const char *reason,
    size_t reason_len)
{
	if (code == 1005)
		return 0;
	payload[0] = (uint8_t)(code >> 8);
	payload[1] = (uint8_t)code;
	reason_len = utf8_valid_len((const uint8_t *)reason, reason_len);
	reason_len =
	    utf8_cut((const uint8_t *)reason, reason_len, WS_REASON_MAX);
	memcpy(payload + 2, reason, reason_len);
	return 2 + reason_len;
}

/* --- opcodes -------------------------------------------------------------- */

static const struct {
	enum ws_opcode opcode;
	const char *name;
} names[] = {
    {WS_TEXT, "text"},
    {WS_BINARY, "binary"},
    {WS_PING, "ping"},
    {WS_PONG, "pong"},
};

const char *
ws_opcode_name(enum ws_opcode opcode)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(names); i++)
		if (names[i].opcode == opcode)
			return names[i].name;
	return NULL;
}

enum ws_opcode
ws_opcode_of(const uint8_t *name, size_t len)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(names); i++)
		if (strlen(names[i].name) == len &&
		    memcmp(names[i].name, name, len) == 0)
			return names[i].opcode;
	return WS_CONTINUATION;
}

/* --- to the server -------------------------------------------------------- */

size_t
ws_put_head(uint8_t head[WS_HEAD_MAX], enum ws_opcode opcode, size_t len,
    const uint8_t mask[4])
{
	size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8, i;

	head[0] = (uint8_t)(0x80 | (unsigned)opcode);
	head[1] = (uint8_t)(0x80 | (bytes == 0 ? len : bytes == 2 ? 126 : 127));
	for (i = 0; i < bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
	memcpy(head + 2 + bytes, mask, 4);
	return 6 + bytes;
}

void
ws_mask(uint8_t *data, size_t len, const uint8_t mask[4])
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] ^= mask[i & 3];
}

/* --- from the server ------------------------------------------------------ */

void
ws_reader_init(struct ws_reader *r, size_t message_max)
{
	memset(r, 0, sizeof(*r));
	r->message_max = message_max;
	buf_init(&r->message, message_max);
}

void
ws_reader_clear(struct ws_reader *r)
{
	buf_clear(&r->message);
}

static enum ws_read
fault(struct ws_reader *r, int code, const char *text)
{
	r->fault_code = code;
	r->fault = text;
	return WS_READ_FAULT;
}

static bool
is_control(enum ws_opcode opcode)
{
	return opcode >= WS_CLOSE;
}

/* What is wrong with the first two bytes of a frame, or NULL. */
static const char *
judge(const struct ws_reader *r)
{
	uint8_t a = r->head[0], b = r->head[1];
	unsigned op = a & 15;

	if ((a & 0x70) != 0)
		return "a reserved bit is set";
	if (op > WS_PONG || (op > WS_BINARY && op < WS_CLOSE))
		return "an unknown opcode";
	if ((b & 0x80) != 0)
		return "a frame of a server is masked";
	if (op >= WS_CLOSE && ((a & 0x80) == 0 || (b & 127) > WS_CONTROL_MAX))
		return "a control frame is fragmented or too long";
	if (op == WS_CONTINUATION && r->begun == WS_CONTINUATION)
		return "a continuation of nothing";
	if ((op == WS_TEXT || op == WS_BINARY) && r->begun != WS_CONTINUATION)
		return "a message begins inside another one";
	return NULL;
}

/* Bytes of extended length that follow (§5.2). */
static size_t
length_bytes(uint8_t b)
{
	return (b & 127) == 126 ? 2 : (b & 127) == 127 ? 8 : 0;
}

static enum ws_read
begin_payload(struct ws_reader *r)
{
	size_t bytes = length_bytes(r->head[1]), i;

	r->left = bytes == 0 ? r->head[1] & 127 : 0;
	for (i = 0; i < bytes; i++)
		r->left = r->left << 8 | r->head[2 + i];
	if (r->left >> 63 != 0 || (bytes == 2 && r->left < 126) ||
	    (bytes == 8 && r->left < 65536))
		return fault(r, 1002, "a length is not in its shortest form");
	r->fin = (r->head[0] & 0x80) != 0;
	r->frame = (enum ws_opcode)(r->head[0] & 15);
	r->in_payload = true;
	r->control_len = 0;
	if (is_control(r->frame))
		return WS_READ_MORE;
	if (r->frame != WS_CONTINUATION) {
		r->begun = r->frame;
		utf8_init(&r->utf8);
		buf_reset(&r->message);
	}
	if (r->left > r->message_max - r->message.len)
		return fault(r, 1009, "a message is too long");
	return WS_READ_MORE;
}

static enum ws_read
take_head(struct ws_reader *r, const uint8_t **data, size_t *len)
{
	const char *why;

	while (*len > 0) {
		r->head[r->head_len++] = *(*data)++;
		(*len)--;
		if (r->head_len < 2)
			continue;
		if (r->head_len == 2 && (why = judge(r)) != NULL)
			return fault(r, 1002, why);
		if (r->head_len == 2 + length_bytes(r->head[1])) {
			r->head_len = 0;
			return begin_payload(r);
		}
	}
	return WS_READ_MORE;
}

static enum ws_read
take_payload(struct ws_reader *r, const uint8_t *data, size_t n)
{
	if (is_control(r->frame)) {
		memcpy(r->control + r->control_len, data, n);
		r->control_len += n;
		return WS_READ_MORE;
	}
	if (buf_append(&r->message, data, n) == -1)
		return fault(r, 1011, "out of memory");
	if (r->begun != WS_TEXT)
		return WS_READ_MORE;
	utf8_feed(&r->utf8, data, n);
	return r->utf8.invalid ? fault(r, 1007, "a text is not UTF-8")
			       : WS_READ_MORE;
}

static enum ws_read
end_frame(struct ws_reader *r)
{
	r->in_payload = false;
	if (is_control(r->frame)) {
		r->opcode = r->frame;
		r->data = r->control;
		r->len = r->control_len;
		return WS_READ_CONTROL;
	}
	if (!r->fin)
		return WS_READ_MORE;
	if (r->begun == WS_TEXT && !utf8_is_complete(&r->utf8))
		return fault(r, 1007, "a text ends inside a character");
	r->opcode = r->begun;
	r->begun = WS_CONTINUATION;
	r->data = r->message.data;
	r->len = r->message.len;
	return WS_READ_MESSAGE;
}

enum ws_read
ws_reader_take(struct ws_reader *r, const uint8_t **data, size_t *len)
{
	enum ws_read result = WS_READ_MORE;
	size_t n;

	if (r->begun == WS_CONTINUATION && r->message.cap > KEEP_MAX)
		buf_clear(&r->message);
	while (result == WS_READ_MORE) {
		if (!r->in_payload) {
			if (*len == 0)
				return WS_READ_MORE;
			result = take_head(r, data, len);
			if (result != WS_READ_MORE || !r->in_payload)
				continue;
		}
		n = r->left < *len ? (size_t)r->left : *len;
		if (n > 0) {
			result = take_payload(r, *data, n);
			*data += n;
			*len -= n;
			r->left -= n;
		}
		if (result == WS_READ_MORE && r->left == 0)
			result = end_frame(r);
		else if (*len == 0)
			return result;
	}
	return result;
}
