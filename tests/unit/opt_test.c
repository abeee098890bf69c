/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_test.c - command lines, single settings, and the texts made from the same
 * table: help, completion, settings in effect.
 */
#include "opt.h"
#include "unit.h"

#include <signal.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

/* A tool with an option of every type. */
struct demo {
	struct nl_svc svc;
	bool foreground, preserve, verbose;
	struct nl_num attempts;
	struct nl_span kill_after, idle;
	struct nl_seed seed;
	const char *report;
	struct nl_sig signal;
	struct nl_codes on, except;
	struct nl_backoff backoff;
	enum nl_jitter jitter;
	struct nl_word kill;
};

static const struct nl_opt demo_opts[] = {
	NL_OPT('f', "foreground", struct demo, foreground, NULL, "let the command read the terminal", NULL),
	NL_OPT('p', "preserve-status", struct demo, preserve, NULL, "exit with the command's status", NULL),
	NL_OPT('v', "verbose", struct demo, verbose, NULL, "say each signal", NULL),
	NL_OPT('n', "attempts", struct demo, attempts, "N", "attempts in all, or inf", "3"),
	NL_OPT('k', "kill-after", struct demo, kill_after, "DUR", "KILL this long after the first signal", "5s"),
	NL_OPT('i', "idle", struct demo, idle, "DUR", "stop without output", NULL),
	NL_OPT(0, "seed", struct demo, seed, "N", "repeatable jitter", NULL),
	NL_OPT(0, "report", struct demo, report, "FILE", "write the whole story there, "
	       "in more words than one line of help has room for at all", "none"),
	NL_OPT('s', "signal", struct demo, signal, "SIG", "first signal", "TERM"),
	NL_OPT(0, "on", struct demo, on, "SET", "what to retry", "failures"),
	NL_OPT(0, "except", struct demo, except, "SET", "what not to retry", NULL),
	NL_OPT('b', "backoff", struct demo, backoff, "KIND:BASE[..CAP]", "delays", "exponential:1s..60s"),
	NL_OPT('j', "jitter", struct demo, jitter, "KIND", "spread", "full"),
	NL_OPT(0, "kill", struct demo, kill, "group|tree", "whom to stop", "tree"),
	{ .name = NULL },
};

static const struct nl_layer demo = {
	.name = "demo", .usage = "[-fpv] DURATION COMMAND [ARG]...", .about = "Runs a command.", .gnu = "fpvnkis", .opts = demo_opts, .size = sizeof(struct demo),
};
static const struct nl_layer bare = { .name = "bare", .usage = "COMMAND", .about = "Has no options of its own.", .size = sizeof(struct nl_svc) };

static struct nl_err err;
static struct demo d;
static char **rest;

/* Parses the words; what is left is in rest. */
static enum nl_opt_result parse(bool gnu, const char *const *words)
{
	static char *argv[16];
	size_t i = 0;

