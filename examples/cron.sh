#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cron.sh - which mails cron would send.  Runs three jobs as cron does: sh, hardly
# any environment, no terminal; what they print would be mailed.
# What it prints is at the end; a test compares.
# shellcheck disable=SC2016  # text for another shell
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH

mail_of() {
	echo "== $1"
	echo "$1" | env -i PATH="$PATH" HOME=/ LOGNAME=root SHELL=/bin/sh NL_EVENTS="$2" sh 2>&1 |
		sed 's/^/mail: /'
}

# NL_EVENTS=human@warn or stderr@warn in the crontab: silent when all goes well.
mail_of 'nl-retry -b const:10ms sh -c "exit 0"' human@warn
mail_of 'nl-retry -b const:10ms sh -c "test \$NL_ATTEMPT = 2"' human@warn
mail_of 'nl-retry -n2 -b const:10ms nl-timeout 100ms sleep 60' human@warn

# -q and no NL_EVENTS: silent unless it gave up, then what the last attempt said.
mail_of 'nl-retry -q -b const:10ms sh -c "echo backup \$NL_ATTEMPT; test \$NL_ATTEMPT = 2"' off
mail_of 'nl-retry -q -b const:10ms sh -c "echo backup \$NL_ATTEMPT; exit 3"' off

# Prints:
#| == nl-retry -b const:10ms sh -c "exit 0"
#| == nl-retry -b const:10ms sh -c "test \$NL_ATTEMPT = 2"
#| mail: nl-retry: attempt 1/3 failed: exit 1 after 0.07 s, retry in 0.00 s
#| == nl-retry -n2 -b const:10ms nl-timeout 100ms sleep 60
#| mail: nl-timeout: sleep stopped after 0.11 s (TERM)
#| mail: nl-retry: attempt 1/2 failed: timeout after 0.11 s, retry in 0.00 s
#| mail: nl-timeout: sleep stopped after 0.11 s (TERM)
#| mail: nl-retry: gave up after 2 attempts: timeout
#| == nl-retry -q -b const:10ms sh -c "echo backup \$NL_ATTEMPT; test \$NL_ATTEMPT = 2"
#| == nl-retry -q -b const:10ms sh -c "echo backup \$NL_ATTEMPT; exit 3"
#| mail: backup 3
