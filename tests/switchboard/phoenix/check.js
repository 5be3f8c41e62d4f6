// SPDX-License-Identifier: MIT
//
// check.js: is switchboard a Phoenix server?  Drives it with the official
// phoenix client from npm, so that it cannot drift into a dialect of its own.
//
//   node check.js build/switchboard [MODULES]    starts and stops it
//   node check.js PORT [MODULES]                 uses a running one
//
// MODULES is the folder that holds node_modules (made there by npm ci);
// by default NODE_PATH, then phoenix/ beside the binary, then build/phoenix.
// Prints a line per check and closes with "N passed, N failed".
"use strict";

const { spawn } = require("node:child_process");
const { createRequire } = require("node:module");
const http = require("node:http");
const path = require("node:path");

const [target, modules] = process.argv.slice(2);
if (!target) {
	console.error("usage: check.js SWITCHBOARD|PORT [MODULES]");
	process.exit(64);
}

function load(name) {
	const places = modules ? [modules] :
	    [path.join(path.dirname(target), "phoenix"), "build/phoenix"];
	if (!modules)
		try {
			return require(name);	// NODE_PATH
		} catch { /* look further */ }
	for (const place of places)
		try {
			return createRequire(path.resolve(place, "x"))(name);
		} catch { /* look further */ }
	console.error(`check.js: no module ${name}: run npm ci in build/phoenix`);
	process.exit(1);
}

const { Socket } = load("phoenix");
const WebSocket = load("ws");

let port, passed = 0, failed = 0;

function check(what, good, more) {
	if (good) {
		passed++;
		console.log("ok  ", what);
	} else {
		failed++;
		console.log("FAIL", what, more === undefined ? "" :
		    JSON.stringify(more));
	}
}

// Resolves with what `start` hands to its callback, or rejects in time.
function wait(what, start, ms = 5000) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(
		    () => reject(new Error("timeout: " + what)), ms);
		start((value) => {
			clearTimeout(timer);
			resolve(value);
		});
	});
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// One HTTP exchange on a connection of its own.
function ask(method, where, body) {
	return new Promise((resolve, reject) => {
		const req = http.request({ host: "127.0.0.1", port, method,
		    path: where, agent: false }, (res) => {
			const parts = [];
			res.on("data", (d) => parts.push(d));
			res.on("end", () => resolve({ status: res.statusCode,
			    headers: res.headers, body: Buffer.concat(parts) }));
		});
		req.on("error", reject);
		req.end(body);
	});
}

const admin = async (what, body) =>
    (await ask(/^(state|log)/.test(what) ? "GET" : "POST",
    "/admin/" + what, body)).body.toString();
const state = async () => JSON.parse(await admin("state"));

const sockets = [];

function open(token, options = {}) {
	const socket = new Socket(`ws://127.0.0.1:${port}/telephone`, {
		transport: WebSocket, params: { token },
		rejoinAfterMs: () => 20, reconnectAfterMs: () => 50,
		heartbeatIntervalMs: 10000, ...options,
	});
	sockets.push(socket);
	socket.connect();
	return socket;
}

const outcome = (push) => wait("reply", (done) => push
    .receive("ok", (r) => done(["ok", r]))
    .receive("error", (r) => done(["error", r])));

// What a telephone does, in a few lines.
function serve(channel) {
	channel.on("proxy_req", (q) => {
		if (q.path === "/never")
			return;
		const binary = q.path === "/binary";
		channel.push("proxy_res", {
			request_id: q.request_id, status: 201,
			headers: { "x-method": q.method, "x-query": q.query_string },
			body: binary ? "" : `${q.path}|${q.body}`,
			chunked: binary,
			chunks: [[137, "PNG", [0, 255]], "é"],
		});
	});
	channel.on("ws_check", (q) => channel.push("ws_check_result",
	    { check_id: q.check_id, supported: true }));
	channel.on("ws_connect", (q) => channel.push("ws_connected",
	    { connection_id: q.connection_id }));
	channel.on("ws_frame", (q) => channel.push("ws_frame", q));
}

