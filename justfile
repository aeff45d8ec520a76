# Recipes for people: `just` lists them. The gate itself is .ci/run and needs no just.

# What there is to run
default:
    @just --list

# Everything that a change must pass: format, lints, tests, documentation, dependencies
ci:
    bash .ci/run

# All tests: units, scenarios, the real daemon, the house rules
test:
    cargo test --workspace --locked

# Crashes, power cuts and failing disks against the store, from random seeds
simulate seconds="60":
    SIMULATION_SECONDS={{seconds}} cargo test -p callboard-daemon simulation -- --nocapture

# Kill the real daemon under load again and again: what it acknowledged has to be there
kill-loop rounds="200":
    KILL_LOOP_ROUNDS={{rounds}} cargo test -p e2e --test e2e kill_loop -- --nocapture

# Check that what concurrent clients see of keys and locks is linearizable, through kills of the real daemon
histories seconds="60":
    HISTORIES_SECONDS={{seconds}} cargo test -p e2e --test e2e histories -- --nocapture

# Agents that coordinate before your eyes
demo:
    cargo run --release -- demo

# Measure the real daemon through its socket, all of it (a minute once it is built) or the parts named
bench *parts:
    cargo bench -p e2e -- {{parts}}

# Look for bytes that break a reader: frames, envelope, params, board, lock_names, snapshot or journal
fuzz target seconds="600":
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --features fuzzer {{target}} -- -max_total_time={{seconds}} -max_len=8192

# Format the code in place
fmt:
    cargo fmt --all

# Licences, bans, sources and known vulnerabilities of the dependencies
deny:
    cargo deny --locked check
