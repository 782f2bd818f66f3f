#!/bin/sh
# t10-integration.sh PROGRAM - 24SevenOffice and Ongoing: every file that is expected, from one run
. "$(dirname "$0")/flow.sh"
begin "$1"
site=$work/site
in=$top/samples/ongoing24so/in
want=$top/samples/ongoing24so/expected

make_site() {
    rm -rf "$site"
    "$prog" init "$site" --from "$top/mappings/24so-ongoing" > /dev/null || bad init
    cp "$in/24so_products.xml" "$site/inbox/products/"
    cp "$in/24so_companies.xml" "$site/inbox/companies/"
    cp "$in/24so_orders.xml" "$site/inbox/orders/"
    cp "$in/ongoing_shipped.csv" "$site/inbox/shipped/"
    cp "$in/ongoing_inventory.csv" "$site/inbox/inventory/"
    old "$site"/inbox/*/*
}
log() {
    head -1 "$want/log.csv"
    for f in articles orders status stock; do tail -n +2 "$site"/outbox/log/${f}_*.csv; done
}

make_site
"$prog" run -n "$site" 2> "$work/log"
check "messages were refused: exit code 1" same $? 1
check "articles S1-19..26" cmp "$site"/outbox/ongoing/articles_*.xml "$want/ongoing_articles.xml"
check "orders S1-29..66" cmp "$site"/outbox/ongoing/orders_*.xml "$want/ongoing_orders.xml"
check "status sent S1-67..71" cmp "$site"/outbox/24so/status_*.xml "$want/24so_status_sent.xml"
check "stock S1-80..84" cmp "$site"/outbox/24so/stock_*.xml "$want/24so_stock_updates.xml"
log > "$work/log.csv"
check "log of messages" cmp "$work/log.csv" "$want/log.csv"
check "no suppliers unless switched on S1-15" same "$(find "$site/outbox" -name 'suppliers_*' | wc -l)" 0
check "every file is archived" same "$(zips "$site")" 5
check "nothing is left at work" idle "$site"
check "refused products in their own syntax" has "$(find "$site/error" -name 24so_products.xml)" '<Id>1004</Id>'
check "only they" sh -c "! grep -q '<Id>1001</Id>' '$(find "$site/error" -name 24so_products.xml)'"
check "place and reason of a refused record" has "$work/log" 'ongoing_shipped.csv:6:.*order was never pulled \[NEVER_PULLED\]'

make_site
sed -i 's/\(map suppliers.*\)on no/\1on yes/; s/set   variants no/set   variants yes/' "$site/site.conf"
sed -i '/map status-imported/s/on no/on yes/; s/set        pull-status "Confirmed"/&\n    set imported-status "Production"/' "$site/site.conf"
"$prog" run -q -n "$site" 2> "$work/log"
check "variants yes S1-5" cmp "$site"/outbox/ongoing/articles_*.xml "$want/ongoing_articles_variants_yes.xml"
check "suppliers S1-72..79" cmp "$site"/outbox/ongoing/suppliers_*.xml "$want/ongoing_suppliers.xml"
check "status on import S1-68" cmp "$site"/outbox/24so/imported_*.xml "$want/24so_status_on_import_option_yes.xml"

make_site
sed -i 's/^set goods-owner.*//' "$site/site.conf"
"$prog" run -q -n "$site" 2> "$work/log"
check "a needed setting is missing: exit code 3 S1-16" same $? 3
check "SITE_PARAM" has "$work/log" 'SITE_PARAM'
check "its files stay in the inbox" [ -f "$site/inbox/orders/24so_orders.xml" ]
exit $failed
