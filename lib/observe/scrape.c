/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrape.c - GET /metrics, and nothing else of HTTP/1.1, while lines are read.
 *
 * On a unix socket or a loopback address alone: what policies are called is not
 * for the network.  One request at a time, the next ones wait in the kernel; who
 * has not sent it and taken the answer within LIMIT is cut off.  A connection is
 * one request, so whatever follows it is not read.
 */
#include "observe/export.h"

#include "mut.h"
#include "os.h"
#include "run.h"
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LIMIT (5 * NL_SEC)
enum { REQUEST_MAX = 8192, ANSWER_MAX = 64 << 20, BACKLOG = 16 };

struct nl_scrape {
	struct nl_also listener, client;        /* client: fd -1 when there is none */
	struct nl_ticker limit;                 /* at: when the client is cut off */
	struct nl_ticker rest;                  /* at: when the listener is asked again */
	struct nl_intake *in;
	struct nl_ask *ask;
	struct nl_socket socket;
	char request[REQUEST_MAX + 1];
	size_t n, sent;                         /* of the request; of out */
	struct nl_out out;
};

static struct nl_scrape *of(struct nl_also *also, size_t at)
{
	return (struct nl_scrape *)((char *)also - at);
}

static void drop(struct nl_scrape *s)
{
	nl_intake_forget(s->in, &s->client);
	s->in->run->os->close(s->client.fd);
	s->client.fd = -1;
	s->listener.events = POLLIN;
	s->limit.at = NL_NEVER;
	nl_out_free(&s->out);
}

static bool try_again(struct nl_intake *in, nl_time now, void *arg)
{
	struct nl_scrape *s = arg;
	(void)in, (void)now;
	s->rest.at = NL_NEVER;
	s->listener.events = s->client.fd < 0 ? POLLIN : 0;
	return true;
}

static bool cut_off(struct nl_intake *in, nl_time now, void *arg)
{
	struct nl_scrape *s = arg;
	(void)in, (void)now;
	if (s->client.fd >= 0 && !MUTANT(SCRAPE_WAITS))
		drop(s);
	return true;
}

static void put_answer(struct nl_out *o, const char *status, const char *type, const char *more, const char *body, size_t n)
{
	nl_out_put(o, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n", status, type, n, more);
	nl_out_bytes(o, body, n);
}

static void refuse(struct nl_out *o, const char *status, const char *more)
{
	char body[80];
	put_answer(o, status, "text/plain", more, body, (size_t)snprintf(body, sizeof body, "%s\n", status));
}

static void put_metrics(struct nl_scrape *s)
{
	struct nl_out body;
	struct nl_err err;
	nl_out_init(&body, ANSWER_MAX - 1024);
	if (nl_prom_put(s->ask, &body, &err) < 0 || body.lost)
		refuse(&s->out, "500 Internal Server Error", "");
	else
		put_answer(&s->out, "200 OK", "text/plain; version=0.0.4; charset=utf-8", "", body.buf, body.n);
	nl_out_free(&body);
}

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 'A' || s[i] > 'Z')
			return false;
	return n > 0;
}

/* This machine, with a port or without. */
static bool is_ours(const char *host, size_t n)
{
	static const char *const ours[] = { "127.0.0.1", "[::1]", "localhost" };
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		size_t k = strlen(ours[i]);
		if (n < k || strncasecmp(host, ours[i], k) != 0)
			continue;
		if (n == k || (host[k] == ':' && strspn(host + k + 1, "0123456789") >= n - k - 1))
			return true;
	}
	return false;
}

/* A page in a browser must not read what is here: neither by a name of its own for our
 * address (Host), nor by asking from elsewhere (Origin). */
static bool is_foreign(const char *request)
{
	static const char host[] = "host:", origin[] = "origin:", http[] = "http://";
	for (const char *line = strstr(request, "\r\n") + 2, *end; (end = strstr(line, "\r\n")) != line; line = end + 2) {
		bool is_host = !strncasecmp(line, host, sizeof host - 1), is_origin = !strncasecmp(line, origin, sizeof origin - 1);
		if (!is_host && !is_origin)
			continue;
		const char *from = line + (is_host ? sizeof host : sizeof origin) - 1, *to = end;
		for (; from < to && (*from == ' ' || *from == '\t'); from++)
			;
		for (; to > from && (to[-1] == ' ' || to[-1] == '\t'); to--)
			;
		if (is_origin && strncasecmp(from, http, sizeof http - 1) != 0)
			return true;
		from += is_origin ? sizeof http - 1 : 0;
		if (!is_ours(from, (size_t)(to - from)))
			return true;
	}
	return false;
}

/* The first line: METHOD TARGET HTTP/1.x. */
static void answer(struct nl_scrape *s)
{
	const char *line = s->request, *end = strstr(line, "\r\n");
	const char *target = memchr(line, ' ', (size_t)(end - line));
	const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
	if (!version || !is_token(line, (size_t)(target - line)) || end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0
	    || (version[8] != '0' && version[8] != '1')) {
		refuse(&s->out, "400 Bad Request", "");
		return;
	}
	if (s->socket.fd < 0 && is_foreign(line) && !MUTANT(SCRAPED_BY_PAGES)) {
		refuse(&s->out, "403 Forbidden", "");
		return;
	}
	size_t n = strcspn(++target, "? ");
	if (n != strlen("/metrics") || memcmp(target, "/metrics", n) != 0)
		refuse(&s->out, "404 Not Found", "");
	else if (memcmp(line, "GET ", 4) != 0)
		refuse(&s->out, "405 Method Not Allowed", "Allow: GET\r\n");
	else
		put_metrics(s);
}

