#!/bin/sh
# t43-batch-life.sh PROGRAM - a staged batch from its making to its commit: the sample of Ovotrack, by commands that work
# themselves, by commands that ask a watcher, and with a watcher that is killed after each step
. "$(dirname "$0")/lib.sh"
in=$top/samples/ovotrack/in want=$top/samples/ovotrack/expected

# The steps say local times of New York in summer; the clock is given in UTC.
at() { WAYBILL_CLOCK=$(date -u -d "$1 EDT" +%Y-%m-%dT%H:%M:%SZ) && export WAYBILL_CLOCK; }
make_site() {
    "$prog" init --from "$top/mappings/ovotrack" "$1" > /dev/null && mkdir -p "$1/inbox/orders" "$1/inbox/ovotrack"
}

# HOW is commands, watcher or killed: who does what `ask` asks for.
ask() {                                 # OPERATION OPTION...: its exit code is $code
    op=$1
    shift
    [ "$how" = commands ] || watch "$site" -q
    "$prog" "$op" --dir "$site" "$@" > ask.out 2> ask.log
    code=$?
    case $how in watcher) end_watcher TERM ;; killed) end_watcher KILL ;; esac
    return 0
}
end_watcher() { kill "-$1" "$watcher" && wait "$watcher" 2> /dev/null || true; }
masters() {                             # LOCATIONS
    drop "$in/divisions.csv" "$site/inbox/divisions" "divisions-$1"
    drop "$in/$1" "$site/inbox/locations"
    drop "$in/items.csv" "$site/inbox/items" "items-$1"
    "$prog" run -q "$site" 2> run.log
}

# The view of the batch now, and what is in a folder, under names without the batch: then the folder is empty again.
view() {                                # WANT
    ask do order-sync view
    same "$want/$1" "$(one "$site/outbox/log" '*_staged*.csv')" || return 1
    mv "$(one "$site/outbox/log" '*_messages*.csv')" messages.csv
    rm -f "$site"/outbox/log/*
}
taken() {                               # WANT FOLDER PATTERN
    same "$want/$1" "$(one "$site/outbox/$2" "$3")" && rm "$site/outbox/$2"/*
}

life() {                                # HOW
    how=$1 site=$tmp/$1 batch=''
    make_site "$site" || { result 1 "$how: make the site"; return; }
    at '2024-08-01 15:00:00'
    masters customer_locations_0801.csv
    drop "$in/erp_orders_20240801.csv" "$site/inbox/orders"
    ask create --since 2024-07-31
    batch=$(ls "$site/.waybill/work")
    check "$how: lines left out are told" taken 1_not_staged.csv log '*_not_staged.csv'
    check "$how: New Batch stages what meets the criteria" view 1_staged.csv
    at '2024-08-01 15:05:00'
    ask send
    check "$how: Send Batch gives a file" taken 2_ovotrack_orders_1.xml ovotrack '*.xml'
    check "$how: and stamps the lines" view 2_after_send_1.csv
    at '2024-08-02 07:30:00'
    drop "$in/ovotrack_updates_1.xml" "$site/inbox/ovotrack"
    ask receive
    check "$how: Receive Updates" view 3_after_receive_1.csv
    at '2024-08-02 08:00:00'
    drop "$in/erp_orders_update_20240802.csv" "$site/inbox/orders"
    ask update
    check "$how: Update From Source" view 4_after_update_from_source.csv
    at '2024-08-02 08:10:00'
    masters customer_locations_0802.csv
    ask send
    check "$how: the next Send Batch gives what is new or changed" taken 4_ovotrack_orders_2.xml ovotrack '*.xml'
    check "$how: and stamps it" view 4_after_send_2.csv
    at '2024-08-02 12:00:00'
    drop "$in/ovotrack_updates_2.xml" "$site/inbox/ovotrack"
    ask receive
    check "$how: a second answer" view 5_after_receive_2.csv
    at '2024-08-02 13:00:00'
    ask commit
    check "$how: Commit gives what was received" taken 6_erp_commit.csv erp '*.csv'
    check "$how: and stamps it" view 6_after_commit.csv
    check "$how: all messages, in the order of their coming" same "$want/commit_messages.csv" messages.csv
    check "$how: one batch stays, its answers and their files are in the archive" is "1 $batch" \
        "$(ls "$site/.waybill/work" | wc -l) $(ls "$site/.waybill/work")"
    check "$how: nothing is left of requests" is '' "$(ls "$site/.waybill/requests")"
    "$prog" fsck "$site" > fsck.out 2>&1
    result $? "$how: fsck finds nothing"
}

life commands
life watcher
life killed
finish
