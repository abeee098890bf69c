/* SPDX-License-Identifier: Apache-2.0 */
/*
 * racetell.h - internal: what a race says of itself, in events.
 */
#ifndef NL_RACETELL_H
#define NL_RACETELL_H

#include "track.h"

/* nl.race.hedged: arm i was started after others. */
void nl_race_tell_hedged(const struct nl_track *, unsigned i, bool failure);

/* nl.race.won or nl.race.lost: how each arm ended. */
void nl_race_tell(const struct nl_track *, struct nl_outcome, nl_time began, nl_time dur);

#endif