static void send_answer(struct nl_scrape *s)
{
	long r = s->out.lost ? -ENOMEM : s->in->run->os->syscall(SYS_sendto, s->client.fd, (long)(s->out.buf + s->sent), (long)(s->out.n - s->sent), MSG_NOSIGNAL, 0, 0);
	if (r > 0)
		s->sent += (size_t)r;
	if ((r < 0 && r != -EAGAIN && r != -EINTR) || s->sent == s->out.n)
		drop(s);
}

static void read_request(struct nl_scrape *s)
{
	ssize_t r = s->in->run->os->read(s->client.fd, s->request + s->n, REQUEST_MAX - s->n);
	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r <= 0) {
		drop(s);
		return;
	}
	s->n += (size_t)r;
	s->request[s->n] = '\0';
	if (strlen(s->request) < s->n)
		refuse(&s->out, "400 Bad Request", "");
	else if (strstr(s->request, "\r\n\r\n"))
		answer(s);
	else if (s->n == REQUEST_MAX)
		refuse(&s->out, "431 Request Header Fields Too Large", "");
	if (s->out.n == 0 && !s->out.lost)
		return;
	s->client.events = POLLOUT;
	send_answer(s);
}

static void client_ready(struct nl_also *also, short revents)
{
	struct nl_scrape *s = of(also, offsetof(struct nl_scrape, client));
	(void)revents;
	if (s->client.events == POLLOUT)
		send_answer(s);
	else
		read_request(s);
}

static void listener_ready(struct nl_also *also, short revents)
{
	struct nl_scrape *s = of(also, offsetof(struct nl_scrape, listener));
	(void)revents;
	int fd = s->client.fd >= 0 ? -EAGAIN : (int)s->in->run->os->syscall(SYS_accept4, s->listener.fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
	if (fd < 0 && fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED) {
		s->listener.events = 0;         // No descriptor, or no memory: in a second again.
		s->rest.at = nl_after(nl_now(s->in->run), NL_SEC);
	}
	if (fd < 0)
		return;
	s->client = (struct nl_also){ .fd = fd, .events = POLLIN, .ready = client_ready };
	s->n = s->sent = 0;
	s->listener.events = 0;
	s->limit.at = nl_after(nl_now(s->in->run), LIMIT);
	nl_out_init(&s->out, ANSWER_MAX);
	nl_intake_also(s->in, &s->client);
}

/* 127.0.0.1:PORT or [::1]:PORT. */
static int listen_at(struct nl_run *run, const char *at, struct nl_err *err)
{
	union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; } to = { .in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	bool six = !strncmp(at, "[::1]:", 6);
	const char *port = six ? at + 6 : at + 10;
	char *end = NULL;
	long n = six || !strncmp(at, "127.0.0.1:", 10) ? strtol(port, &end, 10) : -1;
	if (n < 1 || n > 65535 || *end || *port < '1' || *port > '9')
		return nl_fail(err, "--scrape '%.80s': unix:PATH, 127.0.0.1:PORT or [::1]:PORT (no other address: metrics are not for the network)", at);
	if (six)
		to.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	to.in.sin_port = htons((uint16_t)n);    // Both have it at the same place.
	int one = 1, fd = (int)run->os->syscall(SYS_socket, to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
	long r = fd < 0 ? fd : run->os->syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, (long)&one, sizeof one, 0);
	if (r == 0)
		r = run->os->syscall(SYS_bind, fd, (long)&to, six ? sizeof to.in6 : sizeof to.in, 0, 0, 0);
	if (r == 0)
		r = run->os->syscall(SYS_listen, fd, BACKLOG, 0, 0, 0, 0);
	if (r == 0)
		return fd;
	if (fd >= 0)
		run->os->close(fd);
	return nl_fail(err, "cannot listen at %.80s: %s", at, strerror((int)-r));
}

struct nl_scrape *nl_scrape_open(struct nl_ask *ask, struct nl_intake *in, const char *at, struct nl_err *err)
{
	struct nl_scrape *s = calloc(1, sizeof *s);
	if (!s) {
		nl_fail(err, "out of memory");
		return NULL;
	}
	s->in = in, s->ask = ask;
	s->client.fd = s->socket.fd = -1;
	if (!strncmp(at, "unix:", 5) && nl_socket_make(in->run, &s->socket, at + 5, SOCK_STREAM, err) == 0)
		s->listener.fd = s->socket.fd;
	else
		s->listener.fd = strncmp(at, "unix:", 5) ? listen_at(in->run, at, err) : -1;
	if (s->listener.fd < 0) {
		free(s);
		return NULL;
	}
	s->listener.events = POLLIN, s->listener.ready = listener_ready;
	s->limit = (struct nl_ticker){ .every = LIMIT, .wake = cut_off, .arg = s, .at = NL_NEVER };
	s->rest = (struct nl_ticker){ .every = NL_SEC, .wake = try_again, .arg = s, .at = NL_NEVER };
	nl_intake_also(in, &s->listener);
	nl_intake_tick(in, &s->limit);
	nl_intake_tick(in, &s->rest);
	return s;
}

void nl_scrape_close(struct nl_scrape *s)
{
	if (!s)
		return;
	if (s->client.fd >= 0)
		drop(s);
	nl_intake_forget(s->in, &s->listener);
	if (s->socket.fd >= 0)
		nl_socket_drop(s->in->run, &s->socket);
	else
		s->in->run->os->close(s->listener.fd);
	free(s);
}
