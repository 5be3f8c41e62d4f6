# SPDX-License-Identifier: MIT
"""The walls of SECURITY.md, each taken away, and the attacks that must notice:
every row of the threat model has one here or in catalogue.py, and a test
compares them. `make walls` takes them away; all processes' code is looked at.
"""
from mutant import Wall

CHILDREN = r"hostile.test_children.test_"
BOARD = r"hostile.test_plugboard.test_"
MEMORY = r"hostile.test_memory.test_"
BACKEND = r"hostile.test_backend.test_"
CONTROL = r"hostile.test_control.test_"
WATCH = r"hostile.test_watchers.test_"

# (name, tests, (old, new), …)
ROWS = [
    # --- the backend
    ("heads of answers are bounded", BACKEND + "answers_without_end$",
     ("((f->head += len) > FRAMING_HEAD_MAX ||\n\t\t++f->lines > FRAMING_LINES_MAX))",
     "((f->head += len) > FRAMING_HEAD_MAX * 1000 ||\n\t\t++f->lines > FRAMING_LINES_MAX * 100000))")),
    ("bodies of answers are bounded", BACKEND + "answers_without_end$",
     ("if (len > b->params.max - b->len) {", "if (len > b->params.max) {")),
    ("an answer has a time", BACKEND + "answers_at_a_drip$",
     ("p->deadline_ms = p->began_ms + timeout_ms;", "p->deadline_ms = p->began_ms + timeout_ms * 100;")),
    ("bytes behind an answer are nobody's", BACKEND + "an_answer_too_many$",
     ("return error == BACKEND_OK && c->excess ? BACKEND_EXCESS : error;", "return error;")),
    ("codings are not opened", BACKEND + "bombs_are_carried",
     ("\tcurl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);\n", '\tcurl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");\n')),
    # --- plugboard
    ("nesting is bounded", BOARD + "messages_that_are_none$",
     ("\tif (l->depth == JSON_DEPTH_MAX)\n", "\tif (l->depth == JSON_DEPTH_MAX * 100000)\n")),
    ("messages are bounded", BOARD + "a_message_without_end$",
     ("\tbuf_init(&i->buf, max);\n\ti->max = max;\n", "\tbuf_init(&i->buf, max * 64);\n\ti->max = max * 64;\n")),
    ("requests at work are bounded", BOARD + "requests_without_end$",
     ("if (l->waiting >= l->waiting_max)", "if (l->waiting >= l->waiting_max * 10000)"),
     ("l->running >= l->running_max && l->waiting >= l->waiting_max;",
      "l->running >= l->running_max && l->waiting >= l->waiting_max * 10000;")),
    ("each request is one", BOARD + "one_id_many_requests$",
     ("\tp->owner = proxy;\n",
     "\tstruct proxied *same;\n\n\tTAILQ_FOREACH(same, &proxy->list, link)\n"
     "\tif (strncmp(same->id, (const char *)r->request_id.data, r->request_id.len) == 0) {\n"
     "\t\tevent_free(p->timer);\n\t\tfree(p);\n\t\treturn NULL;\n\t}\n\tp->owner = proxy;\n")),
    # --- both, together
    ("who reads no answer is not heard", MEMORY + "a_flood_that_reads_no_answer$",
     ("held > HELD_MAX / 2 : held > HELD_MAX;", "held > HELD_MAX / 2 : held > HELD_MAX * 1000;")),
    ("memory: answers are spooled early", MEMORY + "(many_large_answers|a_hundred_slow_drips)$",
     ("return m->used >= m->max / 4 * 3;", "return m->used == SIZE_MAX;")),
    ("memory: requests are refused", MEMORY + "many_large_requests$",
     ("return m->used <= m->max && more <= m->max - m->used;", "return m != NULL && more < SIZE_MAX;")),
    ("memory: a growing message ends", MEMORY + "websockets_that_never_end_a_message$",
     ("p->reader.begun != WS_CONTINUATION && !memory_has(m, 0)", "p->reader.begun == WS_CLOSE && !memory_has(m, 0)")),
    ("clients are limited", r"test_clients.test_(many_addresses|a_limit_for_each)$",
     ("\tif (wait_ms == 0)\n\t\treturn NULL;\n\treturn refuse_rate(c,", "\tif (wait_ms >= 0)\n\t\treturn NULL;\n\treturn refuse_rate(c,")),
    ("nobody pushes himself out", r"test_clients.test_many_addresses$",
     ("\t\tif (!has_place(c, &w))\n\t\t\treturn &c->shared[w.network];\n",
     "\t\tif (!has_place(c, &w))\n\t\t\tforget(c, c->chain[hash(c, c->client[c->hand].prefix, 8,\n"
     "\t\t\t\t c->client[c->hand].v4) % c->max]);\n")),
    ("clients are on the list", r"test_clients.test_(who_is_on_the_list|websockets_of_clients_on_the_list)$",
     ("\tif (!c->is_listed ||\n", "\tif (c != NULL || !c->is_listed ||\n")),
    # --- logs and metrics
    ("log lines are escaped", BOARD + "lines_that_would_be_forged$",
     ("\t\treturn c >= 0x20 && c < 0x7f;\n", "\t\treturn c == '\\n' || (c >= 0x20 && c < 0x7f);\n"),
     ("\t\tif (s->data[i] <= 0x20 || s->data[i] >= 0x7f)\n\t\t\treturn false;\n\treturn s->len > 0 && s->len <= REQUEST_ID_MAX;",
      "\t\tif (s->data[i] == 0)\n\t\t\treturn false;\n\treturn s->len > 0 && s->len <= REQUEST_ID_MAX;")),
    ("label values are closed", BOARD + "metrics_do_not_multiply$",
     ('"status_class=\\"%s\\",outcome=\\"%s\\"} %" PRIu64 "\\n",', '"status_class=\\"%s\\",outcome=\\"%s\\",n=\\"%" PRIu64 "\\"} 1\\n",')),
    # --- the worker
    ("the worker: system calls", CHILDREN + "the_worker_is_ended_at_(0|7)$",
     ("\t    .process = SANDBOX_WORKER,\n\t    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),\n\t    .otherwise = SANDBOX_VIOLATION,\n",
     "\t    .process = SANDBOX_WORKER,\n\t    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),\n\t    .otherwise = SANDBOX_ALLOW,\n")),
    ("the worker and the helper: types of sockets", CHILDREN + "the_(worker_is_ended_at_11|helper_is_ended_at_4)$",
     ("#define TYPE_ARG(type) SANDBOX_ARG_BITS(1, TYPE_MASK, type)\n", "#define TYPE_ARG(type) SANDBOX_ARG_BITS(1, 0, 0 & (type))\n")),
    ("the worker: no UDP", CHILDREN + "the_worker_is_ended_at_10$",
     ("that the health listener accepts */\n    TCP_ROWS,\n", "that the health listener accepts */\n    TCP_ROWS,\n    UDP_ROWS,\n")),
    ("the worker and the helper: ports", CHILDREN + r"the_(worker|helper)_dials_",
     ("r->net = abi >= 4 ? NET_BIND | NET_CONNECT : 0;", "r->net = abi >= 4000 ? NET_BIND | NET_CONNECT : 0;")),
    ("messages: who may send", CHILDREN + r"(worker_may_not_send_to_(supervisor|tokend)_0|tokend_may_not_send_to_supervisor_0)$",
     ('\treturn "not from this sender";\n', "\treturn NULL;\n")),
    ("messages: decoded to the end", CHILDREN + "malformed_payloads_end_the_worker_alone$",
     ("\treturn !u->failed && u->len == 0;\n", "\treturn u != NULL;\n")),
    ("messages: queues are bounded", CHILDREN + "a_flood$",
     ("if (p->frames >= QUEUE_FRAMES || p->bytes + frame->len > QUEUE_BYTES) {",
      "if (p->frames >= QUEUE_FRAMES * 100000 || p->bytes + frame->len > QUEUE_BYTES * 100) {")),
    ("descriptors are limited", CHILDREN + "holding_descriptors$|test_sandbox.test_walls_stand$",
     ("\tif (l->files > 0)\n", "\tif (l->files > 1u << 30)\n")),
    ("the log is left as it is", CHILDREN + "what_the_(worker|helper)_is_refused$",
     ("SANDBOX_KEEP_LOG(lseek), SANDBOX_KEEP_LOG(pwrite64),  \\\n\t    SANDBOX_KEEP_LOG(ftruncate)\n", "SANDBOX_KEEP_LOG(pwrite64)\n")),
    # --- the look-up helper
    ("the helper: sockets on a path", CHILDREN + "sockets_on_a_path_are_not_the_helpers$",
     ("\tif (!own_user) {\n", "\tif (!own_user && mode == SANDBOX_MODES) {\n")),
    ("the helper: system calls", CHILDREN + "the_helper_is_ended_at_0$",
     ("\t    .process = SANDBOX_LOOKUP,\n\t    .mode = mode,\n\t    .otherwise = SANDBOX_VIOLATION,\n",
     "\t    .process = SANDBOX_LOOKUP,\n\t    .mode = mode,\n\t    .otherwise = SANDBOX_ALLOW,\n")),
    ("the helper and tokend: files", CHILDREN + "what_(the_helper|tokend)_may_not_open$",
     ("\tr->fs = known_fs(abi);\n", "\tr->fs = known_fs(abi) & ~(FS_READ_FILE | FS_WRITE_FILE | FS_READ_DIR);\n")),
    # --- tokend
    ("tokend: system calls", CHILDREN + "tokend_is_ended_at_0$",
     ("\t    .process = SANDBOX_TOKEND,\n\t    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),\n\t    .otherwise = SANDBOX_VIOLATION,\n",
     "\t    .process = SANDBOX_TOKEND,\n\t    .mode = (enum sandbox_mode)conf_num(conf, CONF_SANDBOX),\n\t    .otherwise = SANDBOX_ALLOW,\n")),
    # --- on the machine
    ("the control socket: its owner", r"test_root.test_control_socket_is_for_its_owner$",
     ("\tif (peer->uid == 0 || peer->uid == geteuid())\n", "\tif (fd != -1 || peer->uid == geteuid())\n")),
    ("no core files", r"test_token_memory.test_no_core_is_ever_written$|test_sandbox.test_walls_stand$",
     ("\t(void)setrlimit(RLIMIT_CORE, &none);\n", "\t(void)none;\n")),
    ("each process has its user", r"test_root.test_three_users$",
     ("\td->was_root = priv_is_root();\n", "\td->was_root = priv_is_root() && d->parent == 0;\n")),
    ("the control socket: frames", CONTROL + "packets_that_are_no_frames$",
     ("u.failed || f->flags != 0 || f->len != u.len ? -1 : 0;", "u.failed || f->len != u.len ? -1 : 0;"),
     ("\tif (frame->flags != 0)\n\t\treturn \"flags", "\tif (frame->flags > 60000)\n\t\treturn \"flags")),
    ("the control socket: who may send", CONTROL + "frames_that_a_client_may_not_send$",
     ("\tif (fault != NULL) {\n\t\tbreach(", "\tif (fault != NULL && p->params.other != PROTO_CTL) {\n\t\tbreach(")),
    ("the control socket: places for root", CONTROL + "places_are_kept_for_root$",
     ("peer->uid == 0 ? CLIENTS_MAX : CLIENTS_MAX - ROOT_CLIENTS;", "peer != NULL ? CLIENTS_MAX : CLIENTS_MAX - ROOT_CLIENTS;")),
    ("the control socket: a rate", CONTROL + "connections_without_end$",
     ("\tif (++control->accepts < ACCEPTS_MAX)\n", "\tif (++control->accepts < ACCEPTS_MAX * 100000)\n")),
    ("who looks on: one question at a time", WATCH + "questions_without_end$",
     ("\tif (c->asked != 0 || peer_waiting(peer) > 0) {\n", "\tif (peer == NULL) {\n")),
    ("who looks on: a pace", WATCH + "questions_without_end$", ("#define PACE_MS 10\n", "#define PACE_MS 0\n")),
    ("who looks on: a time", WATCH + "who_stops_reading$", ("#define IDLE_MS 30000\n", "#define IDLE_MS 3000000\n")),
    ("who looks on: few", WATCH + "places$",
     ("\treturn w->count < WATCHERS_MAX &&\n", "\treturn w->count < WATCHERS_MAX * 100 &&\n")),
    ("who looks on: places for root", WATCH + "places_are_kept_for_root$",
     ("(root || w->others < WATCHERS_MAX - WATCHERS_ROOT);", "(root || w->others < WATCHERS_MAX);")),
    ("who looks on: not before it is handed over", WATCH + "what_comes_before_the_greeting$",
     ("\tif (!is_quiet(fd)) {\n", "\tif (!is_quiet(fd) && fd == -1) {\n")),
    ("an ordinary user's capabilities", r"test_sandbox.test_capabilities_of_an_ordinary_user$",
     ("\tpriv_keep(capabilities, priv_is_root() ? UTIL_COUNT(capabilities) : 0);\n",
      "\tif (priv_is_root())\n\t\tpriv_keep(capabilities, UTIL_COUNT(capabilities));\n")),
    ("the supervisor: capabilities", r"test_sandbox.test_walls_stand_as_root$",
     ("\tbound(keep);\n", "\tbound(keep | 1u << 18);\n\tkeep |= 1u << 18;\n")),
    # --- the network
    ("names are verified", r"test_root.test_wss_name_mismatch$",
     (": X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;", ": host != NULL;")),
]

WALLS = [Wall(*row) for row in ROWS]
