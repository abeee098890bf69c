/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - internal: the control plane.  A command is a request in one form,
 * JSON, whatever brought it: a command line, a line of a file, later a socket.
 *
 *	{"id":"7","cmd":"set","args":{"policy":"breaker/db","values":{"failures":"10"}}}
 *	{"id":"7","result":"ack","policy":"breaker/db","gen":3}
 *
 * What handles it is a chain of one function type, composed as policies are:
 * audit(authz(router)).  nl-request.schema.json and nl-result.schema.json are
 * the forms; nl-ctl(1) has the commands.
 */
#ifndef NL_CONTROL_H
#define NL_CONTROL_H

#include "event.h"
#include "json.h"
#include "jsonout.h"
#include "nl.h"
#include "state.h"

#include <limits.h>

#define NL_REQUEST_MAX (1 << 20)        /* bytes of a request */
#define NL_RESULT_MAX (16 << 20)        /* bytes of a result */
#define NL_GROUPS 64

/* Who asks, as the kernel says. */
struct nl_identity { uint32_t uid; char user[33], by[16]; uint32_t gids[NL_GROUPS]; unsigned groups; };

enum nl_failure {
	NL_NO_FAILURE,
	NL_INVALID_ARGS,                /* the request is wrong */
	NL_NOT_FOUND,                   /* no such policy, key or command */
	NL_DENIED,                      /* by the rules, or by the files' modes */
	NL_CONFLICT,                    /* compare-and-set: somebody else was first */
	NL_STATE_UNAVAILABLE,           /* state cannot be used, now */
	NL_INTERNAL,
	NL_FAILURES
};
const char *nl_failure_name(enum nl_failure);

/* An argument of a command.  Of type NL_JSON_TRUE: a boolean. */
struct nl_arg { const char *name; enum nl_json_type type; bool required; };

struct nl_ctx;

/* What is registered for a name. */
struct nl_command {
	const char *name, *usage, *about;
	const struct nl_arg *args;      /* ended by a NULL name */
	bool writes;                    /* changes something: audited before it is done */
	bool missing_ok;                /* works on a policy that has no record too */
	void (*handler)(struct nl_ctx *);       /* replies, once */
};

/* One request on its way. */
struct nl_ctx {
	struct nl_run *run;
	const struct nl_req *q;
	const struct nl_svc *svc;       /* nl-ctl: whose --state, whose events */
	struct nl_span_of of;
	const char *text;               /* the request */
	struct nl_json_tok *tok;
	int args;                       /* index of the object */
	char id[65], name[33];          /* empty while unknown */
	struct nl_identity identity;
	const struct nl_command *command;       /* NULL: an executable's, or nobody's */
	bool writes;
	const struct nl_kind *kind;     /* of the policy that it is about, or NULL */
	char policy[NL_NAME_MAX + 1], target[NL_NAME_MAX + 20];  /* "db", "breaker/db"; "" */
	char root[PATH_MAX];            /* directory of state */
	struct nl_out reply;            /* a whole result at the end */
	enum nl_failure failure;        /* of the reply */
	char message[400];              /* same */
	char old[240], new[240];        /* what was changed, for the audit; or empty */
	uint64_t gen;                   /* of the policy, afterwards */
	bool told;                      /* events of its own say what was done */
	uint64_t epoch;                 /* of a breaker that it has changed, and was not told; 0: none */
	uint32_t step;                  /* same: which change of its record */
	int64_t at_us;                  /* same: on the record's clock */
};

/* A link of the chain.  Leaves a result in reply, in any case. */
struct nl_control;
typedef void nl_control_call(struct nl_control *, struct nl_ctx *);
struct nl_control { nl_control_call *call; struct nl_control *inner; };

/* The innermost: what is registered, then executables of handlers.d. */
struct nl_router { struct nl_control base; const struct nl_command *const *commands; };
nl_control_call nl_route;
nl_control_call nl_authorise;           /* rules.c */
nl_control_call nl_audit;               /* audit.c */

/* Handles one request of n bytes: the result is in c->reply, without a line's
 * end.  c has run, q, svc; nl_ctx_free is due. */
void nl_handle(struct nl_control *, const struct nl_router *, struct nl_ctx *c, const char *text, size_t n);
void nl_ctx_free(struct nl_ctx *);
const struct nl_command *nl_command_of(const struct nl_router *, const char *name);
void nl_identify(struct nl_run *, struct nl_identity *);

/* Begins a result: ack, reset, value or list.  Its members are put by the handler. */
struct nl_out *nl_reply(struct nl_ctx *, const char *result);
/* A failure in its place.  what: the policy, key or field, or NULL.  Returns -1. */
int nl_refuse(struct nl_ctx *, enum nl_failure, const char *what, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The failure that a trouble of state is. */
int nl_refuse_state(struct nl_ctx *, const struct nl_state *);
/* ack or reset, with policy, gen and epoch. */
void nl_reply_done(struct nl_ctx *, const char *result, uint64_t epoch);

/* A string argument into buf; false: absent.  The router has checked types. */
bool nl_arg_str(const struct nl_ctx *, const char *name, char *buf, size_t size);
bool nl_arg_is(const struct nl_ctx *, const char *name);        /* a boolean, true */
bool nl_arg_u64(const struct nl_ctx *, const char *name, uint64_t *);   /* false: absent */

/* Opens what c is about: nl_state_open and the answer to what goes wrong. */
int nl_ctx_open(struct nl_ctx *, struct nl_state *, enum nl_make);

/* Reads it, and lets look answer; the answer to what goes wrong. */
typedef void nl_ctx_look(struct nl_ctx *, struct nl_state *, struct nl_record *);
void nl_ctx_read(struct nl_ctx *, nl_ctx_look *look);

/* Reads a request: 0, or -1 with the refusal.  envelope.c. */
int nl_request_read(struct nl_ctx *, const char *text, size_t n);
/* Is this a result, and of that id?  0, -1 with err. */
int nl_result_check(const char *text, size_t n, const char *id, struct nl_err *);

/* Runs handlers.d/NAME.  False: there is none. */
bool nl_handler_run(struct nl_ctx *);

/* All that nl-ctl has. */
extern const struct nl_command *const nl_commands[];
extern const struct nl_command nl_cmd_list, nl_cmd_show, nl_cmd_get, nl_cmd_set, nl_cmd_unset, nl_cmd_reset, nl_cmd_open,
	nl_cmd_close, nl_cmd_disable, nl_cmd_enable, nl_cmd_watch, nl_cmd_health, nl_cmd_history, nl_cmd_check, nl_cmd_observe, nl_cmd_request;

#endif