	for (; words[i]; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	argv[i] = NULL;
	rest = argv;
	d = (struct demo){ .svc.layer = &demo };
	err.msg[0] = '\0';
	return nl_opt_parse(&d.svc, &rest, gnu, &err);
}

#define PARSE(...) parse(false, (const char *const[]){ __VA_ARGS__, NULL })
#define GNU(...) parse(true, (const char *const[]){ __VA_ARGS__, NULL })
#define LEFT(word) (*rest && !strcmp(*rest, word))
#define FAILS(text, ...) CHECK_ROW(PARSE(__VA_ARGS__) == NL_OPT_ERROR && !strcmp(err.msg, text), err.msg)
#define GNU_FAILS(text, ...) CHECK_ROW(GNU(__VA_ARGS__) == NL_OPT_ERROR && !strcmp(err.msg, text), err.msg)

static void lines(void)
{
	TEST("options end at the first operand; what follows is the command's") {
		CHECK(PARSE("-v", "5", "-f", "cmd") == NL_OPT_OK && d.verbose && !d.foreground && LEFT("5"));
		CHECK(PARSE("ls", "-t", "--help") == NL_OPT_OK && LEFT("ls"));
		CHECK(PARSE("-", "-v") == NL_OPT_OK && LEFT("-") && !d.verbose);
		CHECK(PARSE("") == NL_OPT_OK && LEFT(""));
		CHECK(PARSE("-v") == NL_OPT_OK && !*rest);
	}
	TEST("-- ends them and is taken off") {
		CHECK(PARSE("-v", "--", "-f", "cmd") == NL_OPT_OK && !d.foreground && LEFT("-f"));
		CHECK(PARSE("--") == NL_OPT_OK && !*rest);
		CHECK(PARSE("--", "--") == NL_OPT_OK && LEFT("--"));
	}
	TEST("letters combine; the first that takes a value takes the rest, or the next word") {
		CHECK(PARSE("-fpv", "x") == NL_OPT_OK && d.foreground && d.preserve && d.verbose && LEFT("x"));
		CHECK(PARSE("-fk5", "x") == NL_OPT_OK && d.foreground && d.kill_after.given && d.kill_after.ns == 5 * NL_SEC && LEFT("x"));
		CHECK(PARSE("-pk", "1m30s", "x") == NL_OPT_OK && d.kill_after.ns == 90 * NL_SEC && LEFT("x"));
		CHECK(PARSE("-kf") == NL_OPT_ERROR && !d.foreground);
		CHECK(PARSE("-n", "-v") == NL_OPT_ERROR);
	}
	TEST("--opt=v and --opt v are the same; the value may be empty or begin with -") {
		CHECK(PARSE("--kill-after=2m", "x") == NL_OPT_OK && d.kill_after.ns == 120 * NL_SEC && LEFT("x"));
		CHECK(PARSE("--kill-after", "2m", "x") == NL_OPT_OK && d.kill_after.ns == 120 * NL_SEC && LEFT("x"));
		CHECK(PARSE("--report=", "x") == NL_OPT_OK && !strcmp(d.report, "") && LEFT("x"));
		CHECK(PARSE("--report", "-v", "x") == NL_OPT_OK && !strcmp(d.report, "-v") && !d.verbose && LEFT("x"));
		CHECK(PARSE("--report=a=b", "x") == NL_OPT_OK && !strcmp(d.report, "a=b"));
	}
	TEST("a long name may be cut while it is unambiguous; a whole name always wins") {
		CHECK(PARSE("--fore", "--attempt=4", "--kill-a", "1") == NL_OPT_OK && d.foreground && d.attempts.n == 4 && d.kill_after.ns == NL_SEC);
		CHECK(PARSE("--kill=tree") == NL_OPT_OK && d.kill.given && d.kill.index == 1 && !d.kill_after.given);
		CHECK(PARSE("--on=1") == NL_OPT_OK && d.on.set);
		FAILS("--ki: ambiguous (--kill-after, --kill)", "--ki=tree");
		FAILS("--s: ambiguous (--seed, --signal)", "--s", "1");
		FAILS("--e: ambiguous (--except, --events)", "--e=1");
		CHECK(PARSE("--com") == NL_OPT_ERROR && PARSE("--complete") == NL_OPT_COMPLETE);
	}
	TEST("the last of several wins") {
		CHECK(PARSE("-n3", "--attempts=inf", "-s9", "-sTERM") == NL_OPT_OK && d.attempts.given && d.attempts.n == 0 && d.signal.n == SIGTERM);
		CHECK(PARSE("--on=1", "--on=2") == NL_OPT_OK && nl_codes_match(&d.on, (struct nl_outcome){ NL_EXIT(2), NL_RAN }));
		CHECK(!nl_codes_match(&d.on, (struct nl_outcome){ NL_EXIT(1), NL_RAN }));
	}
	TEST("each type of field is read; what was not given stays zero") {
		CHECK(PARSE("-k0", "--seed=18446744073709551615", "-s", "usr1", "--except=!7", "-blin:1..2", "-jnone", "--kill=group") == NL_OPT_OK);
		CHECK(d.kill_after.given && d.kill_after.ns == 0 && d.seed.given && d.seed.n == UINT64_MAX && d.signal.set && d.signal.n == SIGUSR1);
		CHECK(d.except.set && d.except.in.any && d.backoff.kind == NL_LINEAR && d.backoff.cap == 2 * NL_SEC && d.jitter == NL_JITTER_NONE);
		CHECK(d.kill.given && d.kill.index == 0 && !d.attempts.given && !d.idle.given && !d.on.set && !d.report && !d.svc.name);
	}
	TEST("every tool has --name, --events, --help, --version, even one without a table") {
		CHECK(PARSE("--name", "db-1", "--events=off", "x") == NL_OPT_OK && !strcmp(d.svc.name, "db-1") && !strcmp(d.svc.events, "off"));
		CHECK(PARSE("-h", "--bogus") == NL_OPT_HELP && PARSE("--help") == NL_OPT_HELP && PARSE("-vh") == NL_OPT_HELP);
		CHECK(PARSE("-V") == NL_OPT_VERSION && PARSE("--vers") == NL_OPT_VERSION);
		char word[] = "--name=x", *argv[] = { word, NULL }, **p = argv;
		struct nl_svc svc = { .layer = &bare };
		CHECK(nl_opt_parse(&svc, &p, false, &err) == NL_OPT_OK && !strcmp(svc.name, "x") && !*p);
	}
}

static void errors(void)
{
	TEST("an unknown option is named, and help offered") {
		FAILS("--bogus: unknown option (try --help)", "--bogus");
		FAILS("--bogus: unknown option (try --help)", "--bogus=5");
		FAILS("-z: unknown option (try --help)", "-z");
		FAILS("-z: unknown option (try --help)", "-vz");
		FAILS("-5: unknown option (try --help)", "-5");
		FAILS("--: unknown option (try --help)", "--=x");
		FAILS("-?: unknown option (try --help)", "-\033[2J");
		FAILS("--atempts: unknown option, did you mean --attempts?", "--atempts=3");
	}
	TEST("a missing value, and one too many") {
		FAILS("--backoff: needs KIND:BASE[..CAP]", "-b");
		FAILS("--backoff: needs KIND:BASE[..CAP]", "-vb");
		FAILS("--backoff: needs KIND:BASE[..CAP]", "--backoff");
		FAILS("--kill: needs group|tree", "--kill");
		FAILS("--foreground: takes no value", "--foreground=yes");
		FAILS("--help: takes no value", "--help=");
	}
	TEST("a value is refused with option, value and reason; nothing is stored") {
		FAILS("--kill: 'x': not one of group, tree", "--kill=x");
		FAILS("--kill: 'grou': not one of group, tree", "--kill", "grou");
		FAILS("--kill: '': not one of group, tree", "--kill=");
		FAILS("--attempts: '0': at least 1 (inf for no limit)", "-n0");
		FAILS("--attempts: '0': at least 1 (inf for no limit)", "--att", "0");
		FAILS("--backoff: 'exq:1s': unknown kind (constant, linear, exponential, fibonacci)", "--backoff", "exq:1s");
		FAILS("--backoff: 'exp': not KIND:BASE[..CAP]", "-bexp");
		FAILS("--jitter: 'f': not one of none, full, equal, decorrelated, finagle, polly", "-jf");
		FAILS("--kill-after: '-1': negative", "-k-1");
		FAILS("--idle: '1w': unknown unit (us, ms, s, m, h, d)", "-i1w");
		FAILS("--signal: 'SIGFOO': unknown signal", "-sSIGFOO");
		FAILS("--seed: '-1': not a whole number below 2^64", "--seed=-1");
		FAILS("--on: '': an empty element", "--on=");
		FAILS("--except: '1,256': '256' is none of: a status 0-255, a range of them, any, signal, a signal's name, timeout, rejected",
		      "--except=1,256");
		FAILS("--name: '../x': not a name (1-64 letters, digits, . _ -, a letter or digit first)", "--name=../x");
		CHECK(PARSE("-n4", "-nx") == NL_OPT_ERROR && d.attempts.n == 4);
	}
	TEST("a long value is cut, so that the reason is seen; control characters are not passed on") {
		char word[600] = "--idle=";
		memset(word + 7, '9', sizeof word - 8);
		word[598] = 'x';
		FAILS("--idle: '999999999999999999999999999999999999999999999999...': unknown unit (us, ms, s, m, h, d)", word);
		memset(word + 2, 'o', sizeof word - 3);
		CHECK(PARSE(word) == NL_OPT_ERROR && strlen(err.msg) < 100 && strstr(err.msg, ": unknown option (try --help)"));
		FAILS("--idle: '1?[2J': unknown unit (us, ms, s, m, h, d)", "-i1\033[2J");
	}
}

static void gnu(void)
{
	TEST("called as the tool that we stand in for: its options, its durations, its words") {
		CHECK(GNU("-fvk", "0x10", "-s", "KILL", "--pres", "5") == NL_OPT_OK && d.preserve && d.kill_after.ns == 16 * NL_SEC && LEFT("5"));
		CHECK(GNU("--k=5") == NL_OPT_OK && d.kill_after.ns == 5 * NL_SEC);
		CHECK(GNU("--help") == NL_OPT_HELP && GNU("--version") == NL_OPT_VERSION);
		GNU_FAILS("unrecognized option '--bogus'", "--bogus");
		GNU_FAILS("unrecognized option '--bogus=5'", "--bogus=5");
		GNU_FAILS("invalid option -- 'z'", "-z");
		GNU_FAILS("unrecognized option '--complete'", "--complete");
		GNU_FAILS("unrecognized option '--name=x'", "--name=x");
		GNU_FAILS("unrecognized option '--report=x'", "--report=x");
		GNU_FAILS("option requires an argument -- 'k'", "-vk");
		GNU_FAILS("option '--signal' requires an argument", "--sig");
		GNU_FAILS("option '--foreground' doesn't allow an argument", "--foreground=1");
		GNU_FAILS("invalid time interval '1m30s'", "-k1m30s");
		GNU_FAILS("'invalid': invalid signal", "--signal=invalid");
		GNU_FAILS("option '--signal' requires an argument", "--s");
		GNU_FAILS("--attempts: '0': at least 1 (inf for no limit)", "-n0");
	}
}

static void settings(void)
{
	static char buf[512];

	TEST("one setting by its long name; an error changes nothing") {
		d = (struct demo){ .svc.layer = &demo };
		CHECK(!nl_opt_set(&d.svc, "attempts", "5", &err) && d.attempts.given && d.attempts.n == 5);
		CHECK(nl_opt_set(&d.svc, "attempts", "0", &err) && d.attempts.n == 5);
		CHECK(!strcmp(err.msg, "attempts: '0': at least 1 (inf for no limit)"));
		CHECK(nl_opt_set(&d.svc, "attempt", "5", &err) && !strcmp(err.msg, "attempt: unknown option"));
		CHECK(nl_opt_set(&d.svc, "help", NULL, &err) && !strcmp(err.msg, "help: 'true': not a setting"));
		CHECK(nl_opt_set(&d.svc, "on", NULL, &err) && !strcmp(err.msg, "on: needs SET"));
		CHECK(!nl_opt_set(&d.svc, "name", "n", &err) && !strcmp(d.svc.name, "n"));
	}
	TEST("a flag is set by nothing or true, and cleared by false") {
		CHECK(!nl_opt_set(&d.svc, "verbose", NULL, &err) && d.verbose);
		CHECK(!nl_opt_set(&d.svc, "verbose", "false", &err) && !d.verbose && !nl_opt_set(&d.svc, "verbose", "true", &err) && d.verbose);
		CHECK(nl_opt_set(&d.svc, "verbose", "1", &err) && d.verbose && !strcmp(err.msg, "verbose: '1': not one of true, false"));
	}
	TEST("settings in effect: what was given, in the table's order, without user text") {
		CHECK(PARSE("--report=secret", "--name=n", "--events=/tmp/secret", "-n3", "-bexp:1..60") == NL_OPT_OK);
		CHECK(nl_opt_config(&d.svc, buf, sizeof buf) == 38);
		CHECK_ROW(!strcmp(buf, "attempts=3 backoff=exponential:1s..60s"), buf);
		CHECK(PARSE("x") == NL_OPT_OK && nl_opt_config(&d.svc, buf, sizeof buf) == 0 && !*buf);
	}
	TEST("settings of every type, spans in seconds") {
		CHECK(PARSE("-fninf", "-k1m30.25s", "-i1us", "--seed=18446744073709551615", "-s9", "-jpolly", "--kill=tree", "-bconst:100ms",
		            "--on=200-255,7,1-3,KILL,RTMIN,timeout", "--except=!75,!signal,!any,!rejected,0") == NL_OPT_OK);
		(void)nl_opt_config(&d.svc, buf, sizeof buf);
		CHECK_ROW(!strcmp(buf, "foreground=true attempts=inf kill-after=90.25s idle=0.000001s seed=18446744073709551615 signal=KILL "
		                       "on=timeout,1-3,7,200-255,KILL,RTMIN except=0,!any,!signal,!rejected,!75 backoff=constant:0.1s "
		                       "jitter=polly kill=tree"), buf);
		CHECK(PARSE("-kinf", "-i0", "--kill=group", "--on=!0-255") == NL_OPT_OK);
		(void)nl_opt_config(&d.svc, buf, sizeof buf);
		CHECK_ROW(!strcmp(buf, "kill-after=inf idle=0s on=any,!0-255 kill=group"), buf);
	}
	TEST("settings are read back as they were") {
		static char words[512], again[512];
		CHECK(PARSE("--on=!1,!KILL,timeout,3-9", "-blin:1.5..1h", "-k0.000001", "-sRTMAX-3", "-p", "-jeq") == NL_OPT_OK);
		(void)nl_opt_config(&d.svc, buf, sizeof buf);
		(void)nl_opt_config(&d.svc, words, sizeof words);
		d = (struct demo){ .svc.layer = &demo };
		for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
			char *value = strchr(word, '=');
			*value = '\0';
			CHECK_ROW(!nl_opt_set(&d.svc, word, value + 1, &err), err.msg);
		}
		CHECK(nl_opt_config(&d.svc, again, sizeof again) > 80 && !strcmp(buf, again));
	}
	TEST("a buffer too small is cut, ended, and told how much was wanted") {
		CHECK(PARSE("-n3", "-bexp:1..60") == NL_OPT_OK);
		for (size_t size = 0; size < 45; size++) {
			char small[64];
			memset(small, 'x', sizeof small);
			CHECK(nl_opt_config(&d.svc, small, size) == 38 && small[size] == 'x');
			CHECK(!size || (strlen(small) == (size <= 38 ? size - 1 : 38) && !strncmp(small, "attempts=3 backoff=exponential:1s..60s", strlen(small))));
		}
	}
}

