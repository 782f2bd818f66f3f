#!/bin/sh
# demo.sh PROGRAM SITE - the integration 24SevenOffice–Ongoing, whole, with the real watcher
#
# Makes the site with `waybill init`, starts `waybill watch`, drops the exports into the inboxes as a partner would (written
# under a temporary name, then renamed) and shows what came of them.  The site stays.
set -eu
prog=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
site=$2
top=$(cd "$(dirname "$0")/.." && pwd)
in=$top/samples/ongoing24so/in
want=$top/samples/ongoing24so/expected
case $site in */demo) rm -rf "$site" "$site.log" ;; esac
mkdir -p "$(dirname "$site")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

drop() {                                # FILE INBOX: as a careful sender does it
    cp "$1" "$site/inbox/$2/.part-$(basename "$1")"
    mv "$site/inbox/$2/.part-$(basename "$1")" "$site/inbox/$2/$(basename "$1")"
    echo "dropped $(basename "$1") into inbox/$2"
}

settled() {                             # N: until N batches are archived
    i=0
    while [ "$(find "$site/archive" -name '*.zip' 2> /dev/null | wc -l)" -lt "$1" ]; do
        i=$((i + 1))
        if [ $i -gt 300 ] || ! kill -0 "$watcher" 2> /dev/null; then
            echo "the watcher did not finish; its log:" >&2
            tail -20 "$site.log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

equal() {                               # PATTERN EXPECTED
    got=$(find "$site/outbox" -name "$1" | sort | head -1)
    if cmp -s "$got" "$want/$2"; then
        echo "outbox/${got#"$site/outbox/"} is samples/ongoing24so/expected/$2, byte for byte"
    else
        echo "outbox/${got#"$site/outbox/"} differs from samples/ongoing24so/expected/$2" >&2
        exit 1
    fi
}

say "1. A site from the integration's files: waybill init $site --from mappings/24so-ongoing"
"$prog" init "$site" --from "$top/mappings/24so-ongoing"
sed -i 's/every 15m/every 1s /; s/stable 5s/stable 1s/' "$site/site.conf"
echo "For this demo its site.conf says \`every 1s\` in place of \`every 15m\` and \`stable 1s\` in place of \`stable 5s\`."

say "2. The watcher: waybill watch $site"
"$prog" watch "$site" 2> "$site.log" &
watcher=$!
trap 'kill "$watcher" 2> /dev/null || :; wait "$watcher" 2> /dev/null || :' EXIT
trap 'exit 1' HUP INT TERM

say "3. The exports arrive"
drop "$in/24so_products.xml" products
drop "$in/24so_companies.xml" companies
settled 2
drop "$in/24so_orders.xml" orders
drop "$in/ongoing_inventory.csv" inventory
settled 4
drop "$in/ongoing_shipped.csv" shipped
settled 5
equal 'articles_*.xml' ongoing_articles.xml
equal 'orders_*.xml' ongoing_orders.xml
equal 'stock_*.xml' 24so_stock_updates.xml
equal 'status_*.xml' 24so_status_sent.xml

say "4. A stock report with a wrong record"
printf 'ProductCode;ArticleNumber;NumberOfItems\n1001;K-100;117\n1007;S-300;12x5\n' > "$site/wrong_inventory.csv"
cat "$site/wrong_inventory.csv"
drop "$site/wrong_inventory.csv" inventory
rm -f "$site/wrong_inventory.csv"
settled 6

kill "$watcher"
wait "$watcher" || :
trap - EXIT

wrong=$(basename "$(dirname "$(find "$site/error" -name wrong_inventory.csv)")")
say "The outbox"
(cd "$site" && find outbox -type f | sort)
say "One of them: the stock that the ERP is told"
cat "$(find "$site/outbox/24so" -name 'stock_*' | sort | head -1)"
say "The archive: the original, what came of it and the waybill of each batch"
(cd "$site" && find archive -name '*.zip' -o -name '*.waybill.json' | sort)
say "The wrong record, set aside alone, to be mended and dropped again"
cat "$site/error/$wrong/wrong_inventory.csv"
say "Why: waybill show --dir $site $wrong"
"$prog" show --dir "$site" "$wrong"
say "Where the batches stand: waybill status $site"
"$prog" status "$site"
echo
echo "The site stays in $site; the watcher's log is $site.log"
