#!/bin/sh
# t30-ongoing24so - integration 1 as a site of its own: the samples come out as expected, the settings do what they say
. "$(dirname "$0")/lib.sh"
in=$top/samples/ongoing24so/in
want=$top/samples/ongoing24so/expected

new_site() {                            # NAME [SED SCRIPT for site.conf]
    "$prog" init "$1" --from "$top/mappings/24so-ongoing" > /dev/null || return 1
    [ $# -lt 2 ] || sed -i "$2" "$1/site.conf"
}
drop_all() {
    drop "$in/24so_products.xml" "$1/inbox/products"
    drop "$in/24so_companies.xml" "$1/inbox/companies"
    drop "$in/24so_orders.xml" "$1/inbox/orders"
    drop "$in/ongoing_shipped.csv" "$1/inbox/shipped"
    drop "$in/ongoing_inventory.csv" "$1/inbox/inventory"
}
logs() {                                # SITE: its four logs as one
    head -1 "$want/log.csv"
    for p in articles orders status stock; do
        for f in $(find "$1/outbox/log" -name "${p}_*.csv" | sort); do tail -n +2 "$f"; done
    done
}
gives() { same "$want/$3" "$(one "$1/outbox" "$2")"; }

# All that is off by default (S1-15, S1-12) stays off; everything is dropped at once.
new_site plain
drop_all plain
run plain
check "S1-18 S1-19 S1-26 S1-61: articles" gives plain 'articles_*.xml' ongoing_articles.xml
check "S1-27 S1-29 S1-60 S1-62 S1-66: sales orders" gives plain 'orders_*.xml' ongoing_orders.xml
check "S1-67 S1-69 S1-71: status sent" gives plain 'status_*.xml' 24so_status_sent.xml
check "S1-80 S1-81 S1-84: stock" gives plain 'stock_*.xml' 24so_stock_updates.xml
logs plain > plain.csv
check "the four logs are the messages of all" same "$want/log.csv" plain.csv
check "S1-15: no suppliers by default" is "" "$(find plain/outbox -name 'suppliers_*')"
check "S1-12 S1-68: no status on import by default" is "" "$(find plain/outbox -name 'imported_*')"
check "G-6: exit code 1, for some messages were refused" is 1 "$code"
check "G-1: nothing is left in the inboxes, five batches are archived" is "0 5" "$(find plain/inbox -type f | wc -l) $(archived plain)"
check "S1-25: three products of one file are refused alone, in their own syntax" sh -c '
    f=$(find plain/error -name 24so_products.xml) && [ "$(grep -c "<Product>" "$f")" = 3 ] && grep -q "<GetProductsResult>" "$f"'

sidecar=$(grep -rl '"name":"24so_orders.xml"' plain/archive --include '*.waybill.json' || grep -rl 24so_orders.xml plain/archive --include '*.waybill.json')
check "G-3: the waybill names the source file and its hash" said "$sidecar" 24so_orders.xml "$(sha256sum < "$in/24so_orders.xml" | cut -c1-64)"
check "G-3 S1-86: the waybill tells what came from the company" said "$sidecar" PHONE_FALLBACK EMAIL_FALLBACK
check "G-3: the waybill holds its place" is archived "$(json place < "$sidecar")"

# Twice the same, and an order again.
cp -R plain twice
find twice/outbox -type f -delete
drop_all twice
run twice --no-fsync
check "G-2: the same files again have no second effect" is "" "$(outputs twice/outbox)"
check "G-2: each is told as a duplicate of the earlier batch" sh -c '[ "$(grep -c "event=duplicate" run.log)" = 5 ] && grep -q DUP_CONTENT run.log'
check "G-2: the duplicates lie in error/, exit code 1" is "1 5" "$code $(grep -l '"duplicate_of"' twice/error/*/*.waybill.json | wc -l)"
sed 's/R-77/R-78/' "$in/24so_orders.xml" > again.xml
drop again.xml twice/inbox/orders
run twice --no-fsync
f=$(one twice/outbox 'orders_*.xml')
check "S1-66: an order pulled again is sent again" sh -c "grep -q '<GoodsOwnerOrderNumber>50003<' '$f'"
check "S1-66: unless it was shipped in the WMS" sh -c "! grep -E '<GoodsOwnerOrderNumber>(50001|50002)<' '$f'"
check "S1-66: then its message is" said "$(one twice/outbox 'orders_*.csv')" "orders;50001;skipped;order was shipped in the WMS"
printf 'GoodsOwnerOrderNumber;OrderStatus;ShippedTime\n50001;Sent;2024-05-18T10:01:00\n50010;Sent;2024-05-18T10:01:00\n' > more.csv
drop more.csv twice/inbox/shipped
run twice --no-fsync
f=$(one twice/outbox 'status_*.xml')
check "S1-70: a later shipped record of a reported order gives no update" sh -c "grep -q 50010 '$f' && ! grep -q 50001 '$f'"
printf 'ProductCode;ArticleNumber;NumberOfItems\n1002;K-101;0.0\n' > equal.csv
drop equal.csv twice/inbox/inventory
run twice --no-fsync
check "S1-81: no file when all agree" is "0 " "$code $(find twice/outbox -name 'stock_*.xml')"
sed 's/<No>S-300</<No>S-300B</' "$in/24so_products.xml" > products2.xml
drop products2.xml twice/inbox/products
run twice --no-fsync
check "S1-18: products without a date of change are given each time" sh -c "grep -q S-300B '$(one twice/outbox 'articles_*.xml')'"

# Options.
new_site options 's/variants no/variants yes/; s/^\(.*map suppliers empty skip\) on no/\1/; s/^\(.*map status-imported empty skip\) on no/\1/
    s/set *pull-status "Confirmed"/&\n    set imported-status "Production"/'
drop_all options
run options --no-fsync
check "S1-5 S1-6: variants yes" gives options 'articles_*.xml' ongoing_articles_variants_yes.xml
check "S1-72 S1-79: suppliers switched on" gives options 'suppliers_*.xml' ongoing_suppliers.xml
check "S1-12 S1-68: status on import" gives options 'imported_*.xml' 24so_status_on_import_option_yes.xml
check "S1-12: and the orders are the same" gives options 'orders_*.xml' ongoing_orders.xml
for target in '' 'set imported-status "Confirmed"'; do
    new_site "bad$target" 's/^\(.*map status-imported empty skip\) on no/\1/
        s/set *pull-status "Confirmed"/&\n    '"$target/"
    drop "$in/24so_orders.xml" "bad$target/inbox/orders"
    drop "$in/ongoing_inventory.csv" "bad$target/inbox/inventory"
    run "bad$target" --no-fsync
    check "S1-13: settings ${target:-without imported-status} are refused, the orders stay" sh -c \
        "[ $code = 3 ] && grep -q 'imported-status, other than' run.log && [ -f 'bad$target/inbox/orders/24so_orders.xml' ] && [ ! -f 'bad$target/inbox/inventory/ongoing_inventory.csv' ]"
done

# Each flow off alone: what the others give is the same.
# What another flow needs from it was there before (tables, orders pulled), so it is given to all by a first run.
for flow in articles companies sales-orders order-sent stock; do
    cp -R plain "off-$flow"
    find "off-$flow/outbox" -type f -delete
    sed -i "/^flow $flow /,/^}/s/on \( *\)yes/on \1no/" "off-$flow/site.conf"
    # New contents: the same as the sample for a reader, other bytes.
    for f in 24so_products.xml:products 24so_companies.xml:companies 24so_orders.xml:orders ongoing_shipped.csv:shipped ongoing_inventory.csv:inventory; do
        cp "$in/${f%:*}" next
        case $f in *.xml:*) echo '<!-- again -->' >> next ;; *) sed -i 's/50010;Picking/50010;Packing/; s/9999;ZZ-1;4/9999;ZZ-1;5/' next ;; esac
        drop next "off-$flow/inbox/${f#*:}" "${f%:*}"
    done
    run "off-$flow" --no-fsync
    sort_of() { case $1 in articles) echo articles ;; sales-orders) echo orders ;; order-sent) echo status ;; stock) echo stock ;; esac; }
    ok=0
    for other in articles sales-orders order-sent stock; do
        p=$(sort_of $other)
        n=$(find "off-$flow/outbox" -name "${p}_*" | wc -l)
        if [ $other = $flow ]; then
            is "$other gives 0" "$other gives $n" || ok=1
        else
            is "$other gives some" "$other gives $([ "$n" -gt 0 ] && echo some || echo none)" || ok=1
        fi
    done
    [ $flow = articles ] || gives "off-$flow" 'articles_*.xml' ongoing_articles.xml || ok=1
    [ $flow = stock ] || gives "off-$flow" 'stock_*.xml' 24so_stock_updates.xml || ok=1
    result $ok "S1-2: $flow off, the others as before"