async function checkJoin(token) {
	const seen = [];
	const socket = open(token);
	socket.onMessage((m) => seen.push(m));
	const channel = socket.channel("telephone:js", {});
	const [status, response] = await outcome(channel.join());
	check("join", status === "ok" && response.status === "ok" &&
	    typeof response.path === "string" &&
	    response.expires_in > 3500, response);
	check("join reply carries the join's refs", seen[0].event ===
	    "phx_reply" && seen[0].ref === seen[0].join_ref &&
	    seen[0].join_ref === channel.joinRef(), seen[0]);
	const [st] = (await state()).sockets.filter((s) => s.path_id === "js");
	check("state shows it", st.joined && st.topic === "telephone:js" &&
	    st.join_ref === channel.joinRef(), st);
	return [socket, channel, seen];
}

async function checkHeartbeats(socket, channel, seen) {
	const took = await wait("ping", (done) => socket.ping(done));
	const m = seen.find((x) => x.topic === "phoenix");
	check("heartbeat on topic phoenix", took >= 0 && m &&
	    m.event === "phx_reply" && m.join_ref === null, m);
	const ack = await wait("ack", (done) => {
		channel.on("heartbeat_ack", done);
		channel.push("heartbeat", { ts: 1700000000 });
	});
	check("heartbeat and its ack on the channel", ack.ts === 1700000000);
	const before = (await state()).counters.dropped_messages;
	const acks = [];
	channel.on("heartbeat_ack", (a) => acks.push(a.ts));
	for (const join_ref of [null, 1, "999"])
		socket.push({ topic: "telephone:js", event: "heartbeat",
		    payload: { ts: 7 }, ref: "900", join_ref });
	channel.push("heartbeat", { ts: 8 });
	while (!acks.includes(8))
		await sleep(20);
	check("strict join_ref: others are dropped in silence",
	    !acks.includes(7) && (await state()).counters.dropped_messages ===
	    before + 3, acks);
	await admin("set?fragment=5&fragment_ping=on");
	channel.push("heartbeat", { ts: 9 });
	while (!acks.includes(9))
		await sleep(20);
	check("fragmented messages with pings between", true);
	await admin("set?fragment=0&fragment_ping=off");
}

async function checkRefresh(channel, token) {
	const [status, response] = await outcome(
	    channel.push("refresh_token", {}));
	check("refresh_token, reply", status === "ok" &&
	    response.token.split(".").length === 3 &&
	    response.expires_in > 3500, response.expires_in);
	const refused = await wait("refusal", (done) => {
		const ws = new WebSocket(`ws://127.0.0.1:${port}/telephone/` +
		    `websocket?vsn=2.0.0&token=${token}`);
		ws.on("unexpected-response", (_, res) => done(res.statusCode));
		ws.on("error", () => {});
		ws.on("open", () => done(101));
	});
	check("the token before is superseded", refused === 403, refused);
	await admin("set?refresh_style=push");
	const pushed = await wait("refresh push", (done) => {
		channel.on("refresh_token_ack", done);
		channel.push("refresh_token", {});
	});
	check("refresh_token, push", pushed.token.split(".").length === 3);
	await admin("set?refresh_style=error");
	const [bad, why] = await outcome(channel.push("refresh_token", {}));
	check("refresh_token, error", bad === "error" &&
	    why.reason === ":token_revoked", why);
	await admin("set?refresh_style=reply");
}

async function checkCalls(channel) {
	serve(channel);
	let r = await ask("POST", "/call/js/a%20b/?x=%20", "hélló");
	check("call", r.status === 201 && r.body.toString() === "/a b/|hélló" &&
	    r.headers["x-query"] === "x=%20" &&
	    r.headers["x-method"] === "POST", r);
	r = await ask("HEAD", "/call/js/abc");
	check("HEAD", r.headers["x-method"] === "GET" &&
	    r.headers["content-length"] === "5" && r.body.length === 0);
	r = await ask("GET", "/call/js/binary");
	check("bytes in chunks", r.body.equals(Buffer.concat([
	    Buffer.from([137]), Buffer.from("PNG"), Buffer.from([0, 255]),
	    Buffer.from("é")])), r.body);
	const all = await Promise.all(Array.from({ length: 100 },
	    (_, i) => ask("GET", "/call/js/" + i)));
	check("100 calls at once", all.every((x, i) =>
	    x.body.toString() === `/${i}|`));
	const body = "x".repeat(4 << 20);
	r = await ask("POST", "/call/js/big", body);
	check("4 MiB both ways", r.body.toString() === "/big|" + body);
	const ws = new WebSocket(`ws://127.0.0.1:${port}/call/js/ws`);
	const echo = await wait("ws echo", (done) => {
		ws.on("open", () => ws.send("hello"));
		ws.on("message", (d) => done(d.toString()));
	});
	check("WebSocket through the channel", echo === "hello");
	ws.terminate();
}