static void texts(void)
{
	static char buf[8192];

	TEST("help: usage, purpose, an aligned table with defaults; common options last, --complete hidden") {
		CHECK(nl_opt_help(&demo, "nl-demo", false, buf, sizeof buf) == strlen(buf));
		CHECK_ROW(!strncmp(buf, "Usage: nl-demo [-fpv] DURATION COMMAND [ARG]...\nRuns a command.\n\n", 65), buf);
		CHECK(strstr(buf, "\n  -f, --foreground        let the command read the terminal\n"));
		CHECK(strstr(buf, "\n  -n, --attempts N        attempts in all, or inf (default 3)\n"));
		CHECK(strstr(buf, "\n  -b, --backoff KIND:BASE[..CAP]\n                          delays (default exponential:1s..60s)\n"));
		CHECK(strstr(buf, "\n      --kill group|tree   whom to stop (default tree)\n      --name NAME  "));
		CHECK(strstr(buf, "\n      --report FILE       write the whole story there, in more words than one\n"
		                  "                          line of help has room for at all (default none)\n"));
		CHECK(strstr(buf, "\n  -V, --version           print the version\n") && !strstr(buf, "complete"));
	}
	TEST("no line of help is longer than 80 columns, none ends in a blank") {
		for (char *line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
			CHECK_ROW(strlen(line) <= 80 && line[strlen(line) - 1] != ' ', line);
	}
	TEST("a long purpose is folded") {
		struct nl_layer wordy = demo;
		wordy.about = "Runs a command again and again, until it has done what it was told to do or nobody wants it any more.";
		(void)nl_opt_help(&wordy, "nl-demo", false, buf, sizeof buf);
		CHECK(strstr(buf, "\nRuns a command again and again, until it has done what it was told to do or\nnobody wants it any more.\n\n"));
	}
	TEST("the machine list has every letter and name, their values and help") {
		CHECK(nl_opt_complete(&demo, buf, sizeof buf) == strlen(buf));
		CHECK(strstr(buf, "-f\t\tlet the command read the terminal\n--foreground\t\tlet the command read the terminal\n") == buf);
		CHECK(strstr(buf, "\n-n\tN\tattempts in all, or inf\n--attempts=\tN\tattempts in all, or inf\n"));
		CHECK(strstr(buf, "\n--kill=\tgroup|tree\twhom to stop\n") && strstr(buf, "\n-h\t\tprint this help\n--help\t\tprint this help\n"));
		CHECK(!strstr(buf, "complete"));
	}
	TEST("every letter and name of every table is unique, and every name is read") {
		for (const struct nl_opt *a = NULL; (a = nl_opt_next(&demo, a)); ) {
			for (const struct nl_opt *b = a; (b = nl_opt_next(&demo, b)); )
				CHECK_ROW(strcmp(a->name, b->name) && (!a->letter || a->letter != b->letter), a->name);
			char word[40];
			(void)snprintf(word, sizeof word, "--%s", a->name);
			CHECK_ROW(PARSE(word) == (a->arg ? NL_OPT_ERROR : a->type == NL_ACTION ? (enum nl_opt_result)a->offset : NL_OPT_OK), word);
			CHECK_ROW(!a->arg || strstr(err.msg, ": needs "), word);
		}
	}
}

int main(void)
{
	lines();
	errors();
	gnu();
	settings();
	texts();
	return unit_done();
}
