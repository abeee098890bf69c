/* SPDX-License-Identifier: Apache-2.0 */
/* optwords.c - a line on which options stand anywhere between the operands. */
#include "opt.h"

#include <string.h>

int nl_opt_words(struct nl_svc *svc, char ***argv, unsigned *words, enum nl_opt_result *about, struct nl_err *err)
{
	bool options_end = (*argv)[-1] && !strcmp((*argv)[-1], "--");
	char **word = *argv, **kept = word;
	while (*word) {
		kept[(*words)++] = *word++;
		if (options_end)
			continue;
		char **before = word;
		enum nl_opt_result r = nl_opt_parse(svc, &word, false, err);
		if (r == NL_OPT_ERROR)
			return -1;
		if (r != NL_OPT_OK && !*about)
			*about = r;
		options_end = word > before && !strcmp(word[-1], "--");
	}
	*argv = word;
	return 0;
}
