#!/bin/sh
# node-postgres, installed beside this file at the versions of the lock.
set -eu
export NODE_NO_WARNINGS=1
here=$(dirname "$0")
[ -d "$here/node_modules/pg" ] || (cd "$here" && npm ci --no-audit --no-fund --silent)
exec node "$here/peer.js"
