/* SPDX-License-Identifier: MIT */
/* How a call may end, in libcurl's words, in ours, and in the client's. */
#include <string.h>

#include "backend_parts.h"

static const struct {
	const char *code, *text;
} errors[BACKEND_ERRORS] = {
    [BACKEND_OK] = {"ok", "ok"},
    [BACKEND_RESOLVE] = {"backend_unresolved",
	"the application's host name could not be resolved"},
    [BACKEND_UNREACHABLE] = {"backend_unreachable",
	"the application does not accept connections"},
    [BACKEND_CONNECT_TIMEOUT] = {"backend_connect_timeout",
	"the application did not accept a connection within "
	"BACKEND_CONNECT_TIMEOUT"},
    [BACKEND_FIRST_BYTE_TIMEOUT] = {"backend_first_byte_timeout",
	"the application did not begin its answer within "
	"BACKEND_FIRST_BYTE_TIMEOUT"},
    [BACKEND_IDLE_TIMEOUT] = {"backend_idle_timeout",
	"the application was silent in the middle of its answer for "
	"BACKEND_IDLE_TIMEOUT"},
    [BACKEND_TLS] = {"backend_tls",
	"the TLS connection to the application failed"},
    [BACKEND_CUT] = {"backend_cut",
	"the application ended its answer before it was complete"},
    [BACKEND_STALE] = {"backend_cut",
	"the application closed a kept connection instead of answering"},
    [BACKEND_MALFORMED] = {"backend_malformed",
	"the application's answer is not valid HTTP"},
    [BACKEND_STATUS_LINE] = {"backend_status_line",
	"the application's answer does not begin with a status line of "
	"HTTP/1"},
    [BACKEND_SWITCHED] = {"backend_switched",
	"the application switched to a protocol that was not asked for"},
    [BACKEND_FIELD] = {"backend_field",
	"a header field of the application's answer is malformed"},
    [BACKEND_HEAD_LONG] = {"backend_head_too_long",
	"the head of the application's answer is too long"},
    [BACKEND_LENGTH] = {"backend_content_length",
	"the Content-Length of the application's answer is no number, "
	"repeated, or a list"},
    [BACKEND_BOTH] = {"backend_ambiguous_length",
	"the application's answer has both Content-Length and "
	"Transfer-Encoding"},
    [BACKEND_CODING] = {"backend_transfer_coding",
	"the application's answer has a transfer coding that was not asked "
	"for"},
    [BACKEND_CHUNK] = {"backend_chunk",
	"a chunk of the application's answer is malformed"},
    [BACKEND_HEAD_CUT] = {"backend_head_cut",
	"the application ended its answer within the head"},
    [BACKEND_SHORT] = {"backend_short",
	"the application's answer is shorter than its Content-Length"},
    [BACKEND_NO_LAST] = {"backend_no_last_chunk",
	"the application ended its answer without the last chunk"},
    [BACKEND_EXCESS] = {"backend_excess",
	"the application sent more than its answer is long"},
    [BACKEND_ABORTED] = {"backend_refused",
	"the application's answer cannot be passed on"},
    [BACKEND_MEMORY] = {"out_of_memory", "out of memory"},
};

const char *
backend_error_code(enum backend_error e)
{
	return errors[e].code;
}

const char *
backend_error_text(enum backend_error e)
{
	return errors[e].text;
}

enum backend_error
backend_error_framing(enum framing_fault fault)
{
	static const enum backend_error of[FRAMING_FAULTS] = {
	    [FRAMING_OK] = BACKEND_OK,
	    [FRAMING_STATUS_LINE] = BACKEND_STATUS_LINE,
	    [FRAMING_SWITCHED] = BACKEND_SWITCHED,
	    [FRAMING_HEAD_LONG] = BACKEND_HEAD_LONG,
	    [FRAMING_LENGTH] = BACKEND_LENGTH,
	    [FRAMING_BOTH] = BACKEND_BOTH,
	    [FRAMING_CODING] = BACKEND_CODING,
	    [FRAMING_CHUNK] = BACKEND_CHUNK,
	    [FRAMING_HEAD_CUT] = BACKEND_HEAD_CUT,
	    [FRAMING_SHORT] = BACKEND_SHORT,
	    [FRAMING_NO_LAST] = BACKEND_NO_LAST,
	    [FRAMING_EXCESS] = BACKEND_EXCESS,
	};

	return of[fault];
}

/* libcurl refuses a line before it shows it. */
static enum backend_error
of_refused_line(const char *detail, const struct framing *f)
{
	static const char length[] = "Invalid Content-Length";

	if (f->stage == FRAMING_START)
		return BACKEND_STATUS_LINE;
	return strncmp(detail, length, sizeof(length) - 1) == 0 ? BACKEND_LENGTH
								: BACKEND_FIELD;
}

/* Its bound on a line is a refusal to allocate. */
static enum backend_error
of_refused_memory(const struct framing *f)
{
	return f->stage != FRAMING_BODY ? BACKEND_HEAD_LONG : BACKEND_MEMORY;
}

enum backend_error
backend_error_of(CURLcode code, const char *detail, const struct framing *f)
{
	enum framing_fault fault = framing_end(f);

	switch (code) {
	case CURLE_OK:
		return backend_error_framing(fault);
	case CURLE_PARTIAL_FILE:
		return fault == FRAMING_OK ? BACKEND_CUT
					   : backend_error_framing(fault);
	case CURLE_COULDNT_RESOLVE_HOST:
		return BACKEND_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return BACKEND_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return BACKEND_CONNECT_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return BACKEND_TLS;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return BACKEND_CUT;
	case CURLE_UNSUPPORTED_PROTOCOL:
		return BACKEND_STATUS_LINE;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_FUNCTION_ARGUMENT: /* by its parser of fields */
		return of_refused_line(detail, f);
	case CURLE_OUT_OF_MEMORY:
		return of_refused_memory(f);
#if LIBCURL_VERSION_NUM >= 0x080600 /* a line's bound has its own code */
	case CURLE_TOO_LARGE:
		return BACKEND_HEAD_LONG;
#endif
	default:
		return BACKEND_MALFORMED;
	}
}
