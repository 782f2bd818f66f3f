#!/bin/sh
# t22-raks - integration 4 as a site: which settings it refuses
. "$(dirname "$0")/lib.sh"
map=$top/mappings/raks_baselinker

new_site() {                            # NAME SED SCRIPT for site.conf; the automatic sending is switched on
    "$prog" init "$1" --from "$map" > /dev/null 2>&1
    sed -i "/^flow wyslij/,/batch/s/on    no /on    yes /; s/^        on     no /        on     yes /; $2" "$1/site.conf"
}
refused() {                             # NAME SED SCRIPT TEXT ...
    site=$1
    new_site "$site" "$2"
    shift 2
    "$prog" check "$site/site.conf" > "$site.out" 2>&1
    said "$site.out" "$@"
}
check "S4-14: no status to send" refused none '/^set status-before/d' "Nie zdefiniowano statusu faktur do wysyłki." NO_STATUS
check "S4-31: no status after" refused after '/^set status-after/d' "Nie zdefiniowano statusu faktur po wysyłce."
check "S4-31: the same status after as before" refused same 's/"Wysłany"/"Do wysyłki"/' SAME_STATUS
check "S4-22: no series of invoices" refused series '/^set invoice-series/d' SITE_PARAM invoice-series
check "S4-35: no such place" refused place 's/number-place .*/number-place uwagi/' "Nieznane miejsce numeru: uwagi."
check "S4-9: an interval of 0 seconds" refused zero 's/every  60s/every  0s/' "site.conf:"
check "S4-9: an interval that is no whole number" refused half 's/every  60s/every  1.5s/' "site.conf:"
finish
