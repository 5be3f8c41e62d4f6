/* SPDX-License-Identifier: MIT */
/*
 * inspect.h: whatever is asked of the health listener. The page is for who
 * knows the token and means this machine; what is answered is JSON. The first
 * byte says whether what follows is below the token.
 */
#include "conf.h"
#include "fuzz.h"
#include "inspect.h"
#include "json.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct metrics metrics;
static struct ledger ledger;
static struct conf conf;
static struct inspect page;

static void
on_facts(struct inspect_facts *f, void *arg)
{
	(void)arg;
	f->conf = &conf;
	f->metrics = &metrics;
}

static void
set_up(void)
{
	struct inspect_params params = {
	    .token = TOKEN,
	    .ledger = &ledger,
	    .facts = on_facts,
	};

	metrics_init(&metrics);
	ledger_init(&ledger, &metrics, 1);
	conf_init(&conf);
	inspect_init(&page, &params);
}

/* An entry with a path of somebody's. */
static void
add(const uint8_t *data, size_t len)
{
	struct ledger_entry *e = &ledger.recent[1];

	memset(e, 0, sizeof(*e));
	e->seq = ledger.ended = 1;
	ledger_set_path(e, data, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char request[HTTP_HEAD_MAX];
	struct http_answer a = {.status = 404, .extra = ""};
	struct http_head head;
	struct json_value v;
	int n;

	if (len == 0 || len > 2048)
		return 0;
	if (page.token[0] == '\0')
		set_up();
	add(data + 1, len - 1);
	n = snprintf(request, sizeof(request), "GET /inspect/%s%.*s\r\n\r\n",
	    (data[0] & 1) != 0 ? TOKEN : "", (int)(len - 1),
	    (const char *)data + 1);
	if (http_head_parse((uint8_t *)request, (size_t)n, &head) != 200)
		return 0;
	buf_init(&a.body, (size_t)1024 * 1024);
	inspect_answer(&page, &head, &a);
	FUZZ_MUST(!a.body.failed);
	if (a.status == 404)
		FUZZ_MUST(a.body.len == 0 && a.fixed == NULL);
	else
		FUZZ_MUST(strstr(head.path, TOKEN) != NULL);
	if (a.status == 200)
		FUZZ_MUST(http_head_is_local(&head));
	if (a.status == 200 && a.fixed == NULL)
		FUZZ_MUST(json_parse(&v, a.body.data, a.body.len));
	buf_clear(&a.body);
	return 0;
}
