#!/usr/bin/env bash
# The rounds of run_lease_slow_test.sh over PostgreSQL, in the server of NEAP_TEST_POSTGRES.
cd "$(dirname "$0")" || exit 2
STORE=$NEAP_TEST_POSTGRES exec bash ./run_lease_slow_test.sh
