#!/bin/sh
# Stands for the daemon's program. What it does is in the home, because a file that a test had just written could not always
# be executed: another test's fork may still hold it open for writing.
exec sh "$CALLBOARD_HOME/script" "$@"
