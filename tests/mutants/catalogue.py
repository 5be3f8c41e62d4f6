# SPDX-License-Identifier: MIT
"""Faults that a proxy and a keeper of tokens could have, each put into the code
on purpose, and the tests of tests/it that must notice.

A mutant is its name, a pattern of tests, and pairs (old, new): `old` stands
exactly once in worker/, tokend/ and common/. Of several pairs one applies, so that a
mutant can know the code of more than one form of a rule. All text is code as
clang-format leaves it.
"""


class Mutant:
    def __init__(self, name, tests, *pairs):
        self.name, self.tests, self.pairs = name, tests, pairs


F = "fidelity.test_"
RULES = "test_token_rules.test_"
STORE = "test_store.test_"
OPTION = "\tcurl_easy_setopt(e, CURLOPT_%s);\n"


def option(name, old, new):
    return OPTION % f"{name}, {old}", OPTION % f"{name}, {new}"


def without(old):
    return old, ""


MUTANTS = [
    # --- bodies ---------------------------------------------------------------
    Mutant("split a character", F + "bodies.test_every_chunk_edge",
           ("return utf8_cut(r->window + r->at, len, max);", "return max < len ? max : len;")),
    Mutant("drop the last byte of an answer", F + "bodies.test_every_octet",
           ("\tif (body_append(p->body, data, len) == -1)", "\tif (body_append(p->body, data, len - 1) == -1)")),
    Mutant("answer with a wrong content-length", F + "bodies.test_every_octet",
           ('"%zu", len);\n\t\tput_field(b, "content-length"', '"%zu", len + 1);\n\t\tput_field(b, "content-length"'),
           ('PRIu64, len);\n\t\tput_field(b, "content-length"', 'PRIu64, len + 1);\n\t\tput_field(b, "content-length"')),
    Mutant("take bytes for text", F + "bodies.test_every_octet",
           ("\tif (!body_is_text(r->body))\n\t\treturn MODE_BINARY;\n", "")),
    Mutant("send a wrong octet of a binary answer", F + "bodies.test_every_octet",
           ("out[n++] = (uint8_t)('0' + *p / 10 % 10);", "out[n++] = (uint8_t)('0' + *p / 10 % 9);")),
    Mutant("refuse an answer at MAX_RESPONSE_SIZE", F + "bodies.test_response_bound",
           ("(uint64_t)p->head.length > p->owner->params.response_max",
            "(uint64_t)p->head.length >= p->owner->params.response_max"),
           ("(uint64_t)p->head.length > p->response_max;", "(uint64_t)p->head.length >= p->response_max;")),
    Mutant("let a binary answer be a byte too long", F + "bodies.test_binary_bound",
           ("body_len(p->body) > params->binary_max", "body_len(p->body) > params->binary_max + 1")),
    Mutant("drop the last byte of a request", F + "bodies.test_request_bodies",
           ("(curl_off_t)r->body_len);", "(curl_off_t)(r->body_len - (r->body_len > 0)));")),
    Mutant("be silent on a body that was swallowed", F + "bodies.test_swallowed_bodies",
           ("(uint64_t)declared == len", "declared > 0")),
    # --- the framing of answers -----------------------------------------------
    Mutant("follow a redirect", F + "framing.test_content_codings_and_conditions_are_relayed",
           option("FOLLOWLOCATION", "0L", "1L")),
    Mutant("decode a content coding", F + "framing.test_content_codings_and_conditions_are_relayed",
           (OPTION % "HTTP_CONTENT_DECODING, 0L", OPTION % 'ACCEPT_ENCODING, "gzip"')),
    Mutant("take a cut answer for a whole one", F + "framing.test_content_length",
           ("\t\treturn FRAMING_SHORT;", "\t\treturn FRAMING_OK;")),
    Mutant("do without the last chunk", F + "framing.test_chunks",
           ("f->chunk == CHUNK_END ? FRAMING_OK : FRAMING_NO_LAST", "FRAMING_OK")),
    Mutant("take a second Content-Length", F + "framing.test_content_length",
           ("if (len == 0 || f->length >= 0)", "if (len == 0)")),
    Mutant("take both Content-Length and Transfer-Encoding", F + "framing.test_transfer_coding",
           ("return f->length >= 0 ? FRAMING_BOTH : FRAMING_OK;", "return FRAMING_OK;")),
    Mutant("take any transfer coding", F + "framing.test_transfer_coding",
           ('\tif (f->http10 || f->chunked || len != 7 ||\n\t    strncasecmp(value, "chunked", 7) != 0)\n',
            '\tif (f->http10 || f->chunked || len < 7 ||\n\t    strncasecmp(value + len - 7, "chunked", 7) != 0)\n')),
    Mutant("overlook bytes behind an answer", F + "framing.test_content_length",
           ("\t\tc->excess = true;", "\t\tc->excess = false;")),
    Mutant("pass on a status that has no name", "test_proxy.test_status_without_a_name",
           ("\tif (head_status_known(status))\n", "\tif (head_status_known(status) || status > 0)\n")),
    Mutant("pass on an upgrade to websocket as a plain request", F + "framing.test_what_a_request_cannot_ask_for",
           ("\tconst char *reason = unsupported_request(head);\n", "\tconst char *reason = NULL;\n\n\t(void)unsupported_request;\n")),
    # --- fields ---------------------------------------------------------------
    Mutant("forward TE", F + "heads.test_hop_by_hop_fields", without('    "te",\n')),
    Mutant("forward Keep-Alive", F + "heads.test_hop_by_hop_fields", without('    "keep-alive",\n')),
    Mutant("forward Proxy-Authorization", F + "heads.test_hop_by_hop_fields", without('    "proxy-authorization",\n')),
    Mutant("forward what Connection names", F + "heads.test_hop_by_hop_fields",
           ("\t\tif (n == len && strncasecmp(list, name, n) == 0)\n\t\t\treturn true;\n",
            "\t\tif (n == len && strncasecmp(list, name, n) == 0)\n\t\t\treturn false;\n")),
    Mutant("mind the case of what Connection names", F + "heads.test_hop_by_hop_fields",
           ("if (n == len && strncasecmp(list, name, n) == 0)", "if (n == len && strncmp(list, name, n) == 0)")),
    Mutant("leave an answer its hop-by-hop fields", F + "heads.test_hop_by_hop_fields_of_answers",
           ("\thead_strip(h);\n\treturn h->cookies_dropped;", "\treturn h->cookies_dropped;")),
    Mutant("take control characters in a field", F + "heads.test_bad_fields_of_requests_are_refused",
           ("\tif (!is_value(value))\n", "\tif (!is_value(value) && value.len == 0)\n")),
    Mutant("take a bare CR or NUL from the application", F + "heads.test_bad_fields_of_answers_are_refused",
           ("\tif (memchr(line, '\\0', len) != NULL ||\n\t    memchr(line, '\\r', len) != NULL || memchr(line, '\\n', len)",
            "\tif (memchr(line, '\\n', len)")),
    Mutant("invent a User-Agent", F + "heads.test_nothing_is_invented",
           ('(line, sizeof(line), "%s:", additions[i])',
            '(line, sizeof(line),\n\t\t    i == 1 ? "%s: telephone" : "%s:", additions[i])')),
    Mutant("invent an Accept", F + "heads.test_nothing_is_invented",
           ("\t\tif (has_field(r, additions[i]))\n", "\t\tif (has_field(r, additions[i]) || i == 0)\n")),
    Mutant("join cookies", F + "heads.test_the_first_cookie_is_carried",
           ('strcmp(f->name, "set-cookie") == 0', 'strcmp(f->name, "set-cookie2") == 0')),
    Mutant("keep the last of several fields", F + "heads.test_repeated_fields_of_answers_are_combined",
           ("\tif (!is_single(f->name))\n\t\treturn head_extend(h, f, value, len);\n",
            "\tif (!is_single(f->name))\n\t\treturn NULL;\n")),
    Mutant("join a field that may come once only", F + "heads.test_a_field_that_comes_once_only",
           ("\tif (!is_single(f->name))\n", "\tif (!is_single(f->name) || len > 0)\n")),
    Mutant("garble ISO-8859-1", F + "heads.test_latin_1_values_are_transcoded",
           ("*p++ = (uint8_t)(0xc0 | c >> 6);", "*p++ = 0xc3;")),
    Mutant("pass the client's Host on unasked", F + "heads.test_host_is_the_backend_s",
           ('(r->host != HOST_PASS && strcasecmp(name, "host") == 0)',
            '(r->host == HOST_NAME && strcasecmp(name, "host") == 0)')),
    Mutant("trust what nobody trusts", F + "heads.test_forwarded_fields_are_removed",
           ("(r->trust == TRUST_OFF && is_forwarded(name))", "(r->trust == TRUST_OFF && r->via != NULL && is_forwarded(name))")),
    Mutant("add beside what the client claims", F + "heads.test_lists_for_requests",
           ("is_in(&r->list[REMOVE_REQUEST], name) ||\n\t    is_in(&r->list[ADD_REQUEST], name);",
            "is_in(&r->list[REMOVE_REQUEST], name);")),
    # --- targets ---------------------------------------------------------------
    Mutant("normalise the path", F + "targets.test_paths_are_not_normalised", option("PATH_AS_IS", "1L", "0L")),
    Mutant("leave % unencoded", F + "targets.test_every_byte_of_a_path_is_encoded_once",
           ("-._~!$&'()*+,;=:@/", "%-._~!$&'()*+,;=:@/")),
    Mutant("let a path climb out", F + "targets.test_dangerous_paths",
           ("\tif (climbs_out(path))\n", "\tif (climbs_out(path) && path.len == 0)\n")),
    Mutant("let a path name a host", F + "targets.test_dangerous_paths",
           ("(path.data[1] == '/' || path.data[1] == '\\\\')", "path.data[1] == '\\0'")),
    Mutant("go to an origin from the request", F + "targets.test_the_origin",
           ("\tcode = curl_easy_setopt(e, CURLOPT_URL, url);\n",
            '\tif (strncmp(target, "/http", 5) == 0)\n\t\t(void)util_fmt(url, size, "%s", target + 1);\n'
            "\tcode = curl_easy_setopt(e, CURLOPT_URL, url);\n")),
    Mutant("drop the query", F + "targets.test_queries",
           ("\t\t(void)put_byte(b, query.data[i], !is_query_byte(query.data[i]));",
            "\t\t(void)put_byte(b, 'x', !is_query_byte('x'));")),
    Mutant("deny a path only as it stands", F + "targets.test_only_some_paths",
           ("is_covered(deny, path.data, path.len) ||\n\t    is_covered(deny, clean.data, clean.len)",
            "is_covered(deny, path.data, path.len)")),
    Mutant("allow any method", F + "targets.test_only_some_methods",
           ("\treturn l->count == 0;", "\treturn true;")),
    Mutant("send every method as GET", F + "targets.test_any_method_is_carried",
           (OPTION % "CUSTOMREQUEST, r->method", OPTION % 'CUSTOMREQUEST, "GET"')),
    # --- outcomes ---------------------------------------------------------------
    Mutant("answer twice", F + "once.test_one_answer",
           ("\tstruct request r;\n\tconst char *reason = request_parse(&r, payload, len);\n"
            "\tstruct proxied *p = begin(proxy, tunnel, &r, reason);\n\n\tif (p == NULL)\n",
            "\tstatic bool again;\n\tuint8_t *copy = malloc(len);\n\n\tagain = !again;\n"
            "\tif (again && copy != NULL)\n\t\tproxy_request(proxy, tunnel, memcpy(copy, payload, len), len);\n"
            "\tfree(copy);\n\tstruct request r;\n\tconst char *reason = request_parse(&r, payload, len);\n"
            "\tstruct proxied *p = begin(proxy, tunnel, &r, reason);\n\n\tif (p == NULL)\n")),
    Mutant("answer on another tunnel", F + "once.test_one_answer",
           ("\tp->tunnel = tunnel;\n",
            "\tstatic struct tunnel *first;\n\n\tif (first == NULL)\n\t\tfirst = tunnel;\n\tp->tunnel = first;\n")),
    Mutant("send a POST a second time", F + "once.test_a_post_is_sent_once",
           ('"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}', '"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST"}'),
           ('methods[] = {"GET", "HEAD", "OPTIONS", "PUT"};', 'methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "POST"};')),
    Mutant("answer with 502 what took too long", F + "framing.test_an_endless_answer",
           ("\tcase BACKEND_TIMEOUT:\n\t\treturn 504;\n", "\tcase BACKEND_TIMEOUT:\n\t\treturn 502;\n"),
           ("\tproxied_refuse(p, 504, code, reason);\n", "\tproxied_refuse(p, 502, code, reason);\n")),
    # --- tokens -------------------------------------------------------------------
    Mutant("token: let the older one win", RULES + "a_fresh_token_of_the_operator",
           ("return a->claims.iat_s > b->claims.iat_s;", "return a->claims.iat_s < b->claims.iat_s;")),
    Mutant("token: try an expired one again", RULES + "expired_alone",
           ("if (token->revoked || (token->refused && expired))", "if (token->revoked)")),
    Mutant("token: never try an expired one", RULES + "expired_alone", ("if (token->revoked || (token->refused && expired))",
                                                                  "if (token->revoked || expired)")),
    Mutant("token: keep to one that was refused", RULES + "the_refused_have_their_turn",
           ("\tif (ra == RANK_REFUSED && a->refusals != b->refusals)\n\t\treturn a->refusals < b->refusals;\n", "")),
    Mutant("token: present a revoked one", RULES + "revoked", ("\ttoken->revoked = true;\n\tk->refused++;\n", "\tk->refused++;\n")),
    Mutant("token: take one of another path", RULES + "the_new_one_is_judged",
           ('\t\treturn "it is for another path_id";\n', "\t\t*reserve = false;\n")),
    Mutant("token: take one that expires earlier", RULES + "the_new_one_is_judged",
           ("*reserve = jwt.exp_s < best->claims.exp_s &&", "*reserve = jwt.exp_s < 0 &&")),
    Mutant("token: use it before it is stored", RULES + "stored_before_it_is_used",
           ("\tkeeper_save(k);\n\tkeeper_settle(k, token);\n", "\tkeeper_settle(k, token);\n")),
    Mutant("token: forget a refresh whose worker is gone", RULES + "one_at_a_time",
           ("\t\tw->asked = NULL;\n\t\trefresh_lost(w->refresh);\n", "\t\tw->asked = NULL;\n")),
    Mutant("token: fail in a low voice to the end", RULES + "failures_state_the_time_left",
           ("\tif (left_s < life_s / 10)\n", "\tif (left_s < 0)\n")),
    Mutant("token: refresh at half of life whatever the interval", RULES + "the_interval",
           ("\tif (interval_ms > 0)\n", "\tif (interval_ms > INT64_MAX / 2)\n")),
    Mutant("token: accept any signature", "test_token_ctl.test_signatures",
           ("good = len == (long)want_len && CRYPTO_memcmp(got, want, want_len) == 0;", "good = len == (long)want_len;")),
    Mutant("token: leave the earlier one in the worker's heap", "test_token_memory.test_earlier_tokens_are_gone_from_the_worker$",
           without("\tlws_set_allocator(wiping_realloc);\n")),
    # --- the store ----------------------------------------------------------------
    Mutant("store: take an unreadable one for an empty one", "test_token.test_wrong_secret",
           ("\tif (r->rows > 0 && r->readable == 0) {\n", "\tif (r->rows > 0 && r->readable > r->rows) {\n")),
    Mutant("store: write into a newer one", STORE + "each_fault", ("if (version < 0 || version > VERSION_OURS)", "if (version < 0)")),
    Mutant("store: let two have it", STORE + "the_second_one", ("flock(st->lock, LOCK_EX | LOCK_NB) == -1", "st->lock == -1")),
    Mutant("store: give up what cannot be stored", STORE + "a_lock_of_another_program",
           ("\tk->unsaved = true;\n\tif (k->adopted", "\tif (k->adopted")),
    Mutant("store: give up on a full disk", STORE + "a_full_disk",
           ("\tif (!store_fault_is_transient(fault) || fault == STORE_LOCKED)\n\t\treturn fault;\n", "\treturn fault;\n")),
    Mutant("store: keep every row", RULES + "few_rows_stay",
           ("\twhile (k->pasts > KEEPER_PAST_KEPT)\n", "\twhile (k->pasts > KEEPER_PAST_MAX)\n")),
    Mutant("store: leave the Go Telephone's open to others", STORE + "the_go_store_after_a_clean_end",
           ("return fchmod(st->lock, 0600);", "return 0;")),
    Mutant("store: change the key row by row", STORE + "killed_while_the_key_changes",
           ('\tif (store_exec(st, "BEGIN IMMEDIATE") == 0)\n\t\twhile (', "\tif (true)\n\t\twhile (")),
]
