/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm - SIGKILL at random for wrappers, for their commands, and for who
 * waits, until so many have died; then, and often in between: is all as if
 * nothing had been?
 *
 * storm [-k KILLS] [-s SEED] [-d DIR] [-e FILE] [PHASE]   2000, 1, /dev/shm or /tmp, all
 *   Prints what it has seen; status 1 on any violation.  nl-bulkhead and
 *   nl-breaker are taken from PATH.  All events go to FILE.
 *
 * Each round has three phases.
 *   pool     a crowd at a bulkhead of LIMIT slots, some commands outliving their
 *            wrapper.  Never more than LIMIT commands live; afterwards LIMIT calls
 *            are admitted at once and one more is not.
 *   queue    calls that arrive one by one, each when the one before it has its
 *            ticket (in the record), at a bulkhead of one slot.  Whoever dies, commands start in
 *            order of arrival.
 *   probes   a breaker that stays half-open admits no more than PROBES at once,
 *            another opens and closes all the time; both close for a healthy service.
 */
#include "storm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 4, PROBES = 2, ROUND = 1000, ARRIVALS = 8, QUEUE_BYTE = 10 };
enum { TAG_QUEUE = 0, TAG_POOL = 100, TAG_PROBE, TAG_OTHER };
#define NEXT 928                        /* offset of the number of the next ticket in a record: nl-state(5) */

static char dir[200], self[200];
static const char *kept;                /* where all events are left for others to judge */
static int hold = -1;                   /* while it is open those who hold do */

/* argv of a wrapper around our own command. */
static struct worker *send(int tag, const char *const *wrapper, bool one, int us, int code, const char *how)
{
	static const char limit[] = { '0' + LIMIT, 0 };
	char texts[3][12];
	const char *argv[32];
	int n = 0;
	bool counted = tag <= TAG_POOL;
	(void)snprintf(texts[0], sizeof texts[0], "%d", tag);
	(void)snprintf(texts[1], sizeof texts[1], "%d", us);
	(void)snprintf(texts[2], sizeof texts[2], "%d", code);
	while (wrapper[n] && n < 20)
		argv[n] = wrapper[n], n++;
	const char *rest_of[] = { self, "run", texts[0], one ? "10" : "0", !counted ? "0" : one ? "1" : limit, texts[1], texts[2], how, NULL };
	memcpy(argv + n, rest_of, sizeof rest_of);
	return hire(tag, argv);
}
#define SEND(tag, us, code, how, ...) send(tag, (const char *const[]){ __VA_ARGS__, NULL }, tag < TAG_POOL, us, code, how)

static void hold_begin(void)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0 || dup2(fds[0], FD_HOLD) != FD_HOLD)
		abort();
	close(fds[0]);
	hold = fds[1];
}

static void hold_end(void)
{
	if (hold >= 0)
		close(hold);
	hold = -1;
}

static bool until_started(struct worker *w)
{
	while (!w->started && w->pid) {
		if (!step())
			return false;
		rest(100000);
	}
	return w->started;
}

static bool until_dead(struct worker *w)
{
	while (w->pid) {
		if (!step())
			return false;
		rest(100000);
	}
	return true;
}

/* Somebody, at whatever he is. */
static void shoot_at_random(void)
{
	uint64_t who = below(10);
	struct worker *w = anybody(who >= 5);
	if (w && who >= 5 && who < 8)
		shoot_command(w);
	else if (w)
		shoot_wrapper(w);
}

static void begin_pool(void)
{
	static const char max[] = { '0' + LIMIT, 0 };
	const char *how = below(3) == 0 ? "outlive" : NULL;
	const char *release = below(4) == 0 ? "--release=tree" : "--release=command";
	int us = (int)below(how ? 6000 : 3000);
	switch (below(24)) {
	case 0: SEND(TAG_POOL, us, 0, how, "nl-bulkhead", "-m", max, release, "pool"); break;
	case 1: SEND(TAG_POOL, us, 0, how, "nl-bulkhead", "-m", max, release, "-w", "20ms", "pool"); break;
	case 2: SEND(TAG_POOL, us, 0, how, "nl-bulkhead", "-m", max, release, "-q", "6", "pool"); break;
	default: SEND(TAG_POOL, us, 0, how, "nl-bulkhead", "-m", max, release, "-w", "inf", "pool"); break;
	}
}

static void begin_probe(void)
{
	int us = (int)below(3000), code = below(3) == 0;
	if (below(3) > 0)
		SEND(TAG_PROBE, us, code, NULL, "nl-breaker", "-f1", "-o1ms", "-p2", "--close-after=inf", "-w", "300ms", "probe");
	else
		SEND(TAG_OTHER, us, code, NULL, "nl-breaker", "-f2", "-o2ms", "-p2", "--close-after=2", "-w", "200ms", "other");
}

