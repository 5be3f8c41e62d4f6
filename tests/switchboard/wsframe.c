/* SPDX-License-Identifier: MIT */
/* wsframe: bytes of RFC 6455; heads, masks, the accept key. */
#include <string.h>

#include <openssl/evp.h>

#include "text.h"
#include "wsframe.h"

size_t
wsframe_parse(struct wsframe *f, const uint8_t *p, size_t len)
{
	size_t size, i;

	if (len < 2)
		return 0;
	f->fin = (p[0] & 0x80) != 0;
	f->reserved = (p[0] & 0x70) != 0;
	f->opcode = p[0] & 15;
	f->masked = (p[1] & 0x80) != 0;
	f->len = p[1] & 127;
	if (!f->masked)
		return 2;
	size = f->len == 126 ? 2 : f->len == 127 ? 8 : 0;
	if (len < 2 + size + 4)
		return 0;
	if (size > 0)
		f->len = 0;
	for (i = 0; i < size; i++)
		f->len = f->len << 8 | p[2 + i];
	memcpy(f->mask, p + 2 + size, 4);
	return 2 + size + 4;
}

void
wsframe_unmask(const struct wsframe *f, uint64_t at, uint8_t *p, size_t len)
{
	uint8_t mask[4];

	for (size_t i = 0; i < 4; i++)
		mask[i] = f->mask[(at + i) & 3];
	for (size_t i = 0; i < len; i++)
		p[i] ^= mask[i & 3];
}

void
wsframe_put(struct buf *out, int opcode, bool fin, const void *data, size_t len)
{
	size_t size = len < 126 ? 0 : len < 65536 ? 2 : 8;

	buf_addc(out, opcode | (fin ? 0x80 : 0));
	buf_addc(out, size == 0 ? (int)len : size == 2 ? 126 : 127);
	for (size_t i = size; i > 0; i--)
		buf_addc(out, (int)(len >> 8 * (i - 1) & 255));
	buf_add(out, data, len);
}

void
wsframe_put_upgrade(struct buf *out, const char *key, const char *protocol)
{
	struct buf text = BUF_INIT;
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	buf_addf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text.data, text.len, md, &n, EVP_sha1(), NULL);
	buf_clear(&text);
	buf_adds(out,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "upgrade: websocket\r\nconnection: Upgrade\r\n"
	    "sec-websocket-accept: ");
	text_base64(out, md, n);
	buf_adds(out, "\r\n");
	if (protocol != NULL)
		buf_addf(out, "sec-websocket-protocol: %s\r\n", protocol);
	buf_adds(out, "\r\n");
}
