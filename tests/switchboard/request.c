/* SPDX-License-Identifier: MIT */
/* request: strict parsing of HTTP/1.x heads (RFC 9112). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "request.h"
#include "text.h"

static int
parse_version(struct request *r, const char *s)
{
	if (strncmp(s, "HTTP/", 5) != 0)
		return 400;
	if (strcmp(s, "HTTP/1.1") != 0 && strcmp(s, "HTTP/1.0") != 0)
		return 505;
	r->minor = s[7] - '0';
	return 0;
}

/* Cut scheme and authority off an absolute target, then the query. */
static int
parse_target(struct request *r, char *s)
{
	char *query;

	if (strncasecmp(s, "http://", 7) == 0 ||
	    strncasecmp(s, "https://", 8) == 0) {
		s = strstr(s, "//") + 2;
		s += strcspn(s, "/?");
	}
	if ((query = strchr(s, '?')) != NULL)
		*query++ = '\0';
	r->query = query != NULL ? query : "";
	r->path = *s != '\0' ? s : "/";
	return *r->path == '/' || strcmp(r->path, "*") == 0 ? 0 : 400;
}

static int
parse_line(struct request *r, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
	int status;

	if (version == NULL || strpbrk(line, "\r\n") != NULL)
		return 400;
	*target++ = *version++ = '\0';
	if (!text_is_token(line, strlen(line)) || *target == '\0')
		return 400;
	for (const char *p = target; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return 400;
	r->method = line;
	if ((status = parse_version(r, version)) != 0)
		return status;
	return parse_target(r, target);
}

static int
parse_header(struct request *r, char *line)
{
	char *value = strchr(line, ':'), *end;

	if (r->headers_len == REQUEST_HEADERS_MAX)
		return 431;
	if (value == NULL || !text_is_token(line, (size_t)(value - line)))
		return 400;
	*value++ = '\0';
	text_lower(line);
	value += strspn(value, " \t");
	for (end = value + strlen(value);
	     end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	if (strpbrk(value, "\r\n") != NULL)
		return 400;
	r->headers[r->headers_len].name = line;
	r->headers[r->headers_len++].value = value;
	return 0;
}

const char *
request_header(const struct request *r, const char *name)
{
	for (size_t i = r->headers_len; i > 0; i--)
		if (strcmp(r->headers[i - 1].name, name) == 0)
			return r->headers[i - 1].value;
	return NULL;
}

bool
request_has_word(const struct request *r, const char *name, const char *word)
{
	size_t len = strlen(word), n;

	for (size_t i = 0; i < r->headers_len; i++) {
		const char *p = r->headers[i].value;

		if (strcmp(r->headers[i].name, name) != 0)
			continue;
		while (*p != '\0') {
			p += strspn(p, " \t,");
			n = strcspn(p, " \t,");
			if (n == len && strncasecmp(p, word, n) == 0)
				return true;
			p += n;
		}
	}
	return false;
}

/* What the headers say about the body and the connection. */
static int
parse_framing(struct request *r)
{
	const char *length = request_header(r, "content-length");
	const char *coding = request_header(r, "transfer-encoding");

	r->keep_alive = r->minor == 1
	    ? !request_has_word(r, "connection", "close")
	    : request_has_word(r, "connection", "keep-alive");
	r->expect_continue =
	    r->minor == 1 && request_has_word(r, "expect", "100-continue");
	if (length != NULL && coding != NULL)
		return 400;
	if (coding != NULL) {
		if (strcasecmp(coding, "chunked") != 0)
			return 501;
		r->chunked = true;
	}
	if (length != NULL &&
	    (strspn(length, "0123456789") != strlen(length) ||
		text_int(length, &r->content_length) == -1))
		return 400;
	for (size_t i = 0; length != NULL && i < r->headers_len; i++)
		if (strcmp(r->headers[i].name, "content-length") == 0 &&
		    strcmp(r->headers[i].value, length) != 0)
			return 400;
	return 0;
}

int
request_parse(struct request *r, const void *data, size_t len)
{
	char *line, *next;
	int status = 0;
	bool first = true;

	buf_add(&r->raw, data, len);
	if (memchr(data, 0, len) != NULL)
		return 400;
	r->text = buf_strdup(buf_str(&r->raw));
	r->headers = buf_calloc(REQUEST_HEADERS_MAX * sizeof(*r->headers));
	for (line = r->text; status == 0; line = next) {
		if ((next = strstr(line, "\r\n")) == NULL)
			return 400;
		*next = '\0';
		next += 2;
		if (*line == '\0')
			break;
		status = first ? parse_line(r, line) : parse_header(r, line);
		first = false;
	}
	if (status != 0)
		return status;
	return first ? 400 : parse_framing(r);
}

void
request_clear(struct request *r)
{
	free(r->headers);
	free(r->text);
	buf_clear(&r->raw);
	buf_clear(&r->body);
	memset(r, 0, sizeof(*r));
}