/* So many kills among a crowd of up to `size`: a small one meets at free slots, a large one waits. */
static bool storm(long kills, unsigned size, void (*begin)(void))
{
	long goal = tally.kills + kills;
	for (unsigned crowd = size; tally.kills < goal; ) {
		if (!step())
			return false;
		if (below(40) == 0)
			crowd = (unsigned)(LIMIT + 2 + below(size - LIMIT - 1));
		for (int i = 0; i < 6 && strength() < crowd; i++)
			begin();
		rest(600000);
		step();
		for (uint64_t n = 4 + below(8); n > 0; n--)
			shoot_at_random();
	}
	return drain();
}

/* All slots are free: that many calls are admitted, and no more. */
static void count_slots(const char *name, int limit, int tag)
{
	char max[12];
	struct worker *w[LIMIT + 1];
	(void)snprintf(max, sizeof max, "%d", limit);
	hold_begin();
	for (int i = 0; i <= limit; i++) {
		w[i] = SEND(tag, 0, 0, "hold", "nl-bulkhead", "-m", max, name);
		if (until_started(w[i]) != (i < limit))
			i < limit ? tally.leaked++ : tally.crowded++;
	}
	hold_end();
	drain();
	log_clear();
}

/* Number of the next ticket. */
static uint64_t tickets(void)
{
	static int record = -1;
	char path[300];
	uint64_t next = 0;
	(void)snprintf(path, sizeof path, "%s/bulkhead/queue", dir);
	if (record < 0)
		record = open(path, O_RDONLY | O_CLOEXEC);
	return pread(record, &next, sizeof next, NEXT) == sizeof next ? next : 0;
}

static struct worker *queue_up(int tag, const char *how)
{
	return SEND(tag, (int)below(300), 0, how, "nl-bulkhead", "-w", "inf", "queue");
}

/* One who holds, others who arrive, deaths before and while it moves on. */
static bool queue_game(void)
{
	hold_begin();
	if (!until_started(queue_up(TAG_QUEUE, "hold")))
		return false;
	for (int i = 1; i <= ARRIVALS; i++) {
		uint64_t before = tickets();
		struct worker *w = queue_up(i, NULL);
		if (below(4) == 0) {
			rest(1500000);
			shoot_wrapper(w);
			if (!until_dead(w))
				return false;
		}
		while (w->pid && !w->started && tickets() == before)
			if (rest(60000), !step())
				return false;
		if (below(12) == 0)
			shoot_at_random();
	}
	for (uint64_t n = 2 + below(4); n > 0; n--) {
		rest(500000);
		step();
		shoot_at_random();
	}
	hold_end();
	for (uint64_t n = 1 + below(4); n > 0; n--) {
		rest(1000000);
		step();
		shoot_at_random();
	}
	bool well = drain();
	tally.inversions += out_of_order(TAG_POOL);
	tally.crowded += most_alive(TAG_QUEUE, TAG_POOL, COMMAND) > 1;
	log_clear();
	return well;
}

/* The service is healthy now: the breaker closes, and then admits all. */
static void heal(const char *name)
{
	struct worker *w[PROBES + 3];
	struct worker *first = SEND(TAG_OTHER, 0, 0, NULL, "nl-breaker", "-f9", "-p2", "-w", "5", name);
	bool well = until_dead(first) && WIFEXITED(first->status) && WEXITSTATUS(first->status) == 0;
	hold_begin();
	for (int i = 0; i < PROBES + 3 && well; i++) {
		w[i] = SEND(TAG_OTHER, 0, 0, "hold", "nl-breaker", "-f9", "-p2", name);
		well = until_started(w[i]);
	}
	tally.wedged += !well;
	hold_end();
	drain();
	log_clear();
}

static bool probes(long kills)
{
	if (!until_dead(SEND(TAG_OTHER, 0, 1, NULL, "nl-breaker", "-f1", "-o1ms", "-p2", "--close-after=inf", "probe")))
		return false;
	bool well = storm(kills, 12, begin_probe);
	int most = most_alive(TAG_PROBE, TAG_OTHER, WRAPPER);
	tally.probes = most > tally.probes ? most : tally.probes;
	most_alive(TAG_OTHER, TAG_OTHER + 1, WRAPPER);
	log_clear();
	heal("probe");
	heal("other");
	return well;
}

static void look_at_records(void)
{
	static const char *const kinds[] = { "bulkhead", "breaker" };
	for (int i = 0; i < 2; i++) {
		char path[300];
		(void)snprintf(path, sizeof path, "%s/%s", dir, kinds[i]);
		DIR *d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d)) != NULL; )
			if (strstr(e->d_name, ".corrupt.")) {
				fprintf(stderr, "storm: %s/%s\n", kinds[i], e->d_name);
				tally.unreadable++;
			}
		if (d)
			closedir(d);
	}
}

