/* SPDX-License-Identifier: MIT */
/* How a call may end, in libcurl's words, in ours, and in the client's. */
#include "backend_parts.h"

static const struct {
	const char *code, *text;
} errors[BACKEND_ERRORS] = {
    [BACKEND_OK] = {"ok", "ok"},
    [BACKEND_RESOLVE] = {"backend_unresolved",
	"the application's host name could not be resolved"},
    [BACKEND_UNREACHABLE] = {"backend_unreachable",
	"the application does not accept connections"},
    [BACKEND_TIMEOUT] = {"backend_timeout",
	"the application did not answer in time"},
    [BACKEND_TLS] = {"backend_tls",
	"the TLS connection to the application failed"},
    [BACKEND_CUT] = {"backend_cut",
	"the application ended its answer before it was complete"},
    [BACKEND_MALFORMED] = {"backend_malformed",
	"the application's answer is not valid HTTP"},
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
backend_error_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return BACKEND_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
		return BACKEND_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return BACKEND_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return BACKEND_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return BACKEND_TLS;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return BACKEND_CUT;
	case CURLE_OUT_OF_MEMORY:
		return BACKEND_MEMORY;
	default:
		return BACKEND_MALFORMED;
	}
}
