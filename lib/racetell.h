/* SPDX-License-Identifier: Apache-2.0 */
/*
 * racetell.h - internal: what a race says of itself, in events.
 */
#ifndef NL_RACETELL_H
#define NL_RACETELL_H

#include "branch.h"
#include "event.h"
#include "heat.h"
#include "pace.h"

/* nl.race.hedged: arm i was started after others.  The pacer is NULL where the delay is not measured. */
void nl_race_tell_hedged(struct nl_run *, struct nl_span_of, const struct nl_heat *, unsigned i, bool failure,
                         const struct nl_pacer *);

/* nl.race.won or nl.race.lost: how each arm ended. */
void nl_race_tell(struct nl_run *, struct nl_span_of, const struct nl_heat *, const struct nl_branch *, const struct nl_heat_step *,
                  const struct nl_pacer *, struct nl_outcome, nl_time began, nl_time dur);

#endif
