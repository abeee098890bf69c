#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Real processes use one breaker, some are killed, and some order of what they
# did explains all answers: tests/lin/lin.c.  `make lin` is the same with a
# million operations.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=60; }

@test "What processes that share a breaker do has an order that explains every answer" {
	lin -n 20000 -k 100 -d "$BATS_TEST_TMPDIR"
}

@test "A record that is read under one guard and written under another has no such order" {
	lin -n 10000 -k 100 -d "$BATS_TEST_TMPDIR" -m
}