async function checkCrash(channel) {
	const before = (await state()).counters;
	const oldRef = channel.joinRef();
	const lost = ask("GET", "/call/js/never");
	await sleep(100);
	const crashed = wait("phx_error", (done) => channel.onError(done));
	channel.push("no_such_event", {});
	await crashed;
	check("an unknown event crashes the channel", true);
	check("what was in flight fails", (await lost).status === 502);
	while (channel.state !== "joined")
		await sleep(20);
	const after = (await state()).counters;
	check("rejoined on the same socket", after.joins === before.joins + 1 &&
	    after.connects === before.connects &&
	    channel.joinRef() !== oldRef);
	const r = await ask("GET", "/call/js/again");
	check("calls work again", r.body.toString() === "/again|");
}

async function checkRefusals(socket) {
	let channel = socket.channel("telephone:other", {});
	let [status, response] = await outcome(channel.join());
	check("join of another path", status === "error" &&
	    response.reason === "path_id_mismatch", response);
	channel.leave();
	channel = socket.channel("room:lobby", {});
	[status, response] = await wait("unmatched", (done) => {
		socket.onMessage((m) => m.topic === "room:lobby" &&
		    m.event === "phx_reply" && done([m.join_ref, m.payload]));
		channel.join();
	});
	check("join of an unmatched topic", status === null &&
	    response.response.reason === "unmatched topic", response);
	channel.leave();
}

async function checkLeave(socket, channel, seen) {
	const ref = channel.joinRef();
	const closed = wait("onClose", (done) => channel.onClose(done));
	const [status] = await outcome(channel.leave());
	await closed;
	await sleep(100);
	const m = seen[seen.length - 1];
	check("phx_leave", status === "ok");
	check("then phx_close with the join's refs", m.event === "phx_close" &&
	    m.join_ref === ref && m.topic === "telephone:js", m);
	check("calls find nobody",
	    (await ask("GET", "/call/js/x")).status === 503);
	const again = socket.channel("telephone:js", {});
	check("join after leave", (await outcome(again.join()))[0] === "ok");
	const reopened = wait("reopen", (done) => socket.onOpen(done));
	await admin("fault?kind=close&code=1012");
	await reopened;
	while (again.state !== "joined")
		await sleep(20);
	check("reconnects and rejoins after CLOSE 1012", true);
}

async function checkAll() {
	await admin("set?token_ttl=3600");
	const token = await admin("token?path_id=js");
	const [socket, channel, seen] = await checkJoin(token);
	await checkHeartbeats(socket, channel, seen);
	await checkCalls(channel);
	await checkCrash(channel);
	await checkRefusals(socket);
	await checkLeave(socket, channel, seen);
	const fresh = await admin("token?path_id=js2");
	const other = open(fresh).channel("telephone:js2", {});
	await outcome(other.join());
	await checkRefresh(other, fresh);
}

// Starts the binary; resolves with its process once it listens.
function start() {
	const child = spawn(target, ["--quiet"],
	    { stdio: ["ignore", "pipe", "inherit"] });
	return wait("switchboard's line", (done) => {
		child.on("error", (e) => {
			console.error("check.js:", e.message);
			process.exit(1);
		});
		child.stdout.once("data", (d) => {
			port = Number(/http=(\d+)/.exec(d)[1]);
			done(child);
		});
	});
}

async function main() {
	let child;
	if (/^\d+$/.test(target))
		port = Number(target);
	else
		child = await start();
	try {
		await wait("everything", (done) => checkAll().catch((e) =>
		    check(e.message, false)).then(done), 60000);
	} catch (e) {
		check(e.message, false);
	}
	for (const socket of sockets)
		socket.disconnect();
	if (child) {
		const exit = wait("exit", (done) => child.on("exit", done));
		child.kill("SIGTERM");
		check("switchboard exits with 0", await exit === 0);
	}
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed > 0 ? 1 : 0);
}

main();