done
check "S1-8 S1-11: with order-sent off nothing is written back for fulfilled orders" is "" "$(find off-order-sent/outbox -name 'status_*')"

new_site nobody '/^set goods-owner/d'
drop_all nobody
run nobody
check "S1-16 S1-17: without goods owner the flows that need it stay off, exit code 3" sh -c \
    "[ $code = 3 ] && grep -q SITE_PARAM run.log && [ -f nobody/inbox/orders/24so_orders.xml ] && [ -f nobody/inbox/products/24so_products.xml ]"
check "S1-16: status and stock need none and go on" sh -c "[ ! -f nobody/inbox/shipped/ongoing_shipped.csv ] && [ ! -f nobody/inbox/inventory/ongoing_inventory.csv ]"

# The interval, in seconds here: what is dropped after a beat waits for the next; a flow may have its own.
check "S1-3: every flow that pulls does so every 15 minutes" is 4 "$(grep -c 'every 15m' "$top/mappings/24so-ongoing/site.conf")"
new_site paced 's/stable 5s/stable 100ms/; s/every 15m/every 15s/; /^flow stock/,/^}/s/every 15s/every 60m/'
{ cat "$in/24so_products.xml"; echo; } > first.xml && drop first.xml paced/inbox/products
head -2 "$in/ongoing_inventory.csv" > first.csv && drop first.csv paced/inbox/inventory
watch paced
wait_for 60 eval '[ -z "$(find paced/inbox -type f)" ] && [ "$(archived paced)" = 2 ]'      # the first beat of each is over
drop "$in/24so_products.xml" paced/inbox/products
drop "$in/ongoing_inventory.csv" paced/inbox/inventory
drop "$in/ongoing_shipped.csv" paced/inbox/shipped
wait_for 60 eval '[ ! -f paced/inbox/shipped/ongoing_shipped.csv ]'
check "S1-4: a flow without interval takes a drop at once, one with it waits" is "paced/inbox/inventory/ongoing_inventory.csv
paced/inbox/products/24so_products.xml" "$(find paced/inbox -type f | sort)"
check "S1-4: until its interval is over" wait_for 60 has paced/outbox/ongoing 2
check "S1-4: each flow has its own" is paced/inbox/inventory/ongoing_inventory.csv "$(find paced/inbox -type f)"
stop
finish