/* Waiting for a guard for 250 ms is trouble, and what a busy machine does. */
static void look_at_events(void)
{
	static long from;
	char path[300], text[5000];
	(void)snprintf(path, sizeof path, "%s/events", dir);
	FILE *f = fopen(kept ? kept : path, "re");
	if (f && fseek(f, from, SEEK_SET) < 0)
		tally.lost++;
	while (f && fgets(text, sizeof text, f)) {
		if (!strstr(text, "\"event\":\"nl.state.degraded\""))
			continue;
		if (strstr(text, "\"reason\":\"busy\"")) {
			tally.busy++;
		} else {
			fprintf(stderr, "storm: %s", text);
			tally.unreadable++;
		}
	}
	from = f && kept ? ftell(f) : 0;
	if (f)
		fclose(f);
	if (!kept && truncate(path, 0) < 0 && errno != ENOENT)
		tally.lost++;
}

static bool pool(long kills)
{
	if (!storm(kills, 28, begin_pool))
		return false;
	int most = most_alive(TAG_POOL, TAG_POOL + 1, COMMAND);
	tally.at_once = most > tally.at_once ? most : tally.at_once;
	log_clear();
	count_slots("pool", LIMIT, TAG_POOL);
	return true;
}

static bool queue(long kills)
{
	for (long goal = tally.kills + kills; tally.kills < goal; )
		if (!queue_game())
			return false;
	count_slots("queue", 1, TAG_QUEUE);
	return true;
}

static const struct phase { const char *name; bool (*run)(long); int percent; } phases[] = {
	{ "pool", pool, 60 }, { "queue", queue, 10 }, { "probes", probes, 30 },
};

static bool round_of(long kills, const char *only)
{
	for (const struct phase *p = phases; p < phases + 3; p++)
		if (!only || !strcmp(only, p->name))
			if (!p->run(only ? kills : kills * p->percent / 100 + 1))
				return false;
	return true;
}

static int removes(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void prepare(const char *under)
{
	char path[300];
	if (snprintf(dir, sizeof dir, "%s/storm.XXXXXX", under) >= (int)sizeof dir || !mkdtemp(dir)) {
		perror(dir);
		exit(2);
	}
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		exit(2);
	(void)snprintf(path, sizeof path, kept ? "%s@debug" : "%s/events@warn", kept ? kept : dir);
	setenv("NL_STATE", dir, 1);
	setenv("NL_EVENTS", path, 1);
	(void)snprintf(path, sizeof path, "%s/log", dir);
	log_begin(path);
	(void)snprintf(path, sizeof path, "%s/witness", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, FD_WITNESS) != FD_WITNESS || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		exit(2);
	close(fd);
}

static bool report(uint64_t seeded, double seconds)
{
	struct tally *t = &tally;
	long bad = t->crowded + t->leaked + t->inversions + t->unreadable + t->wedged + t->stuck + t->lost;
	bool many = t->at_once > LIMIT || t->probes > PROBES;
	printf("seed %llu kills %ld seconds %.1f kills/s %.0f\n", (unsigned long long)seeded, t->kills, seconds, (double)t->kills / seconds);
	printf("wrappers %ld commands %ld ended %ld rejected %ld busy %ld\n", t->wrappers, t->commands, t->ended, t->rejected, t->busy);
	printf("at once %d of %d, probes %d of %d\n", t->at_once, LIMIT, t->probes, PROBES);
	printf("crowded %ld leaked %ld inversions %ld unreadable %ld wedged %ld stuck %ld lost %ld\n", t->crowded, t->leaked,
	       t->inversions, t->unreadable, t->wedged, t->stuck, t->lost);
	return bad == 0 && !many;
}

int main(int argc, char **argv)
{
	long kills = 2000;
	uint64_t seeded = 1;
	const char *under = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	if (argc > 2 && !strcmp(argv[1], "run"))
		return command_main(argv + 2);
	for (int o; (o = getopt(argc, argv, "k:s:d:e:")) != -1; ) {
		if (o == 'k')
			kills = strtol(optarg, NULL, 10);
		else if (o == 's')
			seeded = strtoull(optarg, NULL, 10);
		else if (o == 'd')
			under = optarg;
		else if (o == 'e')
			kept = optarg;
		else
			return 2;
	}
	for (int i = 0; argv[optind] && strcmp(argv[optind], phases[i].name) != 0; )
		if (++i == 3)
			return 2;
	seed(seeded);
	prepare(under);
	int64_t began = now();
	while (tally.kills < kills && tally.stuck == 0) {
		long left = kills - tally.kills;
		if (!round_of(left < ROUND ? left : ROUND, argv[optind]))
			drain();
		look_at_records();
		look_at_events();
	}
	bool well = report(seeded, (double)(now() - began) / 1e9);
	nftw(dir, removes, 8, FTW_DEPTH | FTW_PHYS);
	return well ? 0 : 1;
}
